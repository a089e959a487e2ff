"""The values that the parts of the SMS backend exchange.

Numbers are E.164 (`+15551234567`); contacts are as in `backends.sms.addresses`: a number, a short code, or
the name of an alphanumeric sender."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from bridge.api import Attachment, ContactId, MessageId


class OwnNumber(msgspec.Struct, frozen=True):
    """A number of one of our users: what they text from. `number` is E.164, or a short code's digits;
    `route` names the carrier that it is reached by (empty: the user's own)."""

    number: str
    route: str


class Outgoing(msgspec.Struct, frozen=True):
    """A text to send. `number` is the user's own, `key` the same for every try."""

    number: str
    contact: ContactId
    text: str
    key: str
    attachments: tuple[Attachment, ...] = ()


class Arrived(msgspec.Struct, frozen=True):
    """A whole text that came for one of our numbers.

    `id` is unique within the account, and the same when the carrier brings the text again. `name` is what an
    alphanumeric sender calls itself, as it writes it. `sent_at` is aware; None: just now."""

    number: str
    contact: ContactId
    id: MessageId
    text: str
    name: str = ""
    sent_at: datetime | None = None
    attachments: tuple[Attachment, ...] = ()


class Verdict(enum.Enum):
    """What a carrier reports in the end. What comes before (queued, on its way) is not passed on."""

    DELIVERED = "delivered"
    FAILED = "failed"


class Report(msgspec.Struct, frozen=True):
    """What became of a text of ours, or of one part of it. `id` is the one that `Sent.parts` had; `text` says
    in words why it failed."""

    id: MessageId
    contact: ContactId
    verdict: Verdict
    text: str = ""


OWN_ROUTE = ""
"""The route of numbers that belong to a user's own account with a provider."""
