"""Phone numbers in E.164, made of what people and carriers write, and told to people again."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from phonenumbers import (
    CountryCodeSource,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
)

from bridge.api import BadAddress

CACHED = 16384
_CODE, _SHORT, _LONG = (
    "{} begins with no country's calling code.",
    "{} is too short for a phone number.",
    "{} is too long for a phone number.",
)
_PARSE_TROUBLE = {
    NumberParseException.INVALID_COUNTRY_CODE: _CODE,
    NumberParseException.TOO_LONG: _LONG,
}
_TROUBLE = {
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "{} lacks its area code.",
    ValidationResult.INVALID_COUNTRY_CODE: _CODE,
    ValidationResult.TOO_SHORT: _SHORT,
    ValidationResult.INVALID_LENGTH: "{} has too few or too many digits for a phone number.",
    ValidationResult.TOO_LONG: _LONG,
}


@lru_cache(CACHED)
def international(number: str) -> str:
    """The E.164 form of `+` and digits, which may still have a trunk prefix after the calling code. Raises
    `BadAddress` where there can be no such number; whether anybody has it is not asked."""
    formed = number
    for _ in range(4):
        before, formed = formed, _checked(_parsed(formed, None), number)
        if formed == before:
            return formed
    raise BadAddress(_LONG.format(number))


def dialled(digits: str, country: str) -> str:
    """The E.164 form of what is dialled in a country (ISO 3166): a number there, or one abroad with the
    prefix for it, the country's own or 00, or with the country's calling code alone. Raises `BadAddress`."""
    if digits.startswith(calling_code(country)) and is_valid(f"+{digits}"):
        return international(f"+{digits}")
    if digits.startswith("00") and not _is_abroad(digits, country):
        return international(f"+{digits[2:]}")
    return international(_checked(_parsed(digits, country.upper()), f"{digits} in {country.upper()}"))


def _is_abroad(digits: str, country: str) -> bool:
    try:
        parsed = phonenumbers.parse(digits, country.upper(), keep_raw_input=True)
    except NumberParseException:
        return False
    return parsed.country_code_source == CountryCodeSource.FROM_NUMBER_WITH_IDD


def _parsed(number: str, country: str | None) -> PhoneNumber:
    try:
        return phonenumbers.parse(number, country)
    except NumberParseException as error:
        raise BadAddress(_PARSE_TROUBLE.get(error.error_type, _SHORT).format(number)) from error


def _checked(parsed: PhoneNumber, shown: str) -> str:
    trouble = _TROUBLE.get(phonenumbers.is_possible_number_with_reason(parsed))
    if trouble:
        raise BadAddress(trouble.format(shown))
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


def is_valid(number: str) -> bool:
    """Whether `+` and digits are of a range that is in use."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except NumberParseException:
        return False


@lru_cache(512)
def calling_code(country: str) -> str:
    """The digits of a country's calling code; `country` is its ISO 3166 code. Raises `BadAddress`."""
    code = phonenumbers.country_code_for_region(country.upper())
    if not code:
        raise BadAddress(f"{country!r} is no country that has phone numbers.")
    return str(code)


def country_of(code: str) -> str:
    """The (main) country of a calling code; empty: there is no such code."""
    return phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code or 0), ("",))[0]


@lru_cache(CACHED)
def region_of(number: str) -> str:
    """The country (ISO 3166) of a number in E.164, the main one of its calling code where the number does not
    tell; empty for one that belongs to none."""
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return ""
    return phonenumbers.region_code_for_number(parsed) or country_of(str(parsed.country_code or 0))


@lru_cache(CACHED)
def shown(number: str) -> str:
    """A number in E.164 as people write it: `+1 555-123-4567`."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(number), PhoneNumberFormat.INTERNATIONAL)
    except NumberParseException:
        return number
