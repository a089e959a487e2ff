"""Knows which messages the server has not yet shown to have read: IRC acknowledges nothing, but answers a
PING only after what came before it."""

from __future__ import annotations

import asyncio
from collections import deque

from bridge.api import Chat

_GATHER = 5.0
"""Seconds after a message in which others may follow before the server is asked about all of them."""
_MOST = 10_000


class Unheard:
    """The messages of one connection that went out since the last answered PING: the newest 10,000."""

    def __init__(self) -> None:
        self._said: deque[tuple[Chat, str]] = deque(maxlen=_MOST)
        self._count = 0
        self._some = asyncio.Event()

    def add(self, chat: Chat, key: str) -> None:
        """A message was written."""
        if not self._said:
            self._some.set()
        self._count += 1
        self._said.append((chat, key))

    async def wait(self, longest: float) -> int:
        """Return when it is time to ask for a sign of life: soon after a message, or after `longest` seconds.
        The number is for `heard`, if what is asked now is answered."""
        try:
            async with asyncio.timeout(longest):
                await self._some.wait()
                await asyncio.sleep(_GATHER)
        except TimeoutError:
            pass
        return self._count

    def heard(self, number: int) -> None:
        """The server has read all that was written when `wait` gave this number."""
        for _ in range(len(self._said) - (self._count - number)):
            self._said.popleft()
        if not self._said:
            self._some.clear()

    def take(self) -> list[tuple[Chat, str]]:
        """The connection is gone: what may have been lost with it, in order, as chat and key."""
        lost = list(self._said)
        self._said.clear()
        return lost
