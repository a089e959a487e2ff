"""Knows what is asked of a user who registers, and how what was found out is kept."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from backends.email.options import Options
from backends.email.values import Security, Server
from bridge.api import Field, FieldKind, Form

MAILBOX, DOMAIN = "mailbox", "domain"
"""The two kinds of accounts."""

MOST_BACKFILL = 500
_FOUND = "Found by itself, as a rule"


def form(options: Options, known: Mapping[str, str]) -> Form:
    """The form, filled in with what is known."""
    fields = [Field("email", "Mail address", required=True, help=_address_help(options), guarded=True)]
    if options.mailboxes:
        fields.append(Field("password", "Password", FieldKind.SECRET, help=_password_help(options)))
    fields.append(Field("name", "Your name", help="Shown to those who get mail from you"))
    if options.mailboxes:
        fields += [
            Field("username", "User name", help="Where it is not the address"),
            Field(
                "imap_server", "Server for reading (IMAP)", help="Found by itself, as a rule", guarded=True
            ),
            Field(
                "smtp_server", "Server for sending (SMTP)", help="Found by itself, as a rule", guarded=True
            ),
            Field("backfill", "Older mails to show", help=f"A number up to {MOST_BACKFILL}; empty: none"),
        ]
    return Form("Mail", _instructions(options), tuple(_filled(field, known) for field in fields))


def _filled(field: Field, known: Mapping[str, str]) -> Field:
    value = known.get(field.name, "")
    if field.kind is FieldKind.SECRET or not value:
        return field
    return msgspec.structs.replace(field, default=value)


def _address_help(options: Options) -> str:
    if not options.domain:
        return "Of your mailbox"
    own = f"A new one like you@{options.domain}"
    return f"{own}, or that of your mailbox elsewhere" if options.mailboxes else own


def _password_help(options: Options) -> str:
    text = "Of your mailbox; with some providers one made for this use (an app password)"
    return f"{text}. Not needed for an address at {options.domain}" if options.domain else text


def _instructions(options: Options) -> str:
    if not options.mailboxes:
        return f"Choose an address at {options.domain}. Mail to it will arrive as chat."
    return "Your mail will arrive as chat, and what you answer goes out as mail. The login is tried first."


def stored(server: Server) -> str:
    """A server as it is kept in the settings."""
    return f"{server.security.value} {server.port} {server.host}"


def stored_servers(settings: Mapping[str, str]) -> tuple[Server, Server]:
    """The servers for reading and for sending, as they were kept."""
    return _read(settings.get("imap", "")), _read(settings.get("smtp", ""))


def _read(text: str) -> Server:
    security, port, host = (text or "tls 993 localhost").split(" ", 2)
    return Server(host, int(port), Security(security))
