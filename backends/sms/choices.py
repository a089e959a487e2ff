"""Knows by which of a user's numbers each contact is texted: the one that the user chose, or that the contact
texted last; for users who have several."""

from __future__ import annotations

from collections import OrderedDict

from bridge.api import AccountId, ContactId, Host

REMEMBERED = 10_000


class Choices:
    """The choices of all accounts of one gateway. The newest are in memory, all are kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[AccountId, ContactId], str] = OrderedDict()

    async def get(self, host: Host, contact: ContactId) -> str:
        """The number for a contact; empty: none was chosen. Raises ConnectionLost while the database is
        out."""
        key = host.account.id, contact
        known = self._known.get(key)
        if known is None:
            known = await host.cursor(_name(contact)) or ""
            self._remember(key, known)
        else:
            self._known.move_to_end(key)
        return known

    async def put(self, host: Host, contact: ContactId, number: str) -> bool:
        """From now on it is this number. Returns whether it was another one. Raises ConnectionLost while the
        database is out."""
        before = await self.get(host, contact)
        if before == number:
            return False
        await host.save(_name(contact), number)
        self._remember((host.account.id, contact), number)
        return bool(before)

    def _remember(self, key: tuple[AccountId, ContactId], number: str) -> None:
        self._known[key] = number
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _name(contact: ContactId) -> str:
    return f"from {contact}"
