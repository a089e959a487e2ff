"""`scripts/demo`, as a person or continuous integration runs it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.daemon import accepts, free_port, scratch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """The demo's temporary folder, which must be empty again when the demo has ended."""
    with scratch("demo") as path:
        yield path
        assert list(path.iterdir()) == []


async def start(folder: Path, *arguments: str, checkout: Path = ROOT) -> asyncio.subprocess.Process:
    script = str(checkout / "scripts/demo.d/demo.py")
    return await asyncio.create_subprocess_exec(
        sys.executable, script, *arguments, cwd=checkout, env={**os.environ, "TMPDIR": str(folder)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def test_messages_mails_and_texts_go_both_ways_through_the_page(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    demo = await start(folder, "--check", "--screenshot", str(picture))
    output, _ = await demo.communicate()
    assert demo.returncode == 0, output.decode()
    assert b"the answer came back" in output
    assert re.search(rb"a mail left:\n.*From: Alice <alice@.*\n.*To: Rose Red <.*\n.*: Re: Tea\n", output)
    assert b"the answer left as mail" in output
    assert re.search(
        rb"a text reached the phone \+\d+ \(rose\), from \+\d+:\n  \| All \d+ of them\?\n", output
    )
    assert output.count(b"has acknowledged it: its receipt went back") == 1
    assert b"the page shows that it did" in output
    assert picture.read_bytes().startswith(b"\x89PNG")


async def test_a_signal_ends_all_and_a_second_start_works(folder: Path) -> None:
    port = str(free_port())
    for number in (signal.SIGINT, signal.SIGTERM):
        demo = await start(folder, "--port", port)
        said = await greeting(demo)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert b"converse.initialize" in page.read()
        await by_the_line_that_is_shown("mail.py", said)
        await by_the_line_that_is_shown("phone.py", said)
        demo.send_signal(number)
        rest, _ = await demo.communicate()
        assert demo.returncode == 0, rest.decode()
        assert "all of it has ended" in rest.decode()
        assert list(folder.iterdir()) == []
        for pid in re.findall(r"pid (\d+)", said):
            assert not Path(f"/proc/{pid}").exists()
        for taken in re.findall(r"127\.0\.0\.1:(\d+)", said):
            assert not accepts(int(taken))


async def greeting(demo: asyncio.subprocess.Process) -> str:
    """What the demo says until all of it is up."""
    assert demo.stdout is not None
    said = ""
    while "Ctrl-C ends" not in said:
        line = await demo.stdout.readline()
        assert line, said
        said += line.decode()
    return said


async def test_where_npm_failed_there_are_no_phones(folder: Path, tmp_path: Path) -> None:
    for part in ("bridge", "backends", "scripts", "tests/peers"):
        shutil.copytree(ROOT / part, tmp_path / part)
    demo = await start(folder, "--port", str(free_port()), checkout=tmp_path)
    said = await greeting(demo)
    assert "phones       none: npm" in said
    assert "bridge       irc.localhost, email.localhost   pid" in said
    assert "phone.py" not in said
    await by_the_line_that_is_shown("mail.py", said)
    demo.send_signal(signal.SIGINT)
    await demo.communicate()
    assert demo.returncode == 0
    check = await start(folder, "--check", checkout=tmp_path)
    output, _ = await check.communicate()
    assert check.returncode == 1
    assert b"there are no phones to check: npm" in output


async def test_a_taken_port_is_told_before_anything_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = await start(folder, "--port", str(port))
        output, _ = await demo.communicate()
    assert demo.returncode == 1
    assert f"port {port} is taken by" in output.decode()
    assert f"(pid {os.getpid()})" in output.decode()
    assert f"--port {port + 1}" in output.decode()


async def by_the_line_that_is_shown(script: str, said: str) -> None:
    """A mail or a text is taken, by whatever Python and from whatever folder it is sent."""
    line = re.search(rf"^ +(python3 \S+/{script} \d+ .+)$", said, re.MULTILINE)
    assert line is not None, said
    sender = await asyncio.create_subprocess_shell(
        line[1], cwd="/", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    complaint, _ = await sender.communicate()
    assert sender.returncode == 0, complaint.decode()
