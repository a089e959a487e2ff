"""Knows how pieces of text become lines: white space, paragraphs, quotes, cells. Pure."""

from __future__ import annotations

import re

_SPACES = re.compile(r"[ \t\n\r\f]+")
MOST_QUOTES = 20


class Lines:
    """Collects text. `depth` is that of quotes, `indent` stands before each line, `cell` before the next
    text if something is on the line already."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._line: list[str] = []
        self._blank_wanted = False
        self._blank_depth = 0
        self.depth, self.indent, self.number = 0, "", 0
        self.bullet = ""
        self.cell = False

    def text(self, text: str) -> None:
        """Text as HTML has it: white space is one space, or none where one is already."""
        text = _SPACES.sub(" ", text)
        if not self._line or self._line[-1].endswith(" "):
            text = text.lstrip(" ")
        if text:
            self.exactly(text)

    def exactly(self, text: str) -> None:
        """Text that keeps its spaces, without line breaks."""
        if not self._line:
            self._begin()
        elif self.cell and text.strip():
            self._line.append(" | ")
        self.cell = self.cell and not text.strip()
        self._line.append(text)

    def _begin(self) -> None:
        if self._blank_wanted and self._done and self._done[-1].strip("> "):
            self._done.append(self._prefix(min(self._blank_depth, self.depth)).rstrip())
        self._blank_wanted = False
        self._line.append(self._prefix(self.depth) + self.indent + self.bullet)
        self.bullet = ""

    @staticmethod
    def _prefix(depth: int) -> str:
        return ">" * min(depth, MOST_QUOTES) + " " if depth else ""

    def end(self) -> None:
        """End the line, if there is one."""
        if self._line:
            self.newline()
        self.cell = False

    def newline(self) -> None:
        """End the line, and be it empty."""
        if not self._line:
            self._begin()
        self._done.append("".join(self._line).replace("\xa0", " ").rstrip())
        self._line.clear()
        self.number += 1

    def paragraph(self) -> None:
        """End the line and leave an empty one before what comes next."""
        self.end()
        self._blank_depth = min(self.depth, self._blank_depth) if self._blank_wanted else self.depth
        self._blank_wanted = True

    def mark(self) -> tuple[int, int]:
        """Where we are, for `wrap`."""
        return self.number, len(self._line)

    def wrap(self, since: tuple[int, int], sign: str) -> None:
        """Put a sign of styling (XEP-0393) around what was written since then, if it is on one line and
        styling it is possible."""
        number, index = since
        index = max(index, 1)
        inner = "".join(self._line[index:])
        before = self._line[index - 1] if number == self.number and len(self._line) > index else "x"
        core = inner.strip()
        if not core or sign in core or not (before == "" or before[-1].isspace() or inner[0].isspace()):
            return
        lead, trail = inner[: len(inner) - len(inner.lstrip())], inner[len(inner.rstrip()) :]
        self._line[index:] = [lead + sign + core + sign, *([trail] if trail else [])]

    def result(self) -> str:
        """All of it; never more than one empty line at once."""
        self.end()
        text = "\n".join(self._done)
        return re.sub(r"\n{3,}", "\n\n", text).strip("\n")
