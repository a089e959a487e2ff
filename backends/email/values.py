"""The values that the parts of the email backend exchange: servers, people, mails read and mails to
write.

Everything here is frozen and can be sent to another process. Addresses are `local@domain`, lower-cased,
without angle brackets; Message-IDs, too, are without them."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec


class Security(enum.Enum):
    """How a connection to a mail server is encrypted."""

    TLS = "tls"
    """From the first byte (RFC 8314 §3)."""
    STARTTLS = "starttls"
    PLAIN = "plain"
    """Not at all: only where the admin allows it."""


class Server(msgspec.Struct, frozen=True):
    """Where a mail server listens."""

    host: str
    port: int
    security: Security = Security.TLS


class Person(msgspec.Struct, frozen=True):
    """Somebody named in a mail's header. `name` may be empty."""

    address: str
    name: str = ""


class SavedFile(msgspec.Struct, frozen=True):
    """A file in a folder of ours. `name` is what the mail calls it, made safe; `size` is in bytes."""

    path: str
    name: str
    media_type: str
    size: int


class Verdict(enum.Enum):
    """What became of a mail, as a report says (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"


class Report(msgspec.Struct, frozen=True):
    """What a mail server says became of a mail of ours. `message_id` is that mail's (empty: not told),
    `recipient` for whom it was, `text` the reason in words, `status` the enhanced status code (RFC
    3463; empty: none)."""

    verdict: Verdict
    message_id: str
    recipient: str
    text: str
    status: str = ""


class ReadMail(msgspec.Struct, frozen=True):
    """A mail, read.

    `id` is the Message-ID, or a digest of the mail where it has none. `sender` is the author (From), None
    where there is none that could be answered; `reply_to` where answers are wanted instead. `date` is when
    it says that it was sent, aware. `text` is what is new in it, for a chat, without quotes and signatures.
    `cut`: something was left out of `text`; `original` is then the complete text as a file that a person
    can read. `notes` are lines for the user about what is not shown (an attachment that was too big).
    `automatic`: no person wrote it, and no automat may answer it (RFC 3834). `list_id`: the mailing list
    that it came by (RFC 2919). `report`: it is a report on a mail of ours; `more_reports` are on its other
    recipients. `chat`: a chat program wrote it (Delta Chat and its kin), whose subjects are not meant to be
    read; `quoted`: what it repeats of the message that it answers, where such a program says so by quoting;
    `reaction`: `text` is an emoji about that message (RFC 9078). `problem`: it could not be read, and why;
    then there are no other parts than what could be found.
    """

    id: str
    sender: Person | None = None
    reply_to: tuple[Person, ...] = ()
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    date: datetime | None = None
    subject: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    text: str = ""
    cut: bool = False
    original: SavedFile | None = None
    attachments: tuple[SavedFile, ...] = ()
    notes: tuple[str, ...] = ()
    automatic: bool = False
    list_id: str = ""
    report: Report | None = None
    problem: str = ""
    more_reports: tuple[Report, ...] = ()
    chat: bool = False
    quoted: str = ""
    reaction: bool = False


class Limits(msgspec.Struct, frozen=True):
    """How much of a mail is read. Sizes of files are in octets, that of the text in characters."""

    attachment: int = 20 * 1024 * 1024
    """A bigger one is not saved; a note names it."""
    attachments: int = 50
    text: int = 10_000
    """Of the text for the chat; the rest is in `original`."""
    people: int = 500
    """In each of From, Reply-To, To and Cc."""
    parts: int = 500
    depth: int = 20
    """Of parts in parts."""


class Draft(msgspec.Struct, frozen=True):
    """A mail to write. `text` is as typed in a chat, with XEP-0393 styling, if any; `references` are
    oldest first and end with `in_reply_to`."""

    message_id: str
    date: datetime
    sender: Person
    to: tuple[Person, ...]
    subject: str
    text: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    attachments: tuple[SavedFile, ...] = ()


class WrittenMail(msgspec.Struct, frozen=True):
    """A mail as it goes out, in a file with CRLF line ends. `utf8`: an address in it can only be sent with
    SMTPUTF8 (RFC 6531)."""

    path: str
    size: int
    utf8: bool = False
