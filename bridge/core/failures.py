"""A failure is told by an error for the message that failed; but servers drop errors for clients that are
gone, and a message may fail days later. Then its sender hears of it by a message, which is kept for them."""

from __future__ import annotations

import time

from bridge.api import ContactAddress, ContactId, Content, MessageId
from bridge.core.ground import Ground
from bridge.core.host import Cursor
from bridge.core.inbox import Inbox
from bridge.core.live import LiveAccount
from bridge.core.values import DirectMessage


class Failures:
    """Makes sure that users hear of failures, for one gateway."""

    def __init__(self, ground: Ground, inbox: Inbox) -> None:
        self._ground = ground
        self._inbox = inbox

    async def make_sure(
        self,
        live: LiveAccount,
        contact: ContactId,
        resource: str,
        text: str,
        once: str,
        cursor: Cursor = None,
    ) -> bool:
        """To be called when a resource was sent an error. False: it is there, and has it. True: it is not,
        and a message with this text is stored, together with the cursor; with the same `once` only one."""
        jid = self._ground.face.jid(ContactAddress(live.network, contact))
        if await self._ground.face.ask_ping(resource, jid):
            return False
        message = DirectMessage(
            stanza_id=self._ground.stanza_id(),
            content=Content(text, notice=True),
            sent_at=time.time_ns() // 1000,
        )
        await self._inbox.put(live, contact, MessageId(once), message, cursor)
        return True
