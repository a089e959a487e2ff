"""Knows what a mail server's answer means: for the bridge (an `Outcome`) and in words for the user. Pure.

Codes are RFC 5321 §4.2's, enhanced status codes RFC 3463's and those in IANA's registry of them."""

from __future__ import annotations

import re

import msgspec

from backends.email.smtp import retries
from bridge.api import Later, Outcome, Reason, Refused, Sent

WORDS_LIMIT = 300
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_ENHANCED_FIRST = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")

_NO_MAILBOX = (Reason.NOT_FOUND, "There is no mailbox with this address.")
_NO_DOMAIN = (Reason.NOT_FOUND, "The domain of this address takes no mail, or does not exist.")
_DISABLED = (Reason.GONE, "The mailbox is disabled.")
_FULL = (Reason.RATE_LIMITED, "The mailbox is full.")
_TOO_BIG = (Reason.TOO_LONG, "The mail is too big.")
_SPAM = (Reason.FORBIDDEN, "The mail server takes the mail for spam, or does not trust where it comes from.")
_FORBIDDEN = (Reason.FORBIDDEN, "The mail server does not allow this mail.")
_RELAY = (Reason.FORBIDDEN, "The mail server does not pass mail on to this address for you.")
_SENDER = (Reason.FORBIDDEN, "The mail server does not take your address as the sender.")
_SENDER_CHECK = (
    Reason.FORBIDDEN,
    "The mail server could not verify that the mail is from you (SPF, DKIM, DMARC).",
)
_LOGIN = (Reason.NOT_AUTHORIZED, "The mail server wants a login, or does not take yours.")
_LOGIN_LATER = (Reason.NETWORK_DOWN, "The mail server cannot check the login right now.")
_BAD_ADDRESS = (Reason.BAD_REQUEST, "The address is not written correctly.")
_ROUTE = (Reason.NETWORK_DOWN, "The mail server of this address cannot be reached.")
_EXPIRED = (Reason.TIMEOUT, "The mail could not be delivered in time.")
_LOOP = (Reason.CONFLICT, "The mail goes round in circles.")
_MANY = (Reason.RATE_LIMITED, "The mail server takes no more recipients, or mails, for now.")
_CONTENT = (Reason.UNSUPPORTED, "The mail server does not take this kind of mail.")
_MOVED = (Reason.GONE, "The mailbox has moved.")
_PROTOCOL = (Reason.INTERNAL, "The mail server did not understand the bridge.")
_SYSTEM = (Reason.NETWORK_DOWN, "The mail server has a problem of its own.")
_REFUSED = (Reason.FORBIDDEN, "The mail server refuses the mail.")

Meaning = tuple[Reason, str]

BY_STATUS: dict[str, Meaning] = {
    "1.1": _NO_MAILBOX, "1.2": _NO_DOMAIN, "1.3": _BAD_ADDRESS, "1.4": _BAD_ADDRESS, "1.6": _MOVED,
    "1.7": _SENDER, "1.8": _SENDER, "1.10": _NO_DOMAIN,
    "2.1": _DISABLED, "2.2": _FULL, "2.3": _TOO_BIG,
    "3.2": _SYSTEM, "3.3": _CONTENT, "3.4": _TOO_BIG,
    "4.1": _ROUTE, "4.3": _ROUTE, "4.4": _ROUTE, "4.6": _LOOP, "4.7": _EXPIRED,
    "5.1": _PROTOCOL, "5.2": _PROTOCOL, "5.3": _MANY, "5.4": _PROTOCOL, "5.6": _LOGIN,
    "6.1": _CONTENT, "6.2": _CONTENT, "6.3": _CONTENT, "6.7": _CONTENT, "6.9": _CONTENT,
    "7.1": _FORBIDDEN, "7.2": _FORBIDDEN, "7.8": _LOGIN, "7.9": _LOGIN, "7.11": _LOGIN, "7.13": _LOGIN,
    "7.14": _LOGIN,
    "7.20": _SENDER_CHECK, "7.21": _SENDER_CHECK, "7.22": _SENDER_CHECK, "7.23": _SENDER_CHECK,
    "7.24": _SENDER_CHECK, "7.25": _SENDER_CHECK, "7.26": _SENDER_CHECK, "7.27": _SENDER,
    "7.28": _MANY, "7.29": _SENDER_CHECK, "7.30": _LOGIN,
}  # fmt: skip
"""By subject and detail of the enhanced status code; what is not here goes by its subject."""

BY_SUBJECT: dict[str, Meaning] = {
    "1": _NO_MAILBOX, "2": _DISABLED, "3": _SYSTEM, "4": _ROUTE, "5": _PROTOCOL, "6": _CONTENT,
    "7": _FORBIDDEN,
}  # fmt: skip

BY_CODE: dict[int, Meaning] = {
    421: _SYSTEM, 450: _NO_MAILBOX, 451: _SYSTEM, 452: _MANY,
    500: _PROTOCOL, 501: _BAD_ADDRESS, 502: _PROTOCOL, 503: _PROTOCOL, 504: _PROTOCOL,
    521: _NO_DOMAIN, 523: _TOO_BIG, 530: _LOGIN, 534: _LOGIN, 535: _LOGIN, 538: _LOGIN,
    550: _NO_MAILBOX, 551: _NO_MAILBOX, 552: _TOO_BIG, 553: _BAD_ADDRESS, 554: _REFUSED, 555: _PROTOCOL,
    556: _NO_DOMAIN,
}  # fmt: skip

BY_WORDS: tuple[tuple[re.Pattern[str], Meaning], ...] = (
    (
        re.compile(r"over ?quota|quota exceeded|exceeded.{0,20}quota|(?:mailbox|inbox)\b.{0,20}\bfull", re.I),
        _FULL,
    ),
    (re.compile(r"\brelay(?:ing)?\b", re.I), _RELAY),
    (re.compile(r"temporary authentication failure|authentication server", re.I), _LOGIN_LATER),
    (re.compile(r"too (?:large|big|long)|size (?:limit|exceeds)|exceeds.{0,30}size", re.I), _TOO_BIG),
    (
        re.compile(
            r"spam|junk|virus|malware|black ?list|block ?list|blocked|\bdnsbl\b|\brbl\b|reputation", re.I
        ),
        _SPAM,
    ),
    (re.compile(r"dmarc|dkim|\bspf\b", re.I), _SENDER_CHECK),
    (re.compile(r"sender.{0,30}(?:denied|refused|rejected|not (?:owned|allowed|permitted))", re.I), _SENDER),
    (re.compile(r"(?:unknown|invalid|no such|not found|unrouteable|does ?n[o']t exist)", re.I), _NO_MAILBOX),
    (re.compile(r"disabled|inactive|suspended", re.I), _DISABLED),
    (re.compile(r"policy|access denied|not (?:allowed|permitted|authori[sz]ed)", re.I), _FORBIDDEN),
)
"""For answers whose codes say little: the first that fits."""

_VAGUE_STATUS = frozenset({"0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0", "7.1"})
_VAGUE_CODES = frozenset({450, 451, 452, 454, 550, 552, 554})


class Reply(msgspec.Struct, frozen=True):
    """A mail server's answer: its code and its text, lines separated by `\\n`."""

    code: int
    text: str = ""

    @property
    def positive(self) -> bool:
        """2xx: done (RFC 5321 §4.2.1)."""
        return 200 <= self.code < 300

    @property
    def status(self) -> str:
        """The enhanced status code; empty: none."""
        found = _ENHANCED_FIRST.match(self.text)
        return found[1] if found else ""

    @property
    def too_many_recipients(self) -> bool:
        """The others are wanted in a mail of their own (RFC 5321 §4.5.3.1.10)."""
        return (self.code == 452 and self.status in ("", "4.5.3")) or self.status == "5.5.3"


def meaning(code: int, status: str, words: str) -> Meaning:
    """(reason, a sentence for the user) for a negative answer. `status` may be empty; `code` may be 0, where
    only a status is known (a report, RFC 3464)."""
    _, _, detail = status.partition(".")
    vague = detail in _VAGUE_STATUS or (not detail and (code in _VAGUE_CODES or not code))
    if vague and (found := next((what for pattern, what in BY_WORDS if pattern.search(words)), None)):
        return found
    if detail in BY_STATUS:
        return BY_STATUS[detail]
    if detail and detail != "0.0":
        return BY_SUBJECT.get(detail.partition(".")[0], _REFUSED)
    return BY_CODE.get(code, _REFUSED)


def words_of(reply: Reply) -> str:
    """What the server said, on one line, fit to be shown: `550 5.1.1 User unknown`."""
    status = reply.status
    lines = [line.strip() for line in reply.text.split("\n")]
    said = " ".join([status, *(line.removeprefix(status).strip() for line in lines)] if status else lines)
    clean = "".join(c if c.isprintable() else " " for c in said.encode("utf-8", "replace").decode())
    text = " ".join(f"{reply.code} {clean}".split()) if reply.code > 0 else " ".join(clean.split())
    return text if len(text) <= WORDS_LIMIT else text[: WORDS_LIMIT - 1] + "…"


def refusal(reply: Reply, server: str) -> Refused:
    """A 5xx for the user, with the server's own words."""
    reason, sentence = meaning(reply.code, reply.status, reply.text)
    return Refused(reason, f"{sentence} {server} says: {words_of(reply)}")


def postponement(reply: Reply, server: str, attempts: int, jitter: float = 0.5) -> Later:
    """A 4xx: when to try again, and why. `attempts` counts this one."""
    asked = retries.wanted_pause(reply.text)
    after = max(retries.pause(attempts, jitter), asked) if asked else retries.pause(attempts, jitter)
    if retries.greylisted(reply.text):
        return Later(after, f"{server} makes new senders wait a little (greylisting): {words_of(reply)}")
    _, sentence = meaning(reply.code, reply.status, reply.text)
    return Later(after, f"{sentence} {server} says: {words_of(reply)}")


def outcome(reply: Reply, server: str, attempts: int, jitter: float = 0.5) -> Outcome:
    """What a final answer to MAIL, RCPT, DATA or the mail itself comes to. What is no SMTP is tried again: no
    server that says it has taken the mail."""
    if reply.positive:
        return Sent()
    if 500 <= reply.code < 600:
        return refusal(reply, server)
    return postponement(reply, server, attempts, jitter)
