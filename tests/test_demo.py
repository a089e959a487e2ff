"""`scripts/demo`, as a person or continuous integration runs it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from tests.peers.daemon import accepts, free_port

ROOT = Path(__file__).resolve().parents[1]
DEMO = [sys.executable, str(ROOT / "scripts/demo.d/demo.py")]


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *DEMO, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )


def left_behind() -> set[str]:
    """The demo's folders (one for each server and for the browser)."""
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("xb-")}


async def test_a_message_goes_both_ways_through_the_page(tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    demo = await start("--check", "--screenshot", str(picture))
    output, _ = await demo.communicate()
    assert demo.returncode == 0, output.decode()
    assert b"the answer came back" in output
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_all_and_a_second_start_works(number: signal.Signals) -> None:
    port = str(free_port())
    for _ in range(2):
        before = left_behind()
        demo = await start("--port", port)
        assert demo.stdout is not None
        said = ""
        while "Ctrl-C ends" not in said:
            line = await demo.stdout.readline()
            assert line, said
            said += line.decode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert b"converse.initialize" in page.read()
        demo.send_signal(number)
        rest, _ = await demo.communicate()
        assert demo.returncode == 0, rest.decode()
        assert "all of it has ended" in rest.decode()
        assert left_behind() == before
        for pid in re.findall(r"pid (\d+)", said):
            assert not Path(f"/proc/{pid}").exists()
        for taken in re.findall(r"127\.0\.0\.1:(\d+)", said):
            assert not accepts(int(taken))


async def test_a_taken_port_is_told_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = await start("--port", str(port))
        output, _ = await demo.communicate()
    assert demo.returncode == 1
    assert f"port {port} is taken by" in output.decode()
    assert f"(pid {os.getpid()})" in output.decode()
    assert f"--port {port + 1}" in output.decode()
