"""User Data Headers: those of the specification's examples, broken ones, and any octets."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.sms.text import udh
from backends.sms.text.udh import Concatenation, Element, Header, Ports

TEXT = b"hello"


def header(*elements: tuple[int, bytes]) -> bytes:
    octets = b"".join(bytes((id_, len(data))) + data for id_, data in elements)
    return bytes((len(octets),)) + octets


@pytest.mark.parametrize(
    ("elements", "concatenation", "ports", "locking", "single"),
    [
        ([(0x00, b"\xcc\x02\x01")], Concatenation(0xCC, 2, 1), None, 0, 0),
        ([(0x08, b"\x12\x34\x03\x02")], Concatenation(0x1234, 3, 2), None, 0, 0),
        ([(0x05, b"\x15\x81\x15\x8a")], None, Ports(0x1581, 0x158A), 0, 0),
        ([(0x04, b"\xf0\xf1")], None, Ports(0xF0, 0xF1), 0, 0),
        ([(0x24, b"\x02"), (0x25, b"\x03")], None, None, 3, 2),
        (
            [(0x70, b""), (0x05, b"\0\1\0\2"), (0x00, b"\1\2\2"), (0x24, b"\1")],
            Concatenation(1, 2, 2),
            Ports(1, 2),
            0,
            1,
        ),
        # given twice: the last one
        ([(0x00, b"\1\2\2"), (0x08, b"\0\2\3\3")], Concatenation(2, 3, 3), None, 0, 0),
        ([(0x08, b"\0\2\3\3"), (0x00, b"\1\2\2")], Concatenation(1, 2, 2), None, 0, 0),
        # of a wrong length
        ([(0x00, b"\1\2"), (0x08, b"\1\2\3"), (0x24, b""), (0x25, b"\1\2"), (0x05, b"\1")], None, None, 0, 0),
        ([], None, None, 0, 0),
    ],
)
def test_reading(
    elements: list[tuple[int, bytes]],
    concatenation: Concatenation | None,
    ports: Ports | None,
    locking: int,
    single: int,
) -> None:
    octets = header(*elements)
    found, text = udh.read(octets + TEXT)
    as_elements = tuple(Element(*each) for each in elements)
    assert found == Header(len(octets), as_elements, concatenation, ports, locking, single)
    assert text == TEXT


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x05",
        b"\x05\x00\x03\x01",
        b"Hello, there was never a header",
        b"\x05\x00\x04\x01\x02\x01text",
        b"\x06\x00\x03\x01\x02\x01\x00text",
        b"\x01\x00text",
    ],
)
def test_a_broken_header_is_text(octets: bytes) -> None:
    assert udh.read(octets) == (udh.NONE, octets)


@given(st.binary())
@example(b"\0")
def test_any_octets(octets: bytes) -> None:
    found, text = udh.read(octets)
    assert octets[found.length :] == text
    told = b"".join(bytes((each.id, len(each.octets))) + each.octets for each in found.elements)
    assert octets[1 : found.length] == told


NUMBERS = st.integers(0, 255)


@given(st.integers(0, 0xFFFF), NUMBERS, NUMBERS)
def test_what_is_written_is_read(reference: int, total: int, place: int) -> None:
    part = Concatenation(reference, total, place)
    wide, text = udh.read(udh.concatenated_16(part) + TEXT)
    assert (wide.concatenation, wide.length, text) == (part, 7, TEXT)
    narrow, text = udh.read(udh.concatenated_8(part) + TEXT)
    assert narrow.concatenation == Concatenation(reference & 0xFF, total, place)
    assert (narrow.length, text) == (6, TEXT)


def test_octets_as_written() -> None:
    assert udh.concatenated_8(Concatenation(0xCC, 2, 1)) == bytes.fromhex("050003cc0201")
    assert udh.concatenated_16(Concatenation(0x1CC, 2, 1)) == bytes.fromhex("06080401cc0201")
