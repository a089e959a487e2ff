"""Knows how the bytes of an IMAP server fall into responses (RFC 9051 §2.2.2, §4.3): lines, with literals
between them. It knows no command and does no I/O, and what it holds at once is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bridge.api import ProtocolError

LONGEST_LINE = 2 * 1024 * 1024
"""Bytes: the numbers of a quarter of a million mails in an answer to SEARCH."""
LARGEST_RESPONSE = 4 * 1024 * 1024

_LITERAL = re.compile(rb"~?\{(\d{1,10})\+?\}$")
# What ends like a literal in a text for people is none (RFC 9051 §7.1: resp-text).
_FOR_PEOPLE = re.compile(rb"\*\s+(OK|NO|BAD|BYE|PREAUTH)\b|\+|[^*\s]+\s+(OK|NO|BAD)\b", re.IGNORECASE)

Response = tuple[bytes, ...]
"""Line, literal, line, literal, ..., line: an odd number of parts, without the ends of lines and the marks
of literals (`{12}`)."""


class Reader:
    """Takes what comes and yields whole responses. `largest_literal` is in bytes."""

    def __init__(self, largest_literal: int) -> None:
        self._largest_literal = largest_literal
        self._buffer = bytearray()
        self._searched = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._literal: int | None = None

    @property
    def between_responses(self) -> bool:
        """Nothing has come that is not a whole response."""
        return not self._buffer and not self._parts

    def feed(self, data: bytes) -> Iterator[Response]:
        """The responses that are whole with this data. Raises `ProtocolError` where they are too large."""
        self._buffer += data
        while True:
            part = self._line() if self._literal is None else self._whole_literal()
            if part is None:
                return
            response = self._add(part)
            if response is not None:
                yield response

    def _whole_literal(self) -> bytes | None:
        assert self._literal is not None
        if len(self._buffer) < self._literal:
            return None
        with memoryview(self._buffer) as view:
            literal = bytes(view[: self._literal])
        del self._buffer[: self._literal]
        return literal

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched)
        if max(end, len(self._buffer) if end < 0 else 0) > LONGEST_LINE:
            raise ProtocolError("The mail server sent a line that is too long")
        if end < 0:
            self._searched = len(self._buffer)
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def _add(self, part: bytes) -> Response | None:
        self._size += len(part)
        if self._size > LARGEST_RESPONSE:
            raise ProtocolError("The mail server sent a response that is too large")
        was_literal, self._literal = self._literal is not None, None
        if not was_literal:
            part = self._without_mark(part)
        self._parts.append(part)
        if was_literal or self._literal is not None:
            return None
        response = tuple(self._parts)
        self._parts.clear()
        self._size = 0
        return response

    def _without_mark(self, line: bytes) -> bytes:
        mark = _LITERAL.search(line)
        if mark is None or (not self._parts and _FOR_PEOPLE.match(line)):
            return line
        self._literal = int(mark[1])
        if self._literal > self._largest_literal:
            raise ProtocolError("The mail server sent more at once than it was asked for")
        return line[: mark.start()]
