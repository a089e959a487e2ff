"""The phone network's end: a raw SMSC, which knows just what a gateway and the floor need.

What it sends is prepared. While the clock runs it answers, sends receipts, and keeps what came; that is
looked at when the clock has stopped."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque

from bench.ends import Catch, End, WrongCount
from bench.sms.work import addresses_of, receipt

WINDOW = 100
"""So many deliver_sm may wait for their answers at once."""

RECEIPT_SECONDS = 0.05
"""How long after its answer a text has arrived."""

_HEADER = struct.Struct("!IIII")
_DELIVER, _DELIVER_RESP = 0x0000_0005, 0x8000_0005
_SUBMIT, _SUBMIT_RESP = 0x0000_0004, 0x8000_0004
_BIND, _BIND_RESP = 0x0000_0009, 0x8000_0009
_ENQUIRE, _ENQUIRE_RESP = 0x0000_0015, 0x8000_0015
_UNBIND, _UNBIND_RESP = 0x0000_0006, 0x8000_0006


class Tally(Catch):
    """A catch that is told one after the other what has come."""

    def __init__(self, count: int) -> None:
        super().__init__(b"", count)

    def take(self, data: bytes) -> None:
        """One."""
        now = time.perf_counter()
        self.reads.append((now, data))
        self.seen += 1
        if self.seen == self._count:
            self.finished = now
            self.done.set()


class SmscEnd(End):
    """The SMSC; everybody may bind, once. `submits` gets each submit_sm, `answers` each answer to a
    deliver_sm; `reported` has when the receipt for each of the submits was ready."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop().create_future())
        self.failed.add_done_callback(lambda future: future.cancelled() or future.exception())
        self.bound = asyncio.Event()
        self._rest = b""
        self._ready: deque[bytes] = deque()
        self._open: set[int] = set()
        self._sequence = 0
        self.expect(1, 1)

    def expect(self, submits: int, answers: int) -> None:
        """From now on so many are to come. What came before is forgotten."""
        self.submits, self.answers = Tally(submits), Tally(answers)
        self.reported: list[float] = []

    def deliver(self, *bodies: bytes) -> None:
        """Send these as the window lets them go."""
        self._ready.extend(bodies)
        self._pump()

    def take(self, data: bytes) -> None:
        data = self._rest + data
        at, out = 0, []
        while at + 16 <= len(data):
            length, command, status, sequence = _HEADER.unpack_from(data, at)
            if at + length > len(data):
                break
            out.append(self._pdu(command, status, sequence, data[at : at + length]))
            at += length
        self._rest = data[at:]
        if self.transport is not None:
            self.transport.write(b"".join(out))
        self._pump()

    def _pdu(self, command: int, status: int, sequence: int, pdu: bytes) -> bytes:
        """Returns the answer."""
        if command == _DELIVER_RESP:
            if status or sequence not in self._open:
                raise WrongCount(f"deliver_sm {sequence} was answered: {status:#x}, or more than once")
            self._open.remove(sequence)
            self.answers.take(b"")
            return b""
        if command == _SUBMIT:
            self.submits.take(pdu)
            name = f"{1_000_000 + self.submits.seen}"
            asyncio.get_running_loop().call_later(
                RECEIPT_SECONDS, self._report, receipt(addresses_of(pdu), name), self.reported
            )
            return _pdu(_SUBMIT_RESP, sequence, name.encode() + b"\0")
        if command == _ENQUIRE:
            return _pdu(_ENQUIRE_RESP, sequence)
        if command == _BIND and not self.bound.is_set():
            self.bound.set()
            return _pdu(_BIND_RESP, sequence, b"bench\0")
        if command == _UNBIND:
            return _pdu(_UNBIND_RESP, sequence)
        raise WrongCount(f"an unexpected PDU: command {command:#x}, status {status:#x}")

    def _report(self, body: bytes, reported: list[float]) -> None:
        reported.append(time.perf_counter())
        self.deliver(body)

    def _pump(self) -> None:
        if self.transport is None or not self._ready or len(self._open) >= WINDOW:
            return
        out = []
        while self._ready and len(self._open) < WINDOW:
            self._sequence += 1
            self._open.add(self._sequence)
            out.append(_pdu(_DELIVER, self._sequence, self._ready.popleft()))
        self.transport.write(b"".join(out))


def _pdu(command: int, sequence: int, body: bytes = b"") -> bytes:
    return _HEADER.pack(16 + len(body), command, 0, sequence) + body
