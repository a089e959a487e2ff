"""Many mails in and many messages out at the same time, while something is killed; and what must have become
of each."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import re
import smtplib
import sqlite3
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from email import policy
from email.message import EmailMessage

import aiohttp

from tests.mail.reader import Reader, until
from tests.mail.town import ELSEWHERE, OURS, PASSWORD, Town, puppet

log = logging.getLogger(__name__)

PEOPLE = 5
FILE_EVERY = 10
FILE_SIZE = 300_000
MOST_AHEAD = 30
_OUT = re.compile(r"^out (\d+)$", re.M)


def content(name: str) -> bytes:
    """What is in a file of that name."""
    return hashlib.sha256(name.encode()).digest() * (FILE_SIZE // 32)


class Flood:
    """`count` mails in and `count` messages out between alice (address `own`) and some correspondents."""

    def __init__(self, town: Town, reader: Reader, own: str, count: int, seed: int) -> None:
        self.town, self.reader, self.own, self.count = town, reader, own, count
        self.chance = random.Random(seed)
        self.roses = [f"rose{number}.{uuid.uuid4().hex[:6]}@{ELSEWHERE}" for number in range(PEOPLE)]
        self.sent_in = 0
        self.sent_out = 0
        self.extra: list[int] = []
        """numbers of mails beyond those of the flood"""
        self.unstored: set[int] = set()
        """messages that the XMPP server had taken, and the bridge had not stored when either was killed"""
        self.may_write = asyncio.Event()
        self.may_write.set()
        for rose in self.roses:
            town.add_mailbox(rose)

    # -- both floods

    async def mails_in(self) -> None:
        """Send the mails, with at most so many ahead of what alice has seen."""
        for number in range(self.count):
            await until(lambda: self.sent_in - self.seen() < MOST_AHEAD, 120, self.missing)
            mail = self._mail(number)
            while not await asyncio.to_thread(self._posted, number, mail):
                await asyncio.sleep(0.1)
            self.sent_in += 1

    async def one_more(self) -> str:
        """A mail more, without regard to how many are on their way; its text."""
        number = self.count + FILE_EVERY * len(self.extra) + 1
        assert await asyncio.to_thread(self._posted, number, self._mail(number))
        self.extra.append(number)
        return f"mail {number}"

    async def chats_out(self) -> None:
        """Say the messages, with at most so many ahead of what is known of them."""
        for number in range(self.count):
            await until(self._may_say, 150, self.missing)
            self.say(number)
            self.sent_out += 1

    def say(self, number: int) -> None:
        """Say one message, always under the same id."""
        to = puppet(self.roses[number % PEOPLE])
        body = f"<body>out {number}</body><origin-id xmlns='urn:xmpp:sid:0' id='out{number}'/>"
        self.reader.online.send(f"<message to='{to}' type='chat' id='out{number}'>{body}</message>")

    def _may_say(self) -> bool:
        return self.may_write.is_set() and self.sent_out - self._known_out() < MOST_AHEAD

    def _mail(self, number: int) -> bytes:
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"], mail["To"] = self.roses[number % PEOPLE], self.own
        mail["Subject"], mail["Message-ID"] = "Flood", f"<{number}.{uuid.uuid4().hex}@{ELSEWHERE}>"
        mail.set_content(f"mail {number}\n")
        if number % FILE_EVERY == 0:
            name = f"file-{number}.bin"
            mail.add_attachment(content(name), "application", "octet-stream", filename=name)
        return bytes(mail)

    def _posted(self, number: int, mail: bytes) -> bool:
        """Whether Postfix has it; a sender tries again until it says so."""
        try:
            with smtplib.SMTP("127.0.0.1", self.town.postfix.port, timeout=20) as smtp:
                smtp.sendmail(self.roses[number % PEOPLE], [self.own], mail)
        except (smtplib.SMTPException, OSError):
            return False
        return True

    # -- what became of them

    def seen(self) -> int:
        """How many mails have come."""
        self.reader.look()
        return sum(name.startswith("mail") for name in self.reader.found)

    def _known_out(self) -> int:
        self.reader.look()
        return self._files_out() + len(self.reader.failed)

    def _files_out(self) -> int:
        folders = [self.town.dovecot.maildir(rose) / part for rose in self.roses for part in ("new", "cur")]
        return sum(len(list(folder.iterdir())) for folder in folders if folder.is_dir())

    def progress(self) -> int:
        """A number that grows as mails and messages arrive."""
        return self.seen() + self._known_out()

    def missing(self) -> str:
        """What has not come yet."""
        found = self.reader.found
        sent = (*range(self.sent_in), *self.extra)
        texts = [number for number in sent if f"mail {number}" not in found]
        files = [name for name in self._file_names() if name not in found]
        arrived = self.arrived()
        out = [n for n in range(self.sent_out) if n not in arrived and f"out{n}" not in self.reader.failed]
        return f"mails {texts}, files {files}, messages {out}; told: {self.reader.told[-5:]}"

    def _file_names(self) -> list[str]:
        return [f"file-{number}.bin" for number in range(0, self.count, FILE_EVERY)]

    def arrived(self) -> Counter[int]:
        """How often each message was taken by Postfix and got into a mailbox. (What Postfix gave to a Dovecot
        that was killed at that moment it gives again: that is between the two.)"""
        found: set[tuple[int, str]] = set()
        for rose in self.roses:
            for mail in self.town.mailbox(rose):
                said = _OUT.search(mail.get_content())
                if said is not None:
                    taken = [each for each in mail.get_all("Received", []) if "(Postfix)" in each]
                    found.add((int(said[1]), str(taken)))
        return Counter(number for number, _ in found)

    def note_unstored(self) -> None:
        """To be called when nobody writes, and what the bridge got is stored. What it has not is lost, and
        nobody knows: XEP-0114 has no acknowledgements (docs/failures.md)."""
        with contextlib.closing(sqlite3.connect(self.town.bridge.folder / "bridge.db")) as database:
            stored = {row[0] for row in database.execute("SELECT stanza_id FROM outbox")}
        self.unstored |= {n for n in range(self.sent_out) if f"out{n}" not in stored}

    async def all_in(self, seconds: float = 60.0) -> None:
        """Return when alice has all mails and files."""
        names = {f"mail {number}" for number in (*range(self.count), *self.extra)} | set(self._file_names())
        async with self.town.postfix.nudged():
            await until(lambda: self.seen() and names <= set(self.reader.found), seconds, self.missing)

    async def all_out(self, seconds: float = 90.0) -> None:
        """Return when of each message it is known what became of it; what was lost before it was stored is
        said again, as its sender would who sees no answer."""

        def unknown() -> set[int]:
            self.reader.look()
            arrived = self.arrived()
            return {n for n in range(self.count) if n not in arrived and f"out{n}" not in self.reader.failed}

        async with self.town.postfix.nudged():
            await until(lambda: unknown() <= self.unstored, seconds, self.missing)
            for number in unknown():
                self.say(number)
            await until(lambda: not unknown(), seconds, self.missing)

    async def check(self, words: str = "") -> None:
        """Each mail and file is there under one id, each message in a mailbox once, or its sender knows."""
        many = {name: ids for name, ids in self.reader.found.items() if len(ids) != 1}
        assert not many, f"under several ids: {many}"
        arrived = self.arrived()
        assert set(arrived.values()) <= {1}, f"arrived twice: {arrived.most_common(5)}"
        told = [n for n in range(self.count) if f"out{n}" in self.reader.failed]
        assert set(arrived) | set(told) >= set(range(self.count))
        async with aiohttp.ClientSession() as session:
            for name, url in self.reader.urls.items():
                async with session.get(url) as response:
                    assert await response.read() == content(name), name
        text = (
            "%s: %d mails and %d files in, each once; %d messages out: %d arrived once, %d told, %d unstored"
        )
        log.info(
            text, words, self.count, len(self.reader.urls), self.count, len(arrived), len(told),
            len(self.unstored),
        )  # fmt: skip

    # -- the whole

    async def run(self, strike: Callable[[], Awaitable[None]], times: int) -> None:
        """Both floods; `strike` is called so often, at moments drawn by chance."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.mails_in())
            group.create_task(self.chats_out())
            for number in range(times):
                # spread over the time in which both floods go on
                least = (number + 0.5) * self.count * 1.6 / times
                moment = least + self.chance.random() * self.count * 0.8 / times
                await until(lambda moment=moment: self.progress() >= moment, 150, self.missing)  # type: ignore[misc]
                await strike()


@contextlib.asynccontextmanager
async def flood(town: Town, *, mailbox: bool, count: int, seed: int) -> AsyncIterator[Flood]:
    """Alice, registered, with a flood that has not begun."""
    reader = Reader(town.xmpp, "alice")
    alice = await reader.come()
    own = f"alice.{uuid.uuid4().hex[:6]}@{ELSEWHERE if mailbox else OURS}"
    try:
        if mailbox:
            town.add_mailbox(own)
            await town.register(alice, email=own, password=PASSWORD, name="Alice", **town.servers())
        else:
            await town.register(alice, email=own, name="Alice")
        yield Flood(town, reader, own, count, seed)
    finally:
        await reader.go()
