"""Which alphabet a `data_coding` names (SMPP 3.4 §5.2.19; 3GPP TS 23.038 §4), and texts read in any of
them."""

from __future__ import annotations

import enum

from backends.sms.text import gsm


class Alphabet(enum.Enum):
    """How octets stand for characters. `BINARY` are those that stand for none."""

    GSM = "gsm"
    ASCII = "ascii"
    LATIN = "latin"
    UCS2 = "ucs2"
    CYRILLIC = "cyrillic"
    HEBREW = "hebrew"
    JAPANESE = "japanese"
    KANJI = "kanji"
    KOREAN = "korean"
    BINARY = "binary"


_SMPP = {
    0x01: Alphabet.ASCII,
    0x02: Alphabet.BINARY,
    0x03: Alphabet.LATIN,
    0x04: Alphabet.BINARY,
    0x05: Alphabet.JAPANESE,
    0x06: Alphabet.CYRILLIC,
    0x07: Alphabet.HEBREW,
    0x08: Alphabet.UCS2,
    0x09: Alphabet.JAPANESE,
    0x0A: Alphabet.JAPANESE,
    0x0D: Alphabet.KANJI,
    0x0E: Alphabet.KOREAN,
}
_GENERAL = (Alphabet.GSM, Alphabet.BINARY, Alphabet.UCS2, Alphabet.GSM)
_CODECS = {
    Alphabet.ASCII: "ascii",
    Alphabet.LATIN: "latin-1",
    Alphabet.UCS2: "utf-16-be",
    Alphabet.CYRILLIC: "iso8859-5",
    Alphabet.HEBREW: "iso8859-8",
    Alphabet.JAPANESE: "cp932",
    Alphabet.KANJI: "euc_jp",
    Alphabet.KOREAN: "cp949",
}


def alphabet_of(data_coding: int, default: Alphabet = Alphabet.GSM) -> Alphabet:
    """The alphabet that a `data_coding` names; `default` is that of the SMSC, named by 0.

    Up to 15 the values are SMPP's; above, those of a TP-DCS, which SMSCs pass through. Reserved ones mean
    the GSM alphabet (23.038 §4); a compressed text is binary to us."""
    group = data_coding & 0xF0
    if data_coding == 0:
        return default
    if group == 0:
        return _SMPP.get(data_coding, Alphabet.GSM)
    if group < 0x80:
        return Alphabet.BINARY if data_coding & 0x20 else _GENERAL[(data_coding >> 2) & 3]
    if group == 0xE0:
        return Alphabet.UCS2
    return Alphabet.BINARY if group == 0xF0 and data_coding & 0x04 else Alphabet.GSM


def decode(octets: bytes, alphabet: Alphabet, locking: int = 0, single: int = 0) -> str | None:
    """Any octets as text, None where they are none; never raises. `locking` and `single`: see
    `gsm.decode`.

    What an alphabet does not have becomes U+FFFD. UCS-2 is read as UTF-16, since phones send surrogate pairs
    in it; an odd octet at its end is left out."""
    match alphabet:
        case Alphabet.GSM:
            return gsm.decode(octets, locking, single)
        case Alphabet.BINARY:
            return None
        case Alphabet.UCS2:
            octets = octets[: len(octets) & ~1]
        case Alphabet.JAPANESE | Alphabet.KANJI if b"\x1b" in octets:
            return octets.decode("iso2022_jp_ext", "replace")
    return octets.decode(_CODECS[alphabet], "replace")


def shown(octets: bytes, alphabet: Alphabet, locking: int = 0, single: int = 0) -> str:
    """As `decode`, with a note to the user in place of what is no text."""
    text = decode(octets, alphabet, locking, single)
    return f"[{len(octets)} bytes that are not text]" if text is None else text
