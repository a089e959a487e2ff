"""The one thread that writes: it turns many rows into few transactions, and never drops one silently."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.engine import Connection, Engine

from bridge.store.batches import Failed, Item, Operation, run_units, write_grouped, write_singly
from bridge.store.database import WRITING, describe, is_outage
from bridge.store.errors import StoreDown, StoreError
from bridge.store.health import Health

log = logging.getLogger(__name__)

T = TypeVar("T")

HIGH_WATER = 50_000
"""So many rows may wait: above it, whoever can is slowed down. While the database is out nobody is slowed
down, and what is not owed to anybody (`full`) is not taken at all."""

LOW_WATER = 25_000
BATCH_ROWS = 5_000
GATHER_SECONDS = 0.005
_FIRST_DELAY = 0.05
_LAST_DELAY = 2.0

_CLOSED = "the store is closed"
_FULL = "the database takes no rows, and as many wait as may"
_LOST = "the store was closed before the row was written"


class Writer:
    """Group commit. Give it rows from the loop's thread only; a thread of its own writes them, in order
    but for those that have a `Place`.

    Attributes to look at: `healthy` (False while the database refuses or does not answer), `transactions`
    (how many were committed), `refused` (rows that failed for a fault of their own), `submitted` and
    `written` (rows, ever).
    """

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self.transactions = 0
        self.refused = 0
        self.submitted = 0
        self.taken = 0
        self.written = 0
        self.health = Health(loop, self)
        self._engine = engine.execution_options(**{WRITING: True})
        self._loop = loop
        self._queue: deque[Item] = deque()
        # The thread sleeps on `_wake`. A token too many only makes one batch smaller.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._idle = False
        self._urgent = False
        self._closing = False
        self._give_up = threading.Event()
        self._drainers: list[asyncio.Future[None]] = []
        self._ill = False
        self.health.listen(self._release)
        self._thread = threading.Thread(target=self._run, name="store-write", daemon=True)
        self._thread.start()

    # -- the loop's side -------------------------------------------------------------------------

    def add(self, operation: Operation, row: Any) -> None:
        """Queue a row that nobody waits for: it is committed within some milliseconds.

        If the row itself is refused, that is logged and counted in `refused`.
        """
        if self._closing:
            raise StoreError(_CLOSED)
        self.submitted += 1
        self._queue.append((operation, row, None))
        if self.health.timer is None:
            self.health.watch()
        if self._idle:
            self._idle = False
            self._wake.put(None)

    def submit(self, operation: Operation, row: Any) -> asyncio.Future[Any]:
        """Queue a row and commit soon; the future has the row's result once it is on disk.

        Raises (from the future) StoreError when the database refuses this row.
        """
        if self._closing:
            raise StoreError(_CLOSED)
        future: asyncio.Future[Any] = self._loop.create_future()
        self.submitted += 1
        self._queue.append((operation, row, future))
        if self.health.timer is None:
            self.health.watch()
        if not self._urgent:
            self._urgent = True
            self._wake.put(None)
        return future

    def submit_soon(
        self, operation: Operation, row: Any, late: Callable[[], None] | None = None
    ) -> asyncio.Future[Any]:
        """As `submit`, for somebody who is not to be left without an answer: the future fails with StoreDown
        when the database has not taken the row in PATIENCE_SECONDS, and the row is then not written.

        Where that is not certain (its commit was under way), `late` is called: to queue what undoes it.
        Raises StoreDown at once while the database is out and the queue is full.
        """
        if self.full:
            raise StoreDown(_FULL)
        future = self.submit(operation, row)
        self.health.limit(future, late)
        return future

    def submit_unit(self, unit: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Run several statements as one, in a savepoint of the next group transaction.

        `unit` runs in the writer's thread, maybe twice (see Operation). What it raises, the future raises.
        """
        return self.submit(run_units, unit)

    def submit_unit_soon(self, unit: Callable[[Connection], T]) -> asyncio.Future[T]:
        """`submit_unit` with the patience of `submit_soon`."""
        return self.submit_soon(run_units, unit)

    async def flush(self) -> None:
        """Wait until all that was queued so far is committed. Raises StoreDown, at once while the database is
        out."""
        if self.written < self.submitted:
            if self.health.out:
                raise self.health.down()
            await self.submit_soon(_nothing, None)

    @property
    def healthy(self) -> bool:
        """Whether the database takes rows, as far as is known."""
        return not self.health.out

    @property
    def backlog(self) -> int:
        """How many rows are not committed yet."""
        return self.submitted - self.written

    @property
    def congested(self) -> bool:
        """Whether whoever can wait should `drain` before giving more rows: never while the database is out,
        for then that would be long."""
        return self.submitted - self.written > HIGH_WATER and not self.health.out

    @property
    def full(self) -> bool:
        """The database is out, and as many rows wait as may: only what somebody is owed is queued."""
        return self.health.out and self.submitted - self.written > HIGH_WATER

    async def drain(self) -> None:
        """Wait, if congested, until the backlog is below the low-water mark or the database is out."""
        if self.congested:
            waiting = self._loop.create_future()
            self._drainers.append(waiting)
            await waiting

    async def close(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 (the thread needs it, not the task)
        """Write what is queued and end the thread; nothing may be given afterwards.

        When the database does not take the rows within `timeout` seconds, they are lost: that is logged with
        their number, and those who wait for one get a StoreError.
        """
        self._closing = True
        self._wake.put(None)
        await asyncio.to_thread(self._thread.join, timeout)
        if self._thread.is_alive():
            self._give_up.set()
            await asyncio.to_thread(self._thread.join)
        self.health.stop()

    def _release(self, _out: bool) -> None:
        drainers, self._drainers = self._drainers, []
        for waiting in drainers:
            if not waiting.done():
                waiting.set_result(None)

    def _resolve(self, done: list[tuple[asyncio.Future[Any], object]]) -> None:
        for future, result in done:
            if future.done():  # whoever waited was cancelled, or has waited long enough
                continue
            if isinstance(result, Failed):
                future.set_exception(result.error)
            else:
                future.set_result(result)
        if self._drainers and self.backlog < LOW_WATER:
            self._release(False)

    # -- the thread's side -----------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait_for_rows():
            self._urgent = False
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_ROWS))]
            self.taken += len(batch)
            wanted = [item for item in batch if not _expired(item)]
            self._finish(wanted, self._write(wanted))
            self.written += len(batch) - len(wanted)

    def _wait_for_rows(self) -> bool:
        """Sleep until there is something worth a transaction. False: closed, and all is written."""
        while not self._queue:
            self._idle = True
            if not self._queue:
                if self._closing:
                    return False
                self._wake.get()
            self._idle = False
            if not self._queue:
                self._urgent = False
        if not self._urgent and not self._closing and len(self._queue) < BATCH_ROWS:
            with contextlib.suppress(queue.Empty):
                self._wake.get(timeout=GATHER_SECONDS)
        return True

    def _write(self, batch: list[Item]) -> list[object]:
        """Commit a batch, however long the database refuses. Returns one result a row."""
        delay = _FIRST_DELAY
        while True:
            try:
                results = self._commit(batch)
            except Exception as error:  # noqa: BLE001 (whatever it is, the rows are kept)
                if self._give_up.is_set():
                    log.critical("%d rows could not be written and are lost: %s", len(batch), describe(error))
                    return [Failed(StoreError(_LOST)) for _ in batch]
                self._fell_ill(error)
                self._give_up.wait(delay)
                delay = min(delay * 2, _LAST_DELAY)
            else:
                self._recovered()
                return results

    def _commit(self, batch: list[Item]) -> list[object]:
        try:
            with self._engine.begin() as connection:
                results = write_grouped(connection, batch)
        except Exception as error:
            if is_outage(error):
                raise
            with self._engine.begin() as connection:
                results = write_singly(connection, batch)
        self.transactions += 1
        return results

    def _fell_ill(self, error: Exception) -> None:
        if not self._ill:
            self._ill = True
            self.health.report(describe(error))

    def _recovered(self) -> None:
        if self._ill or self.health.out:
            self._ill = False
            self.health.report("")

    def _finish(self, batch: list[Item], results: list[object]) -> None:
        done = []
        for (_, _, future), result in zip(batch, results, strict=True):
            if future is not None:
                done.append((future, result))
            if isinstance(result, Failed):
                self.refused += 1
                if future is None:
                    log.error("the database refused a row: %s", result.error)
        self.written += len(batch)
        if done or self._drainers:
            try:
                self._loop.call_soon_threadsafe(self._resolve, done)
            except RuntimeError:  # the loop is closed: nobody is left to tell
                log.warning("%d rows were written after the event loop had ended", len(done))


def _expired(item: Item) -> bool:
    """Whoever asked was told that it failed. (One that was cancelled was told nothing.)"""
    future = item[2]
    return future is not None and future.done() and not future.cancelled()


def _nothing(_connection: Connection, _rows: list[Any]) -> None:
    """What a flush waits for."""
