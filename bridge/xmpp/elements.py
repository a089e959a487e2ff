"""Knows how the bytes of a stream become whole elements, one for each stanza. Hot.

An expat with reparse deferral (all since CVE-2023-52425) may keep an element whose last tag came in two reads
until more comes; this Python has no way to ask it not to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

__all__ = ["Elements", "ParseError"]

_PIECE = 16 * 1024
"""So much is parsed before it is looked at: the elements of 256 KiB, read at once, fall out of the
processor's cache before their turn comes."""

_Event = tuple[str, Element]


class Elements:
    """Reads one stream. `opened` gets its start tag, `take` each whole child of it, in order; `closed` is
    called at its end tag."""

    def __init__(
        self, opened: Callable[[Element], None], take: Callable[[Element], None], closed: Callable[[], None]
    ) -> None:
        self._opened = opened
        self._take = take
        self._closed = closed
        self._parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
        # Its `read_events` would take a step of Python for each, and only the last one is of interest.
        self._events: deque[Any] = self._parser._events_queue  # type: ignore[attr-defined]
        self._root: Element | None = None

    @property
    def begun(self) -> bool:
        """Whether there was a start tag."""
        return self._root is not None

    def feed(self, data: bytes | str) -> None:
        """Read what came. Raises ParseError at what is no XML, when all before that was passed on."""
        for at in range(0, len(data), _PIECE):
            self._feed(data[at : at + _PIECE])

    def _feed(self, data: bytes | str) -> None:
        self._parser.feed(data)
        events = self._events
        broken: ParseError | None = events.pop() if events and isinstance(events[-1], ParseError) else None
        if events:
            (_, first), last = events[0], events[-1]
            events.clear()
            self._pass_on(first, last)
        if broken is not None:
            raise broken

    def _pass_on(self, first: Element, last: _Event) -> None:
        """All of the root's children are whole, but for one in which the last event was."""
        root = self._root
        if root is None:
            self._root = root = first
            self._opened(root)
        event, element = last
        whole = len(root)
        if whole and not (event == "end" and (element is root[-1] or element is root)):
            whole -= 1
        take = self._take
        for stanza in root[:whole]:
            take(stanza)
        del root[:whole]
        if event == "end" and element is root:
            self._closed()
