"""The process under test: started between fresh ends, measured from outside, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import processes
from bench.ends import PATIENCE, Catch, IrcEnd, WrongCount, XmppEnd
from bench.work import join_presence
from tests.peers.daemon import free_port

START_SECONDS = 30.0
END_SECONDS = 10.0
_BACKLOG = 1024
"""Connections that an end lets wait for it: with fewer, who opens 300 at once waits a second for those that
the kernel turns away, and would be measured waiting."""


@dataclass(frozen=True)
class Ground:
    """Where a program is to run: a folder of its own on disk, the ports of both ends (`irc_port`: of whatever
    network it is), a free one to listen at, archive or none."""

    folder: Path
    xmpp_port: int
    irc_port: int
    listen_port: int
    archive: bool


async def _nothing(subject: Subject, users: list[str]) -> None:
    """Most programs need no settings of their users."""


@dataclass(frozen=True)
class Program:
    """Something that can be put between the ends: `words` is its command line (it may write files into the
    ground's folder), `prepare` sets what its users must set, `rows` counts the archived messages in the
    folder's `database`."""

    name: str
    words: Callable[[Ground], list[str]]
    environment: Callable[[], dict[str, str]]
    database: str
    rows: str
    prepare: Callable[[Subject, list[str]], Awaitable[None]] = _nothing
    ends_at_sigterm: bool = True


class Subject:
    """A running program between the two ends. `started` is the time from its start to the handshake, in
    seconds; `failed` has the complaint of an end, if there is one."""

    def __init__(
        self, program: Program, ground: Ground, pid: int, xmpp: XmppEnd, irc: IrcEnd, started: float
    ) -> None:
        self.program = program
        self.ground = ground
        self.xmpp = xmpp
        self.irc = irc
        self.started = started
        self.pid = pid

    def cpu(self) -> float:
        """Seconds of CPU that it and the processes that it has started have used."""
        return sum(map(processes.cpu, processes.family(self.pid)))

    def rss(self) -> int:
        """Resident memory in KiB."""
        return sum(map(processes.rss, processes.family(self.pid)))

    def peak(self) -> int:
        """The most resident memory that it had, in KiB."""
        return sum(map(processes.peak, processes.family(self.pid)))

    def archived(self) -> int:
        """How many messages its archive has on disk."""
        file = self.ground.folder / self.program.database
        if not file.exists():
            return 0
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return int(database.execute(self.program.rows).fetchone()[0])

    async def join(self, users: list[str], nicks: list[str]) -> Catch:
        """Bring users into the room, and wait for the subject that ends each join. What came meanwhile."""
        catch = self.xmpp.catch = Catch(b"<subject", len(users))
        for jid, nick in zip(users, nicks, strict=True):
            self.xmpp.write(join_presence(jid, nick))
        await self.within(catch)
        return catch

    async def within(self, *catches: Catch) -> None:
        """Wait until all are done. Raises WrongCount if nothing comes any more, or if an end complained."""
        for catch in catches:
            seen = -1
            while not catch.done.is_set():
                if seen == catch.seen:
                    raise WrongCount(f"nothing came for {PATIENCE:g} s, after {seen} messages")
                seen = catch.seen
                waits = asyncio.ensure_future(catch.done.wait())
                either: set[asyncio.Future[Any]] = {waits, self.xmpp.failed}
                await asyncio.wait(either, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
                waits.cancel()
                if self.xmpp.failed.done():
                    self.xmpp.failed.result()


@contextlib.asynccontextmanager
async def running(
    program: Program, archive: bool, others: int = 5, network: Callable[[], asyncio.Protocol] | None = None
) -> AsyncIterator[Subject]:
    """The program, attached to fresh ends; ended after the `async with`. `network` makes connections of
    another network's end than IRC's."""
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()
    failed.add_done_callback(lambda future: future.cancelled() or future.exception())  # it may come too late
    xmpp, irc = XmppEnd(failed), IrcEnd(others, failed)
    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for make in (lambda: xmpp, network or irc.connection):
            server = await loop.create_server(make, "127.0.0.1", 0, backlog=_BACKLOG)
            stack.callback(server.close)
            ports.append(server.sockets[0].getsockname()[1])
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xb-bench-")))
        ground = Ground(folder, ports[0], ports[1], free_port(), archive)
        words = program.words(ground)
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *words, cwd=folder, env=program.environment(), stdout=asyncio.subprocess.DEVNULL
        )
        stack.push_async_callback(_end, process, program)
        async with asyncio.timeout(START_SECONDS):
            await xmpp.accepted.wait()
        started = time.perf_counter() - began
        try:
            yield Subject(program, ground, process.pid, xmpp, irc, started)
        finally:
            xmpp.catch = None


async def _end(process: asyncio.subprocess.Process, program: Program) -> None:
    if process.returncode is None and program.ends_at_sigterm:
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_SECONDS)
    if process.returncode is None:
        process.kill()
    await process.wait()


def plain_environment() -> dict[str, str]:
    """This shell's."""
    return dict(os.environ)
