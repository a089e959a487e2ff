"""Knows encoded words (RFC 2047) and other ways in which a header's text is written, right ones and wrong
ones. Pure."""

from __future__ import annotations

import binascii
import re

from backends.email.reading import charsets

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_SPACES = re.compile(r"\s+")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


def header_text(raw: bytes) -> str:
    """A header's value as one line of text: words decoded, 8-bit octets understood, no controls."""
    return one_line(decode_words(charsets.decode(raw)))


def one_line(text: str) -> str:
    """Text without line breaks and without doubled spaces."""
    return _SPACES.sub(" ", text).strip()


def decode_words(text: str) -> str:
    """Text with its encoded words decoded; those next to each other are one, even where a character is
    split between them (RFC 2047 §6.2, and what mailers do)."""
    pieces: list[str] = []
    pending, charset, position = b"", "", 0
    for word in _WORD.finditer(text):
        between = text[position : word.start()]
        name = word[1].partition("*")[0].lower()
        glued = position > 0 and not between.strip()
        if not (glued and name == charset):
            pieces.append(charsets.decode(pending, charset))
            pending = b""
        if not glued:
            pieces.append(between)
        pending, charset = pending + _octets(word[2], word[3]), name
        position = word.end()
    pieces += [charsets.decode(pending, charset), text[position:]]
    return "".join(pieces)


def _octets(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    return lenient_base64(raw)


def lenient_base64(raw: bytes) -> bytes:
    """Base64 decoded; what does not belong there is left out, missing padding is no matter."""
    clean = _NOT_BASE64.sub(b"", raw)
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))
