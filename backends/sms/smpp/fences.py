"""Knows which of our answers the SMSC has read.

It reads a link in order: when it answers an enquire_link, it has read what was written before. One such
question is under way at most, and the first is asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

TRUSTED_SECONDS = 1.0
"""Where the SMSC is not to be asked often, an answer is taken for read after so long."""


class Fences:
    """Those of one link. `ask` tells whether the SMSC has answered; None: it is not to be asked. `every` is
    the least time between two questions, in seconds."""

    def __init__(self, ask: Callable[[], Awaitable[bool]] | None, every: float) -> None:
        self._ask = ask
        self._every = every
        self._waiting: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    def written(self, read: Callable[[], None]) -> None:
        """An answer was written; `read` is called when the SMSC has read it, if it ever does."""
        self._waiting.append(read)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def settled(self) -> None:
        """Return when all that was written before has been read, or will never be."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def end(self) -> None:
        """The link is over."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> None:
        try:
            while self._waiting:
                written, self._waiting = self._waiting, []
                if not await self._passed():
                    return
                for read in written:
                    read()
                if self._waiting:
                    await asyncio.sleep(self._every)
        finally:
            self._task = None

    async def _passed(self) -> bool:
        if self._ask is not None:
            return await self._ask()
        await asyncio.sleep(TRUSTED_SECONDS)
        return True
