"""Knows how one connection serves the watcher and those who want something now and then: by turns, and
whoever only waits for mail makes way.

One connection and not two: a login for every sent mail would take longer than the copy itself, and many
providers allow few connections and few logins. The price: new mail waits while a large copy is sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from backends.email.imap.link import Link


class SharedLink:
    """A link that several tasks use."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._lock = asyncio.Lock()
        self._waiting = 0

    @property
    def wanted(self) -> bool:
        """Somebody waits for a turn."""
        return self._waiting > 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Link]:
        """The link, for oneself. Turns are given in the order in which they are asked for."""
        self._waiting += 1
        self.link.wire.stir.set()
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        try:
            yield self.link
        finally:
            self._lock.release()

    async def wait(self, seconds: float, stop: Callable[[], bool]) -> None:
        """Wait for news with IDLE, until `stop()` holds or somebody wants a turn. Raises `ServerSaidNo` where
        there is no IDLE."""
        async with self.turn() as link:
            if not (self.wanted or stop()):
                await link.idle(seconds, lambda: self.wanted or stop())
