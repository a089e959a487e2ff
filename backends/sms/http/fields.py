"""Reads the bodies of a provider's requests: forms, and flat JSON objects."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import msgspec

MOST_FIELDS = 500

_SID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class BadRequest(Exception):
    """A request that cannot be read; the text says why, for the provider's log."""


class Fields:
    """What a request says. `pairs` are all of it, as they came."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs
        self._first = dict(reversed(pairs))

    def get(self, name: str) -> str:
        """A field's (first) value; empty where there is none."""
        return self._first.get(name, "")

    def need(self, name: str) -> str:
        """A field's value. Raises `BadRequest` where there is none."""
        value = self.get(name).strip()
        if not value:
            raise BadRequest(f"the field {name} is missing")
        return value

    def sid(self) -> str:
        """The message's id with the provider. Raises `BadRequest`."""
        value = self.get("MessageSid") or self.get("SmsSid")
        if not _SID.fullmatch(value):
            raise BadRequest("the field MessageSid is missing, or is none")
        return value


def read_form(body: bytes) -> Fields:
    """A body of type `application/x-www-form-urlencoded`. Raises `BadRequest`."""
    try:
        text = body.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
    except ValueError:
        raise BadRequest(f"the body has more than {MOST_FIELDS} fields") from None
    return Fields(pairs)


def read_json(body: bytes) -> Fields:
    """A body that is a JSON object; what is neither text nor a number in it is left out. Raises
    `BadRequest`."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is no JSON") from None
    if not isinstance(found, dict):
        raise BadRequest("the body is no JSON object")
    kept = [(name, value) for name, value in found.items() if isinstance(value, str | int)]
    return Fields([(name, str(value)) for name, value in kept])
