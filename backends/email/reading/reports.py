"""Reads delivery reports as RFC 3464 has them: a part with a group of fields for each recipient, and the mail
that was sent, or its header. Pure but for the file that they are in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import BinaryIO

from backends.email.reading import header, status_words, threading, transfer
from backends.email.reading.header import Header
from backends.email.reading.structure import Part
from backends.email.reading.words import one_line
from backends.email.values import Report, Verdict

LONGEST = 256 * 1024
MOST = 50
LONGEST_REASON = 500
_VERDICTS = {
    "failed": Verdict.FAILED,
    "delayed": Verdict.DELAYED,
    "delivered": Verdict.DELIVERED,
    "relayed": Verdict.DELIVERED,
    "expanded": Verdict.DELIVERED,
}
_ORDER = list(Verdict)
_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/global-headers",
    "text/plain",
)


def read(file: BinaryIO, root: Part) -> list[Report]:
    """The reports in a mail, failures first; empty if it has none."""
    status = next((part for part in root.walk() if part.media_type in _STATUS_PARTS), None)
    if status is None:
        return []
    message_id = _returned_id(file, root) or threading.in_reply_to(root.header)
    data, _ = transfer.head(file, status, LONGEST)
    reports = [_report(group, message_id) for group in _groups(data)]
    found = [report for report in reports if report is not None]
    return sorted(found, key=lambda report: _ORDER.index(report.verdict))[:MOST]


def _groups(data: bytes) -> Iterable[Header]:
    """The groups of fields; the first is about the mail, not about a recipient (RFC 3464 §2.1)."""
    for block in re.split(rb"\r?\n[ \t]*\r?\n", data.lstrip()):
        fields = header.parse(block.splitlines())
        if fields.has("action") or fields.has("final-recipient"):
            yield fields


def _report(fields: Header, message_id: str) -> Report | None:
    status = next(iter(status_words.CODE.findall(fields.text("status"))), "")
    verdict = _VERDICTS.get(fields.word("action")) or _by_status(status)
    if verdict is None:
        return None
    original = _typed(fields, "original-recipient") or _typed(fields, "final-recipient")
    diagnostic = _typed(fields, "diagnostic-code")
    if status.endswith(".0.0"):
        status = next(iter(status_words.CODE.findall(diagnostic)), status)
    return Report(
        verdict, message_id, original.strip("<>").lower(), reason(verdict, status, diagnostic), status
    )


def _by_status(status: str) -> Verdict | None:
    """What the class of a status means (RFC 3463 §2), where no action is given."""
    return {"5": Verdict.FAILED, "4": Verdict.DELAYED, "2": Verdict.DELIVERED}.get(status[:1])


def _typed(fields: Header, name: str) -> str:
    """`rfc822; ann@example.org` -> `ann@example.org`."""
    text = fields.text(name)
    kind, semicolon, rest = text.partition(";")
    return rest.strip() if semicolon and re.fullmatch(r"[\w-]{1,40}", kind.strip()) else text


def reason(verdict: Verdict, status: str, diagnostic: str) -> str:
    """A verdict's reason in words, with what the server said in its own."""
    said = one_line(diagnostic)[:LONGEST_REASON]
    words = status_words.words(status) if verdict is not Verdict.DELIVERED else "it was delivered"
    if not words:
        return said or f"the mail server gave no reason{f' ({status})' if status else ''}"
    said = said or ("" if verdict is Verdict.DELIVERED else status)
    return f"{words} ({said})" if said else words


def _returned_id(file: BinaryIO, root: Part) -> str:
    """The Message-ID of the mail that comes back, whole or as its header only."""
    for part in root.walk():
        if part is not root and part.media_type in _RETURNED:
            data, _ = transfer.head(file, part, LONGEST)
            found = returned_id(data)
            if found:
                return found
    return ""


def returned_id(data: bytes) -> str:
    """The first Message-ID field in some octets; empty if there is none."""
    lines = data.splitlines()
    for index, line in enumerate(lines):
        if line.strip(b" \t>|")[:11].lower() == b"message-id:":
            value = line.partition(b":")[2] + (lines[index + 1] if index + 1 < len(lines) else b"")
            return next(iter(threading.ids(value)), "")
    return ""
