"""Takes what providers call us with: one HTTP listener for all routes and all users' own accounts.

A provider is answered when what it said is stored. It repeats what was answered with a 5xx (Twilio: where the
webhook's address asks for that, as ours do, and for 15 s), so doubles are dropped by their ids. What it gave
up on is fetched (`missed`)."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from backends.sms.carrier import Desk
from backends.sms.http import fields as bodies
from backends.sms.http import receiving
from backends.sms.http.access import own_access
from backends.sms.http.door import Door
from backends.sms.http.fields import BadRequest, Fields
from backends.sms.http.line import Line
from backends.sms.http.options import OWN
from backends.sms.http.signature import algorithm_of, body_matches, is_signed
from bridge.api import ConnectionLost, Host, TransferFailed

log = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024
READ_SECONDS = 10.0
ANSWER_SECONDS = 14.0
"""A provider waits 15 s."""
AT_ONCE = 100
CONNECTIONS = 500
IDLE_SECONDS = 30.0

TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""Nothing is said back."""

_PATH = re.compile(rf"/(?:{OWN}/([A-Za-z0-9_-]{{20,100}})|([a-z0-9_-]{{1,32}}))/(in|status)")

Own = Callable[[str], Awaitable[Host | None]]
"""The host of the account whose setting `hook` is this word. Raises `ConnectionLost`."""
Owned = Callable[[str], Awaitable[Line | None]]

SIGNATURES = ("X-Twilio-Signature", "X-SignalWire-Signature")
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"


class Target(msgspec.Struct, frozen=True):
    """What a request is for: a route, or a user's own account by its hook. `url` is the address that was
    signed."""

    route: str
    hook: str
    is_report: bool
    url: str
    query: str


class Turned(Exception):
    """A request that is turned away: with a status and a reason, for the provider's log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def external(url: str) -> str:
    """The address that providers know us by, without a slash at the end. Raises ValueError: https is needed
    (but for this machine itself), and nothing behind the path."""
    parts = urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1")
    more = parts.username or parts.query or parts.fragment
    if not (here or parts.scheme == "https") or not parts.hostname or more:
        raise ValueError(f"expected an https address like https://sms.example.org, found {url!r}")
    return url.rstrip("/")


class Webhooks:
    """The listener of one gateway, at `listen_host` and `port` (0: any). Providers know it as `external_url`:
    it is what they sign, whatever a proxy makes of it; the proxy may leave its path in or take it off.

    `POST {external_url}/{route}/in` and `/{route}/status`; for users' own accounts `/own/{hook}/in` and
    `/own/{hook}/status`."""

    def __init__(self, listen_host: str, port: int, external_url: str) -> None:
        self._where = (listen_host, port)
        self._external = external(external_url)
        self._lines: dict[str, Line] = {}
        self._under_way = 0
        self._door: Door | None = None
        self._listens = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens. Raises `RuntimeError` while it does not."""
        if self._door is None:
            raise RuntimeError("the webhooks' listener does not listen")
        return self._door.port

    async def listening(self) -> None:
        """Return when it listens."""
        await self._listens.wait()

    def add(self, line: Line) -> None:
        """Serve a route."""
        self._lines[line.route] = line

    async def run(self, desk: Desk, own: Own, *, own_api: str = "", ca_file: str = "") -> None:
        """Listen until cancelled. `own_api` and `ca_file`: for users' own accounts, see `own_access` and
        `TwilioOptions`. Raises `ConnectionLost` where that cannot be done now."""
        # It takes a tenth of a second. First the whole of the package: where another thread is loading that
        # at the same time, it is waited for, and a part of it would not be.
        for name in ("aiohttp", "aiohttp.web"):
            await asyncio.to_thread(importlib.import_module, name)

        async def owned(hook: str) -> Line | None:
            host = await own(hook)
            return None if host is None else _own_line(host, own_api, ca_file)

        async def answer(request: Any) -> Any:
            return await self._answer(request, desk, owned)

        door = Door(answer, CONNECTIONS, IDLE_SECONDS, LARGEST_BODY)
        try:
            await door.open(*self._where)
        except OSError as error:
            raise ConnectionLost(f"can't listen for webhooks: {error.strerror or error}") from error
        self._door = door
        self._listens.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._door = None
            self._listens.clear()
            await door.close()

    async def _answer(self, request: Any, desk: Desk, owned: Owned) -> Any:
        from aiohttp import web

        try:
            target = self._target(str(request.raw_path))
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._take(request, target, desk, owned)
        except Turned as turned:
            return _said(turned)
        except TimeoutError:
            return _said(Turned(503, "it could not be stored in time"))
        except Exception:
            log.exception("a webhook's request could not be taken")
            return _said(Turned(500, "a fault of the bridge's own"))
        if target.is_report:
            return web.Response(status=204)
        return web.Response(text=TWIML, content_type="text/xml")

    async def _take(self, request: Any, target: Target, desk: Desk, owned: Owned) -> None:
        """Returns when what is said is stored. Raises `Turned`."""
        if request.method != "POST":
            raise Turned(405, "POST is needed")
        try:
            line = await owned(target.hook) if target.hook else self._lines.get(target.route)
            if line is None:
                raise Turned(404, "there is no such webhook")
            body = await _read(request)
            fields = _checked(line, request, target, body)
            await self._store(line, target, desk, fields)
        except BadRequest as error:
            raise Turned(400, str(error)) from error
        except receiving.Nobody as error:
            raise Turned(404, "nobody has that number") from error
        except (ConnectionLost, TransferFailed) as error:
            log.warning("a webhook's request is not taken for now: %s", error)
            raise Turned(503, "it cannot be stored now") from error

    async def _store(self, line: Line, target: Target, desk: Desk, fields: Fields) -> None:
        """Only who has signed what they say has a part in so many."""
        if self._under_way >= AT_ONCE:
            raise Turned(503, "too many requests at once")
        self._under_way += 1
        try:
            take = receiving.take_report if target.is_report else receiving.take_text
            await take(line, desk, fields)
        except (ConnectionLost, TransferFailed, asyncio.CancelledError):
            line.trouble.set()
            raise
        finally:
            self._under_way -= 1

    def _target(self, raw_path: str) -> Target:
        """What a request is for; the external address's own path may be there or not. Raises `Turned`."""
        whole, mark, query = raw_path.partition("?")
        for path in (whole.removeprefix(urlsplit(self._external).path), whole):
            if found := _PATH.fullmatch(path):
                hook, route, kind = found.groups("")
                return Target(route, hook, kind == "status", f"{self._external}{path}{mark}{query}", query)
        raise Turned(404, "there is no such webhook")


def _own_line(host: Host, own_api: str, ca_file: str) -> Line | None:
    account = host.account
    try:
        access = own_access(account.settings, account.secrets, own_api)
    except ValueError:
        return None  # the registration is another one by now
    return Line("", access, host, ca_file, host, account.settings.get("number", ""))


async def _read(request: Any) -> bytes:
    from aiohttp import web

    try:
        async with asyncio.timeout(READ_SECONDS):
            return bytes(await request.read())
    except TimeoutError as error:
        raise Turned(408, "the body does not come") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise Turned(413, f"the body has more than {LARGEST_BODY} bytes") from error
    except (ValueError, OSError, web.HTTPException) as error:
        raise Turned(400, "the body does not come whole") from error


def _checked(line: Line, request: Any, target: Target, body: bytes) -> Fields:
    """What an authentic request says. Raises `Turned`, `BadRequest`."""
    signatures = [request.headers[name] for name in SIGNATURES if name in request.headers]
    if not signatures:
        raise Turned(403, "the request is not signed")
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        fields = bodies.read_form(body)
        signed, whole = fields.pairs, True
    elif media_type == "application/json":
        fields = bodies.read_json(body)
        signed, whole = [], body_matches(target.query, body)
    else:
        raise BadRequest("the body is no form")
    algorithm = algorithm_of(request.headers.get(SETTINGS, ""))
    good = [is_signed(line.access.key, each, target.url, signed, algorithm) for each in signatures]
    if not (whole and any(good)):
        raise Turned(403, "the signature is not right for this address and this account")
    return fields


def _said(turned: Turned) -> Any:
    from aiohttp import web

    log.info("a webhook's request was answered with %s: %s", turned.status, turned)
    headers = {405: {"Allow": "POST"}, 503: {"Retry-After": "5"}}.get(turned.status, {})
    return web.Response(status=turned.status, text=f"{turned}\n", headers=headers)
