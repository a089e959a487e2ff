"""Knows format=flowed (RFC 3676): long lines that were broken softly, put together again. Pure."""

from __future__ import annotations

SIGNATURE = "-- "


def unflow(text: str, delsp: bool = False) -> str:
    """The text with its paragraphs on one line each. Quotes keep their `>` marks, one space after the last.
    `delsp`: the space at a soft break is no part of the text (RFC 3676 §4.1)."""
    lines: list[str] = []
    open_depth: int | None = None
    pieces: list[str] = []

    def finish() -> None:
        if open_depth is not None:
            lines.append(_marked(open_depth, "".join(pieces)))
            pieces.clear()

    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        if open_depth is not None and (depth != open_depth or content == SIGNATURE):
            finish()
        soft = content.endswith(" ") and content != SIGNATURE
        pieces.append(content[:-1] if soft and delsp else content)
        open_depth = depth
        if not soft:
            finish()
            open_depth = None
    finish()
    return "\n".join(lines)


def _marked(depth: int, content: str) -> str:
    return f"{'>' * depth} {content}" if depth else content
