"""Knows which of our numbers an SMSC may mean, which writes them with or without + and country."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from backends.sms.smpp.incoming import PduAddress

INTERNATIONAL = 1
"""The type of number (SMPP 3.4 §5.2.5)."""

_international = re.compile(r"\+[0-9]{5,15}").fullmatch
_short = re.compile(r"[0-9]{3,8}").fullmatch
_marks = re.compile(r"[\s().-]+")


def own_numbers(address: PduAddress, country: str) -> Iterator[str]:
    """The numbers that it may be, the likeliest first: E.164, or a short code's digits. A name that we send
    by, which receipts are for, is itself."""
    if any(map(str.isalpha, address.digits)):
        yield address.digits
        return
    digits = _marks.sub("", address.digits)
    named = digits.startswith("+")
    bare = digits.removeprefix("+")
    guesses = [f"+{bare}"]
    if bare.startswith("00"):
        guesses.append(f"+{bare[2:]}")
    for guess in guesses:
        if _international(guess):
            yield guess
    if named:
        return
    if address.ton != INTERNATIONAL and country and (national := _national(bare, country)):
        yield national
    if _short(bare):
        yield bare


def _national(digits: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(4096)
def region_of(number: str) -> str:
    """The country (ISO 3166) that a number of ours belongs to; empty for one that belongs to none."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""
