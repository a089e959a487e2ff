"""Knows the fields that say which mail this is, and which it answers (RFC 5322 §3.6.4), and when it was sent.
Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from backends.email.reading import charsets
from backends.email.reading.header import Header

MOST_REFERENCES = 100
_ID = re.compile(r"<([^<>\s]{1,900})>")
_BARE_ID = re.compile(r"[^<>\s]{1,900}@[^<>\s]{1,255}")


def ids(raw: bytes) -> tuple[str, ...]:
    """The Message-IDs in a field, without angle brackets."""
    text = charsets.decode(raw)
    found = _ID.findall(text)
    if not found and (bare := _BARE_ID.fullmatch(text.strip(" <>"))):
        found = [bare[0]]
    return tuple(found)


def message_id(header: Header) -> str:
    """The mail's own id; empty if it has none."""
    return next(iter(ids(header.raw("message-id"))), "")


def references(header: Header) -> tuple[str, ...]:
    """What led to this mail, oldest first; of a very long thread the first and the newest."""
    found = ids(header.raw("references"))
    if len(found) > MOST_REFERENCES:
        found = (found[0], *found[-(MOST_REFERENCES - 1) :])
    return found


def in_reply_to(header: Header) -> str:
    """What this mail answers: In-Reply-To or, where that is missing, the last reference; or empty."""
    return next(iter(ids(header.raw("in-reply-to")) or ids(header.raw("references"))[-1:]), "")


def date(header: Header) -> datetime | None:
    """When the mail says that it was sent. None if it does not say so, or nonsense."""
    text = header.text("date")
    try:
        found = parsedate_to_datetime(text[:200])
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(found.tzinfo or UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        # the library fails in as many ways as dates are broken; a mail without a date is fine
        return None
