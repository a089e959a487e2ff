"""Writes a mail into a file: its header, its text (format=flowed; HTML beside it only where the text is
styled), and its attachments, which are never in memory as a whole."""

from __future__ import annotations

import hashlib
import re
from base64 import encodebytes
from collections.abc import Iterator
from datetime import UTC
from email.utils import format_datetime
from pathlib import Path
from quopri import encodestring
from typing import BinaryIO

from backends.email.values import Draft, SavedFile, WrittenMail
from backends.email.writing import fields, flowing, styled_html, styling
from backends.email.writing.fields import field

MOST_REFERENCES = 30
_PIECE = 57 * 1024
"""Octets of a file at once: whole lines of Base64."""

_LONGEST_LINE = 998
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def compose(draft: Draft, path: Path) -> WrittenMail:
    """Write the mail to a new file.

    Raises ValueError if an address or the Message-ID is none, or there is nobody to write to; OSError if a
    file can't be read or written."""
    with path.open("xb") as target:
        for piece in _mail(draft):
            target.write(piece)
        size = target.tell()
    addresses = [draft.sender.address, *(person.address for person in draft.to)]
    return WrittenMail(str(path), size, any(not each.rpartition("@")[0].isascii() for each in addresses))


def _mail(draft: Draft) -> Iterator[bytes]:
    yield _header(draft)
    text = _parts_of_text(draft)
    if not draft.attachments:
        yield text
        return
    boundary = _boundary(draft, "mixed")
    yield _multipart("mixed", boundary)
    yield b"--%b\r\n%b" % (boundary, text)
    for attachment in draft.attachments:
        yield b"\r\n--%b\r\n" % boundary
        yield from _attachment(attachment)
    yield b"\r\n--%b--\r\n" % boundary


def _header(draft: Draft) -> bytes:
    if not draft.to:
        raise ValueError("nobody to write to")
    if not fields.is_id(draft.message_id) or "@" not in draft.message_id:
        raise ValueError("not a Message-ID")
    date = draft.date if draft.date.tzinfo is not None else draft.date.replace(tzinfo=UTC)
    lines = [
        field("From", fields.person(draft.sender)),
        field("To", fields.people(draft.to)),
        field("Date", format_datetime(date)),
        field("Message-ID", f"<{draft.message_id}>"),
        field("Subject", fields.unstructured(draft.subject)),
        field("In-Reply-To", fields.ids([draft.in_reply_to])),
        field("References", fields.ids(_references(draft))),
        field("MIME-Version", "1.0"),
    ]
    return b"".join(line for line in lines if not line.endswith(b": \r\n"))


def _references(draft: Draft) -> tuple[str, ...]:
    """Of a long thread the first and the newest."""
    references = draft.references or ((draft.in_reply_to,) if draft.in_reply_to else ())
    if len(references) <= MOST_REFERENCES:
        return references
    return (references[0], *references[-(MOST_REFERENCES - 1) :])


def _boundary(draft: Draft, use: str) -> bytes:
    """`=_` is in no text that is sent in Quoted-Printable or Base64; `_text` sees to it that it is in no
    other one."""
    return b"=_" + hashlib.sha256(f"{use} {draft.message_id}".encode()).hexdigest()[:32].encode()


def _multipart(kind: str, boundary: bytes) -> bytes:
    return b'Content-Type: multipart/%b;\r\n boundary="%b"\r\n\r\n' % (kind.encode(), boundary)


def _parts_of_text(draft: Draft) -> bytes:
    """The text with its Content-Type: plain, or plain and HTML."""
    text = _CONTROLS.sub("", draft.text.replace("\r\n", "\n").replace("\r", "\n"))
    plain = _text("text/plain", "; format=flowed", flowing.flow(text))
    blocks = styling.blocks(text)
    if not styling.is_styled(blocks):
        return plain
    boundary = _boundary(draft, "alternative")
    html = _text("text/html", "", styled_html.page(blocks))
    between = b"\r\n--%b\r\n" % boundary
    parts = (
        _multipart("alternative", boundary) + between[2:],
        plain,
        between,
        html,
        b"\r\n--%b--\r\n" % boundary,
    )
    return b"".join(parts)


def _text(media_type: str, parameter: str, text: str) -> bytes:
    """A part with text, in the encoding that makes it shortest."""
    raw = text.encode()
    lines = raw.split(b"\n")
    if raw.isascii() and b"=_" not in raw and all(len(line) <= _LONGEST_LINE for line in lines):
        charset, encoding, body = "us-ascii", "7bit", b"\r\n".join(lines) + b"\r\n"
    else:
        charset = "utf-8"
        encoding, body = _encoded(b"\r\n".join(lines) + b"\r\n")
    head = field("Content-Type", f"{media_type}; charset={charset}{parameter}")
    return head + field("Content-Transfer-Encoding", encoding) + b"\r\n" + body


def _encoded(raw: bytes) -> tuple[str, bytes]:
    quoted = encodestring(raw.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    if 3 * len(quoted) <= 5 * len(raw):
        return "quoted-printable", quoted
    return "base64", encodebytes(raw).replace(b"\n", b"\r\n")


def _attachment(file: SavedFile) -> Iterator[bytes]:
    yield field("Content-Type", fields.media_type(file.media_type))
    yield field("Content-Disposition", f"attachment{fields.file_name(file.name or 'attachment')}")
    yield field("Content-Transfer-Encoding", "base64") + b"\r\n"
    with Path(file.path).open("rb") as source:
        yield from _base64(source)


def _base64(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        yield encodebytes(piece).replace(b"\n", b"\r\n")
