"""`python -m bench`, as it is run: little work, no figure judged."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import biboumi, cases, report, scenarios, targets
from bench.cases import Case, Result
from bench.ends import WrongCount
from bench.figures import CPU, GAP_CPU, GREW, P50, P99, RATE, percentile
from bench.mail.report import MOST_GAP, MOST_MEMORY
from bench.programs import ROOT, floor
from bench.subject import Ground, Program, running
from bench.work import irc_lines, join_presence, user


async def test_a_case_is_measured_beside_the_floor(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    words = ["-m", "bench", "--quick", "--only", "xmpp-to-irc", "--archive", "on", "--json", str(file)]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert "| XMPP to IRC with reflection, 1,000 messages | on |" in out.decode()
    (result,) = json.loads(file.read_text())["results"]
    assert set(result["runs"]) == {"bridge", "floor"}
    assert all(one[CPU] > 0 and one[RATE] > 0 for runs in result["runs"].values() for one in runs)


@pytest.mark.parametrize("name", ["mail-in", "mail-out", "mail-latency"])
async def test_mail_is_measured_beside_its_floor(name: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    words = ["-m", "bench", "--quick", "--only", name, "--json", str(file)]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert "| small mails | bridge | floor | x floor |" in out.decode()
    (result,) = json.loads(file.read_text())["results"]
    assert set(result["runs"]) == {"bridge", "floor"}


async def test_a_large_mail_holds_up_nothing_for_long(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    words = ["-m", "bench", "--quick", "--only", "mail-large-text", "--json", str(file)]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT)
    assert await process.wait() == 0
    (result,) = json.loads(file.read_text())["results"]
    (figures,) = result["runs"]["bridge"]
    assert figures[GREW] < MOST_MEMORY
    assert figures[GAP_CPU] <= MOST_GAP  # of the gap itself: a busy machine has a part in that


def broken(patch: str) -> Program:
    """The floor with a defect."""

    def words(ground: Ground) -> list[str]:
        found = floor().words(ground)
        main = "a = sys.argv; asyncio.run(f.main(int(a[1]), int(a[2]), a[3], a[4]))"
        run = f"import sys, asyncio, bench.floor as f; {patch}; {main}"
        return [found[0], "-c", run, *found[3:]]

    return dataclasses.replace(floor(), words=words)


@pytest.mark.parametrize(
    "patch",
    [
        "f._escaped = lambda body: body",
        "f.Kept.add = lambda *_: None",
        "said = f.Floor.said; f.Floor.said = lambda s, nick, *more: said(s, nick + '_', *more)",
    ],
    ids=["not escaped", "not archived", "wrong sender"],
)
async def test_a_defect_is_no_figure(patch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios, "AFTERMATH", 0.1)
    with pytest.raises(WrongCount):
        await scenarios.from_irc(broken(patch), True, count=20)


async def test_nothing_comes_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.subject.PATIENCE", 0.5)
    with pytest.raises(WrongCount, match="nothing came"):
        await scenarios.from_irc(broken("f.Irc._other = lambda *_: None"), False, count=20)


async def test_the_clock_agrees_with_the_kernels_own_account() -> None:
    async with running(floor(), False) as subject:
        fields = Path(f"/proc/{subject.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        assert ticks > 0
        assert abs(subject.cpu() - ticks) <= 3 / os.sysconf("SC_CLK_TCK")  # each of both is cut to a tick


def made(archive: bool = False) -> list[Result]:
    """Figures as a run would give them."""
    case = cases.every(quick=False)[0]
    runs = {"bridge": [{CPU: 4.0, RATE: 90_000.0}, {CPU: 6.0, RATE: 110_000.0}, {CPU: 5.0, RATE: 100_000.0}]}
    runs |= {"floor": [{CPU: 2.5, RATE: 200_000.0}], "biboumi": [{CPU: 20.0, RATE: 60_000.0}]}
    waits = Result(Case("latency", "latency", case.run), True, {"bridge": [{P50: 0.5, P99: 2.0, CPU: 9.0}]})
    return [Result(case, archive, runs), waits]


def test_a_table_has_medians_ratios_and_the_targets() -> None:
    table = report.tables(made(), "biboumi")
    assert "| off | 5.00 | 2.50 | 2.00 | 20.0 | 0.25 | ≤ 0.5x | yes |" in table
    assert "| off | 100,000 | 200,000 | 0.5 | 60,000 | 1.67 | ≥ 2x | **no** |" in table
    assert "| latency: p50, ms | on | 0.5 | - | - | - | - | ≤ 0.4 | **no** |" in table
    assert "biboumi" not in report.tables(made(), "")


def test_each_target_is_of_a_figure_that_is_measured() -> None:
    names = {case.name for case in cases.every(quick=False)}
    assert {case for case, _, _ in targets.TARGETS} <= names


def test_the_page_keeps_its_prose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    monkeypatch.setattr(report, "DOCUMENT", page)
    monkeypatch.setattr(report, "PICTURE", page.with_suffix(".svg"))
    page.write_text(f"# Before\n{report.BEGIN}\nold\n{report.END}\nAfter.\n")
    report.write(made(), 3, "biboumi", "biboumi 9.0")
    report.write(made(), 3, "biboumi", "biboumi 9.0")
    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("\nAfter.\n")
    assert "old" not in text
    assert text.count("Medians of 3, beside biboumi 9.0") == 1
    assert ElementTree.parse(page.with_suffix(".svg")).getroot().tag.endswith("svg")
    page.write_text("# Without a place\n")
    with pytest.raises(ValueError, match="no place"):
        report.write(made(), 3, "", "")


def test_percentiles() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(number) for number in range(1, 101)], 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0


def test_a_peer_that_cannot_be_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.biboumi.shutil.which", lambda name: None)
    with pytest.raises(biboumi.NoPeer, match="no apt-get"):
        biboumi.biboumi()
    monkeypatch.setattr("bench.biboumi.shutil.which", lambda name: name if name == "apt-get" else None)
    monkeypatch.setattr("bench.biboumi.os.geteuid", lambda: 1000)
    with pytest.raises(biboumi.NoPeer, match="as root"):
        biboumi.biboumi()


async def test_a_program_that_hangs_up_is_told() -> None:
    async with running(broken("f.Irc._other = lambda self, *_: self._account.irc.close()"), False) as subject:
        subject.xmpp.write(join_presence(user(), "me"))
        while not subject.irc.connections:
            await asyncio.sleep(0.01)
        connection = subject.irc.connections["me"]
        while connection.transport and not connection.transport.is_closing():
            await asyncio.sleep(0.01)
        with pytest.raises(WrongCount, match="no connection"):
            await connection.blast(irc_lines("#bench", range(10)))
