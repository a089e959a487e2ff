"""Which alphabet a text needs, and how it is cut into the segments that a network carries (3GPP TS 23.040
§9.2.3.24.1, §9.2.3.24.8)."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec
import regex

from backends.sms.carrier import NotPossible
from backends.sms.text import gsm
from backends.sms.text.coding import Alphabet
from backends.sms.text.gsm_tables import ESCAPE
from backends.sms.text.udh import Concatenation, concatenated_8, concatenated_16

MOST = 255
"""So many segments can be told apart."""
SINGLE_SEPTETS, SINGLE_UNITS = 160, 70
"""What a segment alone holds: septets, or units of UTF-16."""

_clusters = regex.compile(r"\X").finditer
# Letters that never join what comes before or after them to a cluster, unlike marks, jamo and emoji.
_SCRIPTS = "Latin Greek Cyrillic Armenian Georgian Hebrew Arabic Hiragana Katakana Bopomofo Han".split()
_plain_pair = regex.compile(
    r"(?V1)[[[{}]&&\p{{L}}&&\p{{GCB=XX}}--\p{{ExtPict}}]\x20-\x7e]{{2}}".format(
        "".join(rf"\p{{Script={script}}}" for script in _SCRIPTS)
    )
).match
_CR, _LF = b"\r\n"


class Way(enum.Enum):
    """How segments say that they belong together.

    `UDH8`, `UDH16`: by a header with a reference of 8 or 16 bits. `SAR`: by parameters beside the text (SMPP
    3.4 §5.3.2.22), which the SMSC makes a header of. `PAYLOAD`: the SMSC is given the whole (§5.3.2.32)."""

    UDH8 = "udh8"
    UDH16 = "udh16"
    SAR = "sar"
    PAYLOAD = "payload"


class Segment(msgspec.Struct, frozen=True):
    """What one PDU carries: `udh` (empty where there is none), then `octets`; they stand for `text`."""

    text: str
    octets: bytes
    udh: bytes = b""


class Split(msgspec.Struct, frozen=True):
    """A text as it is sent. `count` is how many segments the network makes of it, each of which is paid for:
    that of `segments`, but for `PAYLOAD`, where the SMSC cuts."""

    alphabet: Alphabet
    segments: tuple[Segment, ...]
    count: int


def split(text: str, way: Way = Way.UDH8, reference: int = 0, *, ucs2: bool = False) -> Split:
    """A text cut into segments; `reference` should differ from those of other texts to the same number.
    `ucs2`: in UCS-2, also where the GSM alphabet would do.

    It is never cut inside an escape, a surrogate pair, or what is shown as one character, unless that alone
    is longer than a segment. A lone surrogate is sent as U+FFFD, all else as it is written, U+0000 too.
    Raises `NotPossible` where there would be more than 255."""
    alphabet, whole, pieces = _cut(text, way, ucs2)
    if way is Way.PAYLOAD or len(pieces) == 1:
        return Split(alphabet, (Segment(whole, _octets(whole, alphabet)),), len(pieces))
    segments = tuple(
        Segment(piece, _octets(piece, alphabet), _header(way, Concatenation(reference, len(pieces), place)))
        for place, piece in enumerate(pieces, 1)
    )
    return Split(alphabet, segments, len(pieces))


def count(text: str, way: Way = Way.UDH8, *, ucs2: bool = False) -> int:
    """How many segments a text is, as in `Split.count`. Raises `NotPossible`."""
    return len(_cut(text, way, ucs2)[2])


def _cut(text: str, way: Way, ucs2: bool) -> tuple[Alphabet, str, list[str]]:
    """The alphabet, the text as it can be sent, and its pieces."""
    septets, units = (152, 66) if way is Way.UDH16 else (153, 67)
    if len(text) > MOST * septets:
        raise _too_long()
    octets = None if ucs2 else gsm.encode(text)
    if octets is None:
        text = _without_lone_surrogates(text)
        alphabet, pieces = Alphabet.UCS2, list(_unit_pieces(text, units))
    else:
        alphabet, pieces = Alphabet.GSM, list(_septet_pieces(octets, septets))
    if len(pieces) > MOST:
        raise _too_long()
    return alphabet, text, pieces


def _too_long() -> NotPossible:
    return NotPossible(f"This is too long for the phone network, which takes at most {MOST} texts as one.")


def _without_lone_surrogates(text: str) -> str:
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")


def _octets(piece: str, alphabet: Alphabet) -> bytes:
    octets = gsm.encode(piece) if alphabet is Alphabet.GSM else None
    return piece.encode("utf-16-be") if octets is None else octets


def _header(way: Way, part: Concatenation) -> bytes:
    if way is Way.SAR:
        return b""
    return concatenated_16(part) if way is Way.UDH16 else concatenated_8(part)


def _septet_pieces(octets: bytes, room: int) -> Iterator[str]:
    if len(octets) <= SINGLE_SEPTETS:
        yield gsm.decode(octets)
        return
    start = 0
    while start < len(octets):
        end = start + room
        if end < len(octets) and _belong_together(octets[end - 1], octets[end]):
            end -= 1
        yield gsm.decode(octets[start:end])
        start = end


def _belong_together(last: int, after: int) -> bool:
    """An escape and its character; CR LF, which is the only cluster that the alphabet can write."""
    return last == ESCAPE or (last == _CR and after == _LF)


def _unit_pieces(text: str, room: int) -> Iterator[str]:
    if _units(text) <= SINGLE_UNITS:
        yield text
        return
    start = 0
    while start < len(text):
        window = text[start : start + room + 1]
        end = start + (room if _parts_plainly(window, room) else _last_border(window, room))
        yield text[start:end]
        start = end


def _parts_plainly(window: str, room: int) -> bool:
    """Whether so many characters are as many units, with nothing around the cut that could be a cluster."""
    return _units(window) <= room or (max(window) <= "\uffff" and _plain_pair(window, room - 1) is not None)


def _last_border(window: str, room: int) -> int:
    """How many characters of whole clusters have room; where not even the first has, how many of its own."""
    end = size = 0
    for match in _clusters(window):
        size += _units(match[0])
        if size > room:
            break
        end = match.end()
    return end or _last_character(window, room)


def _last_character(window: str, room: int) -> int:
    end = size = 0
    while (size := size + _units(window[end])) <= room:
        end += 1
    return end


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-be")) // 2
