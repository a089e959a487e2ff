"""Texts in parts, put together again: a state machine without a clock or a store of its own."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import msgspec

from backends.sms.text import parts
from backends.sms.text.coding import Alphabet
from backends.sms.text.parts import Part, Piece, Whole
from bridge.api import MessageId

SECONDS = 3600.0
"""So long a text waits for its parts, counted from the first."""
GROUPS = 200
OCTETS = 128 * 1024
"""So many texts, and octets of them, wait at most; past that the oldest is given out as it is."""
REMEMBERED_SECONDS = 900.0
REMEMBERED = 50
"""So long, and so many of, the texts given out are remembered, to know parts that a carrier brings again:
one whose answer was lost does so when it is connected again. Longer would lose texts of senders that always
have the same reference."""

_LATEST = 1e11

Key: TypeAlias = tuple[str, str, int, int, Alphabet]
"""Our number, the sender, the reference, the number of parts, the alphabet."""


class _Group(msgspec.Struct, array_like=True):
    """What waits. `new`: it has a piece that was not given out before."""

    key: Key
    since: float
    name: str
    new: bool
    pieces: dict[int, Piece]


class _Given(msgspec.Struct, frozen=True, array_like=True):
    """What was given out: a digest of each piece."""

    key: Key
    at: float
    digests: dict[int, str]


class _Stored(msgspec.Struct, frozen=True):
    groups: list[_Group]
    given: list[_Given]


class Joining:
    """What waits for its other parts, for one account. Times are in seconds since 1970.

    It changes with `add` and `expired`. Who could not store what these returned goes back to the state last
    stored (`decode`), and is given it again, with the same ids."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._groups: dict[Key, _Group] = {}
        self._given: dict[Key, _Given] = {}
        self._octets = 0

    def add(self, part: Part, now: float) -> list[Whole]:
        """Take a part; what it completed, or pushed out.

        The same part again is nothing new, also when its text was given out lately. Other content for a
        place means that the sender uses the reference again. A part that is alone is given out at once, each
        time that it comes, like a text without parts."""
        key = (part.number, part.sender, part.reference, 1 if part.alone else part.total, part.alphabet)
        if part.alone:
            return [_whole(_Group(key, now, part.name, True, {1: part.piece}))]
        held = group.pieces.get(part.place) if (group := self._groups.get(key)) else None
        if held == part.piece:
            return []
        out = self._give_out(key, now) if held else []
        group = self._groups.setdefault(key, _Group(key, now, part.name, False, {}))
        group.new = group.new or not self._known(key, part, now)
        group.pieces[part.place] = part.piece
        self._octets += len(part.piece.octets)
        if len(group.pieces) == part.total:
            out += self._give_out(key, now)
        while len(self._groups) > GROUPS or self._octets > OCTETS:
            out += self._give_out(next(iter(self._groups)), now)
        return out

    def expired(self, now: float) -> list[Whole]:
        """What has waited long enough, as it is."""
        out = []
        while (oldest := next(iter(self._groups.values()), None)) and self._overdue(oldest, now):
            out += self._give_out(oldest.key, now)
        return out

    def _overdue(self, group: _Group, now: float) -> bool:
        """Also where the clock was set back by more than the whole time."""
        return abs(now - group.since) >= self._seconds

    @property
    def next_expiry(self) -> float | None:
        """When to ask `expired` again; None: nothing waits."""
        oldest = next(iter(self._groups.values()), None)
        return oldest.since + self._seconds if oldest else None

    def _give_out(self, key: Key, now: float) -> list[Whole]:
        group = self._groups.pop(key)
        self._octets -= sum(len(piece.octets) for piece in group.pieces.values())
        if not group.new:
            return []
        before = self._given.pop(key, None)
        digests = {place: _digest(piece) for place, piece in group.pieces.items()}
        self._given[key] = _Given(key, now, (before.digests if before else {}) | digests)
        if len(self._given) > REMEMBERED:
            del self._given[next(iter(self._given))]
        return [_whole(group)]

    def _known(self, key: Key, part: Part, now: float) -> bool:
        given = self._given.get(key)
        if given is None or abs(now - given.at) >= REMEMBERED_SECONDS:
            return False
        return given.digests.get(part.place) == _digest(part.piece)

    def encode(self) -> str:
        """The state, for `decode`."""
        state = _Stored(list(self._groups.values()), list(self._given.values()))
        return msgspec.json.encode(state).decode()

    @classmethod
    def decode(cls, text: str | None, seconds: float = SECONDS) -> Joining:
        """The state that `encode` told; an empty one for None, and for anything that is no such state."""
        joining = cls(seconds)
        try:
            stored = msgspec.json.decode(text or "", type=_Stored)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return joining
        if all(_sound(group) for group in stored.groups):
            joining._groups = {group.key: group for group in stored.groups}
            joining._given = {each.key: each for each in stored.given}
            held = (piece for group in joining._groups.values() for piece in group.pieces.values())
            joining._octets = sum(len(piece.octets) for piece in held)
        return joining


def _sound(group: _Group) -> bool:
    total = group.key[3]
    return (
        1 <= len(group.pieces) < total <= parts.MOST
        and all(1 <= place <= total for place in group.pieces)
        and 0 <= group.since <= _LATEST
    )


def _digest(piece: Piece) -> str:
    return hashlib.blake2s(msgspec.json.encode(piece), digest_size=6).hexdigest()


def _whole(group: _Group) -> Whole:
    number, sender, _, total, alphabet = group.key
    missing = tuple(place for place in range(1, total + 1) if place not in group.pieces)
    text = parts.joined(group.pieces, total, alphabet)
    return Whole(number, sender, _id(group), text, group.since, group.name, missing)


def _id(group: _Group) -> MessageId:
    made_of = group.key, group.since, sorted(group.pieces.items())
    return MessageId(hashlib.blake2s(msgspec.json.encode(made_of), digest_size=16).hexdigest())
