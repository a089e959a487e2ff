"""Knows how a mail is put together: finds its parts in a file and notes where they are (RFC 2046 §5.1).
Bodies are not kept, so that a big mail takes little memory. What is nested too deeply, or in too many parts,
stays whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from backends.email.reading import header
from backends.email.reading.header import Header
from backends.email.values import Limits

_LINE = 64 * 1024
"""Longer lines are read in pieces; no boundary is that long."""


@dataclass(slots=True)
class Part:
    """A part: its header, and where its body is in the file. `media_type` is lower-case; what is in a mail
    itself (message/rfc822) is not looked into."""

    header: Header
    media_type: str
    parameters: dict[str, str]
    start: int
    end: int = 0
    children: list[Part] = field(default_factory=list)

    @property
    def disposition(self) -> tuple[str, dict[str, str]]:
        return self.header.parameters("content-disposition")

    @property
    def encoding(self) -> str:
        return self.header.word("content-transfer-encoding")

    @property
    def content_id(self) -> str:
        return self.header.text("content-id").strip("<> ")

    def walk(self) -> Iterator[Part]:
        """This part and all in it, in the mail's order."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting += reversed(part.children)


def scan(file: BinaryIO, limits: Limits) -> tuple[Part, bool]:
    """The mail in a file, and whether parts were left unread because there were too many, or too deep."""
    root, cut = _Scanner(file, limits, {}).run()
    if root.media_type.startswith("multipart/") and not root.children:
        guess = _guessed_boundary(file, root)
        if guess:
            root, cut = _Scanner(file, limits, {root.start: guess}).run()
    return root, cut


def _guessed_boundary(file: BinaryIO, root: Part) -> bytes:
    """A line that looks like a boundary, where the declared one is missing or wrong."""
    file.seek(root.start)
    before = b""
    for _ in range(200):
        line = file.readline(_LINE)
        if not line:
            return b""
        if before.startswith(b"--") and 3 < len(before.rstrip()) < 80 and line[:8].lower() == b"content-":
            return before.rstrip()[2:]
        before = line
    return b""


class _Scanner:
    """Goes through the file once, with the multiparts that are open on a stack."""

    def __init__(self, file: BinaryIO, limits: Limits, guesses: Mapping[int, bytes]) -> None:
        self._file, self._limits, self._guesses = file, limits, guesses
        self._open: list[tuple[bytes, Part]] = []
        self._depths: dict[bytes, int] = {}
        self._leaf: Part | None = None
        self._parts, self._cut = 0, False
        self._line_end = b""

    def run(self) -> tuple[Part, bool]:
        self._file.seek(0)
        root = self._read_part("text/plain")
        whole_line = True
        while line := self._file.readline(_LINE):
            if whole_line and line.startswith(b"--") and self._open:
                self._boundary(line)
            whole_line = line.endswith(b"\n")
            if whole_line:
                self._line_end = line[-2:] if line.endswith(b"\r\n") else b"\n"
        end = self._file.tell()
        self._end_leaf(end)
        for _, part in self._open:
            part.end = end
        root.end = root.end or end
        return root, self._cut

    def _boundary(self, line: bytes) -> None:
        """A line that begins with two hyphens: does it end or begin a part?"""
        text = line.rstrip()[2:]
        depth, closing = self._depths.get(text), False
        if depth is None and text.endswith(b"--"):
            depth, closing = self._depths.get(text[:-2]), True
        if depth is None:
            return
        start = self._file.tell() - len(line)
        self._end_leaf(start - len(self._line_end))
        while len(self._open) > depth + (not closing):
            self._close(start)
        if not closing:
            self._next_part(self._open[-1][1])

    def _next_part(self, parent: Part) -> None:
        if self._parts >= self._limits.parts:
            self._cut = True
            return
        digest = parent.media_type == "multipart/digest"
        parent.children.append(self._read_part("message/rfc822" if digest else "text/plain"))

    def _end_leaf(self, end: int) -> None:
        if self._leaf is not None:
            self._leaf.end = max(end, self._leaf.start)
            self._leaf = None

    def _close(self, end: int) -> None:
        boundary, part = self._open.pop()
        part.end = end
        del self._depths[boundary]

    def _read_part(self, default: str) -> Part:
        """The part whose header begins here. Is it a multipart, it is open then."""
        self._parts += 1
        head = header.parse(self._header_lines())
        media_type, parameters = head.parameters("content-type")
        if media_type.count("/") != 1:
            media_type = {"": default, "text": "text/plain"}.get(media_type, "application/octet-stream")
        part = Part(head, media_type, parameters, self._file.tell())
        boundary = self._guesses.get(part.start) or parameters.get("boundary", "").encode("utf-8").rstrip()
        if not media_type.startswith("multipart/") or not boundary or boundary in self._depths:
            self._leaf = part
        elif len(self._open) >= self._limits.depth:
            self._leaf, self._cut = part, True
        else:
            self._depths[boundary] = len(self._open)
            self._open.append((boundary, part))
        return part

    def _header_lines(self) -> Iterator[bytes]:
        """Lines up to the empty one, which is read, too; a boundary ends a header that nothing else does."""
        octets, first = 0, True
        while line := self._file.readline(_LINE):
            if not line.strip(b"\r\n"):
                return
            stray = not (line[:1] in (b" ", b"\t") or header.is_field(line))
            if stray and not (first and line.startswith((b"From ", b">From "))) and self._begins_body(line):
                self._file.seek(-len(line), 1)
                return
            first = False
            octets += len(line)
            if octets <= header.MOST_OCTETS:
                yield line

    def _begins_body(self, stray: bytes) -> bool:
        """Whether a line that is no field is the body's first: no field, and no end of the header, "
        "follows."""
        if stray.startswith(b"--") and self._is_boundary(stray):
            return True
        here = self._file.tell()
        following = self._file.readline(_LINE)
        self._file.seek(here)
        return not (header.is_field(following) or not following.strip(b"\r\n"))

    def _is_boundary(self, line: bytes) -> bool:
        text = line.rstrip()[2:]
        return text in self._depths or text.removesuffix(b"--") in self._depths
