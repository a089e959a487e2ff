"""Knows how HTML is cut into tags and text, in linear time for any input and without ever raising. Pure.

The standard library's parser is quadratic on open comments, tags and quotes, and raises on some declarations.

Comments, declarations, scripts and styles are left out."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

MOST_ATTRIBUTES = 50


@dataclass(frozen=True, slots=True)
class Start:
    """A start tag. Names are lower-case; an attribute without a value has an empty one."""

    tag: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """An end tag."""

    tag: str


Token: TypeAlias = Start | End | str

_NAME = re.compile(r"[a-zA-Z][^\s/><\"'=]{0,60}")
_STOP = re.compile(r"[>\"']")
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+)))?")
_RAW = {
    tag: re.compile(rf"</{tag}", re.IGNORECASE) for tag in ("script", "style", "xmp", "noembed", "plaintext")
}
_HUGE_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")


def tokens(source: str) -> Iterator[Token]:
    """The tags and texts of HTML; character references in them are resolved."""
    cutter = _Cutter(source)
    while (token := cutter.next()) is not None:
        yield token


def _resolved(text: str) -> str:
    """Text without character references; numbers too big for a character (and for int()) are none."""
    return html.unescape(_HUGE_REFERENCE.sub("\N{REPLACEMENT CHARACTER}", text)) if "&" in text else text


class _Cutter:
    def __init__(self, source: str) -> None:
        self._source, self._position = source, 0
        self._quotes_matter = True

    def next(self) -> Token | None:
        """The next token, None at the end."""
        while self._position < len(self._source):
            start = self._source.find("<", self._position)
            if start != self._position:
                return self._text(start if start >= 0 else len(self._source))
            token = self._tag(start)
            if token is not None:
                return token
        return None

    def _text(self, end: int) -> str:
        text = self._source[self._position : end]
        self._position = end
        return _resolved(text)

    def _tag(self, start: int) -> Token | None:
        """What begins with `<`; None for what is left out."""
        following = self._source[start + 1 : start + 2]
        if following in ("!", "?"):
            self._skip("-->" if self._source.startswith("<!--", start) else ">", start + 2)
            return None
        if following == "/":
            name = _NAME.match(self._source, start + 2)
            self._skip(">", start + 2)
            return End(name[0].lower()) if name else None
        name = _NAME.match(self._source, start + 1)
        if name is None:
            self._position = start + 1
            return "<"
        return self._start_tag(name[0].lower(), name.end())

    def _skip(self, closing: str, start: int) -> None:
        """Go on after `closing`, or to the end where there is none."""
        end = self._source.find(closing, start)
        self._position = end + len(closing) if end >= 0 else len(self._source)

    def _start_tag(self, tag: str, start: int) -> Token:
        end = self._tag_end(start)
        found = itertools.islice(_ATTRIBUTE.finditer(self._source, start, end), MOST_ATTRIBUTES)
        attributes: dict[str, str] = {}
        for match in found:
            value = match[2] or match[3] or match[4] or ""
            attributes.setdefault(match[1].lower(), _resolved(value))
        self._position = end + 1
        if tag in _RAW:
            closing = _RAW[tag].search(self._source, self._position)
            self._position = closing.start() if closing else len(self._source)
        return Start(tag, attributes)

    def _tag_end(self, start: int) -> int:
        """Where the `>` of a tag is. Once a quote was open to the end of the page, quotes count no more."""
        position = start
        while self._quotes_matter:
            stop = _STOP.search(self._source, position)
            if stop is None:
                break
            if stop[0] == ">":
                return stop.start()
            closing = self._source.find(stop[0], stop.end())
            if closing < 0:
                break
            position = closing + 1
        self._quotes_matter = False
        end = self._source.find(">", start)
        return end if end >= 0 else len(self._source)
