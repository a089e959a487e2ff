"""What is measured: each scenario blasts prepared work through the process, checks what came out, and gives
figures."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from xml.etree import ElementTree

from bench.ends import CHANNEL, ROOM, SERVER, attributes
from bench.subject import Subject, running

ODD = "<b> & \"quotes\" 'too' grüße"
"""In each message, so that escaping is part of the work, and checked."""

PATIENCE = 120.0
AFTERMATH = 1.0
"""Seconds after the last message whose CPU time counts, too: what was put off belongs to the price."""

_BODY = re.compile(rb"<body>(.*?)</body>", re.DOTALL)
_NUMBER = re.compile(r"line (\d+) ")


class WrongCount(AssertionError):
    """What came out is not what went in."""


@dataclass
class Figures:
    """One run. Memory in KiB; `cpu` is of the process under test, in microseconds for each message."""

    cpu: float = 0.0
    rate: float = 0.0
    peak: int = 0
    more: dict[str, float] = field(default_factory=dict)


class Messages:
    """Checks groupchat messages as they come to `users`: each number once, in order, from `sender`, with
    the text as it was. `done` once each user has `count`."""

    def __init__(self, users: list[str], sender: str, count: int) -> None:
        self.done = asyncio.Event()
        self._next = dict.fromkeys(users, 0)
        self._sender = f"{ROOM}/{sender}"
        self._count = count
        self._left = count * len(users)

    def take(self, kind: bytes, stanza: bytes) -> None:
        """A stanza. Raises WrongCount."""
        found = _BODY.search(stanza)
        if kind != b"message" or found is None:
            return
        about, body = attributes(stanza), unescape(found[1].decode())
        expected = self._next.get(about["to"])
        if expected is None or about["from"] != self._sender or body != f"line {expected} {ODD}":
            raise WrongCount(f"expected line {expected} from {self._sender}, got {stanza.decode()!r}")
        self._next[about["to"]] = expected + 1
        self._left -= 1
        if not self._left:
            self.done.set()


class Lines:
    """Checks what is said on IRC: each number once, in order. `done` once there are `count`."""

    def __init__(self, count: int) -> None:
        self.done = asyncio.Event()
        self.seen = 0
        self._count = count

    def take(self, line: bytes) -> None:
        """A PRIVMSG line. Raises WrongCount."""
        if line.decode() != f"PRIVMSG {CHANNEL} :line {self.seen} {ODD}":
            raise WrongCount(f"expected line {self.seen}, got {line.decode()!r}")
        self.seen += 1
        if self.seen == self._count:
            self.done.set()


def user(number: int = 0, resource: int = 0) -> str:
    """A user's full JID."""
    return f"user{number}@{SERVER}/r{resource}"


async def join(subject: Subject, users: list[str], nicks: list[str]) -> None:
    """Bring users into the room, and wait for the subject that ends each join."""
    entered: set[str] = set()
    done = asyncio.Event()

    def take(kind: bytes, stanza: bytes) -> None:
        if b" type='error'" in stanza:
            raise WrongCount(stanza.decode())
        if kind == b"message" and b"<subject" in stanza:
            entered.add(attributes(stanza)["to"])
            if len(entered) == len(users):
                done.set()

    subject.xmpp.on_stanza = take
    for jid, nick in zip(users, nicks, strict=True):
        subject.xmpp.write(
            f"<presence from='{jid}' to='{ROOM}/{nick}'>"
            f"<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>".encode()
        )
    await _within(subject, done)


async def _within(subject: Subject, *events: asyncio.Event) -> None:
    """Wait for the events. Raises WrongCount if they do not come, or if an end complained before."""
    try:
        async with asyncio.timeout(PATIENCE):
            for event in events:
                waits = asyncio.create_task(event.wait())
                either: set[asyncio.Future[Any]] = {waits, subject.failed}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if subject.failed.done():
                    waits.cancel()
                    subject.failed.result()
    except TimeoutError:
        raise WrongCount(f"not all messages came within {PATIENCE:g} s") from None


async def _measured(
    subject: Subject, work: Callable[[], Awaitable[None]], count: int, *events: asyncio.Event
) -> Figures:
    cpu, began = subject.cpu(), time.perf_counter()
    await work()
    await _within(subject, *events)
    seconds = time.perf_counter() - began
    await asyncio.sleep(AFTERMATH)
    cpu = subject.cpu() - cpu
    return Figures(cpu / count * 1e6, count / seconds, subject.peak())


async def from_irc(
    count: int,
    resources: int = 1,
    *,
    floor: bool = False,
    archive: bool = False,
    wrapper: tuple[str, ...] = (),
) -> Figures:
    """A burst from IRC to the resources of one user. A message counts once, to however many it goes."""
    async with running(floor=floor, archive=archive, wrapper=wrapper) as subject:
        users = [user(0, number) for number in range(resources)]
        await join(subject, users[:1], ["alice"])
        if users[1:]:
            await join(subject, users[1:], ["alice"] * len(users[1:]))
        prefix = f":{subject.irc.others[0]}!u@host PRIVMSG {CHANNEL} :"
        data = "".join(f"{prefix}line {number} {ODD}\r\n" for number in range(count)).encode()
        messages = Messages(users, subject.irc.others[0], count)
        subject.xmpp.on_stanza = messages.take
        connection = subject.irc.connections["alice"]
        return await _measured(subject, lambda: connection.blast(data), count, messages.done)


async def to_irc(
    count: int, *, floor: bool = False, archive: bool = False, wrapper: tuple[str, ...] = ()
) -> Figures:
    """A burst from one user to IRC, each message also reflected to the user."""
    async with running(floor=floor, archive=archive, wrapper=wrapper) as subject:
        await join(subject, [user()], ["alice"])
        body = ElementTree.Element("body")
        body.text = ODD
        odd = ElementTree.tostring(body, "unicode")[len("<body>") : -len("</body>")]
        data = "".join(
            f"<message type='groupchat' from='{user()}' to='{ROOM}' id='m{number}'>"
            f"<body>line {number} {odd}</body></message>"
            for number in range(count)
        ).encode()
        lines, messages = Lines(count), Messages([user()], "alice", count)
        subject.irc.on_line, subject.xmpp.on_stanza = lines.take, messages.take
        return await _measured(subject, lambda: subject.xmpp.blast(data), count, lines.done, messages.done)


async def joining(users: int, others: int) -> Figures:
    """Users who join one room, each by a connection of their own: CPU for each, `more["KiB a user"]`."""
    async with running(others=others) as subject:
        await join(subject, [user(users)], ["first"])  # what the first costs is not what a user costs
        before = subject.rss()
        everybody = [user(number) for number in range(users)]
        done = asyncio.Event()

        async def work() -> None:
            await join(subject, everybody, [f"nick{number}" for number in range(users)])
            done.set()

        figures = await _measured(subject, work, users, done)
        figures.more["KiB a user"] = (subject.rss() - before) / users
        return figures


async def idle(archive: bool = True) -> Figures:
    """Start and rest: `more["start s"]` to the handshake, `more["RSS MB"]` two seconds later."""
    async with running(archive=archive):
        pass  # so that all modules are compiled
    async with running(archive=archive) as subject:
        cpu = subject.cpu()
        await asyncio.sleep(2 * AFTERMATH)
        more = {"start s": subject.started, "RSS MB": subject.rss() * 1024 / 1e6, "start CPU s": cpu}
        return Figures(peak=subject.peak(), more=more)


async def medians(runs: int, scenario: Callable[[], Awaitable[Figures]]) -> Figures:
    """The same again and again: the median of each figure."""
    every = [await scenario() for _ in range(runs)]
    return Figures(
        statistics.median(one.cpu for one in every),
        statistics.median(one.rate for one in every),
        int(statistics.median(one.peak for one in every)),
        {name: statistics.median(one.more[name] for one in every) for name in every[0].more},
    )
