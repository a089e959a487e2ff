"""Knows which registrations are accepted: those with a number."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

import phonenumbers

from backends.sms.http.own import hook_of
from backends.sms.numbers import ASSIGNED, CONFIGURED, NoSuchRoute, Numbers, read, write
from backends.sms.options import Options
from backends.sms.values import OwnNumber
from bridge.api import RegistrationRefused

LONGEST = 200
SECRETS = ("token", "signing_key")
_OWN_NUMBER = re.compile(r"\+[0-9]{5,15}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ._&-]{1,11}")
"""E.164, a short code, or a name to send by."""

TryAccount = Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
"""Tries a user's own account with a provider; returns what more to keep. Raises RegistrationRefused."""


class SignUp:
    """Judges what a user, or the admin for them, gave."""

    def __init__(self, options: Options, numbers: Numbers, try_account: TryAccount) -> None:
        self._options = options
        self._numbers = numbers
        self._try_account = try_account

    async def judge(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """The values to keep. Raises `RegistrationRefused`."""
        given = {name: _tidy(name, value) for name, value in values.items()}
        kept = {
            ASSIGNED: write(self._assigned(given)),
            CONFIGURED: write(self._configured(given)),
            "notice": _count("notice", given.get("notice", ""), 255),
            "texts_per_day": _count("texts_per_day", given.get("texts_per_day", ""), 1_000_000),
            "country": _country(given.get("country", "")),
            "default": given.get("default", ""),
        }
        self._check_others(kept)
        if given.get("provider") and self._options.takes_own_accounts:
            kept |= await self._own(given)
        elif not kept[ASSIGNED] and not kept[CONFIGURED]:
            raise RegistrationRefused(self._no_number())
        return kept

    def _assigned(self, given: Mapping[str, str]) -> tuple[OwnNumber, ...]:
        try:
            numbers = self._numbers.from_lines(given.get(ASSIGNED, ""))
        except NoSuchRoute as error:
            raise RegistrationRefused(str(error), ASSIGNED) from error
        for each in numbers:
            if not _OWN_NUMBER.fullmatch(each.number):
                raise RegistrationRefused(f"{each.number!r} is no number like +15551234567.", ASSIGNED)
        return numbers

    def _configured(self, given: Mapping[str, str]) -> list[OwnNumber]:
        """What the configuration gave them at the last start; nobody else can."""
        known = read(given.get(CONFIGURED, ""))
        return [each for each in known if self._numbers.is_configured(each.number)]

    def _check_others(self, kept: Mapping[str, str]) -> None:
        """The configuration says whose a number is, and not the admin's commands, too."""
        own = [each.number for each in read(kept[CONFIGURED])]
        for each in read(kept[ASSIGNED]):
            if self._numbers.is_configured(each.number) and each.number not in own:
                raise RegistrationRefused(f"{each.number} is taken: see the configuration.", ASSIGNED)

    def _no_number(self) -> str:
        if self._options.takes_own_accounts:
            return "You have no number here. Ask the gateway's admin for one, or enter that of your provider."
        return "You have no number here. Ask the gateway's admin for one."

    async def _own(self, given: Mapping[str, str]) -> Mapping[str, str]:
        """A user's own account with a provider."""
        for name, label in (("number", "number"), ("sid", "account SID"), ("token", "auth token")):
            if not given.get(name):
                raise RegistrationRefused(f"The {label} is missing.", name)
        number = "+" + "".join(filter(str.isdecimal, given["number"]))
        if not given["number"].startswith("+") or not _OWN_NUMBER.fullmatch(number):
            raise RegistrationRefused(f"{given['number']!r} is no number like +15551234567.", "number")
        if self._numbers.is_configured(number):
            raise RegistrationRefused(f"{number} is taken by somebody else here.", "number")
        asked = ("provider", "sid", "space", *SECRETS)
        hook = hook_of(given["sid"], given["token"], number)
        own = {**{name: given.get(name, "") for name in asked}, "number": number, "hook": hook}
        return {**own, **await self._try_account(own)}


def _country(text: str) -> str:
    country = text.upper()
    if country and country not in phonenumbers.SUPPORTED_REGIONS:
        raise RegistrationRefused(f"{text!r} is no country like US or DE.", "country")
    return country


def _count(field: str, text: str, most: int) -> str:
    short = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if text and not (short and 1 <= int(text) <= most):
        raise RegistrationRefused(f"A number from 1 to {most}.", field)
    return text


def _tidy(name: str, value: str) -> str:
    lines = name in (ASSIGNED, CONFIGURED)
    if len(value) > LONGEST * (20 if lines else 1):
        raise RegistrationRefused("That is too long.", name)
    if any(character in value for character in ("\r\0" if lines else "\r\n\0")):
        raise RegistrationRefused("A value must be one line.", name)
    return value.strip()
