"""`python -m bench`: the bridge between a raw XMPP and a raw IRC server end, every message checked, beside
the least that Python must do for the same work, and beside another gateway if asked for."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from bench import biboumi, cases, report
from bench.cases import Case, Result
from bench.ends import WrongCount
from bench.mail import report as mail_report
from bench.sms import report as sms_report
from bench.subject import Program

_PARTS = {"mail": mail_report, "sms": sms_report}
"""Parts of the work with tables of their own, by the word that chooses them."""

_STATES = {"on": (True,), "off": (False,), "both": (False, True)}


def chosen(options: argparse.Namespace) -> list[tuple[Case, bool]]:
    """The cases that were asked for, each with its archive on or off."""
    word = options.only.lower()
    return [
        (case, archive)
        for case in cases.every(options.quick)
        if case.name == word or (word in f"{case.name} {case.title.lower()}" and not _is_name(word))
        for archive in case.archive
        if archive in _STATES[options.archive]
    ]


def _is_name(word: str) -> bool:
    return word in {case.name for case in cases.every(False)}


async def measure(work: list[tuple[Case, bool]], runs: int, peer: Program | None) -> list[Result]:
    """All results, telling each on standard error as it comes."""
    results = []
    for case, archive in work:
        result = await cases.measure(case, archive, runs, peer)
        results.append(result)
        for name in result.runs:
            shown = ", ".join(f"{key} {report.number(value)}" for key, value in result.figures(name).items())
            print(f"{case.name}, archive {'on' if archive else 'off'}: {name}: {shown}", file=sys.stderr)
    return results


async def profile(case: Case, archive: bool, file: str) -> None:
    """One run of the bridge under cProfile."""
    await case.run(case.programs(str(Path(file).resolve()))[0], archive)
    print(f"{case.title}, archive {'on' if archive else 'off'}: python -m pstats {file}")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = ", ".join(case.name for case in cases.every(False))
    made.add_argument("--runs", type=int, default=5, metavar="N", help="medians of N (5)")
    made.add_argument("--quick", action="store_true", help="a tenth of the work, one run")
    made.add_argument("--only", default="", metavar="WORD", help=f"a case, or a word of a title: {names}")
    made.add_argument("--archive", choices=list(_STATES), default="both")
    made.add_argument("--peer", choices=["biboumi"], help="compare with it; installed from Debian if missing")
    made.add_argument("--json", metavar="FILE", help="write every run's figures there, too")
    made.add_argument(
        "--write",
        action="store_true",
        help="write the figures and the picture of docs/performance.md; with --only mail or sms, those alone",
    )
    made.add_argument(
        "--profile", metavar="FILE", help="profile the bridge in the first case of --only instead"
    )
    return made


def main() -> None:
    """Run what was asked for."""
    options = parser().parse_args()
    work = chosen(options)
    if not work:
        sys.exit(f"no case has {options.only!r} in its name")
    if options.write and (options.only not in ("", *_PARTS) or options.quick or options.archive != "both"):
        sys.exit("--write is for a run of everything, or of all with --only mail or sms")
    try:
        if options.profile:
            asyncio.run(profile(*work[0], options.profile))
            return
        _tables(options, work)
    except WrongCount as error:
        sys.exit(f"wrong count: {error}")
    except biboumi.NoPeer as error:
        sys.exit(str(error))


def _tables(options: argparse.Namespace, work: list[tuple[Case, bool]]) -> None:
    peer = biboumi.biboumi() if options.peer else None
    peer_name, peer_words = (peer.name, f"{peer.name} {biboumi.version()}") if peer else ("", "")
    runs = 1 if options.quick else options.runs
    results = asyncio.run(measure(work, runs, peer))
    print(report.machine(runs, peer_words) + "\n\n" + report.tables(results, peer_name))
    for part in _PARTS.values():
        print(part.tables(results))
    if options.json:
        Path(options.json).write_text(report.as_json(results, runs, peer_words))
    if not options.write:
        return
    if not options.only:
        mine = [each for each in results if not (mail_report.is_mail(each) or sms_report.is_sms(each))]
        report.write(mine, runs, peer_name, peer_words)
    for word, part in _PARTS.items():
        if options.only in ("", word):
            part.write(results, runs)


if __name__ == "__main__":
    main()
