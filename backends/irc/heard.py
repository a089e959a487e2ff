"""Knows what the connections to one network heard just now: what is said in a channel comes to each of them
in the same words, and needs to be understood only once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bridge.api import MessageReceived, Recent

Known = tuple[str, str, MessageReceived]
"""Who spoke (the nick), the target of the line, and what it means to everybody but that one."""

_LONGEST = 1024
"""Characters of a line that is worth its memory: only a hostile server sends longer ones often."""


class Heard:
    """The memory of all connections to one network, by whole lines. `many`: there is more than one."""

    __slots__ = ("__weakref__", "_lines", "_listening", "find", "many")

    def __init__(self) -> None:
        self.many = False
        self._listening = 0
        self._lines: Recent[str, Known] = Recent()
        self.find = self._lines.get

    def put(self, line: str, known: Known) -> None:
        """Remember a line."""
        if len(line) <= _LONGEST:
            self._lines.put(line, known)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """One connection, for as long as it lasts."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        self._listening += more
        self.many = self._listening > 1
