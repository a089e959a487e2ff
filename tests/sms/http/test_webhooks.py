"""What providers call us with: it is authentic, readable and stored, or it is turned away with a reason."""

from __future__ import annotations

import asyncio
import hashlib
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sms.http import webhooks
from backends.sms.http.access import Access
from backends.sms.http.carrier import TwilioCarrier
from backends.sms.http.fields import Fields, read_form
from backends.sms.http.line import Line
from backends.sms.http.receiving import take_text
from backends.sms.http.signature import sign
from backends.sms.http.webhooks import Webhooks
from backends.sms.values import Arrived
from bridge.api import ContactId, MessageId
from bridge.testing.fake_host import FakeHost
from tests.peers.twilio import Account as Customer
from tests.peers.twilio import Called, Twilio
from tests.sms.http.conftest import EXTERNAL, NUMBER, PHONE, Listening, running
from tests.sms.http.desk import SmallDesk
from tests.sms.http.posting import FIELDS, IN, post, raw


async def test_a_text_arrives(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    called = await provider.text(PHONE, NUMBER, "Grüße & 1+1=2 😀\nübermorgen")
    (sid,) = provider.messages
    assert desk.texts == [
        Arrived(NUMBER, ContactId(PHONE), MessageId(f"us {sid}"), "Grüße & 1+1=2 😀\nübermorgen")
    ]
    assert called == Called(200, webhooks.TWIML, "text/xml", 1)


async def test_a_text_is_acknowledged_only_when_it_is_stored(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    desk.open.clear()
    texting = asyncio.create_task(provider.text(PHONE, NUMBER, "hi"))
    await asyncio.wait_for(desk.asked.wait(), 5)
    assert not texting.done()
    assert desk.texts == []
    desk.open.set()
    assert (await texting).status == 200
    assert len(desk.texts) == 1


async def test_it_comes_with_a_cursor_so_it_is_not_shown_before_it_is_stored(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    await provider.text(PHONE, NUMBER, "hi")
    assert desk.cursors == [("sms http last", desk.texts[0].id)]


async def test_a_text_that_is_said_again_is_one(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    for _ in range(3):
        assert (await provider.text(PHONE, NUMBER, "hi", sid="SM12345678")).status == 200
    assert desk.told == 3
    assert len(desk.texts) == 1


async def test_while_the_database_is_out_the_provider_is_asked_to_repeat(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    desk.out = True
    called = await provider.text(PHONE, NUMBER, "hi", sid="SM12345678")
    assert (called.status, called.attempts) == (503, 6)
    desk.out = False
    assert (await provider.text(PHONE, NUMBER, "hi", sid="SM12345678")).status == 200
    assert [each.text for each in desk.texts] == ["hi"]


async def test_what_cannot_be_stored_in_time_is_not_acknowledged(
    listening: Listening,
    provider: Twilio,
    account: Customer,
    desk: SmallDesk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "ANSWER_SECONDS", 0.1)
    desk.open.clear()
    assert (await post(provider, account, FIELDS)).status == 503


async def test_a_bridge_that_is_too_busy_takes_no_more(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk, host: FakeHost
) -> None:
    host.congest()
    assert (await post(provider, account, FIELDS)).status == 503
    host.congest(False)
    assert (await post(provider, account, FIELDS)).status == 200


@pytest.mark.parametrize(
    "changes",
    [{"SmsSid": "SM00000002", "MessageSid": ""}, {"Body": ""}, {"Extra": "x", "X": ""}, {"Body": "a\0b"}],
    ids=["SmsSid", "no text", "new fields", "NUL"],
)
async def test_other_shapes_of_texts(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk, changes: dict[str, str]
) -> None:
    called = await post(provider, account, {**FIELDS, **changes})
    assert called.status == 200
    assert desk.texts[0].text == {**FIELDS, **changes}["Body"].replace("\0", "")


async def test_a_body_in_json(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    body = json.dumps({**FIELDS, "NumMedia": 0, "AddOns": {"x": []}}).encode()
    url = f"{IN}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"X-Twilio-Signature": sign(account.token, url), "Content-Type": "application/json"}
    assert (await provider.post(url, body, headers)).status == 200
    assert desk.texts[0].text == "hi"
    changed = await provider.post(url, body.replace(b"hi", b"ho"), headers)
    unhashed = {**headers, "X-Twilio-Signature": sign(account.token, IN)}
    assert changed.status == (await provider.post(IN, body, unhashed)).status == 403
    assert len(desk.texts) == 1


async def test_what_the_other_providers_header_and_key_sign(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    good = sign(account.token, IN, FIELDS.items())
    body = urlencode(FIELDS).encode()
    assert (await provider.post(IN, body, {"X-SignalWire-Signature": good})).status == 200
    both = {"X-SignalWire-Signature": good, "X-Twilio-Signature": "x"}
    assert (await provider.post(IN, body, both)).status == 200
    newer = {
        "X-Twilio-Signature": sign(account.token, IN, FIELDS.items(), "HMAC_SHA256"),
        "X-Twilio-Webhooks-Signature-Settings": "key=k,algorithm=HMAC_SHA256",
    }
    assert (await provider.post(IN, body, newer)).status == 200


async def test_a_proxy_may_take_the_path_off_or_not(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    provider.reach[EXTERNAL] = f"http://127.0.0.1:{listening.webhooks.port}"
    assert (await provider.text(PHONE, NUMBER, "hi")).status == 200


@pytest.mark.parametrize("kept", ["", "/us"])
async def test_an_external_path_like_a_routes_name(
    carrier: TwilioCarrier, provider: Twilio, account: Customer, desk: SmallDesk, kept: str
) -> None:
    hooks = Webhooks("127.0.0.1", 0, "https://sms.example.org/us/")
    hooks.add(carrier.line)
    async with running(hooks, desk):
        provider.reach["https://sms.example.org/us"] = f"http://127.0.0.1:{hooks.port}{kept}"
        called = await post(provider, account, FIELDS, "https://sms.example.org/us/us/in")
    assert called.status == 200


async def test_a_query_is_signed_too(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    url = f"{IN}?a=%C3%A9+b&&c="
    assert (await post(provider, account, FIELDS, url)).status == 200
    body = urlencode(FIELDS).encode()
    signature = {"X-Twilio-Signature": sign(account.token, IN, FIELDS.items())}
    assert (await provider.post(url, body, signature)).status == 403


async def test_what_is_not_authentic_is_turned_away(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    body = urlencode(FIELDS).encode()
    good = sign(account.token, IN, FIELDS.items())
    unsigned = await provider.post(IN, body, {})
    empty = await provider.post(IN, body, {"X-Twilio-Signature": ""})
    other_key = await provider.post(IN, body, {"X-Twilio-Signature": sign("x", IN, FIELDS.items())})
    other_body = await provider.post(IN, body + b"!", {"X-Twilio-Signature": good})
    more = await provider.post(IN, body + b"&Admin=1", {"X-Twilio-Signature": good})
    other_place = await provider.post(f"{EXTERNAL}/us/status", body, {"X-Twilio-Signature": good})
    answers = [unsigned, empty, other_key, other_body, more, other_place]
    assert [each.status for each in answers] == [403] * 6
    assert "not signed" in unsigned.body
    assert "signature is not right" in other_key.body
    assert desk.told == 0


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"From": ""}, 400, "From is missing"),
        ({"To": ""}, 400, "To is missing"),
        ({"MessageSid": ""}, 400, "MessageSid"),
        ({"MessageSid": "SM 1234567"}, 400, "MessageSid"),
        ({"To": "whatsapp:+15550001111"}, 404, "nobody has that number"),
        ({"To": "+15550009999"}, 404, "nobody has that number"),
    ],
)
async def test_what_cannot_be_delivered_is_turned_away(
    listening: Listening,
    provider: Twilio,
    account: Customer,
    desk: SmallDesk,
    changes: dict[str, str],
    status: int,
    words: str,
) -> None:
    called = await post(provider, account, {**FIELDS, **changes})
    assert called.status == status
    assert words in called.body
    assert desk.told == 0


@pytest.mark.parametrize(
    ("body", "media_type", "words"),
    [
        (b"From=%FF", "application/x-www-form-urlencoded", "UTF-8"),
        (b"\xff\xfe", "application/x-www-form-urlencoded", "UTF-8"),
        (b"a&" * 600, "application/x-www-form-urlencoded", "more than 500 fields"),
        (b"From=x", "multipart/form-data; boundary=x", "no form"),
        (b"From=x", "", "no form"),
        (b"{", "application/json", "no JSON"),
        (b"[]", "application/json", "no JSON object"),
        (b"[" * 60_000, "application/json", "no JSON"),
        (b'{"From": "\xff"}', "application/json", "no JSON"),
    ],
)
async def test_what_cannot_be_read_is_turned_away(
    listening: Listening, provider: Twilio, body: bytes, media_type: str, words: str
) -> None:
    called = await provider.post(IN, body, {"X-Twilio-Signature": "x", "Content-Type": media_type})
    assert called.status == 400
    assert words in called.body


async def test_a_body_of_any_size_is_turned_away_at_64_kib(
    listening: Listening, provider: Twilio, account: Customer, desk: SmallDesk
) -> None:
    room = webhooks.LARGEST_BODY - len(urlencode({**FIELDS, "Body": ""}))
    assert (await post(provider, account, {**FIELDS, "Body": "x" * room})).status == 200
    assert (await post(provider, account, {**FIELDS, "Body": "x" * (room + 1)})).status == 413
    head = b"POST /us/in HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    assert b" 413 " in await raw(listening.webhooks.port, head + chunks * 5)


@pytest.mark.parametrize(
    "path", ["/", "/us", "/us/", "/us/out", "/x/in", "/us/in/", "/us/us/in", "/own/in", "/%2e%2e/in"]
)
async def test_there_is_no_other_webhook(listening: Listening, provider: Twilio, path: str) -> None:
    assert (await provider.post(f"{EXTERNAL}{path}", b"", {"X-Twilio-Signature": "x"})).status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE", "OPTIONS"])
async def test_only_post_is_served(listening: Listening, provider: Twilio, method: str) -> None:
    assert (await provider.post(IN, b"", {}, method=method)).status == 405


async def test_a_fault_of_ours_is_a_500_and_no_more(
    listening: Listening,
    provider: Twilio,
    account: Customer,
    desk: SmallDesk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(desk, "holder", broken)
        assert (await post(provider, account, FIELDS)).status == 500
    assert "could not be taken" in caplog.text
    assert (await post(provider, account, FIELDS)).status == 200


@pytest.mark.parametrize(
    ("sender", "contact", "name"),
    [
        ("+1 (555) 222-3333", "+15552223333", ""),
        ("262966", "262966;phone-context=+1", ""),
        ("MyBank", "mybank", "MyBank"),
        ("+266696687", "266696687", ""),
        ("\u200b", "unknown sender", ""),
    ],
)
async def test_any_sender_has_a_contact(
    listening: Listening,
    provider: Twilio,
    account: Customer,
    desk: SmallDesk,
    sender: str,
    contact: str,
    name: str,
) -> None:
    assert (await provider.text(sender, NUMBER, "hi")).status == 200
    assert [(each.contact, each.name) for each in desk.texts] == [(contact, name)]


@given(st.text(max_size=300))
def test_any_text_arrives_as_it_was_written(text: str) -> None:
    fields = Fields([*{**FIELDS, "Body": text}.items()])
    desk, host = SmallDesk(), FakeHost()
    line = Line("us", Access("https://localhost:1", "AC0123456789", "token"), host, host=host, number=NUMBER)
    asyncio.run(take_text(line, desk, read_form(urlencode(fields.pairs).encode())))
    assert desk.texts[0].text == text.replace("\0", "")
