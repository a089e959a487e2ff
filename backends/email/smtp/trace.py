"""Knows the trace headers of a mail: those that a listener puts on top, and how a mail that goes round in
circles shows (RFC 5321 §4.4, §6.3)."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime

from backends.email.smtp.inbound import Envelope, Protocol

TRACE_HEADER = "X-Bridge-Trace"
RECEIVED_LIMIT = 50
"""More Received headers than that are a loop."""
OWN_LIMIT = 3
"""As many of our own trace headers are one, too: what was taken in here is never sent on as it is."""

HEADER_LIMIT = 1024 * 1024
_LINE_LIMIT = 200
_UNSAFE = re.compile(r"[^A-Za-z0-9.:_\[\]-]")


def headers(envelope: Envelope, protocol: Protocol, hostname: str, now: datetime) -> bytes:
    """What goes on top of a mail. With more than one recipient none is named: one may be a blind one."""
    helo = _UNSAFE.sub("?", envelope.helo)[:255] or "unknown"
    peer = f"[IPv6:{envelope.peer}]" if ":" in envelope.peer else f"[{envelope.peer}]"
    how = ("LMTP" if protocol is Protocol.LMTP else "ESMTP") + ("S" if envelope.encrypted else "")
    to = f"\r\n\tfor <{envelope.recipients[0]}>" if len(envelope.recipients) == 1 else ""
    lines = (
        f"Return-Path: <{envelope.sender}>",
        f"Received: from {helo} ({peer})\r\n\tby {hostname} with {how} id {envelope.id}{to};\r\n"
        f"\t{format_datetime(now)}",
        f"{TRACE_HEADER}: {hostname}",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()


class LoopWatch:
    """Reads a mail's header as it comes in, in pieces, and counts."""

    def __init__(self, hostname: str) -> None:
        self._own = f"{TRACE_HEADER}: {hostname}".lower().encode()
        self._line = b""
        self._seen = 0
        self._over = False
        self._received = 0
        self._traces = 0

    @property
    def loop(self) -> bool:
        """Whether the mail goes round in circles."""
        return self._received > RECEIVED_LIMIT or self._traces >= OWN_LIMIT

    def feed(self, piece: bytes) -> None:
        """The next piece of the mail; cheap once the header is over."""
        if self._over:
            return
        self._seen += len(piece)
        *lines, rest = (self._line + piece).split(b"\n")
        self._line = rest[:_LINE_LIMIT]
        for line in lines:
            if line in (b"", b"\r"):
                self._over = True
                return
            self._count(line[:_LINE_LIMIT].lower())
        self._over = self._seen > HEADER_LIMIT

    def _count(self, line: bytes) -> None:
        if line.startswith(b"received:"):
            self._received += 1
        elif line.strip() == self._own:
            self._traces += 1
