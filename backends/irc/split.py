"""Knows how a text becomes IRC lines: one for each line of the text, long ones cut where nothing breaks.
Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import msgspec

from backends.irc.formatting import write
from bridge.api import Content, Span

_BREAKS = re.compile(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_ZWJ = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAGS = range(0x1F1E6, 0x1F200)
_MOST_JOINED = 64


class Part(msgspec.Struct, frozen=True):
    """One IRC message: what goes on the wire, and the content that it amounts to."""

    wire: str
    content: Content


def split_content(content: Content, room: int) -> Iterator[Part]:
    """The messages for a content, where one may have `room` bytes of UTF-8 (at least 8).

    Empty lines are left out: IRC has no empty message.
    """
    start = 0
    for line, end in _lines(content.text):
        spans = _slice(content.spans, start, start + len(line))
        yield from _split_line(line, spans, content, room)
        start = end


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Each line with the position where the next one begins."""
    start = 0
    for found in _BREAKS.finditer(text):
        yield text[start : found.start()], found.end()
        start = found.end()
    yield text[start:], len(text)


def _slice(spans: tuple[Span, ...], start: int, end: int) -> tuple[Span, ...]:
    """The spans inside a piece of the text, counted from the piece's start."""
    return tuple(
        Span(max(span.start, start) - start, min(span.end, end) - start, span.style, span.value)
        for span in spans
        if span.start < end and span.end > start
    )


def _split_line(line: str, spans: tuple[Span, ...], content: Content, room: int) -> Iterator[Part]:
    start = 0
    while start < len(line):
        end, wire = _piece(line, spans, start, room)
        text = line[start:end]
        if wire.strip():
            own = _slice(spans, start, end)
            yield Part(wire, Content(text, own, action=content.action, notice=content.notice))
        start = end + 1 if line[end : end + 1] == " " else end


def _piece(line: str, spans: tuple[Span, ...], start: int, room: int) -> tuple[int, str]:
    """The end of the longest piece that fits, and how it is written."""
    budget = room
    while True:
        end = _cut(line, start, budget)
        wire = write(line[start:end], _slice(spans, start, end) if spans else ())
        excess = len(wire.encode("utf-8", "replace")) - room
        if excess <= 0:
            return end, wire
        if budget <= 4:
            # Codes alone fill the line: this character goes without them.
            return end, write(line[start:end])
        budget = max(4, min(budget, _size(line[start:end])) - excess)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _cut(line: str, start: int, room: int) -> int:
    """Where to cut so that the piece has at most `room` bytes: at a blank, else between characters as people
    see them, else between code points (always at least one)."""
    rest = line[start : start + room]
    if len(rest) == len(line) - start and _size(rest) <= room:
        return len(line)
    end = start + len(rest.encode("utf-8", "replace")[:room].decode("utf-8", "ignore"))
    end = max(end, start + 1)
    if end >= len(line):
        return len(line)
    if line[end] == " ":
        return end
    blank = line.rfind(" ", start, end)
    if blank - start > (end - start) // 2:
        return blank
    border = end
    while border > start and end - border < _MOST_JOINED and _joined(line, border, start):
        border -= 1
    return border if border > start and not _joined(line, border, start) else end


def _joined(line: str, at: int, start: int) -> bool:
    """Whether the characters before and after a position are seen as one."""
    before, after = line[at - 1], line[at]
    if after == _ZWJ or before == _ZWJ or ord(after) in _SKIN_TONES:
        return True
    if unicodedata.category(after) in ("Mn", "Mc", "Me"):
        return True
    if ord(after) in _FLAGS and ord(before) in _FLAGS:
        run = 0
        while at - 1 - run >= start and ord(line[at - 1 - run]) in _FLAGS:
            run += 1
        return run % 2 == 1
    return False
