"""`python -m bench.soak --minutes 10`: many users and rooms and mixed traffic, on a real Prosody and a real
InspIRCd. Every message is accounted for, memory is watched, and in the end nothing may be left over.

`--plot FILE` writes the picture of the memory, `--seed N` makes another day, `--users N --rooms N --rate N` a
bigger or smaller one. Ends with 1 and the complaints if anything is wrong."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.soak_irc import Witness, until
from bench.soak_ledger import Ledger
from bench.soak_memory import Growth, Sample, growth, picture, sample
from bench.soak_plan import Town, plan
from bench.soak_play import Play
from bench.soak_xmpp import PASSWORD
from tests.peers.bridge import Bridge, BridgeSetup, network
from tests.peers.daemon import running, scratch
from tests.peers.inspircd import running_inspircd
from tests.peers.prosody import ProsodySetup, running_prosody

RATE = 25.0
"""Steps in a second, where the servers keep up; most are some messages."""
WARM = 0.3
"""The part of the traffic, up to WARM_MOST seconds, after which memory is measured."""
WARM_MOST = 90.0
REHEARSAL = 20
"""Users who come and go before the count of what is there at rest: what is made once (threads, connections to
the database) is there by then."""
AT_REST = dict.fromkeys(("sessions", "rooms", "clients", "lanes", "undelivered"), 0)
"""What must be so where nobody is there."""
ARCHIVES = 40
"""How many (user, room) have their whole archive checked."""


@dataclass
class Outcome:
    """What a soak found; `complaints` is empty after a good one."""

    complaints: list[str]
    memory: Growth
    samples: list[Sample]
    warm: float
    steps: dict[str, int]
    messages: int
    refused: int
    deliveries: int
    before: dict[str, int]
    after: dict[str, int]
    seconds: dict[str, float] = field(default_factory=dict)

    def title(self, town: Town) -> str:
        """For the picture."""
        town_of = f"{town.users} users, {town.rooms} rooms"
        return f"{town_of}: {self.messages:,} messages sent, {self.deliveries:,} delivered"


class FullBridge(Bridge):
    """A bridge whose memories are full from the start."""

    def command(self) -> list[str]:
        python, _, _, *arguments = super().command()
        return [python, "-m", "bench.soak_bridge", *arguments]


class Count:
    """What the bridge and the IRC server have at rest."""

    def __init__(self, bridge: Bridge, witness: Witness) -> None:
        self._bridge = bridge
        self._witness = witness

    async def now(self) -> dict[str, int]:
        """The bridge's own counts (SIGUSR1), what it has open besides the database (whose connections are
        made when they are needed, and kept), and who is connected to the IRC server."""
        seen = len(self._told())
        os.kill(self._bridge.pid, signal.SIGUSR1)
        await until(lambda: len(self._told()) > seen, "the bridge's counts")
        found = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", self._told()[-1])}
        folder = Path(f"/proc/{self._bridge.pid}/fd")
        files = [os.readlink(folder / name) for name in os.listdir(folder)]
        found["files"] = sum(1 for file in files if "/bridge.db" not in file)
        return {**found, "irc": await self._witness.users()}

    def _told(self) -> list[str]:
        lines = self._bridge.log_text().splitlines()
        return [json.loads(line)["message"] for line in lines if '"counts: ' in line]

    async def settled(self, limit: dict[str, int]) -> dict[str, int]:
        """The counts, once none is above `limit`, or else the last ones after a minute."""
        counts: dict[str, int] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                while not counts or above(counts, limit):
                    counts = await self.now()
                    await asyncio.sleep(0.25)
        return counts


def above(counts: dict[str, int], limit: dict[str, int]) -> list[str]:
    """What is left over. Threads belong to pools that keep them, memory blocks are judged otherwise."""
    return [
        f"{name}: {limit[name]} before, {number} after everybody has left"
        for name, number in counts.items()
        if name not in ("threads", "blocks") and number > limit.get(name, number)
    ]


@contextlib.asynccontextmanager
async def stage(town: Town) -> AsyncIterator[tuple[Play, Bridge, Count]]:
    """Both servers, the bridge between them, and the people on IRC."""
    users = {f"u{number}": PASSWORD for number in range(town.users)}
    setup = ProsodySetup(users=users, extra_host='modules_enabled = { "offline" }', log_level="warn")
    with running_prosody(setup) as prosody, running_inspircd() as irc:
        bridge_setup = BridgeSetup(
            networks=network("net", irc.port),
            # InspIRCd lets newcomers in once a second, all who wait; so nobody waits for a turn
            extra=f"[limits]\nconnects_at_once = {town.users}\n",
        )
        with scratch("bridge") as folder, running(FullBridge(folder, prosody, bridge_setup)) as bridge:
            ledger = Ledger(town.rooms)
            witness = Witness(ledger)
            await witness.connect(irc.port)
            await witness.prepare()
            play = Play(town, ledger, witness, prosody.host, prosody.c2s_port, irc.port)
            await play.people_on_irc()
            try:
                yield play, bridge, Count(bridge, witness)
            except BaseException as error:
                error.add_note("\n".join([bridge.log_tail(), *ledger.complaints[:20]]))
                raise


async def soak(town: Town, seconds: float, rate: float, seed: int) -> Outcome:
    """The whole day. Raises Stuck where something that must come does not."""
    clock, began = {}, time.monotonic()
    async with stage(town) as (play, bridge, count):
        await play.users_come(f"u{number}" for number in range(min(REHEARSAL, town.users)))
        await play.users_go()
        rest = await count.settled(AT_REST)
        clock["servers and rehearsal"], began = time.monotonic() - began, time.monotonic()
        await play.users_come(f"u{number}" for number in range(town.users))
        clock["arrival"], began = time.monotonic() - began, time.monotonic()
        samples: list[Sample] = []
        watching = asyncio.create_task(_watch(bridge.pid, play.ledger, samples))
        try:
            await play.run(plan(town, seconds, rate, seed))
            await play.quiet()
        finally:
            watching.cancel()
        clock["traffic"], began = time.monotonic() - began, time.monotonic()
        await _check_archives(play, seed)
        await play.users_go()
        after = await count.settled(rest)
        logged = bridge.log_text().splitlines()
        play.ledger.complaints += [f"logged: {each}" for each in logged if '"level": "error"' in each]
        clock["archives and departure"] = time.monotonic() - began
    return _judged(play, samples, rest, after, clock)


async def _watch(pid: int, ledger: Ledger, samples: list[Sample]) -> None:
    began = time.monotonic()
    while True:
        at = time.monotonic() - began
        samples.append(sample(pid, at, ledger.count, ledger.deliveries))
        await asyncio.sleep(1.0)


async def _check_archives(play: Play, seed: int) -> None:
    people = list(play.users.values())
    for number in range(min(ARCHIVES, len(people))):
        user = people[(number * 7 + seed) % len(people)]
        room = play.town.rooms_of(user.person)[number % 2]
        play.ledger.complaints += play.ledger.judge_archive(user.person, room, await user.archive(room))


def _judged(
    play: Play, samples: list[Sample], before: dict[str, int], after: dict[str, int], clock: dict[str, float]
) -> Outcome:
    ledger = play.ledger
    warm = min(WARM_MOST, WARM * samples[-1].at)
    found = growth(samples, warm)
    complaints = [*ledger.judge(), *above(after, before)]
    if found.too_much:
        complaints.append(f"memory grew by {found.grown:,.0f} bytes, {found.allowed:,} are allowed")
    return Outcome(
        complaints, found, samples, warm, dict(play.done), ledger.count, len(ledger.refused),
        ledger.deliveries, before, after, clock,
    )  # fmt: skip


def report(outcome: Outcome) -> str:
    """What a soak found, in lines."""
    memory, samples = outcome.memory, outcome.samples
    steps = ", ".join(f"{name} {count}" for name, count in sorted(outcome.steps.items()))
    lines = [
        f"{outcome.messages:,} messages sent ({outcome.refused} refused with a reason), "
        f"{outcome.deliveries:,} room messages delivered to clients",
        f"steps: {steps}",
        f"memory: {samples[0].rss / 1e6:.1f} MB before the traffic, {samples[-1].rss / 1e6:.1f} MB after it; "
        f"after {outcome.warm:.0f} s of warm-up {memory.grown / 1e6:+.2f} MB in {memory.seconds:.0f} s "
        f"({memory.messages:,} messages) by the fitted line; {memory.allowed / 1e6:.2f} MB are allowed",
        f"at rest before: {outcome.before}",
        f"at rest after:  {outcome.after}",
        "seconds: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in outcome.seconds.items()),
    ]
    return "\n".join([*lines, *(f"WRONG: {complaint}" for complaint in outcome.complaints[:50])])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--rate", type=float, default=RATE, help="steps in a second, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the memory's picture (SVG)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers are ended, too
    town = Town(options.users, options.rooms)
    outcome = asyncio.run(soak(town, options.minutes * 60, options.rate, options.seed))
    print(report(outcome))
    if options.plot:
        svg = picture(outcome.samples, outcome.warm, outcome.memory, outcome.title(town))
        options.plot.write_text(svg, "utf-8")
    if outcome.complaints:
        sys.exit(1)


if __name__ == "__main__":
    main()
