"""Knows what the admin may set for a route by SMPP: `[gateway."sms.example.com".options.routes.main]`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import phonenumbers

PLAIN_PORT, TLS_PORT = 2775, 3550

# The most characters, without the NUL that ends them (SMPP 3.4 §5.2.1 to §5.2.3, §5.2.7).
_LENGTHS = {"system_id": 15, "system_type": 12, "address_range": 40}
_PASSWORD_LENGTH = 8
_TONS = range(7)
_NPIS = (0, 1, 3, 4, 6, 8, 9, 10, 14, 18)
_MOST_VALIDITY_HOURS = 63 * 7 * 24
_RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65535),
    "window": (1, 1000),
    "rate": (0, 10_000),
    "enquire_seconds": (1, 3600),
    "response_seconds": (1, 600),
    "parts_seconds": (10, 7 * 86_400),
    "validity_hours": (0, _MOST_VALIDITY_HOURS),
}


class SmppOptions(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="carrier", tag="smpp"
):
    """A route by SMPP 3.4.

    `host`, `port` (0: 3550 with TLS, 2775 without), `system_id`, `password_file`, `system_type`: as the
    carrier gave them. `tls`: "tls" or "off"; `ca_file`: trust this CA (PEM) instead of the system's.
    `address_range`: the numbers that this bind is for, where the carrier wants to be told.

    `window`: so many texts may wait for the carrier's answer at once. `rate`: so many are sent in a second
    (0: as many as the carrier takes). After `enquire_seconds` of silence it is asked whether it is there; an
    answer that has not come after `response_seconds` is given up. `enquire_after_texts = false`: for carriers
    that want to be asked seldom; a text that comes again after a broken link may then be shown twice.

    `concatenation`: how long texts are cut: "udh8", "udh16", "sar", or "payload" (the carrier cuts).
    `alphabet`: what the carrier takes data_coding 0 for: "gsm", "ascii" or "latin1". `source_ton`,
    `source_npi`: of our numbers (-1: as the number says). `validity_hours`: so long the carrier tries to
    deliver (0: as long as it likes).

    `reports`: ask for receipts. `unmarked_receipts`: for carriers that do not mark them; what looks like one
    is then taken for one, whoever sent it. `receipt_ids`: how they write the ids of our texts: "same" as in
    the answers, "hex" where answers have decimal numbers, "decimal" where they have hexadecimal ones.

    `country`: of numbers that come without their country ("US"). `parts_seconds`: for so long the parts of a
    long text are waited for.
    """

    host: str
    system_id: str
    port: int = 0
    password_file: str = ""
    system_type: str = ""
    tls: Literal["tls", "off"] = "tls"
    ca_file: str = ""
    address_range: str = ""
    window: int = 50
    rate: float = 0.0
    enquire_seconds: float = 30.0
    response_seconds: float = 60.0
    enquire_after_texts: bool = True
    concatenation: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    alphabet: Literal["gsm", "ascii", "latin1"] = "gsm"
    source_ton: int = -1
    source_npi: int = -1
    validity_hours: int = 0
    reports: bool = True
    unmarked_receipts: bool = False
    receipt_ids: Literal["same", "hex", "decimal"] = "same"
    country: str = ""
    parts_seconds: float = 600.0

    @property
    def tcp_port(self) -> int:
        """Where to connect to."""
        return self.port or (TLS_PORT if self.tls == "tls" else PLAIN_PORT)


def check(options: SmppOptions, name: str) -> None:
    """Raise `ValueError`, with a line for each option of route `name` whose value cannot work; reads the
    files that are named."""
    wrong = [*_wrong_texts(options), *_wrong_numbers(options)]
    lines = [f"routes.{name}.{option}: {what}" for option, what in wrong]
    for reads in (tls_context, read_password):
        try:
            reads(options, name)
        except ValueError as error:
            lines.append(str(error))
    if lines:
        raise ValueError("\n".join(lines))


def _wrong_texts(options: SmppOptions) -> Iterator[tuple[str, str]]:
    """Options, and what is wrong with them."""
    if not options.host.strip():
        yield "host", "must be set"
    if not options.system_id:
        yield "system_id", "must be set"
    for option, most in _LENGTHS.items():
        value = getattr(options, option)
        if not value.isascii() or not (value.isprintable() or not value):
            yield option, "expected ASCII characters"
        elif len(value) > most:
            yield option, f"at most {most} characters"
    if options.country and options.country not in phonenumbers.SUPPORTED_REGIONS:
        yield "country", f'expected one like "US" or "DE", found {options.country!r}'


def _wrong_numbers(options: SmppOptions) -> Iterator[tuple[str, str]]:
    for option, (least, most) in _RANGES.items():
        if not least <= (value := getattr(options, option)) <= most:
            yield option, f"expected {least:g} to {most:g}, found {value:g}"
    if options.source_ton != -1 and options.source_ton not in _TONS:
        yield "source_ton", f"expected 0 to 6, or -1, found {options.source_ton}"
    if options.source_npi != -1 and options.source_npi not in _NPIS:
        yield "source_npi", f"expected one of {', '.join(map(str, _NPIS))}, or -1, found {options.source_npi}"


def read_password(options: SmppOptions, name: str) -> str:
    """The first line of the password's file; empty where none is named. Raises ValueError."""
    if not options.password_file:
        return ""
    where = f"routes.{name}.password_file"
    try:
        lines = Path(options.password_file).read_text("utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{where}: {error.strerror}: {options.password_file}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{where}: not UTF-8 text: {options.password_file}") from None
    password = lines[0] if lines else ""
    if not password.isascii() or len(password) > _PASSWORD_LENGTH:
        raise ValueError(f"{where}: a password has at most {_PASSWORD_LENGTH} ASCII characters")
    return password


def tls_context(options: SmppOptions, name: str) -> ssl.SSLContext | None:
    """How the SMSC is verified; None without TLS. Raises ValueError."""
    if options.tls == "off":
        return None
    if options.ca_file and not Path(options.ca_file).is_file():
        raise ValueError(f"routes.{name}.ca_file: no such file: {options.ca_file}")
    try:
        return ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        raise ValueError(f"routes.{name}.ca_file: {error.strerror or error}") from None
