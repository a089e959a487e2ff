"""Users' own accounts with a provider: tried before they are accepted, and pointed at our webhooks."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any

from backends.sms.http.access import Access, own_access
from backends.sms.http.client import Client
from backends.sms.http.line import Line
from backends.sms.http.rest import NoAnswer, NotReached, Reply, Rest
from bridge.api import RegistrationRefused, Resolver

SECONDS = 20.0


def hook_of(sid: str, token: str, number: str) -> str:
    """A word that nobody guesses who has not the token, for the address of an account's webhooks: its setting
    `hook`. The same for the same account: what the provider was told before stays right, also where a
    registration comes to nothing in the end."""
    made = hmac.digest(token.encode(), f"{sid} {number}".encode(), "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


async def try_account(
    settings: Mapping[str, str],
    secrets: Mapping[str, str],
    resolver: Resolver,
    *,
    own_api: str = "",
    ca_file: str = "",
) -> str:
    """Log in to the account that a user gives, and look for their number (setting `number`, E.164) in it.

    Returns the number's own id with the provider, for `point_here`. Raises `RegistrationRefused`, naming the
    field: `provider`, `space`, `sid`, `token`, `number`."""
    access = _access(settings, secrets, own_api)
    client = Client(resolver, ca_file, 1, SECONDS)
    try:
        rest = Rest(access, client)
        _judge_account(await _asked(rest, settings, ".json"))
        query = {"PhoneNumber": settings.get("number", "")}
        return _judge_number(await _asked(rest, settings, "/IncomingPhoneNumbers.json", query), settings)
    finally:
        await client.close()


async def point_here(
    settings: Mapping[str, str],
    secrets: Mapping[str, str],
    phone_sid: str,
    external_url: str,
    resolver: Resolver,
    *,
    own_api: str = "",
    ca_file: str = "",
) -> None:
    """Have the number's texts brought to our webhook (setting `hook`). Raises `RegistrationRefused`."""
    access = _access(settings, secrets, own_api)
    url = Line("", access, resolver, hook=settings["hook"]).webhook(external_url, "in")
    client = Client(resolver, ca_file, 1, SECONDS)
    try:
        # an application that the number is given to would go before the address
        form = [("SmsUrl", url), ("SmsMethod", "POST"), ("SmsApplicationSid", "")]
        reply = await Rest(access, client).post(f"/IncomingPhoneNumbers/{phone_sid}.json", form)
    except (NotReached, NoAnswer) as error:
        raise _unreached(settings, error) from error
    finally:
        await client.close()
    if not reply.ok:
        why = reply.message or f"status {reply.status}"
        raise RegistrationRefused(f"The provider does not bring the number's texts here: {why}", "number")


def _access(settings: Mapping[str, str], secrets: Mapping[str, str], own_api: str) -> Access:
    try:
        return own_access(settings, secrets, own_api)
    except ValueError as error:
        raise RegistrationRefused(*error.args) from None


async def _asked(
    rest: Rest, settings: Mapping[str, str], path: str, query: Mapping[str, str] | None = None
) -> Reply:
    try:
        reply = await rest.get(path, query)
    except (NotReached, NoAnswer) as error:
        raise _unreached(settings, error) from error
    if reply.status == 429 or reply.status >= 500:
        raise RegistrationRefused("The provider has trouble: try again later.", "provider")
    return reply


def _unreached(settings: Mapping[str, str], error: Exception) -> RegistrationRefused:
    where = "space" if settings.get("provider") == "signalwire" else "provider"
    return RegistrationRefused(f"The provider cannot be reached: {error}.", where)


def _judge_account(reply: Reply) -> None:
    if reply.status in (401, 403):
        raise RegistrationRefused("The provider does not take this account SID with this token.", "token")
    if reply.status == 404:
        raise RegistrationRefused("The provider knows no such account.", "sid")
    if not reply.ok or not reply.body:
        raise RegistrationRefused("The provider's answer makes no sense.", "provider")
    status = reply.body.get("status", "active")
    if status != "active":
        raise RegistrationRefused(f"The account is not active: it is {str(status)[:40]}.", "sid")


def _judge_number(reply: Reply, settings: Mapping[str, str]) -> str:
    found = reply.body.get("incoming_phone_numbers")
    numbers = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    wanted = settings.get("number", "")
    phone = next((each for each in numbers if each.get("phone_number") == wanted), None)
    if phone is None or not isinstance(phone.get("sid"), str):
        raise RegistrationRefused(f"The account has no number {wanted}.", "number")
    if not _can_text(phone):
        raise RegistrationRefused(f"The number {wanted} can make calls, but send no texts.", "number")
    return str(phone["sid"])


def _can_text(phone: Mapping[str, Any]) -> bool:
    """Providers do not agree on the case; one that does not say may be able to."""
    can = phone.get("capabilities")
    said = {str(name).lower(): value for name, value in can.items()} if isinstance(can, dict) else {}
    return bool(said.get("sms", True))
