"""Whether a process grows: samples of its memory, the line through them, the bound, and a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ALLOWED = 3 << 20
"""Bytes of growth after the warm-up that mean nothing, however long the run: what sessions learn on their
way, allocators, and the pages that connections to the database keep. What is remembered of the newest so many
is full before (`bench.soak_bridge`)."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """A look at the process: seconds since the traffic began, resident bytes, messages sent by then,
    deliveries to clients by then, open files."""

    at: float
    rss: int
    messages: int
    deliveries: int
    files: int


def sample(pid: int, at: float, messages: int, deliveries: int) -> Sample:
    """Look at a process now."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return Sample(at, resident, messages, deliveries, len(os.listdir(f"/proc/{pid}/fd")))


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The straight line through points (least squares): its slope, and its height at 0. Raises ValueError for
    fewer than two places."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count if count else 0.0
    mean_y = sum(y for _, y in points) / count if count else 0.0
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        raise ValueError("a line needs two places")
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return slope, mean_y - slope * mean_x


class Growth(NamedTuple):
    """What the line through the samples after the warm-up says: `grown` bytes over `seconds`, in which
    `messages` were sent; `allowed` is the bound."""

    grown: float
    seconds: float
    messages: int
    allowed: int
    slope: float
    height: float

    @property
    def too_much(self) -> bool:
        """Whether it leaks."""
        return self.grown > self.allowed


def growth(samples: Sequence[Sample], warm: float) -> Growth:
    """Judge the samples taken after `warm` seconds."""
    measured = [each for each in samples if each.at >= warm]
    slope, height = line([(each.at, float(each.rss)) for each in measured])
    seconds = measured[-1].at - measured[0].at
    messages = measured[-1].messages - measured[0].messages
    return Growth(slope * seconds, seconds, messages, ALLOWED, slope, height)


_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 860, 360, 60, 40, 50


def picture(samples: Sequence[Sample], warm: float, found: Growth, title: str) -> str:
    """The memory over time and the line through it, as SVG."""
    most_x = samples[-1].at or 1.0
    most_y = max(each.rss for each in samples) * 1.15 / 1e6
    right, low = _WIDTH - 20, _HEIGHT - _BOTTOM

    def place(seconds: float, megabytes: float) -> str:
        x = _LEFT + seconds / most_x * (right - _LEFT)
        return f"{x:.1f},{low - megabytes / most_y * (low - _TOP):.1f}"

    def along(points: Sequence[tuple[float, float]]) -> str:
        return " ".join(place(seconds, megabytes) for seconds, megabytes in points)

    fit = [(at, (found.height + found.slope * at) / 1e6) for at in (warm, most_x)]
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' font-family='sans-serif' "
        "font-size='13'><rect width='100%' height='100%' fill='white'/>",
        f"<text x='{_LEFT}' y='24' font-size='15'>{title}</text>",
        *_grid(most_x, most_y, place),
        f"<polyline points='{along([(warm, 0), (warm, most_y)])}' stroke='#999' stroke-dasharray='4 4'/>",
        f"<polyline points='{along([(each.at, each.rss / 1e6) for each in samples])}' fill='none' "
        "stroke='#1f5fbf' stroke-width='2'/>",
        f"<polyline points='{along(fit)}' fill='none' stroke='#c33' stroke-width='1.5'/>",
        f"<text x='{_LEFT}' y='{_HEIGHT - 8}'>seconds of traffic; resident memory in MB (blue); after the "
        f"dashed line {found.grown / 1e6:+.2f} MB in {found.seconds:.0f} s by the fitted line (red)</text>",
        "</svg>\n",
    ]
    return "\n".join(parts)


def _grid(most_x: float, most_y: float, place: object) -> list[str]:
    assert callable(place)
    lines = []
    for number in range(6):
        x, y = most_x * number / 5, most_y * number / 5
        at_x, at_y = place(x, 0).split(","), place(0, y).split(",")
        lines.append(f"<polyline points='{place(0, y)} {place(most_x, y)}' stroke='#ddd'/>")
        lines.append(f"<text x='{_LEFT - 8}' y='{float(at_y[1]) + 4:.1f}' text-anchor='end'>{y:.0f}</text>")
        lines.append(f"<text x='{at_x[0]}' y='{_HEIGHT - _BOTTOM + 18}' text-anchor='middle'>{x:.0f}</text>")
    return lines
