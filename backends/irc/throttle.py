"""Knows how fast lines may go out: a token bucket with the clock as an argument. Pure."""

from __future__ import annotations


class Throttle:
    """`burst` lines at once, then `per_second`. A negative `burst` means no limit; 0 makes every line
    wait."""

    def __init__(self, burst: int, per_second: float) -> None:
        if per_second <= 0:
            raise ValueError("throttle_per_second must be above 0")
        self._burst = burst
        self._rate = per_second
        self._tokens = float(burst)
        self._at = 0.0

    def wait(self, now: float) -> float:
        """Take one line's turn: 0.0 if it may go now (the turn is used up), else the seconds until it may."""
        if self._burst < 0:
            return 0.0
        # With a burst of 0 a turn is saved up in one period, never at once.
        limit = max(float(self._burst), 1.0)
        if self._at:
            self._tokens = min(limit, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1.0 - 1e-9:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate


class Limit:
    """At most `count` of something in `seconds`; what is above is refused, not put off."""

    def __init__(self, count: int, seconds: float) -> None:
        self._throttle = Throttle(count, count / seconds)

    def allows(self, now: float) -> bool:
        """Whether one more may be done now; counts it if so."""
        return self._throttle.wait(now) == 0.0
