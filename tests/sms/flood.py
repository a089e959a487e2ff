"""Many texts in and many messages out at the same time, while something is killed; and what must have become
of each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.mail.reader import Reader, until
from tests.peers.smsc import PhoneNetwork, address
from tests.sms.town import ALICE, GATEWAY, Town, phones_of, puppet

log = logging.getLogger(__name__)

PEOPLE = 10
LONG_EVERY = 10
MOST_AHEAD = 60
TEXTS = re.compile(r"(?P<text>^in \d+)\b")
_OUT = re.compile(r"^out (\d+)\b")


class Flood:
    """`count` texts in and `count` messages out between alice and some phones; every tenth is a long one."""

    def __init__(self, town: Town, phones: PhoneNetwork, reader: Reader, count: int, seed: int) -> None:
        self.town, self.phones, self.reader, self.count = town, phones, reader, count
        self.chance = random.Random(seed)
        base = self.chance.randrange(15_550_200_000, 15_550_800_000)
        self.people = [f"+{base + number}" for number in range(PEOPLE)]
        self.sent_in = 0
        self.sent_out = 0
        self.arrived: Counter[int] = Counter()
        """How often each message got to its phone."""
        self.unstored: set[int] = set()
        """messages that the XMPP server had taken, and the bridge had not stored when either was killed"""
        self.put_off = 0
        """how often the bridge did not take a text for now"""
        self.may_write = asyncio.Event()
        self.may_write.set()

    # -- both floods

    async def texts_in(self) -> None:
        """The phones send their texts, with at most so many ahead of what alice has seen."""
        for number in range(self.count):
            await until(lambda: self.sent_in - self.seen() < MOST_AHEAD, 120, self.missing)
            await self._text(number)
            self.sent_in += 1

    async def _text(self, number: int) -> None:
        sender = self.people[number % PEOPLE]
        if number % LONG_EVERY:
            await self.phones.text(sender, ALICE, f"in {number}")
            return
        text = f"in {number} {'x' * 300}".encode()
        halves = [text[:150], text[150:]]
        self.chance.shuffle(order := [0, 1])
        for index in order:
            udh = bytes([5, 0, 3, number // LONG_EVERY % 256, 2, index + 1])
            message = {"hex": (udh + halves[index]).hex()}
            await self.phones.deliver({**address(sender, ALICE), "esm_class": 0x40, "short_message": message})

    async def chats_out(self) -> None:
        """Alice says her messages, with at most so many ahead of what is known of them."""
        for number in range(self.count):
            await until(self._may_say, 150, self.missing)
            self.say(number)
            self.sent_out += 1

    def say(self, number: int) -> None:
        """Say one message, always under the same id."""
        to = puppet(self.people[number % PEOPLE])
        more = "" if number % LONG_EVERY else f" {'y' * 300}"
        body = f"<body>out {number}{more}</body><origin-id xmlns='urn:xmpp:sid:0' id='out{number}'/>"
        self.reader.online.send(f"<message to='{to}' type='chat' id='out{number}'>{body}</message>")

    def _may_say(self) -> bool:
        return self.may_write.is_set() and self.sent_out - self._known_out() < MOST_AHEAD

    # -- what became of them

    def look(self) -> None:
        """Take in what came to the phones since the last time."""
        for event in self.phones.events:
            self.put_off += event["event"] == "answer" and event["status"] != 0
            said = _OUT.match(event["text"]) if event["event"] == "text" else None
            if said is not None:
                self.arrived[int(said[1])] += 1
        self.phones.events.clear()

    def seen(self) -> int:
        """How many texts have come to alice."""
        self.reader.look()
        return len(self.reader.found)

    def _known_out(self) -> int:
        self.reader.look()
        self.look()
        return len(self.arrived) + len(self.reader.failed)

    def progress(self) -> int:
        """A number that grows as texts and messages arrive."""
        return self.seen() + self._known_out()

    def missing(self) -> str:
        """What has not come yet."""
        found = self.reader.found
        texts = [number for number in range(self.sent_in) if f"in {number}" not in found]
        return f"texts {texts}, messages {sorted(self.unknown())}; told: {self.reader.told[-5:]}"

    def unknown(self) -> set[int]:
        """The messages of which nobody knows what became."""
        self.reader.look()
        self.look()
        sent = range(self.sent_out)
        return {n for n in sent if n not in self.arrived and f"out{n}" not in self.reader.failed}

    def note_unstored(self) -> None:
        """To be called when nobody writes, and what the bridge got is stored. What it has not is lost, and
        nobody knows: XEP-0114 has no acknowledgements (docs/failures.md)."""
        with contextlib.closing(sqlite3.connect(self.town.bridge.folder / "bridge.db")) as database:
            stored = {row[0] for row in database.execute("SELECT stanza_id FROM outbox")}
        self.unstored |= {n for n in range(self.sent_out) if f"out{n}" not in stored}

    async def all_in(self, seconds: float = 60.0) -> None:
        """Return when alice has all texts."""
        names = {f"in {number}" for number in range(self.count)}
        await until(lambda: self.seen() and names <= set(self.reader.found), seconds, self.missing)

    async def all_out(self, seconds: float = 90.0) -> None:
        """Return when of each message it is known what became of it; what was lost before it was stored is
        said again, as its sender would who sees no answer."""
        await until(lambda: self.unknown() <= self.unstored, seconds, self.missing)
        for number in self.unknown():
            self.say(number)
        await until(lambda: not self.unknown(), seconds, self.missing)

    def check(self, words: str) -> None:
        """Each text is there under one id; each message got to its phone once, or its sender knows."""
        many = {name: ids for name, ids in self.reader.found.items() if len(ids) != 1}
        assert not many, f"under several ids: {many}"
        twice = {number: times for number, times in self.arrived.items() if times != 1}
        assert not twice, f"arrived twice: {twice}"
        told = {n for n in range(self.count) if f"out{n}" in self.reader.failed}
        assert set(self.arrived) | told >= set(range(self.count))
        why = Counter(self.reader.failed[f"out{n}"][:60] for n in told)
        text = "%s: %d texts in, each once; %d messages out: %d arrived once, %d unstored, %d told: %s"
        log.info(
            text, words, self.count, self.count, len(self.arrived), len(self.unstored), len(told), dict(why)
        )

    # -- the whole

    async def run(self, strike: Callable[[], Awaitable[None]], times: int) -> None:
        """Both floods; `strike` is called so often, at moments drawn by chance."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.texts_in())
            group.create_task(self.chats_out())
            for number in range(times):
                least = (number + 0.5) * self.count * 1.6 / times
                moment = least + self.chance.random() * self.count * 0.8 / times
                await until(lambda moment=moment: self.progress() >= moment, 150, self.missing)  # type: ignore[misc]
                await strike()


@contextlib.asynccontextmanager
async def flood(town: Town, *, count: int, seed: int) -> AsyncIterator[Flood]:
    """Alice, with a flood that has not begun."""
    reader = Reader(town.xmpp, "alice", GATEWAY, TEXTS)
    await reader.come()
    try:
        async with phones_of(town) as phones:
            yield Flood(town, phones, reader, count, seed)
    finally:
        await reader.go()
