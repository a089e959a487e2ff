"""Knows how PDUs stand in a stream: each with its length, a command, a status and a sequence number (SMPP 3.4
§3.2)."""

from __future__ import annotations

import struct
from asyncio import StreamReader

import msgspec

HEADER = 16
"""How many octets of a PDU come before its body."""

MOST_OCTETS = 68 * 1024
"""Of one PDU: a message_payload of 64 KiB, and the rest."""

RESPONSE = 0x8000_0000
GENERIC_NACK = 0x8000_0000

_FIELDS = struct.Struct("!IIII")


class BadLength(Exception):
    """A PDU that is too short, or too long to be one; where the next one begins cannot be told."""

    def __init__(self, length: int, sequence: int) -> None:
        super().__init__(f"it sent a PDU of {length} octets")
        self.sequence = sequence


class Frame(msgspec.Struct, frozen=True):
    """A PDU as it came."""

    octets: bytes
    command: int
    status: int
    sequence: int


async def read_frame(reader: StreamReader) -> Frame:
    """The next PDU. Raises BadLength, IncompleteReadError, OSError."""
    first = await reader.readexactly(HEADER)
    length, command, status, sequence = _FIELDS.unpack(first)
    if not HEADER <= length <= MOST_OCTETS:
        raise BadLength(length, sequence)
    body = await reader.readexactly(length - HEADER)
    return Frame(first + body, command, status, sequence)


def write_frame(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """A whole PDU."""
    return _FIELDS.pack(HEADER + len(body), command, status, sequence) + body


def status_of(pdu: bytes) -> int:
    """The command_status of a PDU."""
    return int.from_bytes(pdu[8:12], "big")


def string_of(pdu: bytes) -> str:
    """The C-octet string that the body begins with; empty where there is none."""
    return pdu[HEADER:].split(b"\0", 1)[0].decode("latin-1").strip()
