"""A mail of 25 MB, in and out, with real servers: how long the bridge's event loop is held up by it, and how
much memory it takes. The mail is text with one attachment, or nothing but text."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import smtplib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from pathlib import Path

from bench import processes
from bench.ends import WrongCount
from bench.figures import GAP, GAP_CPU, GREW, IDLE_GAP, WALL, Figures, megabytes
from bench.programs import ROOT
from bench.subject import Program
from tests.mail.town import ELSEWHERE, OURS, PASSWORD, Town, puppet, running_town
from tests.peers.xmpp_client import XmppClient, message, xmpp_client

SIZE = 25_000_000
ROSE = f"rose@{ELSEWHERE}"
SECONDS = 120.0
_OOB = "{jabber:x:oob}x/{jabber:x:oob}url"


@dataclass
class Scene:
    """The town, alice in it with an address of hers, and what her bridge had in memory before any mail."""

    town: Town
    alice: XmppClient
    own: str
    at_rest: int
    idle: tuple[int, Path]
    """A process beside it that does nothing: its id, and where it tells its gaps."""

    async def watched(self, work: Callable[[], Awaitable[None]]) -> Figures:
        """Do something, and tell what the loop and the memory were like meanwhile."""
        pid = self.town.bridge.pid
        watched = [(pid, self.town.bridge.folder / "watch.json"), self.idle]
        await asyncio.gather(*(_gaps(*each) for each in watched))
        for each in processes.family(pid):
            processes.forget_peak(each)
        began = time.perf_counter()
        await work()
        took = time.perf_counter() - began
        peak = sum(map(processes.peak, processes.family(pid)))
        gaps, idle = await asyncio.gather(*(_gaps(*each) for each in watched))
        return {
            GAP: float(gaps["gap"]) * 1e3, GAP_CPU: float(gaps["gap_cpu"]) * 1e3,
            IDLE_GAP: float(idle["gap"]) * 1e3,
            GREW: megabytes(peak - self.at_rest), WALL: took,
        }  # fmt: skip

    async def came(self, mail: bytes) -> str:
        """A mail comes in; the URL of its file, or "" if it has none, once the user has been told all."""
        rose, has_file = puppet(ROSE), b"Content-Disposition" in mail[:2000]
        if self.own.endswith(OURS):
            port = _listen_port(self.town)
            await asyncio.to_thread(_submit, port, self.own, mail)
        else:
            await asyncio.to_thread(self.town.dovecot.deliver, self.own, mail)
        await self.alice.wait(message(rose), SECONDS)
        if not has_file:
            return ""
        file = await self.alice.wait(message(rose), SECONDS)
        return str(file.xml.findtext(_OOB))

    async def went(self, url: str) -> None:
        """A file goes out as a mail, and into the mailbox for what was sent, if there is one."""
        self.alice.send(
            f"<message to='{puppet(ROSE)}' type='chat' id='large'><body>{url}</body>"
            f"<x xmlns='jabber:x:oob'><url>{url}</url></x></message>"
        )
        places = [(ROSE, "")] if self.own.endswith(OURS) else [(ROSE, ""), (self.own, "Sent")]
        async with asyncio.timeout(SECONDS):
            for address, mailbox in places:
                while not _has_large(self.town, address, mailbox):
                    await asyncio.sleep(0.05)


async def incoming(program: Program, archive: bool, *, own_domain: str, plain: bool = False) -> Figures:
    """By IMAP out of a mailbox elsewhere, or by SMTP to our own domain."""
    return await _in_a_scene(own_domain, lambda scene: _in(scene, plain))


async def outgoing(program: Program, archive: bool, *, own_domain: str) -> Figures:
    """By the mailbox's own server, with a copy in Sent, or by a smarthost."""
    return await _in_a_scene(own_domain, _out)


async def _in(scene: Scene, plain: bool) -> Figures:
    mail = _large(scene.own, plain)

    async def work() -> None:
        await scene.came(mail)

    return await scene.watched(work)


async def _out(scene: Scene) -> Figures:
    url = await scene.came(_large(scene.own, plain=False))
    return await scene.watched(lambda: scene.went(url))


async def _gaps(pid: int, file: Path) -> dict[str, str]:
    """What a watched process has seen since it was last asked."""
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR2)
    async with asyncio.timeout(SECONDS):
        while not file.exists():
            await asyncio.sleep(0.01)
    found: dict[str, str] = json.loads(file.read_text())
    return found


@contextlib.asynccontextmanager
async def _idle(folder: Path) -> AsyncIterator[tuple[int, Path]]:
    """A process that does nothing but watch its own loop."""
    file = folder / "idle.json"
    words = [sys.executable, "-m", "bench.mail.watched", "--idle", str(file)]
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT)
    try:
        async with asyncio.timeout(SECONDS):
            while not file.exists():
                await asyncio.sleep(0.01)
        yield process.pid, file
    finally:
        process.kill()
        await process.wait()


async def _in_a_scene(own_domain: str, act: Callable[[Scene], Awaitable[Figures]]) -> Figures:
    own = f"alice@{own_domain}"
    with running_town(module="bench.mail.watched") as town:
        town.add_mailbox(ROSE)
        async with xmpp_client(town.xmpp, "alice") as alice, _idle(town.bridge.folder) as idle:
            if own_domain == OURS:
                await town.register(alice, email=own)
            else:
                town.add_mailbox(own)
                await town.register(alice, email=own, password=PASSWORD, **town.servers())
            await alice.sync()
            try:
                return await act(Scene(town, alice, own, processes.rss(town.bridge.pid), idle))
            except (AssertionError, TimeoutError) as error:
                raise WrongCount(
                    f"the mail did not come through: {error}\n{town.bridge.log_tail()}"
                ) from error


def _large(to: str, plain: bool) -> bytes:
    """A mail of 25 MB."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = ROSE, to, "Large", "<large@example.org>"
    if plain:
        line = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod\r\n"
        head = bytes(mail) + b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
        return head.replace(b"\r\n\r\nContent", b"\r\nContent") + line.encode() * (SIZE // len(line))
    mail.set_content("Here it is.")
    content = random.Random(25).randbytes(SIZE * 57 // 78)
    mail.add_attachment(content, maintype="application", subtype="zip", filename="large.zip")
    return bytes(mail)


def _submit(port: int, to: str, mail: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.sendmail(ROSE, [to], mail)


def _listen_port(town: Town) -> int:
    lines = town.bridge.config_file.read_text().splitlines()
    (line,) = [each for each in lines if each.startswith("smtp_listen")]
    return int(line.rpartition(":")[2].rstrip('"'))


def _has_large(town: Town, address: str, mailbox: str) -> bool:
    folder = town.dovecot.maildir(address, mailbox)
    files = [file for part in ("new", "cur") for file in folder.joinpath(part).glob("*")]
    return any(file.stat().st_size > SIZE // 2 for file in files)
