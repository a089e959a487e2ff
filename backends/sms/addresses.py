"""Knows how phone numbers, short codes and named senders stand in JIDs, and what is meant by other ways to
write them.

A contact is one of: E.164 (`+15551234567`); a short code with the calling code that it is of
(`12345;phone-context=+1`, RFC 3966 §5.1.5); bare digits, which only a country makes one of the former
(`normalise`); the folded name of an alphanumeric sender (`my bank`)."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote

from backends.sms.text import gsm, names, numbers
from bridge.api import Address, BadAddress, ContactAddress, ContactId, NetworkId

NETWORK = NetworkId("")
_LONGEST = 100
_LONGEST_NAME = 11
_CACHED = 16384
_CONTEXT = ";phone-context="
_SOPRANI = "ca-us.phone-context.soprani.ca"
_FEWEST, _MOST, _LONGEST_SHORT, _SURELY_SHORT = 3, 18, 8, 6

_punctuation = re.compile(r"[\s().\-/·‐-―−]+")
_is_number = re.compile(r"\+?[0-9]+").fullmatch
_is_short = re.compile(rf"([0-9]{{3,8}}){_CONTEXT}\+([0-9]{{1,3}})").fullmatch
_scheme = re.compile(r"(tel|sms|smsto|xmpp):(?://)?", re.IGNORECASE).match
_escaped = re.compile(r"\\(20|22|26|27|2f|3a|3c|3e|40|5c)")


class Kind(enum.Enum):
    """What a contact is."""

    NUMBER = "number"
    SHORT_CODE = "short code"
    NATIONAL = "national"
    NAME = "name"


class Ton(enum.IntEnum):
    """Types of number (SMPP 3.4 §5.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6


@lru_cache(_CACHED)
def kind(contact: ContactId) -> Kind:
    """What a contact is."""
    if _is_number(contact):
        return Kind.NUMBER if contact[0] == "+" else Kind.NATIONAL
    return Kind.SHORT_CODE if _is_short(contact) else Kind.NAME


@lru_cache(_CACHED)
def _parse(local: str) -> ContactAddress:
    return ContactAddress(NETWORK, _contact(local))


def parse(local: str) -> ContactAddress:
    """What a local part stands for; see `Backend.parse_address`. Raises `BadAddress`."""
    if len(local) > _LONGEST:
        raise BadAddress(f"{local[:40]!r}... is longer than any phone number.")
    return _parse(local)


def format_(address: Address) -> str:
    """The local part, unescaped; empty for the gateway itself."""
    return address.contact if isinstance(address, ContactAddress) else ""


def _contact(local: str) -> ContactId:
    written, with_context, context = local.partition(_CONTEXT)
    digits = _digits(written)
    if with_context:
        return _short_code(digits, _calling_code(context))
    if digits.startswith("+"):
        return ContactId(numbers.international(digits))
    if digits:
        return _bare(digits)
    if names.fold(local) != local:
        raise BadAddress(f"{local!r} is no phone number, like +15551234567.")
    return ContactId(local)


def _digits(text: str) -> str:
    """Digits, perhaps with a `+`, of what is written like a phone number; empty where it is not."""
    bare = _punctuation.sub("", text)
    if not bare.isascii():
        bare = "".join(str(unicodedata.decimal(char, char)) for char in bare)
    return bare if _is_number(bare) else ""


def _bare(digits: str) -> ContactId:
    if not _FEWEST <= len(digits) <= _MOST:
        raise BadAddress(
            f"{digits} is too {'short' if len(digits) < _FEWEST else 'long'}: not a phone number."
        )
    return ContactId(digits)


def _short_code(digits: str, code: str) -> ContactId:
    if not _FEWEST <= len(digits) <= _LONGEST_SHORT or digits[0] == "+":
        raise BadAddress(f"{digits or 'Nothing'} is no short code, which has 3 to 8 digits.")
    if not numbers.country_of(code):
        raise BadAddress(f"The context of {digits} is no calling code, like +1.")
    return ContactId(f"{digits}{_CONTEXT}+{code}")


def _calling_code(context: str) -> str:
    """The digits of a context; empty where it is none that we know. The soprani.ca one is that of JMP's
    contacts."""
    if context == _SOPRANI:
        return "1"
    digits = _digits(context)
    return digits[1:] if digits.startswith("+") else ""


@lru_cache(_CACHED)
def normalise(contact: ContactId, country: str) -> ContactId:
    """Bare digits as a number or a short code of a country (ISO 3166, like `US`); other contacts as they are.
    Raises `BadAddress` with what is missing."""
    if kind(contact) is not Kind.NATIONAL:
        return contact
    if not country:
        raise BadAddress(f"{contact} needs its country's calling code, like +1 555 123 4567.")
    if len(contact) <= _SURELY_SHORT:
        return _short_code(contact, numbers.calling_code(country))
    return ContactId(numbers.dialled(contact, country))


def from_sender(text: str, ton: int = Ton.UNKNOWN, country: str = "") -> tuple[ContactId, str]:
    """Who a carrier says that a text is from, and the name that they give themselves, if it is one.

    `country` is that of the account. Never raises: what can be no number is taken for a name."""
    return _from_sender(text[:_LONGEST], ton, country)


@lru_cache(_CACHED)
def _from_sender(text: str, ton: int, country: str) -> tuple[ContactId, str]:
    digits = _digits(text)
    contact = _sending_number(digits, ton, country) if digits else None
    return (contact, "") if contact else (ContactId(names.fold(text)), names.shown(text))


def _sending_number(number: str, ton: int, country: str) -> ContactId | None:
    """The first of what it can mean that there can be."""
    digits = number.removeprefix("+")
    abroad = number != digits or ton == Ton.INTERNATIONAL
    if not abroad and ton != Ton.NATIONAL and len(digits) > _SURELY_SHORT:
        abroad = _is_international(digits, country)
    short = ton in (Ton.NETWORK_SPECIFIC, Ton.ABBREVIATED)
    return (
        (_tried(numbers.international, f"+{digits}") if abroad else None)
        or (_tried(_short_code_in, digits, country) if short else None)
        or _tried(normalise, digits, country)
        or _tried(_bare, digits)
    )


def _is_international(digits: str, country: str) -> bool:
    """Whether digits begin with a calling code, as SMSCs write numbers. Ten that are a number in North
    America, and read so there, may be one of another country with its code."""
    american = len(digits) == 10 and country and _tried(numbers.calling_code, country) == "1"
    return numbers.is_valid(f"+{digits}") and not (american and numbers.is_valid(f"+1{digits}"))


def _short_code_in(digits: str, country: str) -> ContactId:
    return _short_code(digits, numbers.calling_code(country))


def _tried(make: Callable[..., str], *given: str) -> ContactId | None:
    try:
        return ContactId(make(*given))
    except BadAddress:
        return None


def from_prompt(text: str, country: str = "") -> ContactAddress:
    """Whom a person means who typed this: in any form that `parse` reads, as a `tel:`, `sms:` or `xmpp:` URI,
    with the prefix for calls abroad. `country` is where they are, empty where that is not known; then bare
    digits stay such. Raises `BadAddress`."""
    typed = _without_scheme(_typed(text))
    written, _, parameters = typed.partition(";")
    digits = _digits(written)
    if digits:
        return ContactAddress(NETWORK, _meant(digits, _context_of(parameters), country))
    if all(map(_digits, written.split(","))):
        raise BadAddress(f"{typed[:80]!r} has several numbers: give one at a time.")
    if ";" in typed or not _is_name(typed):
        raise BadAddress(f"{typed[:80]!r} is neither a phone number, like +15551234567, nor a sender's name.")
    return ContactAddress(NETWORK, ContactId(names.fold(typed)))


def _is_name(typed: str) -> bool:
    """Whether a network could carry it as a sender (3GPP TS 23.040 §9.1.2.5), and it is no number with a slip
    of the finger."""
    return (
        typed[:1] != "+"
        and len(typed) <= _LONGEST_NAME
        and any(map(str.isalpha, typed))
        and gsm.encode(typed) is not None
    )


def _typed(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text[: 10 * _LONGEST])
    return "".join(char for char in plain if unicodedata.category(char) != "Cf").strip()


def _without_scheme(typed: str) -> str:
    found = _scheme(typed)
    address = unquote(typed[found.end() :].partition("?")[0]).strip() if found else typed
    local, at, _ = address.partition("@")
    local = _escaped.sub(lambda match: chr(int(match[1], 16)), local)
    # A JID, whole.
    return local if at and (found or _digits(local.partition(";")[0])) else address


def _context_of(parameters: str) -> str:
    pairs = (each.strip().lower().partition("=") for each in parameters.split(";"))
    return next((value for name, _, value in pairs if name == "phone-context"), "")


def _meant(digits: str, context: str, country: str) -> ContactId:
    if digits.startswith("+"):
        return ContactId(numbers.international(digits))
    if context:
        return _in_context(digits, _calling_code(context))
    if country:
        return normalise(ContactId(digits), country)
    abroad = next((digits[len(prefix) :] for prefix in ("00", "011") if digits.startswith(prefix)), "")
    return ContactId(numbers.international(f"+{abroad}")) if abroad else _bare(digits)


def _in_context(digits: str, code: str) -> ContactId:
    """What a URI means by digits with a context, which may have an area code, too (RFC 3966 §5.1.5)."""
    if len(digits) <= _LONGEST_SHORT and numbers.country_of(code):
        return _short_code(digits, code)
    if not code:
        raise BadAddress(f"The context of {digits} is no calling code, like +1.")
    if country := numbers.country_of(code):
        return normalise(ContactId(digits), country)
    return ContactId(numbers.international(f"+{code}{digits}"))


def can_answer(contact: ContactId) -> str:
    """Empty, or why nothing can be sent to a contact."""
    if kind(contact) is Kind.NAME:
        return f"{contact} is a name that a sender gave itself, and no number: it cannot be answered."
    return ""


def tel(contact: ContactId) -> str:
    """What a phone dials, for a vCard's TEL: a number in E.164, or digits; empty for a name."""
    return "" if kind(contact) is Kind.NAME else contact.partition(";")[0]


def display(contact: ContactId) -> str:
    """How to call a contact, for people."""
    if kind(contact) is Kind.NUMBER:
        return numbers.shown(contact)
    return tel(contact) or contact
