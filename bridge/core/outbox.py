"""Direct messages from users to networks: stored first, attempted in order, settled by the network's
answer."""

from __future__ import annotations

import logging
import time

import msgspec

from bridge.api import (
    Command,
    ContactAddress,
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
from bridge.core.degrade import Dropped, Quoted, degrade
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.tasks import Tasks

log = logging.getLogger(__name__)


class OutboxItem(msgspec.Struct, frozen=True):
    """A command on its way, with what its fallback and its answer need."""

    user: str
    address: ContactAddress
    command: SendMessage | CorrectMessage
    quoted: Quoted
    resource: str
    stanza_id: str


_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(OutboxItem).decode

CRASHED = "The gateway was interrupted while sending this; it may or may not have arrived."


class Outbox:
    """The outbox of one gateway."""

    def __init__(self, ground: Ground, pool: SessionPool, tasks: Tasks) -> None:
        self._ground = ground
        self._pool = pool
        self._tasks = tasks
        self._rows = ground.store.outbox

    def put(self, live: LiveAccount, item: OutboxItem, dedupe: str) -> None:
        """Keep a message and send it. One that was put before with the same `dedupe` is not sent again."""
        self._tasks.start(self._put(live, item, dedupe), "outbox")

    async def _put(self, live: LiveAccount, item: OutboxItem, dedupe: str) -> None:
        contact = item.address.contact
        row = await self._rows.put(
            self._ground.domain,
            live.id,
            contact,
            dedupe,
            _encoder.encode(item),
            item.resource,
            item.stanza_id,
        )
        if row is not None:
            self._push(live, row, item)

    async def resume(self) -> None:
        """At start: go on with what was not settled; an attempt that was interrupted is of unknown
        outcome."""
        for row in await self._rows.pending(self._ground.domain):
            item = _decode(row.payload)
            live = self._pool.live(item.user, item.address.network)
            job = DirectJob(self._ground, row.id, item)
            if row.trying and not self._ground.info.resend_unknown:
                job.conclude(Unknown(CRASHED))
            else:
                self._push(live, row.id, item)

    def _push(self, live: LiveAccount, row: int, item: OutboxItem) -> None:
        self._pool.push(live, DirectChat(item.address.contact), DirectJob(self._ground, row, item))
        if live.session is None:
            self._pool.ensure(live)


class DirectJob:
    """One durable message in its lane."""

    __slots__ = ("_ground", "_item", "_row")

    def __init__(self, ground: Ground, row: int, item: OutboxItem) -> None:
        self._ground = ground
        self._row = row
        self._item = item

    async def run(self, session: Session) -> float | None:
        """One attempt, counted before the I/O."""
        await self._ground.store.outbox.attempt(self._row)
        outcome = await self._attempt(session)
        if isinstance(outcome, Unknown) and self._ground.info.resend_unknown:
            outcome = Later(5.0, outcome.why)
        if isinstance(outcome, Later):
            not_before = int((time.time() + outcome.after) * 1_000_000)
            await self._ground.store.outbox.later(self._row, not_before)
            return outcome.after
        self.conclude(outcome)
        return None

    async def _attempt(self, session: Session) -> Outcome:
        chat = DirectChat(self._item.address.contact)
        command: Command | Dropped | Refused
        command = degrade(self._item.command, session.capabilities(chat), self._item.quoted)
        if isinstance(command, Dropped):
            return Sent()
        if isinstance(command, Refused):
            return command
        return await session.execute(command)

    def conclude(self, outcome: Outcome) -> None:
        """Settle the row, and tell the sender what failed."""
        rows = self._ground.store.outbox
        if isinstance(outcome, Sent):
            rows.settle(self._row, "sent", [part.id for part in outcome.parts if part.id])
        elif isinstance(outcome, Refused):
            rows.settle(self._row, "failed")
            self._tell(outcome.reason, outcome.text)
        elif isinstance(outcome, Unknown):
            rows.settle(self._row, "unknown")
            self._tell(Reason.TIMEOUT, outcome.why)

    def failed(self, reason: Reason, text: str) -> None:
        """It was never attempted."""
        self.conclude(Refused(reason, text))

    def _tell(self, reason: Reason, text: str) -> None:
        face = self._ground.face
        face.message_failed(
            self._item.resource, face.jid(self._item.address), self._item.stanza_id, reason, text
        )
