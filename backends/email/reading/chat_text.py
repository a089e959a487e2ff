"""Finds what is new in the text of a mail that a chat program wrote (Delta Chat and its kin). Pure.

Such a text is `> ` lines of the message that is answered, if one is, then what was typed, then a signature
that is the writer's status, the same in every mail. A typed line that begins with `--` has a mark before it
that keeps it from being taken for one."""

from __future__ import annotations

from backends.email.reading import marks

_SIGNATURES = ("-- ", "--  ")
_ESCAPE = "\N{ZERO WIDTH SPACE}--"


def find(text: str) -> tuple[str, str]:
    """(what was typed, what it quotes without its marks). The text may have marks (`marks`) in it."""
    lines = marks.without(text).replace("\r\n", "\n").split("\n")
    lines = lines[: next((at for at, line in enumerate(lines) if line in _SIGNATURES), len(lines))]
    end = next((at for at, line in enumerate(lines) if not line.startswith(">")), len(lines))
    quoted, typed = lines[:end], "\n".join(_unescaped(line) for line in lines[end:]).strip("\n")
    if not typed.strip():
        return "\n".join(map(_unescaped, lines)).strip("\n"), ""  # a quote and nothing more is what is said
    return typed, "\n".join(line.removeprefix(">").removeprefix(" ") for line in quoted)


def _unescaped(line: str) -> str:
    return line[1:].rstrip() if line.startswith(_ESCAPE) else line.rstrip()
