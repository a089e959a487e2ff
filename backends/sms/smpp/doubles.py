"""Knows which texts an SMSC may send again, and tells such a repetition from a text that is just alike.

SMPP gives incoming texts no ids. An SMSC repeats one whose answer it has not read: because the link broke, or
the gateway was killed. So a text is *open* from when it is given to the store until a fence (`fences.py`)
shows that its answer was read; what was open when a link ended is *suspect*: the first equal PDU on a later
link is the repetition of it, and not shown again. On one link nothing is a repetition, so two equal texts are
two.

What remains: a text equal to one of the last moments before a kill, whose answer had been read after all, is
taken for its repetition, once, within `KEPT_SECONDS`. A text that an SMSC repeats on the same link, because
its answer took too long, is shown twice."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import msgspec

KEPT_SECONDS = 86_400
MOST = 200
"""So many are remembered of one account; the oldest are forgotten first."""


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """An entry in the store. `since`: seconds since 1970."""

    digest: str
    since: int


class Entry:
    """A text that may come again. `kept` tells, once it is known, whether it was stored; None: it was, before
    this start."""

    __slots__ = ("kept", "stored")

    def __init__(self, stored: Stored, kept: asyncio.Future[bool] | None = None) -> None:
        self.stored = stored
        self.kept = kept


def digest_of(body: bytes) -> str:
    """What equal PDUs have in common, as they come."""
    return base64.b64encode(hashlib.blake2b(body, digest_size=9).digest()).decode()


class Doubles:
    """The texts of one account, by one route; `stored` are suspects from before."""

    def __init__(self, stored: list[Stored] | None = None) -> None:
        self._open: dict[Entry, None] = {}
        self._suspects: dict[Entry, None] = {}
        self._by_digest: dict[str, list[Entry]] = {}
        self._encoded: bytes | None = None
        for each in stored or ():
            self._suspect(Entry(each))

    def __len__(self) -> int:
        return len(self._open) + len(self._suspects)

    def add(self, digest: str, now: int, *, over: bool) -> Entry:
        """A text is given to the store; it is open from now on, or suspect where its link is over already."""
        entry = Entry(Stored(digest, now), asyncio.get_running_loop().create_future())
        if over:
            self._suspect(entry)
        else:
            self._open[entry] = None
        self._forget(now)
        return entry

    def repeated(self, digest: str, now: int, *, over: bool) -> Entry | None:
        """The suspect that a PDU repeats, which is open again by that (unless its link is over as well);
        None: the PDU is a new one."""
        self._forget(now)
        found = self._by_digest.get(digest)
        if not found:
            return None
        entry = found[0]
        if not over:
            self._clear(entry)
            entry.stored = Stored(digest, now)
            self._open[entry] = None
        return entry

    def remove(self, entry: Entry) -> None:
        """It will not come again (its answer was read), or is to be taken as new then (it was not stored)."""
        if entry in self._suspects:
            self._clear(entry)
        else:
            self._open.pop(entry, None)

    def link_ended(self) -> None:
        """What is open may come again on the next link."""
        for entry in self._open:
            self._suspect(entry)
        self._open.clear()

    def suspects(self) -> bytes:
        """JSON of what was open when an earlier link ended: a list of `Stored`."""
        if self._encoded is None:
            self._encoded = msgspec.json.encode([entry.stored for entry in self._suspects])
        return self._encoded

    @property
    def is_open(self) -> bool:
        """Something is under way on this link."""
        return bool(self._open)

    def open(self) -> list[Stored]:
        """What is open on this link."""
        return [entry.stored for entry in self._open]

    def _suspect(self, entry: Entry) -> None:
        self._suspects[entry] = None
        self._by_digest.setdefault(entry.stored.digest, []).append(entry)
        self._encoded = None

    def _clear(self, entry: Entry) -> None:
        del self._suspects[entry]
        alike = self._by_digest[entry.stored.digest]
        alike.remove(entry)
        if not alike:
            del self._by_digest[entry.stored.digest]
        self._encoded = None

    def _forget(self, now: int) -> None:
        """Entries are in the order of their time, but where the clock was set."""
        while self._suspects:
            oldest = next(iter(self._suspects))
            if len(self) <= MOST and abs(now - oldest.stored.since) < KEPT_SECONDS:
                return
            self._clear(oldest)
        while len(self._open) > MOST:
            del self._open[next(iter(self._open))]
