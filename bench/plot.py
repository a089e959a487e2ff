"""The results as a picture (SVG): bars on a scale of powers of ten, ours beside the floor and the peer."""

from __future__ import annotations

import math
from html import escape

from bench.cases import Result
from bench.figures import CPU, P50, P99

COLOURS = {"bridge": "#2166ac", "floor": "#aaaaaa", "peer": "#e08214"}
_WIDTH, _LEFT, _RIGHT = 900, 390, 70
_BAR, _GAP, _HEAD, _FOOT = 11, 9, 34, 34

Group = tuple[str, dict[str, float]]
"""What is compared, and the value of each program."""


def picture(results: list[Result], peer: str) -> str:
    """An SVG document. `peer`: the name of the program to compare with, or ""."""
    names = {"bridge": "bridge", "floor": "floor"} | ({"peer": peer} if peer else {})
    cpu = _groups(results, names, {CPU: ""}, skip=("latency", "joins"))
    waits = _groups(results, names, {P50: "half of them (p50)", P99: "99 of 100 (p99)"}, skip=())
    parts, y = [_legend(names)], 30.0
    for title, groups in (("CPU, microseconds for each message or delivery", cpu), ("Latency, ms", waits)):
        if groups:
            panel, height = _panel(title, groups, y)
            parts.append(panel)
            y += height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:g}" width="{_WIDTH}" '
        f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _groups(
    results: list[Result], names: dict[str, str], figures: dict[str, str], skip: tuple[str, ...]
) -> list[Group]:
    found = []
    for result in results:
        if result.case.name in skip:
            continue
        for figure, words in figures.items():
            values = {role: result.figures(name).get(figure, 0.0) for role, name in names.items()}
            if values["bridge"]:
                archive = f"archive {'on' if result.archive else 'off'}"
                found.append((", ".join(filter(None, [result.case.title, words, archive])), values))
    return found


def _panel(title: str, groups: list[Group], top: float) -> tuple[str, float]:
    """Bars for each group, and the height of it all."""
    values = [value for _, bars in groups for value in bars.values() if value]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    parts = [f'<text x="10" y="{top + 18:g}" font-weight="bold" font-size="13">{escape(title)}</text>']
    y = top + _HEAD
    bars = []
    for label, group in groups:
        shown = {role: value for role, value in group.items() if value}
        middle = y + _BAR * len(shown) / 2 + 4
        bars.append(f'<text x="{_LEFT - 8}" y="{middle:g}" text-anchor="end">{escape(label)}</text>')
        for role, value in shown.items():
            width = max(1.0, (math.log10(value) - low) * scale)
            bars.append(
                f'<rect x="{_LEFT}" y="{y:g}" width="{width:.1f}" height="{_BAR - 1}" '
                f'fill="{COLOURS[role]}"/>'
                f'<text x="{_LEFT + width + 4:.1f}" y="{y + 9:g}" font-size="9">{value:.3g}</text>'
            )
            y += _BAR
        y += _GAP
    for power in range(low, high + 1):
        x = _LEFT + (power - low) * scale
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top + _HEAD - 6:g}" y2="{y:g}" stroke="#dddddd"/>'
            f'<text x="{x:.1f}" y="{y + 12:g}" text-anchor="middle" font-size="10">{10.0**power:g}</text>'
        )
    return "\n".join([*parts, *bars]), y + _FOOT - top


def _legend(names: dict[str, str]) -> str:
    return "".join(
        f'<rect x="{10 + 100 * at}" y="10" width="12" height="12" fill="{COLOURS[role]}"/>'
        f'<text x="{27 + 100 * at}" y="20" font-size="12">{escape(name)}</text>'
        for at, (role, name) in enumerate(names.items())
    )
