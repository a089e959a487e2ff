"""Which stanza a network's own message id, or a command's key, stands for: what later reports of delivery or
failure refer to.

Kept in memory for the newest messages: a report that comes after a restart, or after many others, finds
none."""

from __future__ import annotations

from collections import OrderedDict

from bridge.api import AccountId, MessageId
from bridge.store.message_ids import KnownMessage

KEPT = 20_000

Fields = tuple[str, str, str] | tuple[str, str, str, int, int, str]


class SentIds:
    """The newest direct messages that a network gave ids: (account, id) -> the fields of a `KnownMessage`,
    which are a plain tuple here: it is none of the garbage collector's business."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._found: OrderedDict[tuple[AccountId, MessageId], Fields] = OrderedDict()

    def remember(self, account: AccountId, message_id: MessageId, fields: Fields) -> None:
        """A message, or a part of one, went out under this id."""
        self._found[account, message_id] = fields
        if len(self._found) > self._kept:
            self._found.popitem(last=False)

    def find(self, account: AccountId, message_id: MessageId) -> KnownMessage | None:
        """Which message that is; None: not known (any more)."""
        found = self._found.get((account, message_id))
        return None if found is None else KnownMessage(*found)


class Senders:
    """Who sent the newest messages that networks took: (user, JID of the chat, key) -> full JID. The older
    half is dropped as a whole: nothing need be looked for at each message.

    Of the three only a hash is kept, which is a third of the memory. That two of 20,000 have the same happens
    once in 90 billion times, and nobody is ever taken for another user."""

    def __init__(self, kept: int = KEPT) -> None:
        self._half = kept // 2
        self._newer: dict[int, str] = {}
        self._older: dict[int, str] = {}

    def remember(self, user: str, jid: str, key: str, resource: str) -> None:
        """A message was handed to the network. One without a key cannot be reported on."""
        if key:
            if len(self._newer) >= self._half:
                self._older, self._newer = self._newer, {}
            self._newer[hash((user, jid, key))] = resource

    def find(self, user: str, jid: str, key: str) -> str | None:
        """Who sent it; None: not known (any more)."""
        asked = hash((user, jid, key))
        found = self._newer.get(asked) or self._older.get(asked)
        return found if found is not None and found.partition("/")[0] == user else None
