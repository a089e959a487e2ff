"""Knows the content transfer encodings (RFC 2045 §6): a part's body out of a file, decoded in pieces."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import BinaryIO

from backends.email.reading.structure import Part
from backends.email.reading.words import lenient_base64

_PIECE = 64 * 1024
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]")
_PADDING = re.compile(rb"=+")
_UUENCODED = ("x-uuencode", "x-uue", "uuencode")


def decoded(file: BinaryIO, part: Part) -> Iterator[bytes]:
    """The body in pieces. Damage is passed over; an unknown encoding is taken as none."""
    raw = _raw(file, part.start, part.end)
    encoding = part.encoding
    if encoding == "base64":
        return _base64(raw)
    if encoding == "quoted-printable":
        return _quoted_printable(raw)
    if encoding in _UUENCODED:
        return _uuencoded(raw)
    return raw


def head(file: BinaryIO, part: Part, most: int) -> tuple[bytes, bool]:
    """At most so many octets of the decoded body, and whether that is all of it."""
    pieces, size = [], 0
    for piece in decoded(file, part):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            return b"".join(pieces)[:most], False
    return b"".join(pieces), True


def _raw(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        file.seek(start)
        piece = file.read(min(_PIECE, end - start))
        if not piece:
            return
        start += len(piece)
        yield piece


def _base64(raw: Iterator[bytes]) -> Iterator[bytes]:
    """Several encoded texts after one another, each with its padding, happen; so does no padding."""
    rest = b""
    for piece in raw:
        *whole, rest = _PADDING.split(rest + _NOT_BASE64.sub(b"", piece))
        yield from map(lenient_base64, whole)
        complete = len(rest) - len(rest) % 4
        yield binascii.a2b_base64(rest[:complete])
        rest = rest[complete:]
    yield lenient_base64(rest)


def _quoted_printable(raw: Iterator[bytes]) -> Iterator[bytes]:
    for lines in _whole_lines(raw):
        yield binascii.a2b_qp(lines)


def _uuencoded(raw: Iterator[bytes]) -> Iterator[bytes]:
    for lines in _whole_lines(raw):
        for line in lines.splitlines():
            if line.startswith((b"begin ", b"end")) or not line:
                continue
            try:
                yield binascii.a2b_uu(line)
            except binascii.Error:
                # a line with too little in it, or with blanks lost at its end
                yield _shortened_uu(line)


def _shortened_uu(line: bytes) -> bytes:
    wanted = (((line[0] - 32) & 63) * 4 + 5) // 3
    try:
        return binascii.a2b_uu(line[: wanted + 1].ljust(wanted + 1))
    except binascii.Error:
        return b""  # not uuencoded at all: there is nothing to be had from it


def _whole_lines(raw: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces that end with a line, if lines are not endless."""
    rest = b""
    for piece in raw:
        rest += piece
        end = rest.rfind(b"\n") + 1
        if end == 0 and len(rest) > 16 * _PIECE:
            end = len(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
    yield rest
