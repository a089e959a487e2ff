"""`python -m bench`: run the scenarios and print a table. `--quick` for a tenth of the work and one run each,
`--runs N`, `--only WORD`, `--profile FILE` (cProfile of the bridge under a burst from IRC)."""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
from collections.abc import Awaitable, Callable
from functools import partial

from bench.scenarios import Figures, WrongCount, from_irc, idle, joining, medians, to_irc

Scenario = Callable[..., Awaitable[Figures]]


def bursts(quick: bool) -> list[tuple[str, int, Scenario]]:
    """The scenarios that are compared with the floor: name, messages, how."""
    part = 10 if quick else 1
    return [
        ("IRC to XMPP", 20_000 // part, partial(from_irc, 20_000 // part)),
        ("IRC to XMPP, 10 resources", 5_000 // part, partial(from_irc, 5_000 // part, 10)),
        ("XMPP to IRC with reflection", 10_000 // part, partial(to_irc, 10_000 // part)),
    ]


async def table(options: argparse.Namespace) -> None:
    """Measure and print, row by row."""
    print(f"Python {platform.python_version()}, medians of {options.runs}; CPU of the process under test.\n")
    print("| work | archive | CPU us a message | floor us | ratio | messages/s | floor/s | peak RSS MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, count, scenario in bursts(options.quick):
        for archive in (False, True):
            title = f"{name}: {count:,}"
            if options.only in title:
                await _row(title, archive, scenario, options.runs)
    if options.only:
        return
    users = 20 if options.quick else 100
    figures = await medians(options.runs, lambda: joining(users, 200))
    memory = figures.more["KiB a user"]
    print(f"\n{users} users join a room of 200: {figures.cpu / 1000:.1f} CPU-ms and {memory:.0f} KiB a user,")
    print(f"{users / figures.rate:.1f} s for all.")
    figures = await medians(options.runs, idle)
    print(
        f"Start to handshake {figures.more['start s']:.2f} s ({figures.more['start CPU s']:.2f} s of CPU); "
    )
    print(f"idle RSS {figures.more['RSS MB']:.1f} MB.")


async def _row(title: str, archive: bool, scenario: Scenario, runs: int) -> None:
    ours = await medians(runs, partial(scenario, archive=archive))
    floor = await medians(runs, partial(scenario, archive=archive, floor=True))
    ratio = f"{ours.cpu / floor.cpu:.1f}" if floor.cpu else "-"
    cells = [
        title, "on" if archive else "off", f"{ours.cpu:.1f}", f"{floor.cpu:.1f}", ratio,
        f"{ours.rate:,.0f}", f"{floor.rate:,.0f}", f"{ours.peak * 1024 / 1e6:.0f}",
    ]  # fmt: skip
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", metavar="WORD", help="bursts with this in their name")
    parser.add_argument("--profile", metavar="FILE", help="write a profile of the bridge instead of a table")
    options = parser.parse_args()
    if options.quick:
        options.runs = 1
    try:
        if options.profile:
            wrapper = ("-m", "cProfile", "-o", options.profile)
            asyncio.run(from_irc(20_000, wrapper=wrapper))
        else:
            asyncio.run(table(options))
    except WrongCount as error:
        sys.exit(f"wrong count: {error}")


if __name__ == "__main__":
    main()
