"""What networks report of direct messages that users sent, at once or days later: arrived, read, failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from bridge.api import (
    AccountId,
    ConnectionLost,
    ContactAddress,
    ContactId,
    Delivered,
    DeliveryFailed,
    Displayed,
    MessageId,
    Reason,
    Recent,
)
from bridge.core.failures import Failures
from bridge.core.ground import Ground
from bridge.core.host import DONE, Cursor
from bridge.core.inbox import Inbox
from bridge.core.live import LiveAccount
from bridge.core.parts import Parts
from bridge.core.storage import STORE_TEXT
from bridge.core.tasks import Tasks
from bridge.store.errors import StoreDown
from bridge.store.message_ids import KnownMessage

log = logging.getLogger(__name__)

Report = Delivered | Displayed | DeliveryFailed

TOLD_SECONDS = 300.0
"""A network that was not heard repeats a report for so long."""


class Reports:
    """The reports to one gateway's users."""

    def __init__(self, ground: Ground, inbox: Inbox, tasks: Tasks) -> None:
        self._ground = ground
        self._failures = Failures(ground, inbox)
        self._parts = Parts(ground.store.message_ids)
        self._tasks = tasks
        self._failed: Recent[tuple[AccountId, MessageId], bool] = Recent(seconds=TOLD_SECONDS)

    def take(self, live: LiveAccount, event: Report, contact: ContactId, cursor: Cursor) -> Awaitable[None]:
        """Tell the user. The awaitable completes when they have been told: a network that waits for that
        gives the report again after a crash. It raises `ConnectionLost` while the store is out. One that
        comes before the answer to its message waits for that. A failure that is reported again is not told
        again."""
        if isinstance(event, DeliveryFailed) and cursor is None and self._failed.get((live.id, event.target)):
            return DONE
        known = self._ground.message_ids.newest.find(live.id, event.target)
        if known is None or known.parts or cursor is not None or not self._ground.link_is_up:
            late = self._take_late(live, event, contact, cursor)
            return asyncio.shield(self._tasks.start(late, "report"))
        self._tell(live, event, contact, known)
        if not isinstance(event, DeliveryFailed):
            return DONE
        sure = self._make_sure(live, event, contact, known, None, f"failed {event.target}")
        return asyncio.shield(self._tasks.start(sure, "report"))

    async def _take_late(self, live: LiveAccount, event: Report, contact: ContactId, cursor: Cursor) -> None:
        try:
            sent = await self._ground.message_ids.reported(live.id, event.target)
            if sent is None or not sent.resource:
                log.warning("a report on a message that is not known (any more)", extra={"account": live.id})
                await self._move(live, cursor)
            elif sent.parts and not isinstance(event, Displayed):
                await self._take_part(live, event, contact, cursor, sent)
            else:
                await self._tell_surely(live, event, contact, cursor, sent, f"failed {event.target}")
        except StoreDown as error:
            raise ConnectionLost(STORE_TEXT, Reason.STORE_DOWN) from error

    async def _take_part(
        self,
        live: LiveAccount,
        event: Delivered | DeliveryFailed,
        contact: ContactId,
        cursor: Cursor,
        sent: KnownMessage,
    ) -> None:
        """Tell how the message fared, if that is certain now."""
        verdict = await self._parts.report(live.id, event, sent)
        if verdict is None:
            await self._move(live, cursor)
            return
        told = False
        try:
            await self._tell_surely(live, verdict.event, contact, cursor, sent, verdict.once)
            told = True
        finally:
            await self._parts.end(verdict, told=told)

    async def _tell_surely(
        self,
        live: LiveAccount,
        event: Report,
        contact: ContactId,
        cursor: Cursor,
        sent: KnownMessage,
        once: str,
    ) -> None:
        """Return when the user has been told."""
        await self._ground.linked.wait()
        self._tell(live, event, contact, sent)
        if isinstance(event, DeliveryFailed):
            await self._make_sure(live, event, contact, sent, cursor, once)
            return
        await self._ground.face.caught_up()
        await self._move(live, cursor)

    async def _make_sure(
        self,
        live: LiveAccount,
        event: DeliveryFailed,
        contact: ContactId,
        sent: KnownMessage,
        cursor: Cursor,
        once: str,
    ) -> None:
        """They may have no client any more."""
        text = event.text if sent.parts else f"Not delivered: {event.text}"
        contact = ContactId(sent.chat or contact)
        if not await self._failures.make_sure(live, contact, sent.resource, text, once, cursor):
            await self._move(live, cursor)
        self._failed.put((live.id, event.target), True)

    async def _move(self, live: LiveAccount, cursor: Cursor) -> None:
        if cursor is None:
            return
        await self._ground.store.cursors.put(live.id, *cursor)

    def _tell(self, live: LiveAccount, event: Report, contact: ContactId, sent: KnownMessage) -> None:
        face = self._ground.face
        own = ContactAddress(live.network, ContactId(sent.chat or contact))
        jid = sent.written_to or face.jid(own)
        if isinstance(event, Delivered):
            face.direct_receipt(live.user, jid, sent.stanza_id)
        elif isinstance(event, Displayed):
            face.direct_displayed(live.user, jid, sent.stanza_id)
        else:
            face.message_failed(sent.resource, jid, sent.stanza_id, Reason.OFFLINE, event.text)
