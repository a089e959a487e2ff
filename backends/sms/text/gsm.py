"""The GSM 7-bit alphabet (3GPP TS 23.038 §6.2.1), one septet per octet, as SMPP carries it.

Own tables, since those of libraries do not do: aiosmpplib's decoder raises at octets over 0x7F, shows unknown
escapes as no-break spaces and knows no national tables; smpplib has no decoder, and sends a grave accent as
a section sign, which it cannot send itself."""

from __future__ import annotations

import codecs
import re

from backends.sms.text.gsm_tables import DEFAULT, ESCAPE, EXTENSION, LOCKING, SINGLE

_SEPTETS = {ord(char): chr(code) for code, char in enumerate(DEFAULT) if code != ESCAPE} | {
    ord(char): chr(ESCAPE) + chr(code) for code, char in EXTENSION.items()
}
_only_ours = re.compile("[{}]*".format("".join(re.escape(chr(char)) for char in _SEPTETS))).fullmatch
# With one group: what comes between the escapes alternates with what they escape.
_ESCAPED = re.compile(rb"\x1b(.?)", re.DOTALL)


def _whole_table(table: str) -> str:
    return table.replace(chr(ESCAPE), " ") + "\ufffd" * 128


_DEFAULT = _whole_table(DEFAULT)
_LOCKING = {language: _whole_table(table) for language, table in LOCKING.items()}


def encode(text: str) -> bytes | None:
    """A text in the default alphabet and its extension; None where it has other characters."""
    return text.translate(_SEPTETS).encode("latin-1") if _only_ours(text) else None


def decode(octets: bytes, locking: int = 0, single: int = 0) -> str:
    """Any octets as text; never raises.

    `locking` and `single` are national language identifiers (§6.2.1.2.4); those without a table of ours mean
    the default, as §6.2.1.2 asks. An escape without a meaning shows the character that it stands before
    (§6.2.1.1), one before another or before nothing a space. Octets over 0x7F become U+FFFD."""
    table = _LOCKING.get(locking, _DEFAULT)
    if ESCAPE not in octets:
        return codecs.charmap_decode(octets, "strict", table)[0]
    extension = SINGLE.get(single, EXTENSION)
    pieces = _ESCAPED.split(octets)
    return "".join(
        _escaped(piece, extension, table) if at % 2 else codecs.charmap_decode(piece, "strict", table)[0]
        for at, piece in enumerate(pieces)
    )


def _escaped(octet: bytes, extension: dict[int, str], table: str) -> str:
    return (extension.get(octet[0]) or table[octet[0]]) if octet else " "


def unpack(octets: bytes, *, fill: int = 0, septets: int | None = None) -> bytes:
    """Packed septets (§6.1.2.1) as one per octet. `fill` is the number of bits before the first one.

    Where their number is not given, seven zero bits at the end are taken for padding, and not for an `@`."""
    room = max(0, len(octets) * 8 - fill) // 7
    wanted = room if septets is None else min(room, max(0, septets))
    shifted = (int.from_bytes(octets, "little") >> fill).to_bytes(len(octets), "little")
    unpacked = b"".join(_eight(shifted[at : at + 7]) for at in range(0, len(shifted), 7))[:wanted]
    padded = septets is None and (len(octets) * 8 - fill) % 7 == 0 and unpacked.endswith(b"\0")
    return unpacked[:-1] if padded else unpacked


def _eight(octets: bytes) -> bytes:
    bits = int.from_bytes(octets, "little")
    return bytes(bits >> at & 0x7F for at in range(0, 56, 7))


def fill_bits(header: int) -> int:
    """How many bits come between a header of so many octets, its length octet among them, and the first
    septet (3GPP TS 23.040 §9.2.3.24)."""
    return -header * 8 % 7
