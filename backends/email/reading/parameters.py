"""Knows the parameters of Content-Type and Content-Disposition, as written by the book (RFC 2045, RFC 2231)
and otherwise. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from backends.email.reading import charsets
from backends.email.reading.words import decode_words, one_line

MOST = 100
"""Parameters that are looked at."""

_PIECE = re.compile(r"(?P<name>[^*=]{1,100})(?:\*(?P<number>\d{1,3}))?(?P<encoded>\*)?$")


def parse(raw: bytes) -> tuple[str, dict[str, str]]:
    """`text/plain; charset=utf-8` -> (`text/plain`, {`charset`: `utf-8`}). Names and the value are
    lower-case."""
    value, *rest = _split(charsets.decode(raw))
    return one_line(value).lower(), _collected(rest[:MOST])


def _split(text: str) -> list[str]:
    """The pieces between semicolons that are not quoted."""
    pieces, start, quoted, escaped = [], 0, False, False
    for position, letter in enumerate(text):
        if escaped:
            escaped = False
        elif letter == "\\" and quoted:
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter == ";" and not quoted:
            pieces.append(text[start:position])
            start = position + 1
    return [*pieces, text[start:]]


def _collected(pieces: list[str]) -> dict[str, str]:
    plain: dict[str, str] = {}
    continued: dict[str, dict[int, tuple[bool, str]]] = {}
    for piece in pieces:
        name, _, value = piece.partition("=")
        match = _PIECE.match(name.strip().lower())
        if match is None:
            continue
        value = _unquoted(value.strip())
        if match["number"] is None and match["encoded"] is None:
            plain.setdefault(match["name"], one_line(decode_words(value)))
        else:
            parts = continued.setdefault(match["name"], {})
            parts.setdefault(int(match["number"] or 0), (bool(match["encoded"]), value))
    return plain | {name: _joined(parts) for name, parts in continued.items()}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:].removesuffix('"'))


def _joined(parts: dict[int, tuple[bool, str]]) -> str:
    """The pieces of a value together (RFC 2231 §3, §4); the charset stands before the first."""
    data, charset = b"", ""
    for number in sorted(parts):
        encoded, value = parts[number]
        if encoded and number == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        data += unquote_to_bytes(value) if encoded else value.encode("utf-8", "replace")
    return one_line(charsets.decode(data, charset))
