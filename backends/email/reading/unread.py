"""Makes the most of a mail that could not be read: what its header says. Cheap and safe for any input, so
that it may be done in the bridge's own process."""

from __future__ import annotations

from backends.email.reading import automatic, header, people, threading
from backends.email.values import ReadMail, SavedFile

_LONGEST_FROM, _LONGEST_TO, _LONGEST_SUBJECT = 2000, 4000, 500


def unread(head: bytes, digest: str, problem: str, original: SavedFile) -> ReadMail:
    """What the first octets of a mail tell. `digest` is the id for a mail without one, `original` "
    "the mail."""
    lines = head.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0].splitlines()
    fields = header.parse(lines)
    senders, _ = people.parse(fields.raw("from")[:_LONGEST_FROM], 1)
    recipients, _ = people.parse(fields.raw("to")[:_LONGEST_TO], 20)
    return ReadMail(
        id=threading.message_id(fields) or digest,
        sender=next(iter(senders), None),
        to=recipients,
        date=threading.date(fields),
        subject=fields.text("subject")[:_LONGEST_SUBJECT],
        in_reply_to=threading.in_reply_to(fields),
        references=threading.references(fields),
        original=original,
        automatic=automatic.is_automatic(fields, senders[0].address if senders else ""),
        list_id=automatic.list_id(fields),
        problem=problem,
    )
