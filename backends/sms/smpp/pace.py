"""Knows how fast texts may go out by a route: as fast as the admin says, and slower once the carrier says
that it is too much."""

from __future__ import annotations

FIRST_INTERVAL = 0.02
_QUICKER = 0.98
_AS_FAST_AS_IT_GOES = 0.001


class Pace:
    """The least time between two submits. `rate` a second (0: any).

    Each time the carrier is too busy that time is doubled, and each text that it takes makes it a little
    shorter: so it settles near what the carrier takes. All times are of one monotonic clock, in seconds."""

    def __init__(self, rate: float = 0.0) -> None:
        self._least = 1.0 / rate if rate > 0 else 0.0
        self._interval = 0.0
        self._next = 0.0
        self._slowed: float | None = None

    @property
    def interval(self) -> float:
        """The time between two submits, now."""
        return max(self._interval, self._least)

    def wait(self, now: float) -> float:
        """How long the next one has to wait; 0 or less: not at all."""
        return self._next - now

    def sent(self, now: float) -> None:
        """One goes out. What was not used up is not saved: it would go out in a burst."""
        self._next = max(self._next, now - self.interval) + self.interval

    def taken(self) -> None:
        """The carrier took one."""
        if self._interval:
            self._interval *= _QUICKER
            if self._interval < _AS_FAST_AS_IT_GOES:
                self._interval = 0.0

    def busy(self, now: float, slowest: float) -> None:
        """The carrier refused one because it is too much; it is not made slower than `slowest` for that.
        Those that were on their way with it say nothing new."""
        if self._slowed is not None and now - self._slowed < self._interval * 2:
            return
        self._slowed = now
        slower = max(self._interval * 2, self._least * 1.5, FIRST_INTERVAL)
        self._interval = max(self._interval, min(slower, slowest))
        self._next = now + self._interval
