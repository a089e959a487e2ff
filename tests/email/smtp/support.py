"""What the tests of mail on the wire share: a listener with a mailbox behind it, a client that sends what it
is told, mails to send, and a meter for the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from backends.email.smtp.client import Submitter
from backends.email.smtp.connection import TimeLimits
from backends.email.smtp.inbound import KNOWN, NO_MAILBOX, TAKEN, Answer, Envelope, ListenOptions, Protocol
from backends.email.smtp.listener import Listener
from backends.email.smtp.pool import PoolLimits
from backends.email.smtp.spool import clear_spool
from backends.email.smtp.transaction import Mail
from bridge.testing.fake_host import FakeHost

DOMAIN = "email.example.org"
SECONDS = 20.0
QUICK = TimeLimits(
    connect=5.0, greeting=0.3, login=0.3, command=0.3, data=0.3, block=0.5, final=0.3, quit=0.3
)


class Mailbox:
    """What stands behind a listener. Local parts that begin with `no` are unknown; `answers` maps addresses
    to the answers they give to mails, one after the other, then `TAKEN`; `hold` keeps deliveries waiting
    until it is set."""

    def __init__(self) -> None:
        self.mails: list[tuple[Envelope, bytes]] = []
        self.answers: dict[str, list[Answer]] = {}
        self.fault: Exception | None = None
        self.started = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self.size_only = False

    async def check(self, address: str) -> Answer:
        if self.fault is not None and address.startswith("fault"):
            raise self.fault
        return NO_MAILBOX if address.startswith("no") else KNOWN

    async def deliver(self, envelope: Envelope, path: Path) -> Mapping[str, Answer]:
        self.started.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.fault is not None:
            raise self.fault
        self.mails.append((envelope, b"" if self.size_only else path.read_bytes()))
        return {each: self._answer(each) for each in envelope.recipients}

    def _answer(self, address: str) -> Answer:
        waiting = self.answers.get(address)
        return waiting.pop(0) if waiting else TAKEN

    async def wait(self, count: int) -> list[tuple[Envelope, bytes]]:
        """The mails, once there are so many."""
        await until(lambda: len(self.mails) >= count)
        return self.mails


@contextlib.asynccontextmanager
async def listening(
    folder: Path, protocol: Protocol = Protocol.SMTP, **options: Any
) -> AsyncIterator[tuple[Listener, Mailbox]]:
    """A listener for `DOMAIN`, and the mailbox behind it; nothing is left of it afterwards."""
    spool = folder / "spool"
    clear_spool(spool)
    mailbox = Mailbox()
    wanted = ListenOptions((DOMAIN,), spool, "bridge.example.org", protocol, **options)
    listener = Listener(wanted, mailbox.check, mailbox.deliver)
    await listener.start()
    try:
        yield listener, mailbox
    finally:
        await listener.stop()
        await until(lambda: not listener.connections)
        assert list(spool.iterdir()) == []


class Talk:
    """A raw client: `say` sends lines, `hear` reads one reply (its lines joined by `\\n`)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hear(self) -> str:
        lines = []
        async with asyncio.timeout(SECONDS):
            while raw := await self.reader.readuntil(b"\r\n"):
                lines.append(raw.decode("ascii").rstrip("\r\n"))
                if lines[-1][3:4] != "-":
                    break
        return "\n".join(lines)

    async def say(self, *lines: str) -> str:
        """Send lines one by one; the reply to the last."""
        reply = ""
        for line in lines:
            self.writer.write(line.encode("utf-8", "surrogateescape") + b"\r\n")
            reply = await self.hear()
        return reply

    async def begin(self, *recipients: str, sender: str = "bob@example.net", hello: str = "EHLO") -> str:
        """Greet and offer a mail, up to the reply to DATA."""
        to = [f"RCPT TO:<{each}>" for each in recipients]
        return await self.say(f"{hello} client.example.net", f"MAIL FROM:<{sender}>", *to, "DATA")

    async def closed(self) -> bytes:
        """What comes until the server closes."""
        async with asyncio.timeout(SECONDS):
            return await self.reader.read()


@contextlib.asynccontextmanager
async def talking(port: int) -> AsyncIterator[Talk]:
    """A connection that has heard the greeting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    talk = Talk(reader, writer)
    try:
        assert (await talk.hear()).startswith("220 bridge.example.org ")
        yield talk
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def submitting(
    *, limits: TimeLimits = QUICK, pool: PoolLimits | None = None, ca_file: object = "", **endpoints: str
) -> AsyncIterator[Submitter]:
    """A client whose resolver knows the given names (with `_` for each dot)."""
    host = FakeHost(endpoints={name.replace("_", "."): address for name, address in endpoints.items()})
    submitter = Submitter(host, ca_file=str(ca_file), limits=limits, pool=pool)
    try:
        yield submitter
    finally:
        await submitter.close()


def a_mail(
    folder: Path, *recipients: str, text: bytes = b"Hello.\r\n", sender: str = "alice@example.org"
) -> Mail:
    """A mail in a file."""
    path = folder / "mail.eml"
    head = b"From: alice@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: test\r\n\r\n"
    path.write_bytes(head + text)
    return Mail(path, sender, recipients or ("bob@example.net",), "1@example.org")


async def until(fact: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait for a fact."""
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(0.01)


async def in_thread(call: Callable[[], Any]) -> Any:
    """A blocking client beside the loop."""
    async with asyncio.timeout(60):
        return await asyncio.to_thread(call)


@contextlib.contextmanager
def stalls() -> Iterator[list[float]]:
    """Inside the `with` the loop is watched; the list has its longest stall so far, in seconds. That others
    had the processor does not count."""
    longest = [0.0]

    async def watch() -> None:
        while True:
            before, robbed = time.perf_counter(), _robbed()
            await asyncio.sleep(0.001)
            longest[0] = max(longest[0], time.perf_counter() - before - 0.001 - (_robbed() - robbed))

    task = asyncio.get_running_loop().create_task(watch())
    try:
        yield longest
    finally:
        task.cancel()


def _robbed() -> float:
    """The time that this thread has waited for a processor, in seconds."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
