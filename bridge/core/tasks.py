"""Tasks that nobody awaits: held so that they are not collected, logged when they fail, ended with the
gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from bridge.api import BackendError

T = TypeVar("T")

log = logging.getLogger(__name__)


class Tasks:
    """The set of a gateway's background tasks."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run it to its end; a failure is logged with `name`. A `BackendError` is no failure: whoever awaits
        the task deals with it."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def stop(self) -> None:
        """Cancel what still runs, and return when it has ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, BackendError):
            log.info("background task %s: %s", task.get_name(), error)
        elif error is not None:
            log.error("background task %s failed", task.get_name(), exc_info=error)
