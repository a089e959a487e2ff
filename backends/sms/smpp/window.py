"""Knows which texts wait to be submitted, and which wait for the SMSC's answer: the library's broker.

So many may wait for an answer at once (the window). A request is known here before it is written, since its
answer may come before the write returns. Every request comes to an end: an answer, or that there will be
none."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import msgspec
from aiosmpplib import AbstractBroker
from aiosmpplib.protocol import SmppMessage
from aiosmpplib.state import SmppCommand

from backends.sms.smpp.framing import write_frame
from backends.sms.smpp.pace import Pace
from backends.sms.smpp.standing import LEAVING
from backends.sms.smpp.statuses import BUSY, OK


class Answered(msgspec.Struct, frozen=True):
    """The SMSC's answer. `id` is its name for the text."""

    status: int
    id: str = ""


class NoAnswer(msgspec.Struct, frozen=True):
    """It was written, and there is none: the SMSC may have it or not."""

    why: str


class NotWritten(msgspec.Struct, frozen=True):
    """It never left."""

    why: str


End = Answered | NoAnswer | NotWritten


class Submit(SmppMessage):  # type: ignore[misc]
    """A submit_sm with its body as it goes out (`submits.py` writes it): nothing is left for the library to
    encode or to split."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.sequence_num = 0
        self.end: asyncio.Future[End] | None = None

    # The library's messages are equal where their few fields are.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def smpp_command(self) -> SmppCommand:
        return SmppCommand.SUBMIT_SM

    def pdu(self) -> bytes:
        """The whole PDU."""
        return write_frame(SmppCommand.SUBMIT_SM, OK, self.sequence_num, self.body)


class Window(AbstractBroker):  # type: ignore[misc]
    """The submits of one route. `why_down` says in words why there is no link; empty while there is one."""

    def __init__(self, size: int, pace: Pace, response_seconds: float, why_down: str) -> None:
        self.why_down = why_down
        self._size = size
        self._pace = pace
        self._seconds = response_seconds
        self._queue: deque[Submit] = deque()
        self._leaving: Submit | None = None
        self._sent: dict[int, tuple[Submit, asyncio.TimerHandle]] = {}
        self._stir = asyncio.Event()
        self._closed = False
        self._down_since = time.monotonic()

    # -- for those who send --

    async def submit(self, message: Submit, *, again: bool = False) -> End:
        """Have it sent when its turn comes, and wait for its end. `again`: before those that wait. Cancelled
        before it has left, it stays."""
        if self.why_down:
            return NotWritten(self.why_down)
        message.end = asyncio.get_running_loop().create_future()
        if again:
            self._queue.appendleft(message)
        else:
            self._queue.append(message)
        self._stir.set()
        try:
            return await message.end
        finally:
            if message.end.cancelled() and message in self._queue:
                self._queue.remove(message)

    # -- for the library --

    async def enqueue(self, message: SmppMessage) -> None:
        """Not used: see `submit`."""
        raise NotImplementedError

    async def dequeue(self) -> Submit:
        """The next one, when it may go."""
        loop = asyncio.get_running_loop()
        while True:
            self._stir.clear()
            if self.why_down or not self._queue or len(self._sent) >= self._size:
                await self._stir.wait()
                continue
            wait = self._pace.wait(loop.time())
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            self._leaving = self._queue.popleft()
            return self._leaving

    def leaves(self, message: Submit) -> None:
        """It has a sequence number, and is about to be written."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._seconds, self._late, message.sequence_num)
        self._sent[message.sequence_num] = message, timer
        self._leaving = None
        self._pace.sent(loop.time())

    # -- for the link --

    def answered(self, sequence: int, answer: Answered) -> bool:
        """The SMSC has answered. False: nobody waits for that (any more)."""
        found = self._sent.pop(sequence, None)
        if found is None:
            return False
        message, timer = found
        timer.cancel()
        if answer.status in BUSY:
            self._pace.busy(asyncio.get_running_loop().time(), BUSY[answer.status])
        elif answer.status == OK:
            self._pace.taken()
        _ended(message, answer)
        self._stir.set()
        return True

    @property
    def down_seconds(self) -> float:
        """For how long there has been no link."""
        return 0.0 if not self.why_down else time.monotonic() - self._down_since

    def up(self) -> None:
        """There is a link."""
        if not self._closed:
            self.why_down = ""
            self._stir.set()

    def down(self, why: str, lost: str) -> None:
        """There is none any more: `why`, and `lost` to those who wait for an answer."""
        if not self.why_down:
            self._down_since = time.monotonic()
        self.why_down = why
        for message, timer in self._sent.values():
            timer.cancel()
            _ended(message, NoAnswer(lost))
        self._sent.clear()
        self._not_written(why)
        self._stir.set()

    def _not_written(self, why: str) -> None:
        waiting = [*([self._leaving] if self._leaving else []), *self._queue]
        self._leaving = None
        self._queue.clear()
        for message in waiting:
            _ended(message, NotWritten(why))

    # -- at the ends --

    def open(self) -> None:
        """Links may come from now on."""
        self._closed = False

    def close(self) -> None:
        """Nothing more goes out, by this link or others; what waits for an answer still does."""
        self._closed = True
        self.why_down = LEAVING
        self._not_written(LEAVING)

    async def answered_all(self) -> None:
        """Return when nothing waits for an answer any more."""
        while self._sent:
            self._stir.clear()
            await self._stir.wait()

    def _late(self, sequence: int) -> None:
        message, _ = self._sent.pop(sequence)
        _ended(message, NoAnswer(f"The carrier has not answered within {self._seconds:g} seconds."))
        self._stir.set()


def _ended(message: Submit, end: End) -> None:
    if message.end is not None and not message.end.done():
        message.end.set_result(end)
