"""Knows when a message was said: the server-time tag, where it says more than "just now"."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

JUST_NOW = 10.0
"""Seconds. A tag that is younger is the message's way through the network, not its age."""


class Stamps:
    """Reads `time` tags. Tags of one server have one form, so that most need no parsing: they are compared as
    text with the tag of ten seconds ago, which is made anew every second."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._made = 0.0
        self._border = ""

    def sent_at(self, tag: str, *, always: bool = False) -> datetime | None:
        """The time in a tag if it is long past (`always`: any), else `None`. A tag that is no time is
        none."""
        now = self._clock()
        if not 0.0 <= now - self._made < 1.0:
            self._made = now
            self._border = datetime.fromtimestamp(now - JUST_NOW, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        if not always and tag >= self._border:
            return None
        try:
            at = datetime.fromisoformat(tag)
        except ValueError:
            return None
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
