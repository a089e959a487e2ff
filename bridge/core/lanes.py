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

GRACE_SECONDS = 2.0
"""For so long a job that has begun may go on after its link broke, to say how it ended."""

LEAST_WAIT = 0.05
"""The least time between two attempts, however eager a network is to be asked again."""


class Job(Protocol):
    """One piece of work for a session."""

    async def run(self, session: Session) -> float | None:
        """Do it. Returns None when it is settled, or the seconds after which it is to be tried again."""

    def failed(self, reason: Reason, text: str) -> None:
        """It will not be done: tell whoever asked for it."""

    def interrupted(self, reason: Reason, text: str) -> bool:
        """It was begun, and cut off: it may or may not be done. Returns whether to try it again."""


class Lane:
    """A bounded queue of jobs and, while there are any, the one task that works on them.

    `session` gives the session if there is one now, `online` waits for one, `done` is called with the lane
    when it has run empty. None of them may hold the lane: there is one for nearly every message, and what
    refers to itself stays until the garbage collector looks for it.
    """

    __slots__ = ("_begun", "_done", "_given_up", "_jobs", "_limit", "_online", "_round", "_session", "_task")

    def __init__(
        self,
        session: Callable[[], Session | None],
        online: Callable[[], Awaitable[Session]],
        limit: int,
        done: Callable[[Lane], None],
    ) -> None:
        self._session = session
        self._online = online
        self._limit = limit
        self._done = done
        self._jobs: deque[Job] = deque()
        self._begun: Job | None = None
        self._round = 0
        self._given_up: tuple[Reason, str] | None = None
        self._task: asyncio.Task[None] | None = None

    def push(self, job: Job) -> bool:
        """Queue a job. False, and nothing queued, if the lane is full."""
        if len(self._jobs) >= self._limit:
            return False
        self._jobs.append(job)
        if self._task is None:
            self._start()
        return True

    def abandon(self, reason: Reason, text: str) -> None:
        """Give up all jobs that have not begun; the one that has is given a moment to end by itself."""
        jobs = [job for job in self._jobs if job is not self._begun]
        if self._begun is None:
            self.cancel()
        else:
            self._jobs = deque([self._begun])
            self._given_up = reason, text
            self.link_broke(reason, text)
        for job in jobs:
            _fail(job, reason, text)

    def link_broke(self, reason: Reason, text: str) -> None:
        """The session is over: a job that is still at it after a moment is cut off. Those that have not
        begun wait for the next session."""
        if self._begun is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_SECONDS, self._cut_off, self._begun, self._round, reason, text)

    def cancel(self) -> None:
        """Stop working, and tell nobody: the gateway stops, or whoever asked is told otherwise."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._jobs.clear()
        self._begun = None
        self._done(self)

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        """Hot: many jobs are done in one step of the loop, without a task or a wait between them."""
        me = self._task
        while self._jobs:
            session = self._session() or await self._opened()
            if session is None:
                return
            job = self._jobs[0]
            self._begin(job)
            try:
                again = await job.run(session)
            except Exception:
                log.exception("a command failed for a reason of ours")
                _fail(job, Reason.INTERNAL, INTERNAL_TEXT)
                again = None
            if self._task is not me:
                return
            self._begun = None
            if again is None:
                self._jobs.popleft()
            elif self._given_up is not None:
                _fail(job, *self._given_up)
                self._jobs.popleft()
            else:
                await asyncio.sleep(max(again, LEAST_WAIT))
        self._task = None
        self._done(self)

    def _begin(self, job: Job) -> None:
        self._begun, self._given_up = job, None
        self._round += 1

    async def _opened(self) -> Session | None:
        """The session, once there is one. None: there will be none, and all jobs have been told."""
        try:
            return await self._online()
        except ConnectionLost as error:
            self._task = None
            self.abandon(error.reason, str(error))
        except Exception:
            log.exception("a lane failed for a reason of ours")
            self._task = None
            self.abandon(Reason.INTERNAL, INTERNAL_TEXT)
        return None

    def _cut_off(self, job: Job, number: int, reason: Reason, text: str) -> None:
        if self._begun is not job or self._round != number or self._task is None:
            return
        self._task.cancel()
        self._task = self._begun = None
        again = False
        try:
            again = job.interrupted(reason, text)
        except Exception:
            log.exception("the sender of an interrupted command could not be told")
        if not again:
            self._jobs.popleft()
        if self._jobs:
            self._start()
        else:
            self._done(self)


def _fail(job: Job, reason: Reason, text: str) -> None:
    try:
        job.failed(reason, text)
    except Exception:
        log.exception("the sender of a failed command could not be told")
