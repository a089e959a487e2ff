"""Asks a provider's REST interface (Twilio's 2010-04-01 API): one request, one answer, and what it is worth.

Neither Twilio nor SignalWire documents a key by which a text that is handed over twice would go out once. So
a request that creates something is never repeated here once its first byte may be on its way."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from backends.sms.http.access import Access
from backends.sms.http.client import Began, Client, trouble

VERSION = "2010-04-01"
LARGEST_ANSWER = 4 * 1024 * 1024


class NotReached(Exception):
    """No request went out; the text says why."""


class NoAnswer(Exception):
    """A request went out, or a part of it, and no whole answer came; the text says why."""


class Reply(msgspec.Struct, frozen=True):
    """An answer. `body` is empty where it was no JSON object. `after`: in so many seconds it may be tried
    again, if it says so."""

    status: int
    body: Mapping[str, Any]
    after: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it is a yes."""
        return 200 <= self.status < 300

    @property
    def code(self) -> int:
        """The provider's error code; 0 where there is none."""
        code = self._error().get("code", self.body.get("error_code"))
        text = str(code)
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0

    @property
    def message(self) -> str:
        """What the provider says of the error, for people; may be empty."""
        said = self._error().get("message", "")
        return " ".join(said.split())[:200] if isinstance(said, str) else ""

    def _error(self) -> Mapping[str, Any]:
        """SignalWire's newer answers have a list of errors."""
        errors = self.body.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else self.body
        return first if isinstance(first, dict) else {}


class Rest:
    """The REST interface as one account. Paths are below the account (`/Messages.json`)."""

    def __init__(self, access: Access, client: Client) -> None:
        self._access = access
        self._client = client

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Reply:
        """Read. Raises `NotReached`, `NoAnswer`."""
        return await self._ask("GET", path, params=query or {})

    async def post(self, path: str, form: Sequence[tuple[str, str]]) -> Reply:
        """Create or change. Raises `NotReached`, `NoAnswer`."""
        return await self._ask("POST", path, data=form)

    async def _ask(self, method: str, path: str, **what: Any) -> Reply:
        session = await self._client.session()
        import aiohttp

        began = Began()
        access = self._access
        try:
            async with session.request(
                method,
                f"{access.api}/{VERSION}/Accounts/{access.sid}{path}",
                headers={"Authorization": aiohttp.encode_basic_auth(access.sid, access.token)},
                allow_redirects=False,
                trace_request_ctx=began,
                **what,
            ) as response:
                body = await _body(response)
                return Reply(response.status, body, _after(response.headers.get("Retry-After", "")))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if began.sent:
                raise NoAnswer(trouble(error)) from error
            raise NotReached(trouble(error)) from error


async def _body(response: Any) -> Mapping[str, Any]:
    data = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        data += chunk
        if len(data) > LARGEST_ANSWER:
            return {}
    try:
        found = msgspec.json.decode(bytes(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _after(text: str) -> float | None:
    """`Retry-After` (RFC 9110 §10.2.3): seconds, or a date."""
    if text.isascii() and text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
