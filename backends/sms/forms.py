"""Knows what is asked of a user who registers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from backends.sms.numbers import ASSIGNED, CONFIGURED, read
from backends.sms.options import Options
from bridge.api import Field, FieldKind, Form

PROVIDERS = (("", "None"), ("twilio", "Twilio"), ("signalwire", "SignalWire"))


def form(options: Options, known: Mapping[str, str]) -> Form:
    """The form, filled in with what is known."""
    numbers = [each.number for each in (*read(known.get(CONFIGURED, "")), *read(known.get(ASSIGNED, "")))]
    if known.get("provider") and known.get("number"):
        numbers.append(known["number"])
    numbers = list(dict.fromkeys(numbers))
    fields = [
        Field(ASSIGNED, "Numbers", FieldKind.LINES, admin=True, help="A line each, the route behind a space"),
        Field(CONFIGURED, "Numbers by configuration", FieldKind.LINES, admin=True, help="Set at each start"),
        Field("texts_per_day", "Texts a day", admin=True, help=f"Empty: {options.texts_per_day}"),
        Field("notice", "Texts in one message", help=_notice_help(options)),
        Field("country", "Your country", help="For numbers without +, like US or DE"),
    ]
    if len(numbers) > 1:
        choices = tuple((number, number) for number in numbers)
        fields.append(Field("default", "Your first number", FieldKind.CHOICE, choices=choices))
    if options.takes_own_accounts:
        fields += _own_fields()
    filled = tuple(_filled(field, known) for field in fields)
    return Form("Texts (SMS)", _instructions(options, numbers), filled)


def _own_fields() -> list[Field]:
    return [
        Field(
            "provider", "Your provider", FieldKind.CHOICE, choices=PROVIDERS, help="Where you have numbers"
        ),
        Field("number", "Your number there", help="Like +15551234567"),
        Field("sid", "Account SID or project", help="As the provider shows it", guarded=True),
        Field("token", "Auth token", FieldKind.SECRET, help="As the provider shows it"),
        Field("signing_key", "Signing key", FieldKind.SECRET, help="SignalWire's; it begins with PSK_"),
        Field("space", "SignalWire space", help="The first part of SPACE.signalwire.com", guarded=True),
    ]


def _filled(field: Field, known: Mapping[str, str]) -> Field:
    value = known.get(field.name, "")
    if field.kind is FieldKind.SECRET or not value:
        return field
    return msgspec.structs.replace(field, default=value)


def _notice_help(options: Options) -> str:
    return f"What would be more is sent only when you say it twice; empty: {options.segments_notice}"


def _instructions(options: Options, numbers: list[str]) -> str:
    if numbers:
        return f"Texts to {' and '.join(numbers)} arrive as chat."
    if options.takes_own_accounts:
        return "Texts to your number arrive as chat. The number is one that the admin gave you, or your own."
    return "Texts to the number that the admin gave you arrive as chat."
