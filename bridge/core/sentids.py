"""Which stanza a network's own message id, or a command's key, stands for: what later reports of delivery or
failure refer to.

Kept in memory for the newest messages: a report that comes after a restart, or after many others, finds
none."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from bridge.api import AccountId, MessageId

KEPT = 20_000


class SentIds:
    """The newest direct messages that a network gave ids: (account, id) -> (sender's full JID, stanza id,
    contact)."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._found: OrderedDict[tuple[AccountId, MessageId], tuple[str, str, str]] = OrderedDict()

    def remember(
        self, account: AccountId, ids: Iterable[MessageId], resource: str, stanza_id: str, contact: str = ""
    ) -> None:
        """A message went out under these ids (one for each part)."""
        for message_id in ids:
            self._found[account, message_id] = (resource, stanza_id, contact)
        while len(self._found) > self._kept:
            self._found.popitem(last=False)

    def find(self, account: AccountId, message_id: MessageId) -> tuple[str, str, str] | None:
        """Who sent it, with which stanza id, to whom; None: not known (any more)."""
        return self._found.get((account, message_id))


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
