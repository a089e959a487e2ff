"""Knows how many worker processes there are, and what happens to a mail that one of them dies of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from backends.email.worker.jobs import Answer, Failed, Job
from backends.email.worker.process import Worker, WorkerDied

_log = logging.getLogger(__name__)


class Busy(Exception):
    """Too many jobs wait already: try again later."""


class Pool:
    """At most `size` processes, started when there is work, ended after `idle` seconds without any. At most
    `waiting` jobs wait for one. A job may take `deadline` seconds, and three quarters of that of the
    processor."""

    def __init__(
        self, size: int = 1, *, waiting: int = 500, deadline: float = 60.0, idle: float = 60.0
    ) -> None:
        self._slots = asyncio.Semaphore(size)
        self._most_waiting, self._waiting = waiting, 0
        self._deadline, self._idle = deadline, idle
        self._free: list[Worker] = []
        self._enders: dict[Worker, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._busy: set[Worker] = set()

    @property
    def pids(self) -> list[int]:
        """The processes that there are."""
        return [worker.pid for worker in (*self._free, *self._busy)]

    async def do(self, job: Job) -> Answer:
        """Have a job done. The answer is `Failed` if it takes too long or is too much, or if processes die of
        it twice.

        Raises `Busy`; OSError if no process can be started; ValueError for a job that can't be sent."""
        if self._waiting >= self._most_waiting:
            raise Busy("too many mails are waiting to be read or written")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._twice(job)
        finally:
            self._slots.release()

    async def _twice(self, job: Job) -> Answer:
        """A process may also die for other reasons, as when the machine is short of memory."""
        for _ in range(2):
            try:
                return await self._once(job)
            except WorkerDied:
                _log.warning("a worker process for mail has died")
            except TimeoutError:
                _log.warning("a mail took longer than %d s, and was given up", self._deadline)
                return Failed("it takes too long")
        return Failed("reading it failed twice")

    async def _once(self, job: Job) -> Answer:
        worker = await self._take()
        self._busy.add(worker)
        try:
            answer = await worker.ask(job, self._deadline)
        except BaseException:
            # cancelled, too: it may be in the middle of something
            self._busy.discard(worker)
            self._end(worker)
            raise
        self._busy.discard(worker)
        self._give_back(worker)
        return answer

    async def _take(self) -> Worker:
        if self._free:
            worker = self._free.pop()
            self._enders.pop(worker).cancel()
            return worker
        return await Worker.start(max(1, int(self._deadline * 3 / 4)))

    def _give_back(self, worker: Worker) -> None:
        self._free.append(worker)
        later: Callable[[Worker], None] = self._end_idle
        self._enders[worker] = asyncio.get_running_loop().call_later(self._idle, later, worker)

    def _end_idle(self, worker: Worker) -> None:
        self._free.remove(worker)
        del self._enders[worker]
        self._end(worker)

    def _end(self, worker: Worker) -> None:
        task = asyncio.get_running_loop().create_task(worker.stop())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End all processes; jobs that are under way fail."""
        for ender in self._enders.values():
            ender.cancel()
        self._enders.clear()
        workers = [*self._free, *self._busy]
        self._free.clear()
        await asyncio.gather(*(worker.stop() for worker in workers), *self._ending)
