"""What is known of one account's texts by one route: the parts that wait for others, and the texts that may
come again. All of it is one small value in the store, saved in the same transaction as what it tells of."""

from __future__ import annotations

import asyncio

import msgspec

from backends.sms.smpp.doubles import Doubles, Stored
from backends.sms.text.joining import Joining
from bridge.api import Host

_NOTHING = msgspec.Raw(b"[]")


class _Value(msgspec.Struct):
    parts: str = ""
    suspects: msgspec.Raw = _NOTHING
    open: list[Stored] = []


class _Read(msgspec.Struct):
    parts: str = ""
    suspects: list[Stored] = []
    open: list[Stored] = []


class Ledger:
    """One account's. `turn` is held by who changes it. `behind`: the store has entries that are closed by
    now; `wrong`: it may have one of a text that was not stored. `timer` is for parts that wait."""

    def __init__(self, host: Host, joining: Joining, doubles: Doubles) -> None:
        self.host = host
        self.joining = joining
        self.doubles = doubles
        self.turn = asyncio.Lock()
        self.behind = False
        self.wrong = False
        self.timer: asyncio.TimerHandle | None = None
        self.tidying: asyncio.TimerHandle | None = None
        self._parts = joining.encode()

    @property
    def idle(self) -> bool:
        """It may be forgotten, and read again."""
        waiting = self.joining.next_expiry is not None or len(self.doubles) or self.behind
        return not (waiting or self.turn.locked())

    def value(self) -> str:
        """What to store."""
        self.behind = False
        value = _Value(self._parts, msgspec.Raw(self.doubles.suspects()), self.doubles.open())
        return msgspec.json.encode(value).decode()

    def joined(self) -> None:
        """The parts have changed, and that is about to be stored."""
        self._parts = self.joining.encode()

    def undo_joined(self, before: str, seconds: float) -> None:
        """It could not be stored."""
        self._parts = before
        self.joining = Joining.decode(before, seconds)

    @property
    def parts(self) -> str:
        """The parts as they are in the store."""
        return self._parts


def read_ledger(host: Host, value: str | None, seconds: float) -> Ledger:
    """What `Ledger.value` told; an empty one where there is none, or nothing to make sense of."""
    try:
        read = msgspec.json.decode(value or "{}", type=_Read)
    except (msgspec.MsgspecError, ValueError):
        read = _Read()
    return Ledger(host, Joining.decode(read.parts, seconds), Doubles([*read.suspects, *read.open]))
