"""Direct messages from networks that answer another: which stanza that was is looked up first, and what comes
after waits for it, so that order holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from bridge.api import MessageId
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.tasks import Tasks
from bridge.store.message_ids import KnownMessage

Put = Callable[[KnownMessage | None], Awaitable[None]]
"""Keeps the message, given what it answers; the awaitable completes when it is stored. Never raises."""


class Placed:
    """Completes when the message is stored. Who is cancelled meanwhile takes nothing back."""

    __slots__ = ("_placing",)

    def __init__(self, placing: asyncio.Task[Awaitable[None]]) -> None:
        self._placing = placing

    def __await__(self) -> Generator[Any, None, None]:
        stored = yield from asyncio.shield(self._placing).__await__()
        yield from stored.__await__()


class Replies:
    """Those of one gateway. `live.placing` is the account's newest that is not placed yet."""

    def __init__(self, ground: Ground, tasks: Tasks) -> None:
        self._ground = ground
        self._tasks = tasks

    def place(self, live: LiveAccount, reply_to: MessageId | None, put: Put) -> Awaitable[None]:
        """Put a message in its turn."""
        if reply_to is None and live.placing is None:
            return put(None)
        before = live.placing
        task = self._tasks.start(self._place(live, before, reply_to, put), "placing a reply")
        live.placing = task
        return Placed(task)

    async def _place(
        self,
        live: LiveAccount,
        before: asyncio.Task[Awaitable[None]] | None,
        reply_to: MessageId | None,
        put: Put,
    ) -> Awaitable[None]:
        me = asyncio.current_task()
        try:
            if before is not None:
                await asyncio.wait((before,))
            known = None
            if reply_to is not None:
                known = await self._ground.message_ids.stanza(live.id, reply_to)
            return put(known)
        finally:
            if live.placing is me:
                live.placing = None
