"""Knows Message Styling (XEP-0393): text into blocks and spans. Pure, and linear in the length of the
text."""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

DEEPEST = 10
"""Quotes in quotes; deeper ones are text."""


class Look(enum.Enum):
    """How a span looks; the value is its directive."""

    STRONG = "*"
    EMPHASIS = "_"
    STRIKE = "~"
    MONO = "`"


@dataclass(frozen=True, slots=True)
class Styled:
    """A span with what is in it, without its directives."""

    look: Look
    inner: tuple[Span, ...]


Span: TypeAlias = str | Styled


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text (§ Plain)."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Preformatted:
    """The lines between two lines of three grave accents."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """What stands behind `>`, with one space after it gone."""

    blocks: tuple[Block, ...]


Block: TypeAlias = Line | Preformatted | Quote

_DIRECTIVES = {look.value: look for look in Look}
_FENCE = "```"


def blocks(text: str) -> tuple[Block, ...]:
    """A text's blocks, in order."""
    return tuple(_blocks(text.split("\n"), 0))


def is_styled(found: tuple[Block, ...]) -> bool:
    """Whether there is anything that plain text could not show; quotes it can."""
    for block in found:
        if isinstance(block, Preformatted):
            return True
        if isinstance(block, Quote) and is_styled(block.blocks):
            return True
        if isinstance(block, Line) and any(isinstance(span, Styled) for span in block.spans):
            return True
    return False


def _blocks(lines: list[str], depth: int) -> Iterator[Block]:
    position = 0
    while position < len(lines):
        line = lines[position]
        end = position + 1
        if line.startswith(_FENCE):
            while end < len(lines) and lines[end].rstrip() != _FENCE:
                end += 1
            yield Preformatted(tuple(lines[position + 1 : end]))
            end += 1
        elif line.startswith(">") and depth < DEEPEST:
            while end < len(lines) and lines[end].startswith(">"):
                end += 1
            yield Quote(tuple(_blocks([unquoted(each) for each in lines[position:end]], depth + 1)))
        else:
            yield Line(spans(line))
        position = end


def unquoted(line: str) -> str:
    """A quote's line without its mark, and without the one white space after that."""
    inner = line[1:]
    return inner[1:] if inner[:1].isspace() else inner


def spans(line: str) -> tuple[Span, ...]:
    """The spans of a line: a directive opens at the start or after white space, and not before white space;
    it closes at the next like it that does not follow white space, with something in between."""
    closing: dict[str, list[int]] = {directive: [] for directive in _DIRECTIVES}
    for position in range(1, len(line)):
        if line[position] in closing and not line[position - 1].isspace():
            closing[line[position]].append(position)
    return tuple(_spans(line, 0, len(line), closing))


def _spans(line: str, start: int, end: int, closing: dict[str, list[int]]) -> Iterator[Span]:
    """The spans of a part of a line. Between a directive and its closing there is no closing of the same
    kind, so they are in each other four deep at most."""
    plain = position = start
    while position < end:
        close = _closing(line, position, start, end, closing)
        if close is None:
            position += 1
            continue
        if plain < position:
            yield line[plain:position]
        look = _DIRECTIVES[line[position]]
        if look is Look.MONO:
            yield Styled(look, (line[position + 1 : close],))
        else:
            yield Styled(look, tuple(_spans(line, position + 1, close, closing)))
        plain = position = close + 1
    if plain < end:
        yield line[plain:end]


def _closing(line: str, position: int, start: int, end: int, closing: dict[str, list[int]]) -> int | None:
    """Where the span ends that opens here; None if none does."""
    directive = line[position]
    if directive not in _DIRECTIVES or position + 2 >= end or line[position + 1] in (directive, " "):
        return None
    if line[position + 1].isspace() or not (position == start or line[position - 1].isspace()):
        return None
    places = closing[directive]
    index = bisect_left(places, position + 2)
    return places[index] if index < len(places) and places[index] < end else None
