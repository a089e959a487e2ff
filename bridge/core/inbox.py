"""Direct messages from networks to users: stored first, delivered in order, settled by the fence.

Stored means acknowledged to the network; delivered means that the XMPP server has it (`docs/fence.md`). What
a broken link left unfenced is sent again with the same stanza id. While the store is out, messages that come
without a cursor (no network has them for us) are delivered first and stored when it is back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Generator
from functools import partial
from typing import Any

import msgspec

from bridge.api import AccountId, ConnectionLost, ContactAddress, ContactId, MessageId, NetworkId, Reason
from bridge.core.early import Early
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.storage import STORE_TEXT
from bridge.core.tasks import Tasks
from bridge.core.values import DirectMessage
from bridge.store.errors import StoreDown, StoreError
from bridge.store.queues import InboxRow

log = logging.getLogger(__name__)

BOUNCE_LIMIT = 3
BOUNCE_SECONDS = 5.0
"""A server that has just started may refuse what it takes a little later (docs/fence.md)."""


LOST_SECONDS = 1.0
"""How soon a message is sent again that was lost although the link is up (it was down for a moment)."""


PAGE_ROWS = 500
MOST_FLYING = 5000
"""So many of one account's messages are on their way at once; the others wait in the store."""
AGAIN_SECONDS = 1.0
"""How soon a replay looks again for a store that was out."""


def refused_by_store(error: Exception) -> asyncio.Future[None]:
    """What `Host.emit` gives for something that cannot be kept: the network must not be told that it is."""
    refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    refused.set_exception(_for_backends(error))
    refused.exception()  # whether anybody awaits it is the network's business
    return refused


def _for_backends(error: Exception) -> Exception:
    """What a backend is told: it knows nothing of the store."""
    return ConnectionLost(STORE_TEXT, Reason.STORE_DOWN) if isinstance(error, StoreError) else error


class Kept:
    """Completes when a message is stored. Only who awaits it pays for it, and who is cancelled meanwhile
    takes nothing back."""

    __slots__ = ("_stored",)

    def __init__(self, stored: asyncio.Future[int | None]) -> None:
        self._stored = stored

    def __await__(self) -> Generator[Any, None, None]:
        try:
            yield from asyncio.shield(self._stored).__await__()
        except StoreDown as error:
            raise _for_backends(error) from error


class InboxItem(msgspec.Struct, frozen=True):
    """A direct message with all that its delivery needs."""

    user: str
    network: NetworkId
    contact: ContactId
    message: DirectMessage


_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(InboxItem).decode


class Behind(msgspec.Struct):
    """An account of which as many messages fly as may: all behind the row `after` wait in the store.

    `more`: another came since they were read last. `busy`: they are being read."""

    after: int
    more: bool = False
    busy: bool = False


class Inbox:
    """The inbox of one gateway.

    By row: `_flying` waits for its fence, `_resting` for another try after a bounce, `_held` could not be
    sent for a fault of ours (until the next link), `_settled` was settled since the replay last looked.
    `_unread`: there may be rows behind the page that the replay read last; `_from_start`: and before it.
    `_passed`: the replay has read these rows before it was known here that they are stored.
    By account: `_flying_of` how many fly, `_behind` those of which no more may.
    """

    def __init__(self, ground: Ground, tasks: Tasks) -> None:
        self._ground = ground
        self._tasks = tasks
        self._rows = ground.store.inbox
        self._flying: dict[int, InboxItem] = {}
        self._bounced: dict[int, int] = {}
        self._resting: set[int] = set()
        self._held: set[int] = set()
        self._settled: set[int] = set()
        self._passed: set[int] = set()
        self._flying_of: dict[AccountId, int] = {}
        self._behind: dict[AccountId, Behind] = {}
        self._replaying = False
        self._unread = False
        self._from_start = False
        self._early: Early[InboxItem] = Early(self._send)
        ground.store.writer.health.listen(self._store_changed)

    @property
    def unsettled(self) -> int:
        """How many messages were sent and wait for their fence, or for another try."""
        return len(self._flying) + len(self._resting) + len(self._held)

    def put(
        self,
        live: LiveAccount,
        contact: ContactId,
        network_id: MessageId,
        message: DirectMessage,
        cursor: tuple[str, str] | None,
    ) -> Awaitable[None]:
        """Keep a message and deliver it. The awaitable completes when it is stored."""
        item = InboxItem(live.user, live.network, contact, message)
        try:
            stored = self._rows.put(
                self._ground.domain,
                live.id,
                contact,
                network_id,
                message.stanza_id,
                _encoder.encode(item),
                cursor,
            )
        except Exception as error:
            if not isinstance(error, StoreDown):
                log.exception("a direct message could not be stored", extra={"account": live.id})
            elif cursor is None and self._send(item) is None:
                log.error(
                    "a direct message is lost: there is no store and no way", extra={"account": live.id}
                )
            return refused_by_store(error)
        if cursor is None:
            self._early.add(message.stanza_id, item, self._ground.store.writer.health.out)
        stored.add_done_callback(partial(self._stored, item))
        return Kept(stored)

    def link_up(self) -> None:
        """Deliver what the server may not have."""
        self._held.clear()
        self._behind.clear()
        self._hurry()
        self._unread = self._from_start = True
        if not self._replaying:
            self._replaying = True
            self._tasks.start(self._replay(), "inbox replay")

    def _store_changed(self, _out: bool) -> None:
        self._hurry()

    def _hurry(self) -> None:
        if self._ground.store.writer.health.out and self._ground.link_is_up:
            self._early.deliver()

    def _stored(self, item: InboxItem, stored: asyncio.Future[int | None]) -> None:
        fence = self._early.stored(item.message.stanza_id)
        if stored.cancelled():
            return
        error = stored.exception()
        if error is not None:
            log.error("a direct message could not be stored", exc_info=error)
            return
        row = stored.result()
        if row is None:
            return
        if fence is not None:
            self._fly(row, item, fence, self._account(item))
        elif self._replaying and row not in self._passed:
            self._unread = True
        else:
            self._passed.discard(row)
            self._deliver(row, item)

    async def _replay(self) -> None:
        """Page by page from the oldest. Rows that are stored meanwhile come last, so that order holds."""
        after = 0
        try:
            while self._ground.link_is_up and self._unread:
                if self._from_start:
                    after, self._from_start = 0, False
                self._unread = False
                self._settled.clear()
                for row in await self._page(after):
                    if self._ground.face.congested:
                        await self._ground.face.drain()
                    if self._from_start:  # the link broke and is back
                        break
                    self._deliver_row(row)
                    after, self._unread = row.id, True
        finally:
            self._replaying = False
            self._settled.clear()

    async def _page(self, after: int) -> list[InboxRow]:
        try:
            return await self._rows.pending(self._ground.domain, after, PAGE_ROWS)
        except StoreDown:
            await asyncio.sleep(AGAIN_SECONDS)
            self._unread = True
            return []

    async def _catch_up(self, account: AccountId, behind: Behind) -> None:
        """Send what waits in the store, as much of it as may fly."""
        half = MOST_FLYING // 2
        page = min(half, PAGE_ROWS)
        while self._behind.get(account) is behind and self._flying_of.get(account, 0) <= half:
            behind.more = False
            try:
                rows = await self._rows.pending(self._ground.domain, behind.after, page, account)
            except StoreDown:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if self._behind.get(account) is not behind or not self._ground.link_is_up:
                return
            for row in rows:
                behind.after = row.id
                self._deliver_row(row, in_turn=True)
            if not rows and not behind.more:
                del self._behind[account]
                return
        behind.busy = False

    def _must_wait(self, row: int, account: AccountId) -> bool:
        """Whether too many of the account's are on their way before it."""
        behind = self._behind.get(account)
        if behind is not None and row <= behind.after:  # its turn came before it was known to be stored
            return False
        if behind is not None:
            behind.more = True
        elif self._flying_of.get(account, 0) >= MOST_FLYING:
            self._behind[account] = Behind(row - 1)
        else:
            return False
        return True

    def _account(self, item: InboxItem) -> AccountId:
        return self._ground.account_id(item.user, item.network)

    def _deliver_row(self, row: InboxRow, in_turn: bool = False) -> None:
        try:
            item = _decode(row.payload)
        except msgspec.MsgspecError:
            log.exception("a stored message cannot be read", extra={"account": row.account})
            self._held.add(row.id)
            return
        self._deliver(row.id, item, in_turn)

    def _deliver(self, row: int, item: InboxItem, in_turn: bool = False) -> None:
        if not self._ground.link_is_up or row in self._flying:
            return
        if row in self._resting or row in self._held or row in self._settled:
            return
        if item.message.stanza_id in self._early:  # `_stored` is about to be called
            self._passed.add(row)
            return
        account = self._account(item)
        if not in_turn and self._must_wait(row, account):
            return
        fence = self._send(item)
        if fence is None:
            self._held.add(row)
            return
        self._fly(row, item, fence, account)

    def _fly(self, row: int, item: InboxItem, fence: asyncio.Future[str], account: AccountId) -> None:
        self._flying[row] = item
        self._flying_of[account] = self._flying_of.get(account, 0) + 1
        fence.add_done_callback(partial(self._fenced, row))

    def _land(self, item: InboxItem) -> None:
        account = self._account(item)
        left = self._flying_of.pop(account) - 1
        if left:
            self._flying_of[account] = left
        behind = self._behind.get(account)
        if behind and not behind.busy and left <= MOST_FLYING // 2 and self._ground.link_is_up:
            behind.busy = True
            self._tasks.start(self._catch_up(account, behind), "inbox")

    def _send(self, item: InboxItem) -> asyncio.Future[str] | None:
        """Returns the fence; None where it cannot be sent."""
        if not self._ground.link_is_up:
            return None
        try:
            contact = self._ground.face.jid(ContactAddress(item.network, item.contact))
            return asyncio.ensure_future(self._ground.face.direct_message(item.user, contact, item.message))
        except Exception:
            log.exception("a direct message could not be delivered", extra={"user": item.user})
            return None

    def _fenced(self, row: int, fence: asyncio.Future[str]) -> None:
        item = self._flying.pop(row, None)
        if item is None:
            return
        self._land(item)
        if fence.cancelled():
            return
        if fence.exception() is not None:
            log.error("a direct message could not be delivered", exc_info=fence.exception())
            self._held.add(row)
            return
        outcome = fence.result()
        if outcome in ("fenced", "weak"):
            self._end(row)
            self._rows.settle([row])
        elif outcome.startswith("bounced"):
            self._tasks.start(self._bounce(row, item, outcome), "bounce")
        elif self._ground.link_is_up:
            self._tasks.start(self._retry(), "inbox retry")

    async def _retry(self) -> None:
        await asyncio.sleep(LOST_SECONDS)
        self.link_up()

    def _end(self, row: int) -> None:
        self._bounced.pop(row, None)
        if self._replaying:
            self._settled.add(row)

    async def _bounce(self, row: int, item: InboxItem, outcome: str) -> None:
        times = self._bounced[row] = self._bounced.get(row, 0) + 1
        if times < BOUNCE_LIMIT:
            self._resting.add(row)
            await asyncio.sleep(BOUNCE_SECONDS * times)
            self._resting.discard(row)
            self._deliver(row, item, in_turn=True)
            return
        self._end(row)
        log.warning("the XMPP server refuses a message: %s", outcome, extra={"user": item.user})
        await self._rows.fail(row)
