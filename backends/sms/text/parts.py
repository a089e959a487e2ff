"""A part of a text, as it comes, and the text that parts make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

import msgspec

from backends.sms.text import coding
from backends.sms.text.coding import Alphabet
from bridge.api import MessageId

MOST = 255
"""No text has more parts (3GPP TS 23.040 §9.2.3.24.1)."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """What a part brings: octets without header, one septet per octet where the alphabet is GSM's; its
    national language identifiers."""

    octets: bytes
    locking: int = 0
    single: int = 0


class Part(msgspec.Struct, frozen=True):
    """Part `place` of `total` of a text that came for `number`, which is ours. `name` is what an alphanumeric
    sender calls itself."""

    number: str
    sender: str
    reference: int
    total: int
    place: int
    alphabet: Alphabet
    piece: Piece
    name: str = ""

    @property
    def alone(self) -> bool:
        """It belongs to no others: the only one, or its numbers are nonsense (3GPP TS 23.040
        §9.2.3.24.1)."""
        return self.total == 1 or not 1 <= self.place <= self.total <= MOST


class Whole(msgspec.Struct, frozen=True):
    """A text that has come, or what came of it in time. `id` is the same where it is made of the same parts
    and its first one came at the same time; `since` is that time, in seconds since 1970. `missing` are the
    places of parts that did not come; the text says so, too."""

    number: str
    sender: str
    id: MessageId
    text: str
    since: float
    name: str = ""
    missing: tuple[int, ...] = ()


def joined(pieces: Mapping[int, Piece], total: int, alphabet: Alphabet) -> str:
    """The text that pieces make by their places, 1 to `total`. Each run of missing ones is marked in it.

    Octets that follow each other are put together before they are read: senders cut escapes and surrogate
    pairs in half."""
    shown = []
    for there, run in groupby(range(1, total + 1), pieces.__contains__):
        places = tuple(run)
        shown.append(read([pieces[place] for place in places], alphabet) if there else _mark(places, total))
    return " ".join(shown)


def read(pieces: Iterable[Piece], alphabet: Alphabet) -> str:
    """The text of pieces that follow each other."""
    return "".join(
        coding.shown(b"".join(piece.octets for piece in alike), alphabet, *shifts)
        for shifts, alike in groupby(pieces, lambda piece: (piece.locking, piece.single))
    )


def _mark(places: tuple[int, ...], total: int) -> str:
    if len(places) == 1:
        return f"[part {places[0]} of {total} is missing]"
    return f"[parts {places[0]} to {places[-1]} of {total} are missing]"
