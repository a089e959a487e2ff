"""Token buckets, with the clock as an argument."""

from __future__ import annotations


class TokenBucket:
    """`burst` at once, then `per_second`. Not a lock: `take` says how long to wait, and the caller waits."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._rate = per_second
        self._level = burst
        self._at = now

    def take(self, now: float, cost: float = 1.0) -> float:
        """Take `cost` tokens if they are there and return 0; else take nothing and return the seconds until
        they are. A clock that jumps backwards counts as standing still."""
        if now > self._at:
            level = self._level + (now - self._at) * self._rate
            self._level = level if level < self._burst else self._burst
        self._at = now
        if self._level >= cost:
            self._level -= cost
            return 0.0
        if self._rate <= 0:
            return float("inf")
        return (cost - self._level) / self._rate

    def full(self, now: float) -> bool:
        """Whether nothing has been taken for long enough that the bucket can be forgotten."""
        return self._level + max(0.0, now - self._at) * self._rate >= self._burst
