"""The listener faces the whole world: what comes is bounded, and nothing raises out of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backends.sms.http import webhooks
from backends.sms.http.access import Access
from backends.sms.http.fields import BadRequest, read_form
from backends.sms.http.line import Line
from backends.sms.http.signature import sign
from backends.sms.http.webhooks import Webhooks
from bridge.api import ConnectionLost
from bridge.testing.fake_host import FakeHost
from tests.peers.twilio import Account as Customer
from tests.peers.twilio import Twilio
from tests.sms.http.conftest import EXTERNAL, NUMBER, PHONE, Listening, running
from tests.sms.http.desk import SmallDesk
from tests.sms.http.posting import FIELDS, post, raw

REQUEST = b"POST /nowhere HTTP/1.0\r\nHost: x\r\n\r\n"
HUNG_UP = (b"", b"reset")


async def test_so_many_requests_at_once(
    listening: Listening,
    provider: Twilio,
    account: Customer,
    desk: SmallDesk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "AT_ONCE", 1)
    desk.open.clear()
    first = asyncio.create_task(post(provider, account, FIELDS))
    await asyncio.wait_for(desk.asked.wait(), 5)
    second = await post(provider, account, FIELDS)
    desk.open.set()
    assert ((await first).status, second.status, "too many" in second.body) == (200, 503, True)
    assert (await post(provider, account, FIELDS)).status == 200


async def test_a_body_that_does_not_come(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "READ_SECONDS", 0.1)
    head = b"POST /us/in HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123"
    assert b" 408 " in await raw(listening.webhooks.port, head)


async def test_more_connections_than_there_is_room_for_are_hung_up_on(
    desk: SmallDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "CONNECTIONS", 2)
    async with running(Webhooks("127.0.0.1", 0, EXTERNAL), desk) as hooks:
        inside = [await asyncio.open_connection("127.0.0.1", hooks.port) for _ in range(2)]
        assert await raw(hooks.port, REQUEST) in HUNG_UP
        for reader, writer in inside:
            writer.write(REQUEST)
            assert b" 404 " in await reader.read()
            writer.close()
        assert b" 404 " in await raw(hooks.port, REQUEST)


async def test_a_connection_without_a_request_is_hung_up_on(
    desk: SmallDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "IDLE_SECONDS", 0.1)
    async with running(Webhooks("127.0.0.1", 0, EXTERNAL), desk) as hooks:
        assert await asyncio.wait_for(raw(hooks.port, b""), 5) in HUNG_UP
        assert await asyncio.wait_for(raw(hooks.port, REQUEST[:-5]), 5) in HUNG_UP


async def test_a_port_that_is_taken(listening: Listening, desk: SmallDesk) -> None:
    second = Webhooks("127.0.0.1", listening.webhooks.port, EXTERNAL)
    with pytest.raises(ConnectionLost, match="can't listen for webhooks"):
        await second.run(desk, listening.own)


@pytest.mark.parametrize(
    "url",
    ["sms.example.org", "http://sms.example.org", "https://u:p@x.org", "https://x.org/?a=b", "https:///x"],
)
def test_an_external_address_that_cannot_work(url: str) -> None:
    with pytest.raises(ValueError, match="expected an https address"):
        Webhooks("127.0.0.1", 0, url)


_VALUES = st.one_of(
    st.sampled_from([NUMBER, PHONE, "SM00000001", "delivered", "failed", "1"]), st.text(max_size=40)
)
_NAMES = st.sampled_from([*FIELDS, "NumMedia", "MediaUrl0", "MessageStatus", "ErrorCode"])
_BYTES = st.one_of(
    st.binary(max_size=300),
    st.dictionaries(st.text(max_size=12), _VALUES, max_size=8).map(lambda d: json.dumps(d).encode()),
    st.dictionaries(_NAMES, _VALUES).map(lambda d: urlencode(d).encode()),
    st.dictionaries(_NAMES, _VALUES).map(lambda d: urlencode({**FIELDS, **d}).encode()),
)
GOOD = urlencode({**FIELDS, "MessageStatus": "delivered"}).encode()
_HEADER_NAMES = """Content-Type X-Twilio-Signature X-SignalWire-Signature Host X-\xff Transfer-Encoding Expect
X-Twilio-Webhooks-Signature-Settings Content-Encoding""".split()
_HEADER_VALUES = """application/json application/x-www-form-urlencoded gzip chunked 100-continue
algorithm=HMAC_SHA256""".split()
_HEADERS = st.dictionaries(
    st.sampled_from(_HEADER_NAMES),
    st.one_of(
        st.text(st.characters(codec="latin-1", exclude_characters="\r\n")), st.sampled_from(_HEADER_VALUES)
    ),
)
_PATHS = st.one_of(
    st.sampled_from(
        [
            "/us/in",
            "/us/status",
            "/own/hook-that-nobody-guesses-1234/in",
            "/hooks/us/in?x=%ff",
            "http://[/us/in",
            "*",
        ]
    ),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n "), max_size=20),
)


def test_no_request_raises_out_of_the_listener(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any bytes, signed or not, with any headers: it is answered, or hung up on."""
    monkeypatch.setattr(webhooks, "READ_SECONDS", 0.2)
    monkeypatch.setattr(webhooks, "IDLE_SECONDS", 0.2)
    desk, host, seen = SmallDesk(), FakeHost(), set[bytes]()
    desk.holders = {(NUMBER, "us"): host, (PHONE, "us"): host}
    hooks = Webhooks("127.0.0.1", 0, EXTERNAL)
    hooks.add(Line("us", Access("https://localhost:1", "AC0123456789", "token"), host))

    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        runner.run(stack.enter_async_context(running(hooks, desk)))

        @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
        @given(_PATHS, _BYTES, _HEADERS, st.booleans())
        @example("/us/in", GOOD, {}, True)
        @example("/us/status", GOOD, {}, True)
        @example("/us/in", GOOD, {"X-Twilio-Signature": ""}, False)
        @example("/us/in", b"", {}, True)
        @example("/", b"", {}, False)
        @example("/us/in", b"", {"Expect": "\x80"}, False)
        def tried(path: str, body: bytes, headers: dict[str, str], signed: bool) -> None:
            if signed:
                pairs = _pairs(body)
                path = path if path in ("/us/in", "/us/status") else "/us/in"
                url = EXTERNAL + path
                headers = {
                    **headers,
                    "Content-Type": "application/x-www-form-urlencoded",
                    "X-Twilio-Signature": sign("token", url, pairs),
                }
            lines = [f"POST {path} HTTP/1.1", "Connection: close", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in {"Host": "x", **headers}.items()]
            head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
            answer = runner.run(asyncio.wait_for(raw(hooks.port, head + body), 10))
            status = answer.partition(b" ")[2][:3]
            seen.add(status)

        try:
            tried()
        finally:
            runner.run(stack.aclose())
    assert seen >= {b"200", b"204", b"400", b"403", b"404"}
    assert seen <= {b"", b"100", b"200", b"204", b"400", b"403", b"404", b"413", b"501", b"503"}
    assert not [each for each in caplog.records if each.levelname in ("ERROR", "CRITICAL")]


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return read_form(body).pairs
    except BadRequest:
        return []
