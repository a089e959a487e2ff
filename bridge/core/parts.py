"""Reports on messages that went out in parts: the user is told of the whole, once."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from bridge.api import AccountId, Delivered, DeliveryFailed
from bridge.store.message_ids import Fate, KnownMessage, Whole
from bridge.store.message_ids import MessageIds as StoredIds


class Verdict(NamedTuple):
    """How a whole message fared: what to tell, and which message that is. `once` is unique to the message."""

    event: Delivered | DeliveryFailed
    once: str
    account: AccountId
    stanza_id: str
    put_at: int


class Parts:
    """It has arrived when all its parts have, and failed when one has; whatever is reported after that, or
    again, changes nothing. What was reported stands in the store, so the reports may be days apart."""

    def __init__(self, stored: StoredIds) -> None:
        self._stored = stored
        self._telling: set[tuple[AccountId, str, int]] = set()

    async def report(
        self, account: AccountId, event: Delivered | DeliveryFailed, sent: KnownMessage
    ) -> Verdict | None:
        """Take the report on one part. None: there is nothing to tell of the whole, not yet or not any more;
        else it is to be told, and `end` called. Raises StoreDown."""
        fate = Fate.ARRIVED if isinstance(event, Delivered) else Fate.FAILED
        whole = await self._stored.report(account, event.target, fate) or _not_kept(fate)
        if whole.told or whole.fate is not fate:
            return None
        key = account, sent.stanza_id, whole.put_at
        if key in self._telling:  # and if that comes to nothing, the report that it is for comes again
            return None
        self._telling.add(key)
        if isinstance(event, DeliveryFailed):
            text = f"Part {sent.part} of {sent.parts} was not delivered: {event.text}"
            event = msgspec.structs.replace(event, text=text)
        return Verdict(event, f"failed {sent.stanza_id} {whole.put_at}", *key)

    async def end(self, verdict: Verdict, *, told: bool) -> None:
        """The user was told of it, or could not be. Raises StoreDown."""
        try:
            if told:
                await self._stored.mark_told(verdict.account, verdict.stanza_id, verdict.put_at)
        finally:
            self._telling.discard((verdict.account, verdict.stanza_id, verdict.put_at))


def _not_kept(fate: Fate) -> Whole:
    """The store was out for so long that it never had the parts: a failure is one all the same, but that all
    have arrived will never be certain."""
    return Whole(0, fate if fate is Fate.FAILED else None, told=False)
