"""The figures of mail as tables, and in their part of `docs/performance.md`."""

from __future__ import annotations

from bench import report
from bench.cases import Result
from bench.figures import CPU, GAP, GAP_CPU, GREW, P50, P99, PEAK, RATE, WALL

BEGIN = "<!-- made by `python -m bench --only mail --write`: begin -->"
END = "<!-- made by `python -m bench --only mail --write`: end -->"

MOST_GAP = 50.0
"""Milliseconds that a mail may hold up the event loop."""
MOST_MEMORY = 150.0
"""MB that a large mail may take."""

_SMALL = ((CPU, "CPU, us a mail"), (RATE, "mails a second"), (PEAK, "most memory, MB"), (P50, "p50, ms"),
          (P99, "p99, ms"))  # fmt: skip
_LARGE_HEAD = (
    "| a mail of | longest gap of the loop, ms | the bridge's CPU in it, ms | met (≤ 50) "
    "| memory over rest, MB | met (< 150) | s |"
)


def is_mail(result: Result) -> bool:
    """Whether a result belongs here."""
    return result.case.name.startswith("mail")


def tables(results: list[Result]) -> str:
    """All figures of mail, in Markdown."""
    small = [result for result in results if is_mail(result) and not _is_large(result)]
    large = [result for result in results if is_mail(result) and _is_large(result)]
    parts = []
    if small:
        parts.append("| small mails | bridge | floor | x floor |\n| --- | --- | --- | --- |")
        parts += [row for result in small for row in _small(result)]
    if large:
        parts += ["", _LARGE_HEAD, "|" + " --- |" * 7, *map(_large, large)]
    return "\n".join([*parts, ""])


def write(results: list[Result], runs: int) -> None:
    """Put the tables into the document. Raises ValueError if it has lost their place."""
    about = report.machine(runs, "").replace("Medians", "Medians (of gaps and memory: the worst)")
    report.put(BEGIN, f"{about}\n\n{tables(results)}", END)


def _is_large(result: Result) -> bool:
    return result.case.name.startswith("mail-large")


def _small(result: Result) -> list[str]:
    ours, floor = result.figures("bridge"), result.figures("floor")
    return [
        f"| {result.case.title}: {words} | {report.number(ours[figure])} | {report.number(floor[figure])} "
        f"| {report.ratio(ours[figure], floor[figure])} |"
        for figure, words in _SMALL
        if figure in ours
    ]


def _large(result: Result) -> str:
    """The worst of all runs: a bound is for each of them."""
    runs = result.runs["bridge"]
    gap, grew = max(runs, key=lambda run: run[GAP]), max(run[GREW] for run in runs)
    cells = [
        result.case.title, report.number(gap[GAP]), report.number(gap[GAP_CPU]),
        "yes" if gap[GAP] <= MOST_GAP else "**no**", report.number(grew),
        "yes" if grew < MOST_MEMORY else "**no**", report.number(result.figures("bridge")[WALL]),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
