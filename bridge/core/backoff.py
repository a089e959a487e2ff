"""How long to wait before a session is opened again. Pure."""

from __future__ import annotations

FIRST = 2.0
CAP = 300.0


def delay(attempt: int, chance: float, first: float = FIRST, cap: float = CAP) -> float:
    """Seconds to wait after the `attempt`-th failure in a row (1, 2, ...), with `chance` in [0, 1) as jitter:
    between half and all of an exponentially growing span, so that many sessions do not come back together."""
    span = min(cap, first * 2.0 ** min(attempt - 1, 16))
    return span * (0.5 + chance / 2)
