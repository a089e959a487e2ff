"""The GSM alphabet, character by character against other implementations, and any octets at all."""

from __future__ import annotations

import unicodedata

import pytest
from aiosmpplib.codec import GSM_BASIC_DECODE_MAP, GSM_EXTENDED_DECODE_MAP, GSM7BitPackedCodec
from hypothesis import given
from hypothesis import strategies as st
from smpplib.gsm import GSM_CHARACTER_TABLE, gsm_encode

from backends.sms.text import gsm
from backends.sms.text.gsm_tables import DEFAULT, EXTENSION, LOCKING, PORTUGUESE, SINGLE, SPANISH, TURKISH

GSM_TEXT = st.text("".join(GSM_BASIC_DECODE_MAP.values()) + "".join(GSM_EXTENDED_DECODE_MAP.values()))
packed = GSM7BitPackedCodec()


def test_tables_are_those_of_aiosmpplib() -> None:
    assert {code: char for code, char in enumerate(DEFAULT) if code != 0x1B} == GSM_BASIC_DECODE_MAP
    assert EXTENSION == GSM_EXTENDED_DECODE_MAP


def test_characters_are_those_of_smpplib_where_it_has_them() -> None:
    known = [char for char in GSM_CHARACTER_TABLE if char not in "`\x1b"]
    assert len(known) == 126 + 9, "it lacks the section sign and the form feed"
    for char in known:
        octets = gsm.encode(char)
        assert octets == gsm_encode(char)
        assert gsm.decode(octets) == char


@pytest.mark.parametrize("char", "`\x1b\0çÁ\u00a0\u0301й😀")
def test_other_characters_are_not_in_it(char: str) -> None:
    assert gsm.encode(char) is None
    assert gsm.encode(f"abc{char}") is None


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"", ""),
        (b"\x00\x11\x10", "@_Δ"),
        (b"\x1b\x65 5", "€ 5"),
        (b"\x1b\x28\x1b\x29\x1b\x3c\x1b\x3e\x1b\x14\x1b\x2f\x1b\x3d\x1b\x40\x1b\x0a", "{}[]^\\~|\f"),
        # an escape without a meaning: the character itself (23.038 §6.2.1.1)
        (b"\x1ba\x1b\x0d\x1b\n", "a\r\f"),
        # an escape before an escape, and one before nothing: a space
        (b"a\x1b\x1bb", "a b"),
        (b"a\x1b\x1b\x1b\x65", "a €"),
        (b"a\x1b", "a "),
        (b"a\x80\xffb", "a\ufffd\ufffdb"),
        (b"\x1b\xe5", "\ufffd"),
    ],
)
def test_decoding(octets: bytes, text: str) -> None:
    assert gsm.decode(octets) == text


# 3GPP TS 23.038 A.2 and A.3, by the names of the characters.
ACCENTS = {"A": "ACUTE", "I": "ACUTE", "O": "ACUTE", "U": "ACUTE", "a": "ACUTE", "i": "ACUTE", "o": "ACUTE"}


def letter(base: str, mark: str) -> str:
    size = "CAPITAL" if base.isupper() else "SMALL"
    return unicodedata.lookup(f"LATIN {size} LETTER {base.upper()} WITH {mark}")


def test_spanish() -> None:
    for base, mark in {**ACCENTS, "u": "ACUTE"}.items():
        assert gsm.decode(b"\x1b" + base.encode(), single=SPANISH) == letter(base, mark)
    assert gsm.decode(b"ma\x1bnana \x1b\x09 \x1b\x65", single=SPANISH) == "manana ç €"
    assert gsm.decode(b"\x1bA", locking=SPANISH) == "A", "there is no locking table"


def test_turkish() -> None:
    marks = {"G": "BREVE", "S": "CEDILLA", "c": "CEDILLA", "g": "BREVE", "s": "CEDILLA", "I": "DOT ABOVE"}
    for base, mark in marks.items():
        assert gsm.decode(b"\x1b" + base.encode(), single=TURKISH) == letter(base, mark)
    assert gsm.decode(b"\x1bi\x1b\x65", single=TURKISH) == "ı€"
    assert gsm.decode(b"\x40stanbul \x04 \x07\x0b\x0c\x1c\x1d\x60", locking=TURKISH) == "İstanbul € ıĞğŞşç"


def test_portuguese() -> None:
    tilde = {"\x5b": "A", "\x5c": "O", "\x7b": "a", "\x7c": "o"}
    for code, base in tilde.items():
        assert gsm.decode(b"\x1b" + code.encode(), single=PORTUGUESE) == letter(base, "TILDE")
        assert gsm.decode(code.encode(), locking=PORTUGUESE) == letter(base, "TILDE")
    greek = b"\x1b\x12\x1b\x13\x1b\x15\x1b\x16\x1b\x17\x1b\x18\x1b\x19"
    assert gsm.decode(greek, single=PORTUGUESE) == "ΦΓΩΠΨΣΘ"
    singles = b"\x05\x09\x0b\x0c\x0e\x0f\x1fAIOUaeiou\x7f"
    escaped = b"".join(b"\x1b" + bytes([code]) for code in singles)
    assert gsm.decode(escaped, single=PORTUGUESE) == "êçÔôÁáÊÀÍÓÚÂ€íóúâ"
    locked = bytes([*range(4, 10), 0x0B, 0x0C, 0x0E, 0x0F, *range(0x12, 0x1B), 0x1C, 0x1D, 0x1E, 0x24, 0x40])
    assert gsm.decode(locked, locking=PORTUGUESE) == "êéúíóçÔôÁáªÇÀ∞^\\€Ó|ÂâÊºÍ"
    assert gsm.decode(b"\x60\x7d\x5d", locking=PORTUGUESE) == "~`Ú"


def test_tables_are_whole() -> None:
    assert {len(table) for table in (DEFAULT, *LOCKING.values())} == {128}
    assert all(table.items() >= {0x0A: "\f", 0x65: "€", 0x28: "{"}.items() for table in SINGLE.values())


@given(GSM_TEXT)
def test_what_is_encoded_is_read_again(text: str) -> None:
    octets = gsm.encode(text)
    assert octets is not None
    assert gsm.decode(octets) == text


@given(st.text())
def test_only_what_can_be_read_again_is_encoded(text: str) -> None:
    octets = gsm.encode(text)
    assert octets is None or gsm.decode(octets) == text


@given(st.binary(), st.integers(0, 255), st.integers(0, 255))
def test_any_octets_are_text(octets: bytes, locking: int, single: int) -> None:
    text = gsm.decode(octets, locking, single)
    assert len(octets) / 2 <= len(text) <= len(octets)


def test_unpacking_a_known_text() -> None:
    assert gsm.unpack(bytes.fromhex("e8329bfd4697d9ec37")) == b"hellohello"


@given(GSM_TEXT.filter(lambda text: not text.endswith("@")))
def test_unpacking_what_another_packed(text: str) -> None:
    assert gsm.decode(gsm.unpack(packed.encode(text)[0])) == text


@given(st.binary(max_size=160).map(lambda octets: bytes(octet & 0x7F for octet in octets)), st.integers(0, 6))
def test_unpacking_after_fill_bits(septets: bytes, fill: int) -> None:
    bits = sum(septet << 7 * at for at, septet in enumerate(septets)) << fill
    octets = bits.to_bytes((len(septets) * 7 + fill + 7) // 8, "little")
    assert gsm.unpack(octets, fill=fill, septets=len(septets)) == septets


@given(st.binary(), st.integers(0, 6), st.none() | st.integers(-1, 300))
def test_unpacking_anything(octets: bytes, fill: int, septets: int | None) -> None:
    assert len(gsm.unpack(octets, fill=fill, septets=septets)) <= len(octets) * 8 // 7


@pytest.mark.parametrize(("header", "fill"), [(0, 0), (6, 1), (7, 0), (12, 2)])
def test_fill_bits(header: int, fill: int) -> None:
    assert gsm.fill_bits(header) == fill
    assert (header * 8 + fill) % 7 == 0
