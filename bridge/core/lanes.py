"""One serial lane per (account, chat): what a user says in one chat keeps its order, and no chat holds up
another."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from bridge.api import ConnectionLost, Reason, Session

log = logging.getLogger(__name__)


INTERNAL_TEXT = "The gateway failed on this; its admin can find the reason in the log."


class Job(Protocol):
    """One piece of work for a session."""

    async def run(self, session: Session) -> float | None:
        """Do it. Returns None when it is settled, or the seconds after which it is to be tried again."""

    def failed(self, reason: Reason, text: str) -> None:
        """It will not be done: tell whoever asked for it."""


class Lane:
    """A bounded queue of jobs and, while there are any, the one task that works on them.

    `online` gives the session (waiting for it), `done` is called when the lane has run empty.
    """

    __slots__ = ("_done", "_jobs", "_limit", "_online", "_task")

    def __init__(
        self, online: Callable[[], Awaitable[Session]], limit: int, done: Callable[[], None]
    ) -> None:
        self._online = online
        self._limit = limit
        self._done = done
        self._jobs: deque[Job] = deque()
        self._task: asyncio.Task[None] | None = None

    def push(self, job: Job) -> bool:
        """Queue a job. False, and nothing queued, if the lane is full."""
        if len(self._jobs) >= self._limit:
            return False
        self._jobs.append(job)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        return True

    def abandon(self, reason: Reason, text: str) -> None:
        """Give up all jobs that have not begun (and the lane with them)."""
        jobs, self._jobs = self._jobs, deque()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        for job in jobs:
            _fail(job, reason, text)
        self._done()

    async def _work(self) -> None:
        while self._jobs:
            job = self._jobs[0]
            try:
                again = await job.run(await self._online())
            except ConnectionLost as error:
                self.abandon_quietly(error.reason, str(error))
                return
            except Exception:
                log.exception("a command failed for a reason of ours")
                job.failed(
                    Reason.INTERNAL, "The gateway failed on this; its admin can find the reason in the log."
                )
                again = None
            if again is not None:
                await asyncio.sleep(again)
            elif self._jobs and self._jobs[0] is job:
                self._jobs.popleft()
        self._task = None
        self._done()

    def abandon_quietly(self, reason: Reason, text: str) -> None:
        """As `abandon`, from within the lane's own task."""
        self._task = None
        self.abandon(reason, text)


def _fail(job: Job, reason: Reason, text: str) -> None:
    try:
        job.failed(reason, text)
    except Exception:
        log.exception("the sender of a failed command could not be told")
