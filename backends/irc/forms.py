"""Knows what is asked of a user who registers, and which answers are taken."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from backends.irc.names import is_hostname, is_nick
from backends.irc.options import Options
from bridge.api import Field, FieldKind, Form, NetworkId, RegistrationRefused

_TLS_CHOICES = (
    ("required", "Required"),
    ("optional", "If possible"),
    ("off", "None"),
)


def form(options: Options, network: NetworkId, known: Mapping[str, str]) -> Form:
    """The form for a network; for the gateway as a whole only what is the same on every network."""
    fields = [
        Field("nick", "Nick", help="Empty: the one that you join with"),
        Field("realname", "Real name", help="Shown to others"),
    ]
    if network or options.fixed_server:
        fields += _login_fields()
        if not options.fixed_server and not options.only_configured and network not in options.networks:
            fields += _server_fields(network)
    name = network or options.fixed_server
    return Form(
        f"Registration with {name}" if name else "Registration with the IRC gateway",
        "Everything is optional. The password is that of your account with the network (NickServ).",
        tuple(_filled(field, known) for field in fields),
    )


def _login_fields() -> list[Field]:
    return [
        Field("username", "Account", help="Your account with the network; empty: the nick"),
        Field("password", "Password", FieldKind.SECRET),
        Field(
            "pass", "Server password", FieldKind.SECRET, help="Only for servers that want one of everybody"
        ),
    ]


def _server_fields(network: NetworkId) -> list[Field]:
    return [
        Field("server", "Server", help=f"Empty: {network}", guarded=True),
        Field("port", "Port", help="Empty: the usual one", guarded=True),
        Field("tls", "Encryption", FieldKind.CHOICE, default="required", choices=_TLS_CHOICES),
    ]


def _filled(field: Field, known: Mapping[str, str]) -> Field:
    value = known.get(field.name, "")
    if field.kind is FieldKind.SECRET or not value:
        return field
    return msgspec.structs.replace(field, default=value)


def check(options: Options, network: NetworkId, values: Mapping[str, str]) -> dict[str, str]:
    """The values to keep; raises `RegistrationRefused`. Values that the form does not ask for are left
    out."""
    asked = {field.name: field for field in form(options, network, {}).fields}
    kept: dict[str, str] = {}
    for name, field in asked.items():
        value = values.get(name, "")
        if field.kind is not FieldKind.SECRET:
            value = value.strip()
        if value:
            kept[name] = _checked(name, value)
    return kept


def _checked(name: str, value: str) -> str:
    if any(character in value for character in "\r\n\0"):
        raise RegistrationRefused("A value must be one line", name)
    if name == "nick" and not is_nick(value):
        raise RegistrationRefused(f"{value!r} cannot be a nick on IRC", name)
    if name == "username" and " " in value:
        raise RegistrationRefused("An account's name has no blanks", name)
    if name == "server":
        value = value.lower()
        if not is_hostname(value):
            raise RegistrationRefused(f"{value!r} is not a host name", name)
    if name == "port" and not (value.isascii() and value.isdecimal() and 0 < int(value[:6]) < 65536):
        raise RegistrationRefused("A port is a number from 1 to 65535", name)
    if name == "tls" and value not in dict(_TLS_CHOICES):
        raise RegistrationRefused("Choose one of: " + ", ".join(dict(_TLS_CHOICES)), name)
    return value
