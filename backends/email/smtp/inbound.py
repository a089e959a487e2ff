"""The values that a listener and those behind it exchange: envelopes, answers, limits, options."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

PRIVATE = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


class Protocol(enum.Enum):
    """How mails come in."""

    SMTP = "smtp"
    """RFC 5321."""
    LMTP = "lmtp"
    """RFC 2033: one answer for each recipient."""

    @property
    def greeting(self) -> str:
        """How it is called in the first line (RFC 5321 §4.2)."""
        return "ESMTP" if self is Protocol.SMTP else "LMTP"


class Answer(msgspec.Struct, frozen=True):
    """What the other side is told: a reply code (RFC 5321 §4.2), an enhanced status code (RFC 3463) and
    words, in ASCII."""

    code: int
    status: str
    text: str

    @property
    def accepted(self) -> bool:
        """2xx."""
        return 200 <= self.code < 300

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}"


KNOWN = Answer(250, "2.1.5", "Recipient ok")
TAKEN = Answer(250, "2.0.0", "Mail taken")
NO_MAILBOX = Answer(550, "5.1.1", "There is no such mailbox here")
NOT_NOW = Answer(451, "4.3.0", "Not now, try again later")
MAILBOX_FULL = Answer(452, "4.2.2", "The mailbox is full")
NO_ROOM = Answer(452, "4.3.1", "No room to store the mail, try again later")
TOO_BIG = Answer(552, "5.3.4", "The mail is too big")
LOOP = Answer(554, "5.4.6", "The mail goes round in circles")


def together(answers: Sequence[Answer]) -> Answer:
    """One answer for all recipients of a mail, as SMTP wants it. Where they do not agree all are told to come
    again: those that have the mail are told apart by its Message-ID."""
    if all(each.accepted for each in answers) or all(each.code >= 500 for each in answers):
        return answers[0]
    return next((each for each in answers if 400 <= each.code < 500), NOT_NOW)


class Envelope(msgspec.Struct, frozen=True):
    """How a mail came. `sender` is empty for the null path: then nothing may be sent back automatically.
    `recipients` are in our domains, each once. `peer` is the IP address that it came from, `helo` how that
    calls itself, `size` in octets; `id` names the mail in the log and in its Received header."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    peer: str
    helo: str
    encrypted: bool
    size: int


Check = Callable[[str], Awaitable[Answer]]
"""Asked at RCPT with an address in one of our domains (lower-cased; also `postmaster@...`, which RFC 5321
§4.5.1 wants somebody to read): `KNOWN`, `NO_MAILBOX`, `NOT_NOW`, `MAILBOX_FULL` or an answer of its own. What
it raises is logged, and told as `NOT_NOW`."""

Deliver = Callable[[Envelope, Path], Awaitable[Mapping[str, Answer]]]
"""Given a mail that came in whole: a file, gone after the call unless it is moved away. It returns when the
mail is stored for good, with an answer for each recipient (none: `NOT_NOW`), `TAKEN` as a rule. It is called
again with the same mail when an answer was lost, so doubles must be told by Message-ID and recipient. By
SMTP there is one answer for all of them: unless all agree, all are told to come again. What it raises is
logged, and told as `NOT_NOW`. A client that hangs up does not interrupt it; `ListenLimits.deliver_seconds`
do."""


class ListenLimits(msgspec.Struct, frozen=True):
    """Per listener. `per_ip` connections of one address (a /64 of IPv6 is one address); `mails` on one
    connection; `wrong_recipients` on one connection end it; `mails_per_minute` from one address;
    `data_at_once` mails under way, the others wait. Times are in seconds: without a command, without an octet
    of a mail, for a whole mail, for a connection, for a check, for a delivery."""

    connections: int = 200
    per_ip: int = 50
    mails: int = 200
    recipients: int = 100
    wrong_recipients: int = 20
    mails_per_minute: int = 1200
    data_at_once: int = 8
    command_seconds: float = 300.0
    block_seconds: float = 180.0
    mail_seconds: float = 1800.0
    session_seconds: float = 7200.0
    check_seconds: float = 30.0
    deliver_seconds: float = 300.0


class ListenOptions(msgspec.Struct, frozen=True):
    """What a listener listens to. `domains` are ours; mail for others is refused: nothing is ever relayed.
    `spool` is a folder for mails that are coming in. `hostname` is how it calls itself. With `cert_file` and
    `key_file` (PEM, read again when they change) it offers STARTTLS; `require_tls` wants it. `listen_from`
    are the networks that may connect (empty: all for SMTP, loopback and private ones for LMTP)."""

    domains: tuple[str, ...]
    spool: Path
    hostname: str
    protocol: Protocol = Protocol.SMTP
    host: str = "127.0.0.1"
    port: int = 0
    size_limit: int = 36_000_000
    cert_file: str = ""
    key_file: str = ""
    require_tls: bool = False
    listen_from: tuple[str, ...] = ()
    limits: ListenLimits = ListenLimits()

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that may connect; empty: all."""
        return self.listen_from or (PRIVATE if self.protocol is Protocol.LMTP else ())
