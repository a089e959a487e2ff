"""Knows what the admin may set for a route by a provider: `routes.NAME` with `carrier = "twilio"`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from backends.sms.http.access import SID, TWILIO, Access

OWN = "own"
"""The word that stands for the accounts of users in place of a route's name: no route may have it."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class TwilioOptions(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="carrier", tag="twilio"
):
    """A route by a provider in Twilio's shape.

    `account_sid` and `auth_token_file` (its first line) are the login. `signing_key_file`: what the provider
    signs with, where it is another (SignalWire; empty: the auth token). `api`: where its REST interface is
    (SignalWire: `https://SPACE.signalwire.com/api/laml`). `max_in_flight`: so many texts are handed over at
    once. `ca_file`: trust this CA (PEM) instead of the system's. `reports`: ask what became of each text.
    """

    account_sid: str
    auth_token_file: str
    signing_key_file: str = ""
    api: str = TWILIO
    max_in_flight: int = 20
    ca_file: str = ""
    reports: bool = True


def check(options: TwilioOptions, name: str) -> None:
    """Raise `ValueError`, with a line for each option whose value cannot work; reads the files that are
    named."""
    if not _NAME.fullmatch(name) or name == OWN:
        raise ValueError(f"routes.{name}: expected a name of small letters, digits, - and _, and not {OWN!r}")
    lines = [f"routes.{name}.{option}: {what}" for option, what in _wrong(options)]
    try:
        access(options, name)
    except ValueError as error:
        lines.append(str(error))
    if lines:
        raise ValueError("\n".join(lines))


def _wrong(options: TwilioOptions) -> Iterator[tuple[str, str]]:
    """Options, and what is wrong with them."""
    if not SID.fullmatch(options.account_sid):
        yield "account_sid", f"expected AC0123..., found {options.account_sid!r}"
    parts = urlsplit(options.api)
    plain = not (parts.username or parts.query or parts.fragment)
    if parts.scheme != "https" or not parts.hostname or not plain:
        yield "api", f"expected an https address, found {options.api!r}"
    if not 1 <= options.max_in_flight <= 1000:
        yield "max_in_flight", f"expected 1 to 1000, found {options.max_in_flight}"
    if options.ca_file and not Path(options.ca_file).is_file():
        yield "ca_file", f"no such file: {options.ca_file}"


def access(options: TwilioOptions, name: str) -> Access:
    """The route's account, with the secrets read from their files. Raises `ValueError`, naming the option."""
    token = _secret(options.auth_token_file, f"routes.{name}.auth_token_file")
    key = ""
    if options.signing_key_file:
        key = _secret(options.signing_key_file, f"routes.{name}.signing_key_file")
    return Access(options.api.rstrip("/"), options.account_sid, token, key)


def _secret(file: str, option: str) -> str:
    try:
        lines = Path(file).read_text("utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{option}: {error.strerror}: {file}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{option}: not UTF-8 text: {file}") from None
    if not lines or not lines[0].strip():
        raise ValueError(f"{option}: the file has no secret in its first line")
    return lines[0].strip()
