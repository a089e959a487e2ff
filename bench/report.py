"""The results as tables, as JSON, and as the part of `docs/performance.md` between two markers."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from bench.cases import Result
from bench.figures import CPU, IDLE, P50, P99, PEAK, RATE, START, START_CPU, USER_KIB, WALL
from bench.plot import picture
from bench.targets import TARGETS

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
PICTURE = DOCUMENT.with_suffix(".svg")
BEGIN = "<!-- made by `python -m bench --write`: begin -->"
END = "<!-- made by `python -m bench --write`: end -->"

OURS, FLOOR = "bridge", "floor"
BURSTS = ("irc-to-xmpp", "irc-to-xmpp-long", "fan-out", "resources", "xmpp-to-irc", "direct-in", "direct-out")

_TABLES: list[tuple[str, list[tuple[str, str]], tuple[str, ...]]] = [
    ("CPU in microseconds", [(CPU, "")], (*BURSTS, "joins")),
    ("Messages (or deliveries) a second", [(RATE, "")], BURSTS),
    ("Most resident memory, in MB", [(PEAK, "")], BURSTS),
    ("Latency: from the write of a line to IRC's end to the read of its stanza at XMPP's end",
     [(P50, "p50, ms"), (P99, "p99, ms"), (CPU, "CPU, us a message")], ("latency",)),
    ("Joining, start and rest",
     [(WALL, "s for all"), (USER_KIB, "KiB a user"), (START, "s from start to handshake"),
      (START_CPU, "s of CPU until then"), (IDLE, "MB at rest")], ("joins", "start")),
]  # fmt: skip


def machine(runs: int, peer: str) -> str:
    """One sentence on what was measured, and where."""
    beside = f", beside {peer}" if peer else ""
    python = platform.python_version()
    return f"Medians of {runs}{beside}; Python {python} on {os.cpu_count()} cores of {_model()}."


def tables(results: list[Result], peer: str) -> str:
    """All figures, in Markdown. `peer`: the name of the program to compare with, or ""."""
    parts = []
    for title, figures, cases in _TABLES:
        rows = [
            row
            for result in results
            if result.case.name in cases
            for figure, words in figures
            if (row := _row(result, figure, words, peer))
        ]
        if rows:
            parts.append(f"**{title}**\n\n{_header(peer)}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def write(results: list[Result], runs: int, peer: str, peer_words: str) -> None:
    """Put the tables into the document and the picture beside it; the prose around them stays.

    Raises ValueError if the document has lost its markers.
    """
    _places(BEGIN, END)
    PICTURE.write_text(picture(results, peer))
    shown = f"![CPU for each message, beside the floor]({PICTURE.name})"
    body = f"{machine(runs, peer_words)}\n\n{shown}\n\n{tables(results, peer)}"
    put(BEGIN, body, END)


def put(begin: str, body: str, end: str) -> None:
    """Put something into the document between two markers. Raises ValueError if it has lost them."""
    before, after = _places(begin, end)
    DOCUMENT.write_text(f"{before}{begin}\n\n{body}\n{end}{after}")


def _places(begin: str, end: str) -> tuple[str, str]:
    before, found, rest = DOCUMENT.read_text().partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"{DOCUMENT} has no place for the figures: {begin} ... {end}")
    return before, after


def as_json(results: Iterable[Result], runs: int, peer_words: str) -> str:
    """Every run's figures."""
    every = [
        {"case": one.case.name, "title": one.case.title, "archive": one.archive, "runs": one.runs}
        for one in results
    ]
    return json.dumps({"about": machine(runs, peer_words), "results": every}, indent=1)


def number(value: float) -> str:
    """Three digits that matter."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.3g}" if value < 0.995 else f"{value:.2f}"


def _header(peer: str) -> str:
    names = [
        "work",
        "archive",
        "bridge",
        "floor",
        "x floor",
        *([peer, f"x {peer}", "target", "met"] if peer else []),
    ]
    return f"| {' | '.join(names)} |\n|{' --- |' * len(names)}"


def _row(result: Result, figure: str, words: str, peer: str) -> str:
    ours, floor = result.figures(OURS), result.figures(FLOOR)
    if figure not in ours:
        return ""
    cells = [
        f"{result.case.title}: {words}" if words else result.case.title,
        "on" if result.archive else "off",
        number(ours[figure]),
        number(floor[figure]) if floor else "-",
        ratio(ours[figure], floor.get(figure, 0)),
    ]
    if peer:
        other = result.figures(peer)
        target = TARGETS.get((result.case.name, result.archive, figure))
        met = target.met(ours, other) if target else None
        cells += [
            number(other[figure]) if other else "-",
            ratio(ours[figure], other.get(figure, 0)),
            target.words() if target else "-",
            "-" if met is None else "yes" if met else "**no**",
        ]
    return f"| {' | '.join(cells)} |"


def ratio(ours: float, other: float) -> str:
    """How many times as much."""
    return number(ours / other) if other else "-"


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
