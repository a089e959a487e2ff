"""Knows one worker process from outside: starts it, asks it, ends it."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

import msgspec

from backends.email.worker import jobs
from backends.email.worker.jobs import Answer, Job

MEMORY = 512 * 1024 * 1024
"""Octets of address space."""

_MOMENT = 2.0
_ROOT = Path(__file__).parents[3]
_MODULE = "backends.email.worker.child"


class WorkerDied(Exception):
    """The process ended, or said what is no answer, before it had answered."""


class Worker:
    """A running process. It does one job at a time; after `WorkerDied` or TimeoutError it is of no use."""

    def __init__(self, process: Process) -> None:
        self._process, self._ended = process, False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @classmethod
    async def start(cls, processor_seconds: int) -> Worker:
        """A new process. It gets nothing of our environment, which may have secrets in it.

        Raises OSError if there can be none."""
        arguments = ("-m", _MODULE, str(MEMORY), str(processor_seconds))
        environment = {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
        )
        return cls(process)

    async def ask(self, job: Job, deadline: float) -> Answer:
        """Have a job done. Raises `WorkerDied`, TimeoutError after `deadline` seconds, ValueError for a job
        that can't be sent."""
        frame = jobs.frame(job)
        async with asyncio.timeout(deadline):
            return await self._exchange(frame)

    async def _exchange(self, frame: bytes) -> Answer:
        writer, reader = self._process.stdin, self._process.stdout
        if writer is None or reader is None:
            raise WorkerDied("no pipes")
        try:
            writer.write(frame)
            await writer.drain()
            prefix = await reader.readexactly(jobs.LENGTH)
            return jobs.answer(await reader.readexactly(jobs.length(prefix)))
        except (OSError, EOFError) as error:
            self._ended = True
            raise WorkerDied("it ended") from error
        except (ValueError, msgspec.MsgspecError) as error:
            raise WorkerDied("not an answer") from error

    async def stop(self) -> None:
        """End it at once. One that is ending by itself is given a moment: to kill it then would take its
        exit code from under asyncio, which logs that."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._ended:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _MOMENT)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):  # it may end between the two lines
                self._process.kill()
        await self._process.wait()
