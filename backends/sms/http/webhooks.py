"""Takes what providers call us with: one HTTP listener for all routes and all users' own accounts.

A provider is answered when what it said is stored. It repeats what was answered with a 5xx (Twilio: where the
webhook's address asks for that, as ours do, and for 15 s), so doubles are dropped by their ids."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

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

HOOK = re.compile(r"[A-Za-z0-9_-]{20,100}")

Own = Callable[[str], Awaitable[Host | None]]
"""The host of the account whose setting `hook` is this word. Raises `ConnectionLost`."""

SIGNATURES = ("X-Twilio-Signature", "X-SignalWire-Signature")
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"


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
    if (
        not (here or parts.scheme == "https")
        or not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
    ):
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

    async def run(self, desk: Desk, own: Own, ca_file: str = "") -> None:
        """Listen until cancelled. Raises `ConnectionLost` where that cannot be done now."""
        await asyncio.to_thread(importlib.import_module, "aiohttp.web")  # it takes a tenth of a second

        async def answer(request: Any) -> Any:
            return await self._answer(request, desk, own, ca_file)

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

    async def _answer(self, request: Any, desk: Desk, own: Own, ca_file: str) -> Any:
        from aiohttp import web

        if self._under_way >= AT_ONCE:
            return _said(Turned(503, "too many requests at once"))
        self._under_way += 1
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                kind = await self._take(request, desk, own, ca_file)
        except Turned as turned:
            return _said(turned)
        except TimeoutError:
            return _said(Turned(503, "it could not be stored in time"))
        except Exception:
            log.exception("a webhook's request could not be taken")
            return _said(Turned(500, "a fault of the bridge's own"))
        finally:
            self._under_way -= 1
        if kind == "status":
            return web.Response(status=204)
        return web.Response(text=TWIML, content_type="text/xml")

    async def _take(self, request: Any, desk: Desk, own: Own, ca_file: str) -> str:
        """Returns `in` or `status`; the request is stored. Raises `Turned`."""
        name, kind, path, query = self._target(str(request.raw_path))
        if request.method != "POST":
            raise Turned(405, "POST is needed")
        try:
            line = self._lines.get(name) if "/" not in name else await _own_line(name, own, ca_file)
            if line is None:
                raise Turned(404, "there is no such webhook")
            body = await _read(request)
            fields = _checked(line, request, f"{self._external}{path}", query, body)
            take = receiving.take_text if kind == "in" else receiving.take_report
            await take(line, desk, fields)
        except BadRequest as error:
            raise Turned(400, str(error)) from error
        except receiving.Nobody as error:
            raise Turned(404, "nobody has that number") from error
        except (ConnectionLost, TransferFailed) as error:
            log.warning("a webhook's request is not taken for now: %s", error)
            raise Turned(503, "it cannot be stored now") from error
        return kind

    def _target(self, raw_path: str) -> tuple[str, str, str, str]:
        """(route or `own/HOOK`, `in` or `status`, the path below the external address, the query)."""
        whole, mark, query = raw_path.partition("?")
        path = whole.removeprefix(urlsplit(self._external).path)
        name, _, kind = path.removeprefix("/").rpartition("/")
        words = name.split("/")
        if kind not in ("in", "status") or not (len(words) == 1 or (len(words) == 2 and words[0] == OWN)):
            raise Turned(404, "there is no such webhook")
        return name, kind, path + mark + query, query


async def _own_line(name: str, own: Own, ca_file: str) -> Line | None:
    hook = name.partition("/")[2]
    host = await own(hook) if HOOK.fullmatch(hook) else None
    if host is None:
        return None
    account = host.account
    try:
        access = own_access(account.settings, account.secrets)
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


def _checked(line: Line, request: Any, url: str, query: str, body: bytes) -> Fields:
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
        signed, whole = [], body_matches(query, body)
    else:
        raise BadRequest("the body is no form")
    algorithm = algorithm_of(request.headers.get(SETTINGS, ""))
    good = [is_signed(line.access.key, each, url, signed, algorithm) for each in signatures]
    if not (whole and any(good)):
        raise Turned(403, "the signature is not right for this address and this account")
    return fields


def _said(turned: Turned) -> Any:
    from aiohttp import web

    log.info("a webhook's request was answered with %s: %s", turned.status, turned)
    headers = {405: {"Allow": "POST"}, 503: {"Retry-After": "5"}}.get(turned.status, {})
    return web.Response(status=turned.status, text=f"{turned}\n", headers=headers)
