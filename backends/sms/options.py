"""Knows what the admin may set: `[gateway."sms.example.com".options]`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import phonenumbers

from backends.sms.http.options import OWN, TwilioOptions
from backends.sms.http.options import check as check_twilio
from backends.sms.http.webhooks import external
from backends.sms.smpp.options import SmppOptions
from backends.sms.smpp.options import check as check_smpp

_ROUTE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}").fullmatch
_NUMBER = re.compile(r"\+[0-9]{5,15}|[0-9]{3,8}").fullmatch
_JID = re.compile(r"[^@/\s]+@[^@/\s]+").fullmatch


class NumberOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A user's number. `user`: their JID. `route`: by which it is reached (where there are several)."""

    user: str
    route: str = ""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the SMS backend.

    `routes`: the carriers, by name, each with `carrier = "smpp"` or `"twilio"` and what that needs (see
    docs/sms.md). `numbers`: which user has which number: `"+15551234567" = { user = "alice@example.com" }`.

    `country`: for numbers without + where neither a user nor their number says another ("US"; empty: such
    numbers are refused). `segments_notice`: what would be more texts in one message is sent only when its
    user says it twice; users may set their own. `most_segments`: the most in one message. `texts_per_day`: of
    one user. `give_up_hours`: how long a text is tried that no carrier takes.

    `webhook_listen` ("address:port") is where providers' requests come in, `webhook_url` how they reach it
    from outside (`https://sms.example.com/hooks`). `own_accounts`: users may register the accounts that they
    have with a provider themselves; it needs both. `own_api` and `own_ca_file` are for tests: an https
    address in place of the providers' own, and whom to trust there.
    """

    routes: dict[str, SmppOptions | TwilioOptions] = {}
    numbers: dict[str, NumberOptions] = {}
    country: str = ""
    segments_notice: int = 6
    most_segments: int = 40
    texts_per_day: int = 250
    give_up_hours: float = 12.0
    webhook_listen: str = ""
    webhook_url: str = ""
    own_accounts: bool = True
    own_api: str = ""
    own_ca_file: str = ""

    @property
    def takes_own_accounts(self) -> bool:
        """Whether users may bring accounts of their own."""
        return bool(self.own_accounts and self.webhook_listen and self.webhook_url)


def host_and_port(option: str, text: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`. Raises ValueError."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    short = port.isascii() and port.isdecimal() and len(port) < 6
    if not (host and short and int(port) < 65536):
        raise ValueError(f"{option}: expected a host and a port like 127.0.0.1:8080, found {text!r}")
    return host, int(port)


def check(options: Options) -> None:
    """Raise `ValueError`, with a line for each option whose value cannot work; reads the files that are
    named."""
    wrong = [
        *_wrong_routes(options),
        *_wrong_numbers(options),
        *_wrong_limits(options),
        *_wrong_webhooks(options),
    ]
    if wrong:
        raise ValueError("\n".join(wrong))


def _wrong_routes(options: Options) -> Iterator[str]:
    if not options.routes and not options.takes_own_accounts:
        yield "routes: without one, and without webhook_listen and webhook_url, there is nothing to do"
    for name, route in options.routes.items():
        if not _ROUTE(name) or name == OWN:
            yield f'routes: expected names like "main", found {name!r}'
            continue
        try:
            if isinstance(route, SmppOptions):
                check_smpp(route, name)
            else:
                check_twilio(route, name)
        except ValueError as error:
            yield str(error)


def _wrong_numbers(options: Options) -> Iterator[str]:
    for number, of in options.numbers.items():
        where = f'numbers."{number}"'
        if not _NUMBER(number):
            yield f"{where}: expected a number like +15551234567, or a short code"
        if not _JID(of.user):
            yield f"{where}.user: expected a JID like alice@example.com, found {of.user!r}"
        if of.route and of.route not in options.routes:
            yield f"{where}.route: there is no route {of.route!r}{_routes_of(options)}"
        if not of.route and len(options.routes) != 1:
            yield f"{where}.route: must be set where there is not just one route{_routes_of(options)}"


def _routes_of(options: Options) -> str:
    return f" ({', '.join(options.routes)})" if options.routes else " (there is none)"


def _wrong_limits(options: Options) -> Iterator[str]:
    if options.country and options.country not in phonenumbers.SUPPORTED_REGIONS:
        yield f'country: expected one like "US" or "DE", found {options.country!r}'
    if not 1 <= options.segments_notice <= options.most_segments <= 255:
        yield "segments_notice, most_segments: expected 1 to 255, and most_segments the larger"
    if options.texts_per_day < 1:
        yield "texts_per_day: expected more than 0"
    if options.give_up_hours <= 0:
        yield "give_up_hours: expected more than 0"


def _wrong_webhooks(options: Options) -> Iterator[str]:
    try:
        if options.webhook_listen:
            host_and_port("webhook_listen", options.webhook_listen)
    except ValueError as error:
        yield str(error)
    try:
        if options.webhook_url:
            external(options.webhook_url)
    except ValueError as error:
        yield f"webhook_url: {error}"
    if bool(options.webhook_listen) != bool(options.webhook_url):
        yield "webhook_listen, webhook_url: set both, or neither"
    by_http = any(isinstance(route, TwilioOptions) for route in options.routes.values())
    if by_http and not (options.webhook_listen or options.webhook_url):
        yield "webhook_listen, webhook_url: must be set where a route is an HTTP provider"
