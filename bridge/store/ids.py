"""How archive and queue rows get their ids: the time, made unique and increasing in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def now_us() -> int:
    """Microseconds since the epoch, by the wall clock."""
    return time.time_ns() // 1000


class IdSource:
    """Makes 63-bit ids that are microseconds since the epoch and never repeat or go back.

    When the clock jumps back, or two ids fall into one microsecond, the next id is the last one plus one.
    `start` is the newest id stored before this process, so that ids go on increasing over a restart.
    """

    __slots__ = ("_clock", "_last", "_lock")

    def __init__(self, start: int = 0, clock: Callable[[], int] = now_us) -> None:
        self._last = start
        self._clock = clock
        self._lock = threading.Lock()

    def new_id(self) -> int:
        """The next id. Any thread may ask."""
        with self._lock:
            now = self._clock()
            self._last = now if now > self._last else self._last + 1
            return self._last
