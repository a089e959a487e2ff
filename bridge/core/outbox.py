"""Direct messages from users to networks: stored first, attempted in order, settled by the network's
answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial

import msgspec

from bridge.api import (
    AccountId,
    ConnectionLost,
    ContactAddress,
    ContactId,
    CorrectMessage,
    DirectChat,
    Later,
    Outcome,
    Reason,
    Refused,
    SendMessage,
    Sent,
    Session,
    Unknown,
)
from bridge.core.ahead import Ahead
from bridge.core.degrade import Dropped, Quoted, degrade
from bridge.core.failures import Failures
from bridge.core.ground import Ground
from bridge.core.inbox import Inbox
from bridge.core.lanes import INTERNAL_TEXT
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.storage import NOT_KEPT
from bridge.core.tasks import Tasks
from bridge.store.errors import StoreDown, StoreError

log = logging.getLogger(__name__)

Chat = tuple[AccountId, ContactId]


class OutboxItem(msgspec.Struct, frozen=True):
    """A command on its way, with what its fallback and its answer need. `reply_to` is the stanza id of the
    message that it answers, `written_to` the JID that it was sent to, where that is not the contact's own:
    what its sender is told about it comes from there."""

    user: str
    address: ContactAddress
    command: SendMessage | CorrectMessage
    quoted: Quoted
    resource: str
    stanza_id: str
    reply_to: str = ""
    written_to: str = ""


_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(OutboxItem).decode

RESEND_LIMIT = 8
RESEND_SECONDS = 5.0
"""An attempt of unknown outcome, where that is harmless, is made again so often, after twice as long each
time; then its sender is told."""

LATE_SECONDS = 60.0
"""After so long a client that sent a message may well be gone: then its user hears of a failure otherwise."""

SHOWN = 60
"""So much of a message names it."""

CRASHED = "The gateway was interrupted while sending this; it may or may not have arrived."


class Outbox:
    """The outbox of one gateway."""

    def __init__(self, ground: Ground, pool: SessionPool, inbox: Inbox, tasks: Tasks) -> None:
        self._ground = ground
        self._pool = pool
        self._failures = Failures(ground, inbox)
        self._tasks = tasks
        self._rows = ground.store.outbox
        self._ahead: dict[Chat, Ahead] = {}
        self._coming: dict[Chat, int] = {}
        """How many of a chat are being stored."""
        self._untold: list[tuple[int, OutboxItem, Refused | Unknown]] = []

    def put(self, live: LiveAccount, item: OutboxItem, dedupe: str) -> None:
        """Keep a message and send it. One that was put before with the same `dedupe` is not sent again.

        One that nothing is before goes out as soon as it is kept, so its attempt is counted with that."""
        key = live.id, item.address.contact
        at_once = live.session is not None and not (key in self._ahead or key in self._coming)
        try:
            stored = self._rows.put(
                self._ground.domain,
                live.id,
                item.address.contact,
                dedupe,
                _encoder.encode(item),
                item.resource,
                item.stanza_id,
                at_once,
            )
        except StoreError as error:
            self._not_kept(item, error)
        else:
            self._coming[key] = self._coming.get(key, 0) + 1
            stored.add_done_callback(partial(self._stored, key, item, at_once))

    def _stored(self, key: Chat, item: OutboxItem, at_once: bool, stored: asyncio.Future[int | None]) -> None:
        self._coming[key] -= 1
        if not self._coming[key]:
            del self._coming[key]
        if stored.cancelled():
            return
        error, stopping = stored.exception(), self._ground.stopping
        if error is not None:
            if not stopping:
                self._not_kept(item, error)
        elif (row := stored.result()) is None:
            return
        elif not stopping:
            self._push(row, item, 0, counted=at_once)
        elif at_once:
            with contextlib.suppress(StoreError):  # it is closed: then nobody knows that nothing was tried
                self._rows.put_back([row])

    def _not_kept(self, item: OutboxItem, error: BaseException) -> None:
        if isinstance(error, StoreDown):
            self._tell(item, Reason.STORE_DOWN, NOT_KEPT)
        else:
            log.error("a direct message could not be stored", exc_info=error, extra={"user": item.user})
            self._tell(item, Reason.INTERNAL, INTERNAL_TEXT)

    async def resume(self) -> None:
        """At start: go on with what was not settled; an attempt that was interrupted is of unknown
        outcome."""
        for row in await self._rows.pending(self._ground.domain):
            try:
                item = _decode(row.payload)
            except msgspec.MsgspecError:
                log.exception("a stored command cannot be read", extra={"account": row.account})
                continue
            if row.trying and not self._ground.info.resend_unknown:
                self.conclude(row.id, item, Unknown(CRASHED))
            else:
                self._push(row.id, item, row.not_before)

    def link_up(self) -> None:
        """Tell the senders what could not be told while the XMPP server was away."""
        untold, self._untold = self._untold, []
        for row, item, outcome in untold:
            self.conclude(row, item, outcome)

    def conclude(self, row: int, item: OutboxItem, outcome: Sent | Refused | Unknown) -> None:
        """Settle the row, and tell the sender what failed: both or none, so that nobody is left untold."""
        if isinstance(outcome, Sent):
            ids = [part.id for part in outcome.parts if part.id]
            self._rows.settle(row, "sent", ids)
            account = self._ground.account_id(item.user, item.address.network)
            contact, sender = item.address.contact, item.resource
            self._ground.message_ids.sent(account, contact, ids, sender, item.stanza_id, item.written_to)
            jid = self._ground.face.jid(item.address)
            self._ground.senders.remember(item.user, jid, item.stanza_id, item.resource)
        elif not self._ground.link_is_up:
            self._untold.append((row, item, outcome))
        elif time.time() - item.command.said_at / 1_000_000 > LATE_SECONDS:
            self._tasks.start(self._conclude_late(row, item, outcome), "a late failure")
        elif isinstance(outcome, Refused):
            self._rows.settle(row, "failed")
            self._tell(item, outcome.reason, outcome.text)
        else:
            self._rows.settle(row, "unknown")
            self._tell(item, Reason.TIMEOUT, outcome.why)

    async def _conclude_late(self, row: int, item: OutboxItem, outcome: Refused | Unknown) -> None:
        """Settled only when they surely know."""
        refused = isinstance(outcome, Refused)
        text = outcome.text if isinstance(outcome, Refused) else outcome.why
        self._tell(item, outcome.reason if isinstance(outcome, Refused) else Reason.TIMEOUT, text)
        said = " ".join(item.command.content.text.split())
        said = said if len(said) <= SHOWN else f"{said[:SHOWN]}…"
        live = self._pool.live(item.user, item.address.network)
        words = f'Your message "{said}": {text}' if said else f"Your message: {text}"
        await self._failures.make_sure(live, item.address.contact, item.resource, words, f"failed {row}")
        await self._rows.settle(row, "failed" if refused else "unknown")

    def _push(self, row: int, item: OutboxItem, not_before: int, *, counted: bool = False) -> None:
        live = self._pool.live(item.user, item.address.network)
        key = live.id, item.address.contact
        ahead = self._ahead.get(key)
        if ahead is None:
            ahead = self._ahead[key] = Ahead(self._rows, self._ground.clock)
        ahead.add(row, counted=counted)
        if counted and live.session is None:
            ahead.put_back()
        job = DirectJob(self._ground, self, ahead, row, item, not_before)
        self._pool.push(live, DirectChat(item.address.contact), job)

    def ended(self, ahead: Ahead, row: int, item: OutboxItem, outcome: Sent | Refused | Unknown) -> None:
        """A message that was pushed has come to its end."""
        ahead.remove(row)
        if not ahead:
            del self._ahead[self._ground.account_id(item.user, item.address.network), item.address.contact]
        self.conclude(row, item, outcome)

    def stop(self) -> None:
        """The sessions are closed: what waited in their lanes was not attempted."""
        for ahead in self._ahead.values():
            ahead.put_back()

    def _tell(self, item: OutboxItem, reason: Reason, text: str) -> None:
        face = self._ground.face
        jid = item.written_to or face.jid(item.address)
        face.message_failed(item.resource, jid, item.stanza_id, reason, text)


class DirectJob:
    """One durable message in its lane."""

    __slots__ = ("_ahead", "_ground", "_item", "_not_before", "_outbox", "_row", "_unknown")

    def __init__(
        self, ground: Ground, outbox: Outbox, ahead: Ahead, row: int, item: OutboxItem, not_before: int
    ) -> None:
        self._ground = ground
        self._outbox = outbox
        self._ahead = ahead
        self._not_before = not_before
        self._unknown = 0
        self._row = row
        self._item = item

    async def run(self, session: Session) -> float | None:
        """One attempt, counted before the I/O."""
        early = self._not_before / 1_000_000 - time.time()
        self._not_before = 0
        if early > 0:
            self._ahead.put_back()
            return early
        await self._ahead.begin(self._row)
        account = self._ground.account_id(self._item.user, self._item.address.network)
        expected = self._ground.message_ids.expected
        attempt = expected.begin(account)
        try:
            return await self._try(session)
        finally:
            expected.end(account, attempt)

    async def _try(self, session: Session) -> float | None:
        outcome = await self._attempt(session)
        self._ahead.end(self._row, sent=isinstance(outcome, Sent))
        if isinstance(outcome, Unknown) and self._ground.info.resend_unknown:
            self._unknown += 1
            if self._unknown < RESEND_LIMIT:
                outcome = Later(RESEND_SECONDS * 2.0 ** (self._unknown - 1), outcome.why)
        if isinstance(outcome, Later):
            not_before = int((time.time() + outcome.after) * 1_000_000)
            await self._ground.store.outbox.later(self._row, not_before)
            return outcome.after
        self._outbox.ended(self._ahead, self._row, self._item, outcome)
        return None

    async def _attempt(self, session: Session) -> Outcome:
        chat = DirectChat(self._item.address.contact)
        asked = self._item.command
        if self._item.reply_to or isinstance(asked, CorrectMessage):
            asked = await self._referring()
        command = degrade(asked, session.capabilities(chat), self._item.quoted)
        if isinstance(command, Dropped):
            return Sent()
        if isinstance(command, Refused):
            return command
        try:
            return await session.execute(command)
        except ConnectionLost as error:
            return Unknown(str(error))

    async def _referring(self) -> SendMessage | CorrectMessage:
        """The command, with the network's own id of the message that it is about."""
        item = self._item
        about = item.command.target if isinstance(item.command, CorrectMessage) else item.reply_to
        account = self._ground.account_id(item.user, item.address.network)
        known = await self._ground.message_ids.network_id(account, item.address.contact, about)
        if known is None:
            return item.command
        if isinstance(item.command, CorrectMessage):
            return msgspec.structs.replace(item.command, target=known)
        return msgspec.structs.replace(item.command, reply_to=known)

    def failed(self, reason: Reason, text: str) -> None:
        """It was never attempted."""
        self._outbox.ended(self._ahead, self._row, self._item, Refused(reason, text))

    def interrupted(self, reason: Reason, text: str) -> bool:
        """The attempt was cut off with its link: of unknown outcome, unless it may be sent again."""
        if self._ground.info.resend_unknown:
            return True
        self._outbox.ended(self._ahead, self._row, self._item, Unknown(text))
        return False
