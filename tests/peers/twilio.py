"""A provider of texts in the shape of Twilio: its REST interface over TLS, its signed webhooks, and phones
that keep what they got.

Written from the provider's documentation (Messages, IncomingPhoneNumber and Account resources; "Webhooks":
security, connection overrides), and from nothing of the bridge."""

from __future__ import annotations

import asyncio
import base64
import binascii
import email.utils
import hashlib
import hmac
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from aiohttp import web

from tests.peers.daemon import free_port
from tests.peers.tls import make_certificates

MEDIA_HOST = "media.example.test"
"""Where files are really kept: the interface redirects to it, and it wants no login."""

ERRORS = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    21211: (400, "The 'To' number is not a valid phone number."),
    21408: (400, "Permission to send an SMS has not been enabled for the region of the 'To' number."),
    21606: (400, "The From phone number is not a valid, SMS-capable inbound phone number for your account."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    21619: (400, "A text message body or media urls must be specified."),
}


@dataclass
class Account:
    """An account of a customer. `numbers`: E.164 -> the IncomingPhoneNumber resource."""

    sid: str
    token: str
    status: str = "active"
    signing_key: str = ""
    numbers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_number(self, number: str, *, sms: bool = True, **more: Any) -> dict[str, Any]:
        """Buy a number."""
        sid = f"PN{secrets.token_hex(16)}"
        can = {"voice": True, "sms": sms, "mms": sms, "fax": False}
        found = {"sid": sid, "account_sid": self.sid, "phone_number": number, "capabilities": can}
        where = {"sms_url": "", "sms_method": "POST", "sms_application_sid": ""}
        self.numbers[number] = {**found, **where, **more}
        return self.numbers[number]


@dataclass
class Behaviour:
    """What is done with the next text that is handed over, instead of what is right.

    `made`: the text exists (and goes out). `status`, `code` and `headers` are the answer's. `body` instead of
    JSON. `hang`: nothing is answered before it is set. `abort`: the connection breaks instead of an answer.
    `first`: these statuses are called back before the answer."""

    made: bool = True
    status: int = 201
    code: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    hang: asyncio.Event | None = None
    abort: bool = False
    first: tuple[str, ...] = ()


@dataclass(frozen=True)
class Called:
    """How a webhook was answered in the end. `status` 0: nobody was there."""

    status: int
    body: str
    media_type: str
    attempts: int


class Twilio:
    """The provider.

    `phones`: what each number outside got, in order. `asked`: (method, path) of each request. `forms`: each
    text that was handed over; `next`: behaviours for the next ones. `odd`: (status, body) for all requests.
    `reach`: where addresses of customers really are (a proxy's work). `media`: file name -> (type, content);
    `media_status`: answers to the next requests for one; `media_at`: the files' own host (at `media_port` the
    same server is, too); its `redirects`; `shown`: the `Authorization` that it was shown. `pause`: seconds
    before the first retry of a call; each later one waits for twice as long."""

    def __init__(self, port: int, ca_file: Path) -> None:
        self.port = port
        self.media_port = free_port()
        self.media_at = f"https://{MEDIA_HOST}:{port}"
        self.ca_file = ca_file
        self.url = f"https://localhost:{port}"
        self.accounts: dict[str, Account] = {}
        self.messages: dict[str, dict[str, Any]] = {}
        self.callbacks: dict[str, str] = {}
        self.phones: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.forms: list[dict[str, list[str]]] = []
        self.next: list[Behaviour] = []
        self.reach: dict[str, str] = {}
        self.media: dict[str, tuple[str, bytes]] = {}
        self.media_status: list[int] = []
        self.without_lists: set[str] = set()
        self.odd: tuple[int, str] | None = None
        self.shown: list[str] = []
        self.redirects: dict[str, str] = {}
        self.pause = 0.0
        self.arrived = asyncio.Event()

    # --- customers, and people outside ---

    def add_account(self, *numbers: str, **more: Any) -> Account:
        """A customer, with these numbers."""
        account = Account(f"AC{secrets.token_hex(16)}", secrets.token_hex(16), **more)
        for number in numbers:
            account.add_number(number)
        self.accounts[account.sid] = account
        return account

    async def text(
        self,
        sender: str,
        number: str,
        body: str,
        files: Sequence[str] = (),
        *,
        sid: str = "",
        webhook: bool = True,
    ) -> Called:
        """Somebody texts a customer's number: its webhook is called. `sid` of a text that is said again.
        `webhook` false: nobody is called (as if all calls had failed)."""
        account = next(each for each in self.accounts.values() if number in each.numbers)
        sid = sid or f"{'MM' if files else 'SM'}{secrets.token_hex(16)}"
        self.messages[sid] = self._resource(account, sid, sender, number, body, "inbound", "received")
        self.messages[sid]["num_media"] = str(len(files))
        self.messages[sid]["files"] = list(files)
        if not webhook:
            return Called(0, "", "", 0)
        fields = {
            "ToCountry": "US", "SmsMessageSid": sid, "NumMedia": str(len(files)), "SmsSid": sid,
            "SmsStatus": "received", "Body": body, "To": number, "NumSegments": "1", "MessageSid": sid,
            "AccountSid": account.sid, "From": sender, "ApiVersion": "2010-04-01", "FromCity": "",
        }  # fmt: skip
        for index, name in enumerate(files):
            fields[f"MediaUrl{index}"] = self.media_url(account.sid, sid, name)
            fields[f"MediaContentType{index}"] = self.media.get(name, ("image/jpeg", b""))[0]
        return await self.call(account, str(account.numbers[number]["sms_url"]), fields)

    def media_url(self, account: str, sid: str, name: str) -> str:
        """Where a text's file is to be had."""
        return f"{self.url}/2010-04-01/Accounts/{account}/Messages/{sid}/Media/{name}"

    async def tell(self, sid: str, status: str, code: int = 0) -> Called:
        """What became of a customer's text: its status callback is called."""
        message = self.messages[sid]
        message["status"] = status
        fields = {
            "SmsSid": sid, "SmsStatus": status, "MessageStatus": status, "To": message["to"],
            "MessageSid": sid, "AccountSid": message["account_sid"], "From": message["from"],
            "ApiVersion": "2010-04-01",
        }  # fmt: skip
        if code:
            message["error_code"] = code
            fields["ErrorCode"] = str(code)
        return await self.call(self.accounts[message["account_sid"]], self.callbacks[sid], fields)

    async def call(self, account: Account, url: str, fields: Mapping[str, str]) -> Called:
        """Call a webhook, with the retries that its address asks for."""
        address, _, overrides = url.partition("#")
        wishes = parse_qs(overrides)
        tries = 1 + int(wishes.get("rc", ["1"])[0])
        policies = wishes.get("rp", ["ct"])[0].split(",")
        headers = {"X-Twilio-Signature": signature(account.signing_key or account.token, address, fields)}
        called = Called(0, "", "", 0)
        for attempt in range(1, tries + 1):
            called = await self.post(address, urlencode(fields).encode(), headers, attempt)
            if not self._again(called.status, policies):
                break
            await asyncio.sleep(self.pause * 2 ** (attempt - 1))
        return called

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], attempt: int = 1, method: str = "POST"
    ) -> Called:
        """A request to a customer's address, as it is."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        external = next((each for each in self.reach if url.startswith(each)), "")
        where = self.reach[external] + url.removeprefix(external) if external else url
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15.0)) as session,
                session.request(method, where, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return Called(answer.status, await answer.text(), answer.content_type, attempt)
        except (aiohttp.ClientError, TimeoutError):
            return Called(0, "", "", attempt)

    @staticmethod
    def _again(status: int, policies: Sequence[str]) -> bool:
        kind = {0: "ct", 4: "4xx", 5: "5xx"}.get(status // 100)
        return kind is not None and (kind in policies or "all" in policies)

    # --- the interface ---

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request to the provider."""
        self.asked.append((request.method, request.path))
        if request.host == urlsplit(self.media_at).netloc:
            return self._file(request)
        if self.odd is not None:
            return web.Response(status=self.odd[0], text=self.odd[1])
        parts = request.path.removesuffix(".json").strip("/").split("/")
        if len(parts) < 3 or parts[:2] != ["2010-04-01", "Accounts"]:
            return error(20404)
        account = self.accounts.get(parts[2])
        if account is None or not _logged_in(request, account):
            return error(20003)
        ask: Callable[..., Any] | None = {
            ("GET", ()): self._account,
            ("GET", ("IncomingPhoneNumbers",)): self._numbers,
            ("POST", ("IncomingPhoneNumbers",)): self._set_number,
            ("GET", ("Messages",)): self._list,
            ("POST", ("Messages",)): self._create,
            ("GET", ("Messages", "Media")): self._media,
        }.get((request.method, tuple(parts[3::2])))
        return error(20404) if ask is None else await ask(request, account, parts)

    async def _account(self, _request: web.Request, account: Account, _parts: list[str]) -> web.Response:
        return web.json_response({"sid": account.sid, "status": account.status, "type": "Full"})

    async def _numbers(self, request: web.Request, account: Account, _parts: list[str]) -> web.Response:
        wanted = request.query.get("PhoneNumber", "")
        found = [each for number, each in account.numbers.items() if wanted in number]
        return web.json_response({"incoming_phone_numbers": found, "page": 0, "page_size": 50})

    async def _set_number(self, request: web.Request, account: Account, parts: list[str]) -> web.Response:
        names = {"SmsUrl": "sms_url", "SmsMethod": "sms_method", "SmsApplicationSid": "sms_application_sid"}
        form = await request.post()
        for phone in account.numbers.values():
            if phone["sid"] == parts[4]:
                phone.update({names[name]: str(value) for name, value in form.items()})
                return web.json_response(phone)
        return error(20404)

    async def _list(self, request: web.Request, account: Account, _parts: list[str]) -> web.Response:
        """Newest first, page by page."""
        mine = [each for each in self.messages.values() if each["account_sid"] == account.sid]
        mine = [each for each in mine if request.query.get("To") in (None, each["to"])]
        size, page = int(request.query.get("PageSize", "50")), int(request.query.get("Page", "0"))
        newest = mine[::-1][page * size : (page + 1) * size]
        more = len(mine) > (page + 1) * size
        query = urlencode({**request.query, "Page": str(page + 1), "PageToken": "PA1"})
        return web.json_response(
            {
                "messages": [{name: each[name] for name in each if name != "files"} for each in newest],
                "next_page_uri": f"{request.path}?{query}" if more else None,
                "page": page,
            }
        )

    async def _media(self, request: web.Request, account: Account, parts: list[str]) -> web.Response:
        """The list of a text's files, or one of them, which is elsewhere."""
        if len(parts) == 6:
            if parts[4] in self.without_lists:
                return error(20404)
            files = self.messages[parts[4]]["files"]
            listed = [
                {
                    "sid": name,
                    "content_type": self.media[name][0],
                    "uri": urlsplit(self.media_url(account.sid, parts[4], name)).path + ".json",
                }
                for name in files
            ]
            return web.json_response({"media_list": listed})
        if self.media_status:
            return web.Response(status=self.media_status.pop(0))
        if parts[6] not in self.media:
            return error(20404)
        raise web.HTTPTemporaryRedirect(f"{self.media_at}/{parts[6]}?sig=short-lived")

    def _file(self, request: web.Request) -> web.Response:
        self.shown.append(request.headers.get("Authorization", ""))
        if request.path in self.redirects:
            raise web.HTTPFound(self.redirects[request.path])
        kind, content = self.media[request.path.strip("/")]
        return web.Response(body=content, content_type=kind)

    async def _create(self, request: web.Request, account: Account, _parts: list[str]) -> web.StreamResponse:
        form = parse_qs((await request.read()).decode(), keep_blank_values=True, strict_parsing=True)
        self.forms.append(form)
        odd = self.next.pop(0) if self.next else Behaviour()
        sender, to, body = (form.get(name, [""])[0] for name in ("From", "To", "Body"))
        if wrong := self._wrong(account, sender, to, body, form):
            return error(wrong)
        sid = ""
        if odd.made:
            sid = f"SM{secrets.token_hex(16)}"
            self.messages[sid] = self._resource(account, sid, sender, to, body, "outbound-api", "queued")
            self.callbacks[sid] = form.get("StatusCallback", [""])[0]
            self.phones.setdefault(to, []).append(body)
        self.arrived.set()
        for status in odd.first:
            await self.tell(sid, status)
        if odd.hang is not None:
            await odd.hang.wait()
        if odd.abort:
            assert request.transport is not None
            request.transport.abort()
        if odd.body is not None:
            return web.Response(status=odd.status, text=odd.body, headers=odd.headers)
        if odd.status != 201:
            return error(odd.code, odd.status, odd.headers)
        return web.json_response(self.messages.get(sid, {}), status=201)

    def _wrong(self, account: Account, sender: str, to: str, body: str, form: Mapping[str, Any]) -> int:
        if sender not in account.numbers:
            return 21606
        if not (to.startswith("+") and to[1:].isdecimal() and 8 <= len(to) <= 16):
            return 21211
        if len(body) > 1600:
            return 21617
        return 21619 if not body and "MediaUrl" not in form else 0

    @staticmethod
    def _resource(
        account: Account, sid: str, sender: str, to: str, body: str, direction: str, status: str
    ) -> dict[str, Any]:
        now = email.utils.formatdate(time.time(), usegmt=False)
        return {
            "sid": sid, "date_created": now, "date_updated": now, "date_sent": now,
            "account_sid": account.sid, "to": to, "from": sender, "messaging_service_sid": None,
            "body": body, "status": status,
            "num_segments": "1", "num_media": "0", "direction": direction, "api_version": "2010-04-01",
            "price": None, "price_unit": "USD", "error_code": None, "error_message": None,
            "uri": f"/2010-04-01/Accounts/{account.sid}/Messages/{sid}.json",
        }  # fmt: skip


def signature(token: str, url: str, fields: Mapping[str, str]) -> str:
    """`X-Twilio-Signature`: the full URL, then the POST variables in the order of their names, each name and
    value appended; signed with HMAC-SHA1 and the AuthToken; base64."""
    text = url
    for name in sorted(fields):
        text += name
        text += fields[name]
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def error(code: int, status: int = 0, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as the interface gives it."""
    usual, message = ERRORS.get(code, (400, "It cannot be done."))
    body: dict[str, Any] = {"message": message, "status": status or usual}
    if code:
        body |= {"code": code, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
    return web.json_response(body, status=status or usual, headers=headers)


def _logged_in(request: web.Request, account: Account) -> bool:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        return kind == "Basic" and base64.b64decode(given).decode() == f"{account.sid}:{account.token}"
    except (binascii.Error, UnicodeDecodeError):
        return False


@asynccontextmanager
async def running_twilio(folder: Path) -> AsyncIterator[Twilio]:
    """The provider, at `localhost` and, for files, `MEDIA_HOST`, on the running event loop."""
    certificates = make_certificates(folder, "localhost", MEDIA_HOST)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    provider = Twilio(free_port(), certificates.ca_file)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", provider.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    for port in (provider.port, provider.media_port):
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield provider
    finally:
        await runner.cleanup()
