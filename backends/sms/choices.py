"""Knows by which of a user's numbers each contact is texted: the one that the user chose, or that the contact
texted last; for users who have several."""

from __future__ import annotations

import time
from collections import OrderedDict

from bridge.api import AccountId, ContactId, Host

REMEMBERED = 10_000


class Choices:
    """The choices of all accounts of one gateway. The newest are in memory, all are kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[AccountId, ContactId], tuple[str, float]] = OrderedDict()

    async def get(self, host: Host, contact: ContactId) -> str:
        """The number for a contact; empty: none was chosen. Raises ConnectionLost while the database is
        out."""
        number, _ = await self._choice(host, contact)
        return number

    async def put(
        self, host: Host, contact: ContactId, number: str, *, usual: str = "", at: float | None = None
    ) -> bool:
        """From now on it is this number, unless that was said or done `at` a time before the last choice (in
        seconds since 1970; None: now). Returns whether it was another one; where none was chosen, it was the
        `usual` one. Raises ConnectionLost while the database is out."""
        before, since = await self._choice(host, contact)
        now = time.time()
        if before and at is not None and at < since:
            return False
        if before != number:
            await host.save(_name(contact), f"{number} {now:.0f}")
        self._remember((host.account.id, contact), (number, now))
        return (before or usual or number) != number

    async def _choice(self, host: Host, contact: ContactId) -> tuple[str, float]:
        """The number, and since when it is that one."""
        key = host.account.id, contact
        known = self._known.get(key)
        if known is None:
            number, _, since = (await host.cursor(_name(contact)) or "").partition(" ")
            known = number, float(since or 0)
            self._remember(key, known)
        else:
            self._known.move_to_end(key)
        return known

    def _remember(self, key: tuple[AccountId, ContactId], choice: tuple[str, float]) -> None:
        self._known[key] = choice
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _name(contact: ContactId) -> str:
    return f"from {contact}"
