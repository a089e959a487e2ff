"""Which stanza is which message of a network's: what replies, reports and markers refer to.

The newest of what users sent is in memory, all of it for `KEPT_DAYS` in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bridge.api import AccountId, ContactId, MessageId
from bridge.core.expected import Expected
from bridge.core.sentids import SentIds
from bridge.store.errors import StoreDown
from bridge.store.message_ids import KnownMessage
from bridge.store.message_ids import MessageIds as StoredIds

KEPT_DAYS = 400

SOON_SECONDS = 0.05
"""A report that has overtaken the answer to its message is not looked for in the store before."""

PATIENCE_SECONDS = 30.0
"""A report waits no longer for the answer to its message."""


class MessageIds:
    """The direct messages of one gateway's accounts. While the store is out, only what is in memory is
    known."""

    def __init__(self, stored: StoredIds) -> None:
        self._stored = stored
        self.newest = SentIds()
        self.expected = Expected()

    def sent(
        self,
        account: AccountId,
        contact: ContactId,
        ids: Sequence[MessageId],
        resource: str,
        stanza_id: str,
        written_to: str = "",
    ) -> None:
        """A user's message went out under these ids (one for each part). `written_to` is the JID that it was
        sent to, where that is not the contact's own. Hot."""
        if len(ids) == 1 and not written_to:
            self.newest.remember(account, ids[0], (resource, stanza_id, contact))
            self._stored.put(account, ids[0], contact, stanza_id, resource)
        elif ids:
            message = KnownMessage(resource, stanza_id, contact, written_to=written_to)
            ids = tuple(dict.fromkeys(ids))
            for part, message_id in enumerate(ids, 1):
                self.newest.remember(account, message_id, message.of_parts(part, len(ids)))
            self._stored.put_sent(account, ids, message)
        if self.expected:
            for message_id in ids:
                self.expected.known(account, message_id)

    def received(self, account: AccountId, contact: ContactId, message_id: MessageId, stanza_id: str) -> None:
        """A contact's message goes to the user under this stanza id."""
        self._stored.put(account, message_id, contact, stanza_id, "")

    async def stanza(self, account: AccountId, message_id: MessageId) -> KnownMessage | None:
        """The stanza for a network's id; None: not known (any more)."""
        try:
            return await self.sure_stanza(account, message_id)
        except StoreDown:
            return None

    async def sure_stanza(self, account: AccountId, message_id: MessageId) -> KnownMessage | None:
        """As `stanza`, but raises StoreDown where that cannot be told now."""
        known = self.newest.find(account, message_id)
        if known is not None:
            return known
        return await self._stored.stanza(account, message_id)

    async def reported(self, account: AccountId, message_id: MessageId) -> KnownMessage | None:
        """As `sure_stanza`. Where the answer to a message is still to come, which may bring that id, it is
        waited for."""
        waiting = self.expected.expect(account, message_id)
        if waiting is None:
            return await self.sure_stanza(account, message_id)
        try:
            await asyncio.wait({waiting}, timeout=SOON_SECONDS)
            known = await self.sure_stanza(account, message_id)
            if known is None:
                await asyncio.wait({waiting}, timeout=PATIENCE_SECONDS)
                known = self.newest.find(account, message_id)
            return known
        finally:
            self.expected.forget(waiting)

    async def network_id(self, account: AccountId, contact: ContactId, stanza_id: str) -> MessageId | None:
        """The network's id for a stanza in a contact's chat; None: not known (any more)."""
        try:
            found = await self._stored.network_id(account, contact, stanza_id)
        except StoreDown:
            return None
        return None if found is None else MessageId(found)
