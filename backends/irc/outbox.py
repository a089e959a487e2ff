"""Knows when lines go out: in order, at the server's pace, with a way past the queue for PONG and QUIT."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic

from backends.irc.throttle import Throttle
from backends.irc.wire import Wire


class Outbox:
    """The lines of one connection on their way out. Without a `throttle` they go as fast as they are
    taken."""

    def __init__(self, wire: Wire, throttle: Throttle | None) -> None:
        self._wire = wire
        self._throttle = throttle
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[str, asyncio.Future[bool] | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._open = True

    def write(self, line: str) -> None:
        """Send past the queue, at once. A server that does not read what it got gets no more."""
        if self._wire.writable:
            self._wire.send_raw(line)

    def now(self, line: str) -> bool:
        """Send in turn if that can be now; false, and nothing done, if there is something to wait for."""
        wire = self._wire
        if self._queue or not self._open or not wire.writable:
            return False
        if self._throttle is not None and self._throttle.wait(monotonic()) > 0:
            return False
        wire.send_raw(line)
        return True

    def post(self, line: str) -> None:
        """Send in turn, without waiting for it."""
        if not self.now(line):
            self._queue.append((line, None))
            self._pump()

    async def send(self, line: str) -> bool:
        """Send in turn and return when it was written; false: the connection ended before that."""
        if self.now(line):
            return True
        if not self._open:
            return False
        written: asyncio.Future[bool] = self._loop.create_future()
        self._queue.append((line, written))
        self._pump()
        return await written

    def _pump(self) -> None:
        """Send what may go now, and come back for the rest. A slow server's `resume` calls it again."""
        while self._queue and self._timer is None and self._wire.writable:
            if self._queue[0][1] is not None and self._queue[0][1].cancelled():
                self._queue.popleft()
                continue
            delay = 0.0 if self._throttle is None else self._throttle.wait(monotonic())
            if delay > 0:
                self._timer = self._loop.call_later(delay, self._wake)
                return
            line, written = self._queue.popleft()
            self._wire.send_raw(line)
            if written is not None:
                written.set_result(True)

    def _wake(self) -> None:
        self._timer = None
        self._pump()

    def resume(self) -> None:
        """The server takes lines again."""
        self._pump()

    def close(self) -> None:
        """The connection is gone: nothing that waits will be sent."""
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _line, written in self._queue:
            if written is not None and not written.done():
                written.set_result(False)
        self._queue.clear()
