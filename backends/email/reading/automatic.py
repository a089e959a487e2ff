"""Knows the signs by which a mail says that no person wrote it, or that no automat may answer it (RFC 3834,
RFC 2919, RFC 2369, and what mailers do). Pure."""

from __future__ import annotations

import re

from backends.email.reading.header import Header

_LISTS = ("list-id", "list-unsubscribe", "list-post", "list-help", "mailing-list", "x-mailman-version")
_MARKS = (
    "x-autoreply",
    "x-autorespond",
    "x-auto-reply",
    "x-autoresponder",
    "x-auto-response-suppress",
    "x-failed-recipients",
    "feedback-id",
    "x-mailer-daemon",
    "delivered-by-autoreply",
)
_PRECEDENCE = ("bulk", "junk", "list", "auto_reply", "auto-reply")
_ROBOTS = re.compile(
    r"(?:mailer-daemon|postmaster|majordomo|listserv|do-?not-?reply|no-?reply|bounces?|notifications?"
    r"|owner-.*"
    r"|.*-(?:bounces?|owner|request)|.*[-_.+](?:no-?reply|do-?not-?reply)|(?:no-?reply"
    r"|do-?not-?reply)[-_.+].*)@",
    re.IGNORECASE,
)


def is_automatic(header: Header, sender: str) -> bool:
    """Whether a mail with this header, by this author (an address, or empty), is automatic."""
    if header.word("auto-submitted") not in ("", "no"):
        return True
    if header.word("precedence") in _PRECEDENCE or header.word("x-precedence") in _PRECEDENCE:
        return True
    if any(map(header.has, _LISTS + _MARKS)) or has_no_return_path(header):
        return True
    media_type, _ = header.parameters("content-type")
    return media_type == "multipart/report" or _ROBOTS.match(sender) is not None


def has_no_return_path(header: Header) -> bool:
    """Whether the envelope said that no answer is wanted: `Return-Path: <>` (RFC 5321 §4.5.5)."""
    return header.has("return-path") and header.raw("return-path").strip() in (b"<>", b"")


def list_id(header: Header) -> str:
    """The mailing list (RFC 2919), lower-case; empty if the mail came by none."""
    text = header.text("list-id")
    inner = re.search(r"<([^<>\s]{1,255})>", text)
    if inner:
        return inner[1].lower()
    return text.lower() if re.fullmatch(r"\S{1,255}", text) else ""
