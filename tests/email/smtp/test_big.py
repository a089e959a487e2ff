"""A mail of 25 MB in each direction costs neither memory nor the event loop; a kill in the middle of one
loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import smtplib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from backends.email.smtp.inbound import Protocol
from tests.email.smtp.scripted import scripted
from tests.email.smtp.support import DOMAIN, in_thread, until
from tests.peers.daemon import free_port
from tests.peers.postfix import Route, running_postfix

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[3]
ALICE = f"alice@{DOMAIN}"
SIZE = 25_000_000
STALL = 0.05
"""Seconds."""


class Program:
    """`program.py`, running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def hear(self, word: str = "") -> str:
        """The next line that begins with a word."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while raw := await self.process.stdout.readline():
                if raw.decode().startswith(word):
                    return raw.decode().strip()
        raise EOFError("the program ended")

    async def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        return await self.hear()

    async def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.ask("report"))
        return found


@contextlib.asynccontextmanager
async def program(folder: Path, port: int, protocol: Protocol) -> AsyncIterator[Program]:
    words = ["-m", "tests.email.smtp.program", str(folder), str(port), protocol.value]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe, cwd=ROOT)
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _text(kind: str) -> bytes:
    line = {"lines": b"x" * 76 + b"\r\n", "one line": b"x" * 1000, "dots": b"..\r\n"}[kind]
    return b"Message-ID: <big@example.org>\r\n\r\n" + line * (SIZE // len(line)) + b"\r\n"


@pytest.mark.parametrize("kind", ["lines", "one line", "dots"])
async def test_a_big_mail_in(kind: str, tmp_path: Path) -> None:
    port = free_port()
    async with program(tmp_path / "spool", port, Protocol.SMTP) as running:
        await running.hear("up")
        before = await running.report()

        def put_in() -> None:
            with smtplib.SMTP("127.0.0.1", port) as smtp:
                smtp.sendmail("bob@example.net", [ALICE], _text(kind))

        await in_thread(put_in)
        assert (await running.hear("mail")).startswith("mail <big@example.org> 25")
        _hold(before, await running.report())


async def test_a_big_mail_out(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(_text("lines"))
    async with scripted() as server, program(tmp_path / "spool", 0, Protocol.SMTP) as running:
        await running.hear("up")
        before = await running.report()
        assert await running.ask(f"send {server.port} {path}") == "Sent(parts=())"
        _hold(before, await running.report())
        assert len(server.mails[0]) == path.stat().st_size


def _hold(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert after["peak"] - before["resident"] < SIZE
    assert after["stall"] < STALL


@pytest.mark.parametrize("protocol", Protocol)
async def test_a_kill_in_the_middle_of_a_mail(protocol: Protocol, tmp_path: Path) -> None:
    """Postfix keeps what it has no answer for, and what was there of it is cleared away."""
    port, spool = free_port(), tmp_path / "spool"
    with running_postfix([Route(DOMAIN, port, protocol.value)]) as postfix:
        async with program(spool, port, protocol) as running:
            await running.hear("up")

            def put_in() -> None:
                with smtplib.SMTP("127.0.0.1", postfix.port) as smtp:
                    smtp.sendmail("bob@example.net", [ALICE], _text("lines"))

            sending = asyncio.create_task(in_thread(put_in))
            await until(lambda: any(each.stat().st_size > 100_000 for each in spool.glob("incoming-*")))
            running.process.kill()
            await sending
        async with program(spool, port, protocol) as running, postfix.nudged():
            assert await running.hear("cleared") == "cleared 1"
            assert (await running.hear("mail")).startswith("mail <big@example.org> 25")
            await postfix.wait_queue(0)
            assert (await running.report())["resident"] > 0
            assert list(spool.iterdir()) == []
