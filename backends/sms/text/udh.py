"""The User Data Header (3GPP TS 23.040 §9.2.3.24): read from any octets, and written for texts in parts."""

from __future__ import annotations

import enum

import msgspec


class Id(enum.IntEnum):
    """The information elements that we know, by their identifiers."""

    CONCATENATED_8 = 0x00
    PORTS_8 = 0x04
    PORTS_16 = 0x05
    CONCATENATED_16 = 0x08
    SINGLE_SHIFT = 0x24
    LOCKING_SHIFT = 0x25


class Element(msgspec.Struct, frozen=True):
    """An information element."""

    id: int
    octets: bytes


class Concatenation(msgspec.Struct, frozen=True):
    """Part `place` of `total` (§9.2.3.24.1, §9.2.3.24.8). What was received may be nonsense: 0, or more than
    `total`."""

    reference: int
    total: int
    place: int


class Ports(msgspec.Struct, frozen=True):
    """The application ports that a text is for (§9.2.3.24.3, §9.2.3.24.4): then it is seldom for people."""

    destination: int
    origin: int


class Header(msgspec.Struct, frozen=True):
    """What a header says. `length` is in octets, with the one that gives it; 0: there is none. `locking` and
    `single` are national language identifiers, 0 where none is named."""

    length: int = 0
    elements: tuple[Element, ...] = ()
    concatenation: Concatenation | None = None
    ports: Ports | None = None
    locking: int = 0
    single: int = 0


NONE = Header()


def read(octets: bytes) -> tuple[Header, bytes]:
    """The header that user data begins with, and what follows it; never raises.

    One that does not fit its length octet, or whose elements do not fit it, is no header: all of it is text.
    Of elements given twice the last one counts (§9.2.3.24); those of a wrong length are passed over."""
    length = octets[0] + 1 if octets else 0
    elements = _elements(octets[1:length]) if length <= len(octets) else None
    if elements is None:
        return NONE, octets
    return _header(length, elements), octets[length:]


def _elements(octets: bytes) -> list[Element] | None:
    found = []
    at = 0
    while at < len(octets):
        if at + 1 == len(octets) or (end := at + 2 + octets[at + 1]) > len(octets):
            return None
        found.append(Element(octets[at], octets[at + 2 : end]))
        at = end
    return found


def _header(length: int, elements: list[Element]) -> Header:
    concatenation, ports, locking, single = None, None, 0, 0
    for element in elements:
        match element.id, tuple(element.octets):
            case Id.CONCATENATED_8, (reference, total, place):
                concatenation = Concatenation(reference, total, place)
            case Id.CONCATENATED_16, (high, low, total, place):
                concatenation = Concatenation(high << 8 | low, total, place)
            case Id.PORTS_8, (destination, origin):
                ports = Ports(destination, origin)
            case Id.PORTS_16, (high, low, origin_high, origin_low):
                ports = Ports(high << 8 | low, origin_high << 8 | origin_low)
            case Id.SINGLE_SHIFT, (language,):
                single = language
            case Id.LOCKING_SHIFT, (language,):
                locking = language
    return Header(length, tuple(elements), concatenation, ports, locking, single)


def concatenated_8(part: Concatenation) -> bytes:
    """The header of a part, with a reference of 8 bits; higher ones are cut off."""
    return bytes((5, Id.CONCATENATED_8, 3, part.reference & 0xFF, part.total, part.place))


def concatenated_16(part: Concatenation) -> bytes:
    """The header of a part, with a reference of 16 bits; higher ones are cut off."""
    reference = part.reference & 0xFFFF
    return bytes((6, Id.CONCATENATED_16, 4, *divmod(reference, 256), part.total, part.place))
