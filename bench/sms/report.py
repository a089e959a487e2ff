"""The figures of texts as a table, and in their part of `docs/performance.md`."""

from __future__ import annotations

from bench import report
from bench.cases import Result
from bench.figures import CPU, PEAK, RATE
from bench.sms.scenarios import IN, OUT, RATE_IN, RATE_OUT, REPORT, p50, p99
from bench.targets import Target

BEGIN = "<!-- made by `python -m bench --only sms --write`: begin -->"
END = "<!-- made by `python -m bench --only sms --write`: end -->"

_HEAD = "| texts | bridge | floor | x floor | target | met |\n| --- | --- | --- | --- | --- | --- |"
_FIGURES = (
    (CPU, "CPU, us a text"),
    (RATE, "texts a second"),
    (RATE_IN, "a second in"),
    (RATE_OUT, "a second out, with receipts"),
    *(
        (name(way), f"{words}, {share}, ms")
        for way, words in ((IN, "phone to chat"), (OUT, "chat to SMSC"), (REPORT, "receipt to chat"))
        for name, share in ((p50, "p50"), (p99, "p99"))
    ),
    (PEAK, "most memory, MB"),
)

STEADY = 495.0
"""What is left of 500 a second where the last ones of 20 seconds take a moment."""


def _targets() -> list[Target]:
    found = []
    for users in ("", "-one"):
        found += [
            Target(f"sms-in{users}", True, CPU, "most", 300),
            Target(f"sms-out{users}", True, CPU, "most", 400),
        ]
    for kind in ("", "-one", "-real"):
        found += [
            Target(f"sms-both{kind}", True, CPU, "most", 1000),
            Target(f"sms-both{kind}", True, RATE_IN, "least", STEADY),
            Target(f"sms-both{kind}", True, RATE_OUT, "least", STEADY),
        ]
    return found


TARGETS = {(target.case, target.figure): target for target in _targets()}


def is_sms(result: Result) -> bool:
    """Whether a result belongs here."""
    return result.case.name.startswith("sms")


def tables(results: list[Result]) -> str:
    """All figures of texts, in Markdown."""
    rows = [row for result in results if is_sms(result) for row in _rows(result)]
    return "\n".join([_HEAD, *rows, ""]) if rows else ""


def write(results: list[Result], runs: int) -> None:
    """Put the table into the document. Raises ValueError if it has lost its place."""
    report.put(BEGIN, f"{report.machine(runs, '')}\n\n{tables(results)}", END)


def _rows(result: Result) -> list[str]:
    ours, floor = result.figures("bridge"), result.figures("floor")
    rows = []
    for figure, words in _FIGURES:
        if figure in ours:
            target = TARGETS.get((result.case.name, figure))
            cells = [
                f"{result.case.title}: {words}",
                report.number(ours[figure]),
                report.number(floor[figure]),
                report.ratio(ours[figure], floor[figure]),
                target.words() if target else "-",
                "-" if target is None else "yes" if target.met(ours, {}) else "**no**",
            ]
            rows.append(f"| {' | '.join(cells)} |")
    return rows
