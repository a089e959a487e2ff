"""Knows how a test writes the body of a deliver_sm by hand, also one that no library would."""

from __future__ import annotations

import struct
from collections.abc import Iterable


def tlv(tag: int, value: bytes) -> bytes:
    """An optional parameter."""
    return struct.pack("!HH", tag, len(value)) + value


def deliver_body(
    source: bytes,
    destination: bytes,
    octets: bytes,
    *,
    ton: int = 1,
    npi: int = 1,
    esm_class: int = 0,
    data_coding: int = 0,
    tlvs: Iterable[tuple[int, bytes]] = (),
    length: int | None = None,
) -> bytes:
    """All fields of SMPP 3.4 §4.6.1; `length` is the sm_length that is claimed."""
    return (
        b"\0"
        + bytes([ton, npi])
        + source
        + b"\0"
        + bytes([ton, npi])
        + destination
        + b"\0"
        + bytes([esm_class, 0, 0])
        + b"\0\0"
        + bytes([0, 0, data_coding, 0, len(octets) if length is None else length])
        + octets
        + b"".join(tlv(tag, value) for tag, value in tlvs)
    )
