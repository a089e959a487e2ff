"""Knows which MAIL and RCPT commands are taken (RFC 5321 §4.1.1.2, §4.1.1.3; RFC 1870, 6152, 6531). Pure."""

from __future__ import annotations

from backends.email.smtp.address import Path, read_path
from backends.email.smtp.inbound import TOO_BIG, Answer

SYNTAX = Answer(501, "5.5.4", "That is not how it is written")
BAD_SEQUENCE = Answer(503, "5.5.1", "Not at this point")
BAD_ADDRESS = Answer(553, "5.1.3", "That is no address")
BAD_PARAMETER = Answer(555, "5.5.4", "A parameter is not known here")
NEEDS_UTF8 = Answer(553, "5.6.7", "The address needs SMTPUTF8")
NO_RELAY = Answer(550, "5.7.1", "Mail for this domain is not taken here")
OK = Answer(250, "2.1.0", "Sender ok")

_BODIES = ("7BIT", "8BITMIME")


class Offer:
    """A mail that a client has begun to offer. `recipients` are the accepted ones in order, doubles
    included: LMTP answers to each."""

    def __init__(self, sender: str, beyond_ascii: bool) -> None:
        self.sender = sender
        self.beyond_ascii = beyond_ascii
        self.recipients: list[str] = []


def read_mail(text: str | None, size_limit: int) -> Offer | Answer:
    """What MAIL says (`FROM:<...> ...`), or why it is not taken."""
    path = _path(text, "FROM:")
    if path is None:
        return SYNTAX
    if path.address == "postmaster":
        return BAD_ADDRESS
    params = dict(path.params)
    size, body, utf8 = params.pop("SIZE", "0"), params.pop("BODY", "7BIT"), params.pop("SMTPUTF8", None)
    if params:
        return BAD_PARAMETER
    if not (size.isascii() and size.isdecimal() and len(size) <= 20) or body.upper() not in _BODIES or utf8:
        return SYNTAX
    if int(size) > size_limit:
        return TOO_BIG
    if utf8 is None and not path.address.isascii():
        return NEEDS_UTF8
    return Offer(path.address, utf8 is not None)


def read_rcpt(text: str | None, offer: Offer, domains: tuple[str, ...]) -> str | Answer:
    """The address that RCPT (`TO:<...>`) names, in one of our domains, or why it is not taken."""
    path = _path(text, "TO:")
    if path is None or not path.address:
        return SYNTAX
    if path.params:
        return BAD_PARAMETER
    address = f"postmaster@{domains[0]}" if path.address == "postmaster" else path.address
    if not address.isascii() and not offer.beyond_ascii:
        return NEEDS_UTF8
    return address if address.rpartition("@")[2] in domains else NO_RELAY


def _path(text: str | None, keyword: str) -> Path | None:
    if text is None or text[: len(keyword)].upper() != keyword:
        return None
    return read_path(text[len(keyword) :])
