"""Knows how a mail is written on the wire: CRLF at each line's end, dots doubled, a dot at the end (RFC
5321 §4.5.2), and back. Pure; works on pieces of any size."""

from __future__ import annotations

END = b"\r\n.\r\n"


class Stuffer:
    """Makes pieces of a mail ready to send. Whatever ends a line in it (CRLF, LF, CR) goes out as CRLF, so
    that no server can see another end of the mail than we do (RFC 5321 §2.3.8)."""

    def __init__(self) -> None:
        self._after_cr = False
        self._line_start = True

    def feed(self, piece: bytes) -> bytes:
        """The next piece, ready to send."""
        if not piece:
            return b""
        if self._after_cr and piece[:1] == b"\n":
            piece = piece[1:]
            if not piece:
                self._after_cr = False
                return b""
        self._after_cr = piece[-1:] == b"\r"
        lines = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n.", b"\n..")
        if self._line_start and lines[:1] == b".":
            lines = b"." + lines
        self._line_start = lines[-1:] == b"\n"
        return lines.replace(b"\n", b"\r\n")

    def end(self) -> bytes:
        """What ends the mail."""
        return b".\r\n" if self._line_start else b"\r\n.\r\n"


class Unstuffer:
    """Finds the end of a mail in what comes in, and takes the doubled dots out. Only CRLF "." CRLF ends a
    mail; everything else is left as it is."""

    def __init__(self) -> None:
        self._held = b"\r\n"  # the end of the line DATA: a dot may follow at once
        self._skip = 2
        self.finished = False

    def feed(self, piece: bytes) -> tuple[bytes, bytes]:
        """(the mail's next bytes, what came after its end)."""
        data = self._held + piece
        end = data.find(END)
        if end >= 0:
            self.finished = True
            return self._out(data[: end + 2]), data[end + len(END) :]
        keep = next(size for size in range(len(END) - 1, -1, -1) if data.endswith(END[:size]))
        cut = len(data) - keep
        self._held = data[cut:]
        return self._out(data[:cut]), b""

    def _out(self, data: bytes) -> bytes:
        skip, self._skip = self._skip, max(0, self._skip - len(data))
        return data.replace(b"\r\n.", b"\r\n")[skip:]
