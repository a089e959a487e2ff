"""Direct messages on their way into the store. While the store is out, those that their network keeps
nowhere are delivered before they are stored: late is worse than a small risk of twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Item = TypeVar("Item")


class Early(Generic[Item]):
    """By stanza id, in the order of `add`: what is not stored yet, and the fence of what was sent all the
    same. `send` delivers one and returns its fence, None where it cannot be sent now."""

    def __init__(self, send: Callable[[Item], asyncio.Future[str] | None]) -> None:
        self._send = send
        self._items: dict[str, tuple[Item, asyncio.Future[str] | None]] = {}

    def add(self, stanza_id: str, item: Item, now: bool) -> None:
        """It was given to the store; `now`: deliver it at once."""
        self._items[stanza_id] = (item, self._send(item) if now else None)

    def __contains__(self, stanza_id: str) -> bool:
        return stanza_id in self._items

    def deliver(self) -> None:
        """The store is out (and the XMPP server is there): send what has not gone, or was lost on its way."""
        for stanza_id, (item, fence) in tuple(self._items.items()):
            if fence is None or (fence.done() and _was_lost(fence)):
                self._items[stanza_id] = (item, self._send(item))

    def stored(self, stanza_id: str) -> asyncio.Future[str] | None:
        """The store has it, or will not. Returns the fence, if it was sent already."""
        _, fence = self._items.pop(stanza_id, (None, None))
        return fence


def _was_lost(fence: asyncio.Future[str]) -> bool:
    return not fence.cancelled() and fence.exception() is None and fence.result() == "lost"
