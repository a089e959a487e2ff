"""Knows how a watcher is run in a test: what it tells is kept, and can be waited for."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from backends.email.imap.fetching import Mail
from backends.email.imap.login import Credentials
from backends.email.imap.settings import Settings
from backends.email.imap.watcher import Inbox, Watcher
from backends.email.values import Security, Server
from bridge.testing.fake_host import FakeHost
from tests.peers.dovecot import Dovecot

PASSWORD = 'pass "word\\ with: ümläut'
_numbers = itertools.count(1)


class Ledger:
    """A listener that keeps what it is told, as a session that stores it would. `gate` is waited for before
    each mail is stored; `broken` is raised instead, if it is set."""

    def __init__(self) -> None:
        self.place: str | None = None
        self.mails: list[Mail] = []
        self.contents: list[bytes] = []
        self.readies = 0
        self.gate: Callable[[Mail], asyncio.Event | None] = lambda mail: None
        self.broken: Exception | None = None
        self._changed = asyncio.Condition()

    async def ready(self) -> None:
        self.readies += 1
        await self._tell()

    async def mail(self, mail: Mail) -> None:
        gate = self.gate(mail)
        if gate is not None:
            await gate.wait()
        if self.broken is not None:
            raise self.broken
        self.mails.append(mail)
        self.contents.append(await asyncio.to_thread(mail.path.read_bytes) if mail.size < 1_000_000 else b"")
        self.place = mail.place
        await self._tell()

    async def moved(self, place: str) -> None:
        self.place = place
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    @property
    def subjects(self) -> list[str]:
        """The subjects so far, in order."""
        return [subject_of(content) for content in self.contents]

    async def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something holds; looked at after each thing that is told."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            raise AssertionError(f"waited in vain; came: {self.subjects}") from None


def subject_of(content: bytes) -> str:
    """The subject line's text."""
    lines = [line for line in content.splitlines() if line.lower().startswith(b"subject: ")]
    return lines[0][9:].decode() if lines else ""


def make_mail(
    subject: str, *, sender: str = "bob@example.net", extra: str = "", body: str = "hello"
) -> bytes:
    """A small mail with an id of its own."""
    return (
        f"From: {sender}\r\nTo: alice@example.org\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject.replace(' ', '.')}@example.net>\r\n{extra}\r\n{body}\r\n"
    ).encode()


def fresh_address() -> str:
    """An address that no other test has."""
    return f"user{next(_numbers)}@example.org"


def make_watcher(
    server: Dovecot,
    address: str,
    spool: Path,
    place: str | None = None,
    *,
    password: str = PASSWORD,
    settings: Settings | None = None,
    name: str = "INBOX",
    security: Security = Security.TLS,
    context: ssl.SSLContext | None = None,
) -> Watcher:
    """A watcher of an account on a real server."""
    port = server.tls_port if security is Security.TLS else server.port
    inbox = Inbox(
        Server(server.server, port, security), Credentials(address, password), frozenset([address]), name
    )
    host = FakeHost(endpoints={server.server: "127.0.0.1"})
    return Watcher(inbox, host, context or server.trusting(), spool, place, settings)


@contextlib.asynccontextmanager
async def running(watcher: Watcher, ledger: Ledger) -> AsyncIterator[asyncio.Task[None]]:
    """The watcher has logged in inside the `async with`, and is closed after it; what ended it before that is
    the test's to see."""
    readies = ledger.readies
    task = asyncio.create_task(watcher.run(ledger))
    waiting = asyncio.create_task(ledger.until(lambda: ledger.readies > readies))
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        await task
    await waiting
    try:
        yield task
    finally:
        watcher.close()
        if task.done():
            task.exception()
        else:
            async with asyncio.timeout(10):
                await task
