"""Knows how texts that came are given to their users, once: whole ones at once, parts when they are complete
or have waited long enough.

What the next link, or the next start, must know of a text is stored together with it (`ledger.py`)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable
from datetime import UTC, datetime

from backends.sms.carrier import Desk
from backends.sms.smpp.background import Background
from backends.sms.smpp.doubles import Entry
from backends.sms.smpp.ledger import Ledger
from backends.sms.smpp.ledgers import AGAIN_SECONDS, Ledgers
from backends.sms.smpp.message import Message
from backends.sms.smpp.times import Times
from backends.sms.text.parts import Part, Whole
from backends.sms.values import Arrived
from bridge.api import AccountId, BackendError, ContactId, Host, MessageId

log = logging.getLogger(__name__)

MOST_AGAIN = 200

LATE_SECONDS = 60.0
"""A text whose first part came so long ago is shown with that time."""

EMPTY = "[an empty text]"


class Given:
    """A text that was given to an account. It is stored when `kept` returns; then the SMSC may be told, and
    `read` is called when it has read that."""

    def __init__(self, texts: Texts, ledger: Ledger, entry: Entry, message: Message | None) -> None:
        self.stored: Awaitable[None] | None = None
        self._texts = texts
        self._ledger = ledger
        self._entry = entry
        self._message = message

    async def kept(self) -> None:
        """Return when it is stored. Raises ConnectionLost."""
        try:
            if self.stored is not None:
                await self.stored
        except BaseException:
            if self._message is not None:
                self._texts.failed(self._ledger, self._entry, self._message)
            raise
        if self._entry.kept is not None and not self._entry.kept.done():
            self._entry.kept.set_result(True)

    def read(self) -> None:
        """The SMSC has read that it was taken: it will not come again."""
        self._texts.read(self._ledger, self._entry)


class Texts:
    """The texts that come by one route."""

    def __init__(
        self, route: str, desk: Desk, parts_seconds: float, times: Times, background: Background
    ) -> None:
        self.ledgers = Ledgers(f"smpp {route}", parts_seconds, times, background, self._arm)
        self._route = route
        self._desk = desk
        self._parts_seconds = parts_seconds
        self._background = background
        self._again: OrderedDict[tuple[AccountId, str], MessageId] = OrderedDict()
        self._count = 0

    # -- what came --

    async def give(self, host: Host, message: Message) -> Given:
        """Give a text to the account, unless it is the repetition of one. Raises ConnectionLost."""
        ledger = await self.ledgers.of(host)
        async with ledger.turn:
            now, over = int(time.time()), message.link.over
            entry = ledger.doubles.repeated(message.digest, now, over=over)
            if entry is not None and (entry.kept is None or await asyncio.shield(entry.kept)):
                log.info("route %s: a text came again, and is not shown again", self._route)
                return Given(self, ledger, entry, None)
            entry = ledger.doubles.add(message.digest, now, over=over)
            given = Given(self, ledger, entry, message)
            try:
                given.stored = await self._begin(ledger, message)
            except BaseException:
                self.failed(ledger, entry, message)
                raise
            return given

    async def _begin(self, ledger: Ledger, message: Message) -> Awaitable[None] | None:
        """Hand it to the desk. Returns what is still to be awaited for it to be stored; None: nothing."""
        if message.part is not None:
            await self._join(ledger, message.part)
            return None
        message.id = self._id(ledger, message)
        arrived = Arrived(message.number, message.contact, message.id, message.text or EMPTY, message.name)
        stored = self._desk.text(ledger.host, arrived, cursor=(self.ledgers.name, ledger.value()))
        if asyncio.iscoroutine(stored):  # it has not begun yet, so the next one must not overtake it
            await stored
            return None
        return stored

    def _id(self, ledger: Ledger, message: Message) -> MessageId:
        again = self._again.pop((ledger.host.account.id, message.digest), None)
        if again is not None:
            return again
        self._count += 1
        return MessageId(f"{self._route} {message.digest} {message.link.name}{self._count}")

    def failed(self, ledger: Ledger, entry: Entry, message: Message) -> None:
        """It is not known to be stored: when it comes again it is a new one, but with the same id."""
        ledger.doubles.remove(entry)
        if message.id is not None:
            self._again[ledger.host.account.id, message.digest] = message.id
            while len(self._again) > MOST_AGAIN:
                self._again.popitem(last=False)
        if entry.kept is not None and not entry.kept.done():
            entry.kept.set_result(False)
        ledger.wrong = True  # what was stored after it may have an entry for it
        self.ledgers.behind(ledger)

    def read(self, ledger: Ledger, entry: Entry) -> None:
        """It will not come again."""
        ledger.doubles.remove(entry)
        self.ledgers.behind(ledger)

    # -- parts --

    async def _join(self, ledger: Ledger, part: Part) -> None:
        before = ledger.parts
        await self._keep(ledger, ledger.joining.add(part, time.time()), before)
        self._arm(ledger)

    async def _keep(self, ledger: Ledger, wholes: list[Whole], before: str) -> None:
        """Store how the parts are now, with the texts that they have made. Raises ConnectionLost; then they
        are as `before`, and will make the same texts with the same ids."""
        ledger.joined()
        cursor = self.ledgers.name, ledger.value()
        try:
            for whole in wholes:
                last = cursor if whole is wholes[-1] else None
                await self._desk.text(ledger.host, self._arrived(whole), cursor=last)
            if not wholes:
                await ledger.host.save(*cursor)
        except BaseException:
            ledger.undo_joined(before, self._parts_seconds)
            raise

    def _arrived(self, whole: Whole) -> Arrived:
        late = time.time() - whole.since > LATE_SECONDS
        return Arrived(
            whole.number,
            ContactId(whole.sender),
            MessageId(f"{self._route} {whole.id}"),
            whole.text or EMPTY,
            whole.name,
            datetime.fromtimestamp(whole.since, UTC) if late else None,
        )

    async def wake(self, host: Host) -> None:
        """The account is there: what it has waited for long enough is given out."""
        try:
            await self.ledgers.of(host)
        except BackendError:
            await asyncio.sleep(AGAIN_SECONDS)
            self._background.start(self.wake(host))

    def _arm(self, ledger: Ledger, least: float = 0.0) -> None:
        if ledger.timer is not None:
            ledger.timer.cancel()
            ledger.timer = None
        due = ledger.joining.next_expiry
        if due is not None:
            wait = max(least, due - time.time())
            ledger.timer = asyncio.get_running_loop().call_later(wait, self._due, ledger)

    def _due(self, ledger: Ledger) -> None:
        self._background.start(self._expire(ledger))

    async def _expire(self, ledger: Ledger) -> None:
        least = 1.0  # where the clock was set meanwhile
        async with ledger.turn:
            before = ledger.parts
            wholes = ledger.joining.expired(time.time())
            try:
                if wholes:
                    await self._keep(ledger, wholes, before)
            except BackendError:
                least = AGAIN_SECONDS
            self._arm(ledger, least)
