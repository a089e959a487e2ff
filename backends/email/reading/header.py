"""Knows the header of a mail or of a part: lines into fields, and fields by name. Pure.

Broken headers are read as far as they make sense: a line that is no field is left out, 8-bit octets stay."""

from __future__ import annotations

import re
from collections.abc import Iterable

from backends.email.reading import parameters, words

MOST_OCTETS = 1024 * 1024
MOST_FIELDS = 2000

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_TEXT_FIELD = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")


class Header:
    """Fields, in their order. Names are lower-case, values are raw octets without the line breaks."""

    def __init__(self, fields: Iterable[tuple[str, bytes]] = ()) -> None:
        self.fields = tuple(fields)

    def raw(self, name: str) -> bytes:
        """The first field of that name; empty if there is none."""
        return next((value for known, value in self.fields if known == name), b"")

    def every(self, name: str) -> list[bytes]:
        """All fields of that name."""
        return [value for known, value in self.fields if known == name]

    def has(self, name: str) -> bool:
        """Whether there is such a field, even an empty one."""
        return any(known == name for known, _ in self.fields)

    def text(self, name: str) -> str:
        """The first field of that name as one line of text."""
        return words.header_text(self.raw(name)[: 64 * 1024])

    def word(self, name: str) -> str:
        """The first field's value without parameters and comments, lower-case: for `Auto-Submitted`."""
        return re.split(r"[;(]", self.text(name))[0].strip().lower()

    def parameters(self, name: str) -> tuple[str, dict[str, str]]:
        """The first field's value and parameters; see `parameters.parse`."""
        return parameters.parse(self.raw(name)[: 64 * 1024])


def is_field(line: bytes) -> bool:
    """Whether a line begins a field."""
    return _TEXT_FIELD.match(line) is not None


def parse(lines: Iterable[bytes]) -> Header:
    """Lines (with or without their ends) as a header. What is beyond `MOST_FIELDS` is left out."""
    fields: list[tuple[str, list[bytes]]] = []
    broken = True
    for line in lines:
        line = line.rstrip(b"\r\n")
        if line[:1] in (b" ", b"\t"):
            if not broken:
                fields[-1][1].append(line)
            continue
        match = _FIELD.match(line)
        broken = match is None or len(fields) >= MOST_FIELDS
        if match is not None and not broken:
            fields.append((match[1].decode("ascii").lower(), [match[2]]))
    return Header((name, b" ".join(pieces).strip()) for name, pieces in fields)
