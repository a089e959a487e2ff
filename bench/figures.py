"""Figures of a run, by name, and how many runs become one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

Figures = dict[str, float]
"""The figures of one run: those of the names below that the scenario has."""

CPU = "CPU us"
"""Microseconds of CPU for each message, delivery or user, user and kernel mode, all threads."""
RATE = "a second"
PEAK = "peak MB"
WALL = "wall s"
USER_KIB = "KiB a user"
P50 = "p50 ms"
P99 = "p99 ms"
START = "start s"
START_CPU = "start CPU s"
IDLE = "idle MB"
GAP = "gap ms"
"""The longest time that the event loop did nothing else, in milliseconds."""
GAP_CPU = "gap CPU ms"
"""The CPU time that all threads of the process used in it: the rest was other programs' turn."""
GREW = "MB over rest"


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of each figure over several runs of one scenario."""
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that `share` of them (0 to 1) do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def megabytes(kib: int) -> float:
    """KiB, as /proc tells them, in MB of 10^6 bytes."""
    return kib * 1024 / 1e6
