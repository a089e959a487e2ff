"""What a `data_coding` means, and any octets read in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sms.text.coding import Alphabet, alphabet_of, decode, shown


@pytest.mark.parametrize(
    ("data_coding", "alphabet"),
    [
        (0x00, Alphabet.GSM),
        (0x01, Alphabet.ASCII),
        (0x02, Alphabet.BINARY),
        (0x03, Alphabet.LATIN),
        (0x04, Alphabet.BINARY),
        (0x05, Alphabet.JAPANESE),
        (0x06, Alphabet.CYRILLIC),
        (0x07, Alphabet.HEBREW),
        (0x08, Alphabet.UCS2),
        (0x09, Alphabet.JAPANESE),
        (0x0A, Alphabet.JAPANESE),
        (0x0B, Alphabet.GSM),
        (0x0C, Alphabet.GSM),
        (0x0D, Alphabet.KANJI),
        (0x0E, Alphabet.KOREAN),
        (0x0F, Alphabet.GSM),
        # 23.038 §4: general, with a message class
        (0x10, Alphabet.GSM),
        (0x13, Alphabet.GSM),
        (0x15, Alphabet.BINARY),
        (0x18, Alphabet.UCS2),
        (0x1B, Alphabet.UCS2),
        (0x1C, Alphabet.GSM),
        # compressed
        (0x20, Alphabet.BINARY),
        (0x38, Alphabet.BINARY),
        # to be deleted once read
        (0x40, Alphabet.GSM),
        (0x44, Alphabet.BINARY),
        (0x48, Alphabet.UCS2),
        (0x59, Alphabet.UCS2),
        (0x68, Alphabet.BINARY),
        # reserved
        (0x80, Alphabet.GSM),
        (0xBF, Alphabet.GSM),
        # a message waits
        (0xC8, Alphabet.GSM),
        (0xD0, Alphabet.GSM),
        (0xE8, Alphabet.UCS2),
        # message class
        (0xF0, Alphabet.GSM),
        (0xF1, Alphabet.GSM),
        (0xF4, Alphabet.BINARY),
        (0xF6, Alphabet.BINARY),
    ],
)
def test_alphabets(data_coding: int, alphabet: Alphabet) -> None:
    assert alphabet_of(data_coding) is alphabet
    expected = Alphabet.LATIN if data_coding == 0 else alphabet
    assert alphabet_of(data_coding, default=Alphabet.LATIN) is expected


@pytest.mark.parametrize(
    ("octets", "alphabet", "text"),
    [
        (b"\x00a\x1b\x65", Alphabet.GSM, "@a€"),
        (b"caf\xe9", Alphabet.ASCII, "caf\ufffd"),
        (b"caf\xe9", Alphabet.LATIN, "café"),
        (b"\x04\x1f\x04@\x048\x042\x045\x04B", Alphabet.UCS2, "Привет"),
        (b"\xd8\x3d\xde\x00", Alphabet.UCS2, "😀"),
        (b"\x00a\xd8\x3d\x00b\xde\x00", Alphabet.UCS2, "a\ufffdb\ufffd"),
        (b"\x00a\x00b\x00", Alphabet.UCS2, "ab"),
        (b"\xbf\xe0\xd8\xd2\xd5\xe2", Alphabet.CYRILLIC, "Привет"),
        (b"\xf9\xec\xe5\xed", Alphabet.HEBREW, "שלום"),
        ("こんにちは".encode("shift_jis"), Alphabet.JAPANESE, "こんにちは"),
        ("こんにちは".encode("iso2022_jp"), Alphabet.JAPANESE, "こんにちは"),
        ("漢字丂".encode("euc_jp"), Alphabet.KANJI, "漢字丂"),
        ("漢字丂".encode("iso2022_jp_1"), Alphabet.KANJI, "漢字丂"),
        ("안녕하세요".encode("euc_kr"), Alphabet.KOREAN, "안녕하세요"),
    ],
)
def test_decoding(octets: bytes, alphabet: Alphabet, text: str) -> None:
    assert decode(octets, alphabet) == shown(octets, alphabet) == text


def test_what_is_no_text_is_told() -> None:
    assert decode(b"\x01\x02\x03", Alphabet.BINARY) is None
    assert shown(b"\x01\x02\x03", Alphabet.BINARY) == "[3 bytes that are not text]"


def test_national_tables_reach_the_alphabet() -> None:
    assert decode(b"\x40\x1bA", Alphabet.GSM, locking=1, single=2) == "İÁ"


@given(st.binary(), st.integers(-1, 300), st.integers(0, 255), st.integers(0, 255))
def test_any_octets_in_any_coding(octets: bytes, data_coding: int, locking: int, single: int) -> None:
    alphabet = alphabet_of(data_coding)
    text = decode(octets, alphabet, locking, single)
    assert (text is None) == (alphabet is Alphabet.BINARY)


@given(st.binary(), st.sampled_from(Alphabet))
def test_any_octets_in_any_alphabet(octets: bytes, alphabet: Alphabet) -> None:
    assert isinstance(shown(octets, alphabet), str)
    assert isinstance(shown(b"\x1b" + octets, alphabet), str)
