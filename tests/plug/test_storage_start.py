"""A bridge that cannot store anything says so at its start, in one line; one whose log is on a full disk goes
on."""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.scene import Scene, until
from tests.peers.bridge import Bridge, BridgeSetup, network, running_bridge
from tests.peers.daemon import free_port, scratch
from tests.peers.inspircd import Inspircd
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import message
from tests.plug.outages import DiskFull, small_disk
from tests.plug.talk import LIMITS, healthy

pytestmark = pytest.mark.heavy

_numbers = itertools.count(950)


class Nobody:
    """Where a bridge would look for its XMPP server."""

    host = "example.test"

    def __init__(self) -> None:
        self.component_port = free_port()


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch("bridge") as folder:
        yield folder


def run(folder: Path, setup: BridgeSetup, *, kilobytes: int | None = None) -> tuple[int, str]:
    """Run a bridge to its end: its exit code, and what it said. `kilobytes`: no file may be larger."""
    bridge = Bridge(folder, Nobody(), setup)
    limit = ["prlimit", f"--fsize={kilobytes * 1024}"] if kilobytes is not None else []
    done = subprocess.run(
        [*limit, *bridge.command()],
        check=False,
        env=bridge.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def check_told(code: int, said: str, *words: str) -> None:
    assert code == 1, said
    assert "Traceback" not in said
    assert any(all(word in line for word in words) for line in said.splitlines()), said


def test_a_folder_that_cannot_be_written(home: Path) -> None:
    """Below a file there can be no folder, not even for root."""
    (home / "file").write_text("")
    code, said = run(home, BridgeSetup(networks="", data_dir=home / "file" / "data"))
    check_told(code, said, "data_dir", "file")


@pytest.mark.parametrize(
    ("kilobytes", "words"), [(0, ["data_dir", "make room"]), (1, ["database"]), (40, ["database"])]
)
def test_no_room_for_the_files(home: Path, kilobytes: int, words: list[str]) -> None:
    """The lock, the database, its schema: whichever meets the end says so."""
    code, said = run(home, BridgeSetup(networks=""), kilobytes=kilobytes)
    check_told(code, said, *words)


def test_a_full_disk_at_the_start(home: Path) -> None:
    with small_disk(1) as (disk, taker):
        full = isinstance(taker, DiskFull)
        if full:
            taker.begin(None)  # type: ignore[arg-type]
        code, said = run(home, BridgeSetup(networks="", data_dir=disk), kilobytes=None if full else 0)
    check_told(code, said, str(disk), "make room")


async def test_the_log_cannot_be_written(prosody: Prosody, inspircd: Inspircd) -> None:
    """Lines are lost, and how many is said afterwards; people notice nothing."""
    networks = network("tls", inspircd.tls_port, tls="required", ca_file=inspircd.ca_file)
    with running_bridge(prosody, BridgeSetup(networks=networks, extra=LIMITS)) as bridge:
        scene = Scene(prosody, bridge, inspircd, next(_numbers))
        alice, bob = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"))
        await scene.join(alice)
        size, hard = (bridge.folder / "output.log").stat().st_size, resource.RLIM_INFINITY
        resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, (size, hard))
        for number in range(20):
            os.kill(bridge.pid, signal.SIGUSR1)  # it logs how much is going on
            bob.say(scene.channel, f"line {number}")
            await alice.wait(message(scene.room, f"line {number}"), 30)
        assert (bridge.folder / "output.log").stat().st_size == size
        resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, (hard, hard))
        await healthy(scene, bob)
        os.kill(bridge.pid, signal.SIGUSR1)
        await until(
            lambda: "lines of this log could not be written" in bridge.log_text(), "the loss to be told"
        )
        assert bridge.alive
        await scene.close()
