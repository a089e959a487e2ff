"""Knows what must be known of a mail before it is offered to a server: its size, and whether anything in it
is beyond ASCII."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from backends.email.smtp.dots import Stuffer

PIECE = 128 * 1024
"""Octets read from a file at a time."""

HEADER_LIMIT = 1024 * 1024
_BLIND = re.compile(rb"^(?:resent-)?bcc[ \t]*:", re.IGNORECASE | re.MULTILINE)


class Survey(msgspec.Struct, frozen=True):
    """`size` is in octets as on the wire (dots included: some octets too many); `eight_bit`: it needs
    8BITMIME (RFC 6152); `eight_bit_header`: it needs SMTPUTF8 (RFC 6531)."""

    size: int
    eight_bit: bool
    eight_bit_header: bool


def survey(path: Path) -> Survey:
    """Read a mail through. Blocks: call it in a thread. Raises `OSError`, and `ValueError` for a mail that
    names its blind recipients: they belong into the envelope only (RFC 5322 §3.6.3)."""
    stuffer, size, eight_bit = Stuffer(), 0, False
    header = b""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if not size:
                header = _header(path, piece)
            size += len(stuffer.feed(piece))
            eight_bit = eight_bit or not piece.isascii()
    if _BLIND.search(header):
        raise ValueError("a mail with a Bcc header was to be sent")
    return Survey(size + len(stuffer.end()) - len(b".\r\n"), eight_bit, not header.isascii())


def _header(path: Path, piece: bytes) -> bytes:
    """The header, without the empty line; `piece` is the mail's beginning, and often all that is needed."""
    end = _end(piece)
    if end < 0 and len(piece) == PIECE:
        with path.open("rb") as file:
            piece = file.read(HEADER_LIMIT)
        end = _end(piece)
    return piece if end < 0 else piece[:end]


def _end(text: bytes) -> int:
    found = re.search(rb"\r?\n\r?\n", text)
    return found.start() if found else -1
