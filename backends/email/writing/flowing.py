"""Knows how a chat's text becomes format=flowed text (RFC 3676 §4.2): short lines that flow, quotes with
their marks, and no line that a mail program would take for something else. Pure.

What changes: white space at the ends of lines goes, `> > x` becomes `>> x`."""

from __future__ import annotations

from backends.email.writing.styling import Block, Preformatted, Quote, blocks, unquoted

WIDTH = 72
_SIGNATURE = "--"


def flow(text: str) -> str:
    """The text of a mail; lines end with `\\n`. Lines of preformatted blocks stay as they are."""
    lines = text.split("\n")
    result: list[str] = []
    for line, fixed in zip(lines, _fixed(blocks(text), lines), strict=True):
        depth, content = _quoted(line)
        pieces = [content.rstrip()] if fixed else _pieces(content.rstrip(), WIDTH - depth)
        result += [_line(piece, depth) for piece in pieces]
    return "\n".join(result)


def _quoted(line: str) -> tuple[int, str]:
    depth = 0
    while line.startswith(">"):
        depth, line = depth + 1, unquoted(line)
    return depth, line


def _fixed(found: tuple[Block, ...], lines: list[str]) -> list[bool]:
    """For each line, whether it belongs to a preformatted block."""
    flags: list[bool] = []
    for block in found:
        flags += _flags(block)
    return (flags + [True] * len(lines))[: len(lines)]


def _flags(block: Block) -> list[bool]:
    if isinstance(block, Preformatted):
        return [True] * (len(block.lines) + 2)
    if isinstance(block, Quote):
        return [flag for inner in block.blocks for flag in _flags(inner)]
    return [False]


def _pieces(line: str, width: int) -> list[str]:
    """A line in pieces that end with a space, but for the last. No piece is the mark of a signature."""
    pieces: list[str] = []
    while len(line) > width:
        end = line.rfind(" ", 1, width)
        while end > 0 and line[:end].strip() in ("", _SIGNATURE):
            end = line.rfind(" ", 1, end)
        if end <= 0:
            end = line.find(" ", width)
        if end <= 0 or not line[end:].strip():
            break
        pieces.append(line[: end + 1])
        line = line[end + 1 :]
    return [*pieces, line]


def _line(piece: str, depth: int) -> str:
    """A line as it is sent: stuffed with a space where it would be taken for something else (§4.4)."""
    if depth:
        return f"{'>' * depth} {piece}"
    stuffed = piece.startswith((" ", ">", "From ")) or piece.rstrip() == _SIGNATURE
    return f" {piece}" if stuffed else piece
