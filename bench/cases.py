"""The cases: which scenarios run, with how much work, and against which programs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from bench import scenarios
from bench.figures import Figures, medians
from bench.subject import Program

BOTH = (False, True)
PACE = 200.0

Scenario = Callable[[Program, bool], Awaitable[Figures]]


@dataclass(frozen=True)
class Case:
    """A scenario with its amount of work. `archive`: with which of them it is measured; `peer`: with which
    of them a peer is measured, too."""

    name: str
    title: str
    run: Scenario
    archive: tuple[bool, ...] = BOTH
    peer: tuple[bool, ...] = BOTH


@dataclass
class Result:
    """The runs of a case by program."""

    case: Case
    archive: bool
    runs: dict[str, list[Figures]] = field(default_factory=dict)

    def figures(self, program: str) -> Figures:
        """The medians of a program's runs; empty if it was not measured."""
        return medians(self.runs[program]) if self.runs.get(program) else {}


def every(quick: bool) -> list[Case]:
    """All cases; `quick`: with a tenth of the work."""
    part = 10 if quick else 1
    short, long, lines, out = 20_000 // part, 200_000 // part, 200 // part, 10_000 // part
    users, several, direct, steady = 300 // part, 5_000 // part, 5_000 // part, 1_000 // part
    do = scenarios
    return [
        Case("irc-to-xmpp", f"IRC to XMPP, {short:,} lines", partial(do.from_irc, count=short)),
        Case("irc-to-xmpp-long", f"IRC to XMPP, {long:,} lines", partial(do.from_irc, count=long),
             peer=(False,)),  # biboumi would need minutes for one run with its archive
        Case("fan-out", f"{lines:,} lines to 100 users' connections, a delivery",
             partial(do.from_irc, count=lines, users=100)),
        Case("resources", f"{several:,} lines to 10 resources of one user, a delivery",
             partial(do.from_irc, count=several, resources=10)),
        Case("xmpp-to-irc", f"XMPP to IRC with reflection, {out:,} messages",
             partial(do.to_irc, count=out)),
        Case("direct-in", f"{direct:,} private messages from IRC", partial(do.direct_in, count=direct),
             peer=()),  # peers do not store them
        Case("direct-out", f"{direct:,} private messages to IRC", partial(do.direct_out, count=direct),
             peer=()),
        Case("joins", f"{users} users join a room of 200, a user",
             partial(do.joining, users=users, others=200)),
        Case("latency", f"IRC to XMPP at {PACE:g} a second",
             partial(do.latency, count=steady, pace=PACE)),
        Case("start", "start and rest", do.idle),
    ]  # fmt: skip


async def measure(
    case: Case, archive: bool, runs: int, programs: list[Program], peer: Program | None
) -> Result:
    """Run a case again and again: ours, the floor, the peer, ours, ... Raises WrongCount."""
    result = Result(case, archive)
    compared = [*programs, *([peer] if peer is not None and archive in case.peer else [])]
    for _ in range(runs):
        for program in compared:
            result.runs.setdefault(program.name, []).append(await case.run(program, archive))
    return result
