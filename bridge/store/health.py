"""Whether the database takes rows: noticed, told once when it begins and once when it ends, and how long
somebody waits for a row meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from bridge.store.errors import StoreDown

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
STALL_SECONDS = 5.0
"""A database that for so long has neither taken nor refused a row counts as one that is out."""

PATIENCE_SECONDS = 10.0
"""For so long somebody who asked for something is left without an answer."""

SILENT = "the database does not answer"


class Progress(Protocol):
    """What is watched: counts of rows, ever."""

    submitted: int
    """Given to be written."""
    taken: int
    """Perhaps written: no longer in the queue."""
    written: int


class _Deadline(NamedTuple):
    at: float
    future: asyncio.Future[Any]
    number: int
    late: Callable[[], None] | None


class Health:
    """Belongs to the loop; only `report` is for the writer's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, progress: Progress) -> None:
        self.trouble = ""
        """Why the database is out."""
        self.timer: asyncio.TimerHandle | None = None
        """None: nothing is watched; call `watch` when a row is given."""
        self.left_out = 0
        """How many messages were not archived since the database is out."""
        self._loop = loop
        self._progress = progress
        self._deadlines: deque[_Deadline] = deque()
        self._listeners: list[Callable[[bool], None]] = []
        self._seen = (0, 0.0)

    @property
    def out(self) -> bool:
        """Whether the database is not usable, as far as is known."""
        return bool(self.trouble)

    def down(self) -> StoreDown:
        """What to raise for a row that the database does not take."""
        return StoreDown(f"the database takes no rows: {self.trouble or SILENT}")

    def listen(self, listener: Callable[[bool], None]) -> None:
        """Call it, in the loop, with True when the database is out and with False when it is back."""
        self._listeners.append(listener)

    def watch(self) -> None:
        """Rows were given: see to it that something becomes of them."""
        self._seen = (self._progress.written, self._loop.time())
        self.timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def limit(self, future: asyncio.Future[Any], late: Callable[[], None] | None) -> None:
        """Let the future of the row given last fail with StoreDown when it takes too long.

        A row that still waits then is never written. `late` is called if that is not certain."""
        at = self._loop.time() + PATIENCE_SECONDS
        self._deadlines.append(_Deadline(at, future, self._progress.submitted, late))

    def report(self, trouble: str) -> None:
        """From the thread: the database refuses (why), or works again (an empty text)."""
        try:
            self._loop.call_soon_threadsafe(self._set, trouble)
        except RuntimeError:  # the loop is closed: nobody is left to hear it
            log.error("the database takes no rows: %s", trouble or "but now it does")

    def stop(self) -> None:
        """Watch nothing any more."""
        if self.timer is not None:
            self.timer.cancel()
        self._deadlines.clear()

    def _tick(self) -> None:
        self.timer = None
        now, progress = self._loop.time(), self._progress
        while self._deadlines and (self._deadlines[0].future.done() or self._deadlines[0].at <= now):
            self._expire(self._deadlines.popleft())
        waiting = progress.submitted - progress.written
        if waiting and progress.written == self._seen[0]:
            if now - self._seen[1] >= STALL_SECONDS:
                self._set(SILENT)
        else:
            self._seen = (progress.written, now)
        if waiting or self._deadlines:
            self.timer = self._loop.call_later(TICK_SECONDS, self._tick)
        elif self.out:
            self._set("")

    def _expire(self, deadline: _Deadline) -> None:
        if deadline.future.done():
            return
        deadline.future.set_exception(self.down())
        deadline.future.exception()  # whether anybody awaits it is not ours to complain about
        if deadline.late is not None and deadline.number <= self._progress.taken:
            deadline.late()

    def _set(self, trouble: str) -> None:
        if bool(trouble) == self.out:
            return
        self.trouble = trouble
        if self.out:
            log.error("the database takes no rows, they are kept and tried again: %s", trouble)
        else:
            waiting = self._progress.submitted - self._progress.written
            log.warning("the database takes rows again, %d are waiting", waiting)
            self._tell_left_out()
        for listener in self._listeners:
            try:
                listener(self.out)
            except Exception:
                log.exception("a part could not be told that the database is out or back")

    def _tell_left_out(self) -> None:
        if self.left_out:
            log.error("%d room messages were delivered but not archived meanwhile", self.left_out)
            self.left_out = 0
