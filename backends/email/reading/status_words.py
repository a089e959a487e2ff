"""Knows the enhanced status codes of mail servers (RFC 3463) in words for people. Pure."""

from __future__ import annotations

import re

CODE = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.-])([245][0-5]\d)(?=[ \-:,;]|$)")

_EXACT = {
    "1.1": "there is no such mailbox",
    "1.2": "there is no such domain",
    "1.3": "the address is not written as it should be",
    "1.4": "the address fits more than one mailbox",
    "1.6": "the mailbox has moved",
    "1.10": "there is no such recipient",
    "2.1": "the mailbox is switched off",
    "2.2": "the mailbox is full",
    "2.3": "the mail is too big for the mailbox",
    "2.4": "the mailing list could not be reached",
    "3.1": "the mail server has no room left",
    "3.2": "the mail server takes no mail at the moment",
    "3.4": "the mail is too big for the server",
    "4.1": "the mail server does not answer",
    "4.2": "the connection to the mail server broke",
    "4.3": "the domain's mail server was not found",
    "4.4": "the way to the mail server was not found",
    "4.5": "the mail server is too busy",
    "4.6": "the mail goes round in a circle",
    "4.7": "it could not be delivered in time",
    "5.3": "it has too many recipients",
    "7.1": "the server refused it by its rules",
    "7.26": "the server refused it: the sender is not proven (SPF, DKIM)",
}
_SUBJECTS = {
    "1": "something is wrong with the address",
    "2": "something is wrong with the mailbox",
    "3": "something is wrong with the mail server",
    "4": "the mail server could not be reached",
    "5": "the mail servers did not understand each other",
    "6": "the server does not take such content",
    "7": "the server refused it by its rules",
}


def words(status: str) -> str:
    """What a status such as `5.1.1` means; empty for one that says nothing."""
    kind, _, detail = status.partition(".")
    if kind == "4" and detail.startswith("7."):
        return "the server does not take it yet"
    return _EXACT.get(detail) or _SUBJECTS.get(detail.partition(".")[0], "")


def find(text: str) -> str:
    """The first enhanced status code in a text or, for want of one, what its SMTP reply code amounts to
    (`550` -> `5.0.0`); empty if there is none."""
    exact = CODE.search(text)
    if exact:
        return exact[1]
    reply = _REPLY.search(text)
    return f"{reply[1][0]}.0.0" if reply else ""
