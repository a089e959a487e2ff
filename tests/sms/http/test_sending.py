"""Texts go out once, and each answer of the provider is what it is worth."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from backends.sms.carrier import NotPossible
from backends.sms.http.carrier import TwilioCarrier
from backends.sms.http.options import TwilioOptions
from backends.sms.values import Outgoing
from bridge.api import (
    Attachment,
    ContactId,
    Content,
    Later,
    MessageId,
    Outcome,
    Reason,
    Refused,
    Sent,
    SentPart,
    Support,
    Unknown,
)
from bridge.testing.fake_host import FakeHost
from tests.peers.daemon import free_port
from tests.peers.tls import make_certificates
from tests.peers.twilio import Account, Behaviour, Twilio
from tests.sms.http.conftest import EXTERNAL, NUMBER, PHONE

PICTURE = Attachment("https://files.example.org/1/cat.jpg", "cat.jpg", "image/jpeg", 100)


def outgoing(text: str = "hello", **more: object) -> Outgoing:
    return replace(Outgoing(NUMBER, ContactId(PHONE), text, "key"), **more)  # type: ignore[arg-type]


async def _sent_by(options: TwilioOptions, host: FakeHost, seconds: float = 30.0) -> Outcome:
    carrier = TwilioCarrier("us", options, host, EXTERNAL, seconds=seconds)
    try:
        return await carrier.send(outgoing())
    finally:
        await carrier.close()


async def test_a_text_goes_out(carrier: TwilioCarrier, provider: Twilio) -> None:
    outcome = await carrier.send(outgoing("Grüße & 1+1=2 😀\n;"))
    assert provider.phones == {PHONE: ["Grüße & 1+1=2 😀\n;"]}
    (sid,) = provider.messages
    assert outcome == Sent((SentPart(MessageId(f"us {sid}"), Content("Grüße & 1+1=2 😀\n;")),))
    assert provider.forms == [
        {
            "From": [NUMBER],
            "To": [PHONE],
            "Body": ["Grüße & 1+1=2 😀\n;"],
            "StatusCallback": [f"{EXTERNAL}/us/status#rc=5&rp=all"],
        }
    ]


async def test_without_reports_none_are_asked_for(
    options: TwilioOptions, host: FakeHost, provider: Twilio
) -> None:
    assert isinstance(await _sent_by(replace(options, reports=False), host), Sent)
    assert "StatusCallback" not in provider.forms[0]


async def test_files_go_along_as_addresses(carrier: TwilioCarrier, provider: Twilio) -> None:
    assert carrier.capabilities.attachment is Support.NATIVE
    others = tuple(replace(PICTURE, url=f"https://files.example.org/{number}") for number in range(11))
    secret = replace(PICTURE, url="aesgcm://files.example.org/2#00")
    await carrier.send(outgoing("look", attachments=(PICTURE, secret)))
    sent = await carrier.send(outgoing(PICTURE.url, attachments=(PICTURE,)))
    assert isinstance(sent, Sent)
    assert sent.parts[0].content == Content("", attachments=(PICTURE,))
    await carrier.send(outgoing("", attachments=others))
    first, second, third = provider.forms
    assert (first["MediaUrl"], first["Body"]) == ([PICTURE.url], [f"look\n{secret.url}"])
    assert (second["MediaUrl"], second["Body"]) == ([PICTURE.url], [""])
    assert (len(third["MediaUrl"]), third["Body"]) == (10, ["https://files.example.org/10"])


@pytest.mark.parametrize("letter", ["a", "é", "中"])
def test_a_text_is_counted_as_the_network_does(carrier: TwilioCarrier, letter: str) -> None:
    assert carrier.segments(letter) == 1
    assert carrier.segments(letter * 161) == {"a": 2, "é": 2, "中": 3}[letter]
    assert carrier.segments(letter * 1600) > 1
    with pytest.raises(NotPossible, match="1601 characters"):
        carrier.segments(letter * 1601)


async def test_what_cannot_be_sent_is_not_tried(carrier: TwilioCarrier, provider: Twilio) -> None:
    long = await carrier.send(outgoing("a" * 1601))
    assert isinstance(long, Refused)
    assert long.reason is Reason.TOO_LONG
    assert isinstance(await carrier.send(outgoing("")), Refused)
    name = await carrier.send(outgoing(contact=ContactId("mybank")))
    assert isinstance(name, Refused)
    assert "cannot be answered" in name.text
    assert provider.asked == []


async def test_a_short_code_is_dialled_by_its_digits(carrier: TwilioCarrier, provider: Twilio) -> None:
    await carrier.send(outgoing(contact=ContactId("12345;phone-context=+1")))
    assert provider.forms[0]["To"] == ["12345"]


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (21211, Reason.NOT_FOUND, "not a phone number"),
        (21614, Reason.NOT_FOUND, "not a phone number"),
        (21635, Reason.NOT_FOUND, "landline"),
        (21610, Reason.FORBIDDEN, "opted out"),
        (21408, Reason.FORBIDDEN, "country"),
        (21606, Reason.FORBIDDEN, "Your number cannot"),
        (21659, Reason.FORBIDDEN, "Your number cannot"),
        (21617, Reason.TOO_LONG, "too long"),
        (30007, Reason.FORBIDDEN, "spam"),
        (20003, Reason.NOT_AUTHORIZED, "login"),
        (21999, Reason.BAD_REQUEST, "error 21999): It cannot be done"),
    ],
)
async def test_a_refusal_has_its_reason(
    carrier: TwilioCarrier, provider: Twilio, code: int, reason: Reason, words: str
) -> None:
    provider.next = [Behaviour(made=False, status=400, code=code)]
    outcome = await carrier.send(outgoing())
    assert isinstance(outcome, Refused)
    assert outcome.reason is reason
    assert words in outcome.text
    assert provider.phones == {}


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (Behaviour(made=False, status=400, body='{"errors":[{"code":"21610","message":"m"}]}'), "opted out"),
        (Behaviour(made=False, status=400, body="<html>"), "status 400"),
        (Behaviour(made=False, status=403, body=""), "login"),
        (
            Behaviour(made=False, status=302, body="", headers={"Location": "https://localhost/"}),
            "status 302",
        ),
        (Behaviour(made=False, body='{"sid":"S","status":"failed","error_code":30034}'), "not reg"),
        (Behaviour(made=False, body='{"sid":"S","status":"failed","error_code":null}'), "nothing says"),
    ],
    ids=["SignalWire", "no JSON", "forbidden", "redirect", "failed at once", "and no more"],
)
async def test_other_shapes_of_refusals(
    carrier: TwilioCarrier, provider: Twilio, behaviour: Behaviour, words: str
) -> None:
    provider.next = [behaviour]
    outcome = await carrier.send(outgoing())
    assert isinstance(outcome, Refused)
    assert words in outcome.text


async def test_what_the_provider_itself_refuses(
    carrier: TwilioCarrier, provider: Twilio, account: Account
) -> None:
    wrong = await carrier.send(outgoing(contact=ContactId("5552223333")))
    other = await carrier.send(outgoing(number="+15559999999"))
    account.token = "another by now"
    login = await carrier.send(outgoing())
    reasons = [each.reason for each in (wrong, other, login) if isinstance(each, Refused)]
    assert reasons == [Reason.NOT_FOUND, Reason.FORBIDDEN, Reason.NOT_AUTHORIZED]


@pytest.mark.parametrize(
    ("behaviour", "after"),
    [
        (Behaviour(made=False, status=429, headers={"Retry-After": "17"}), 17.0),
        (Behaviour(made=False, status=429, code=20429), 1.0),
        (Behaviour(made=False, status=400, code=21611), 1.0),
        (Behaviour(made=False, status=429, headers={"Retry-After": "99999999"}), 3600.0),
        (Behaviour(made=False, status=429, headers={"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}), 1.0),
        (Behaviour(made=False, status=429, headers={"Retry-After": "soon"}), 1.0),
    ],
    ids=["seconds", "no wish", "the number's queue is full", "very long", "a date", "nonsense"],
)
async def test_a_throttled_text_waits(
    carrier: TwilioCarrier, provider: Twilio, behaviour: Behaviour, after: float
) -> None:
    provider.next = [behaviour]
    outcome = await carrier.send(outgoing())
    assert isinstance(outcome, Later)
    assert outcome.after == after
    assert isinstance(await carrier.send(outgoing()), Sent)
    assert provider.phones == {PHONE: ["hello"]}


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(made=True, status=500),
        Behaviour(made=False, status=503, headers={"Retry-After": "1"}),
        Behaviour(made=True, status=500, code=20429),
        Behaviour(made=True, abort=True),
        Behaviour(made=False, status=408),
        Behaviour(made=False, abort=True),
        Behaviour(made=True, body="{"),
        Behaviour(made=True, body="[]"),
        Behaviour(made=True, body='{"sid": 7}'),
        Behaviour(made=True, body="[" * 100_000),
    ],
    ids=[
        "500",
        "503",
        "500 with a code",
        "break",
        "408",
        "break, not made",
        "half JSON",
        "list",
        "no sid",
        "deep",
    ],
)
async def test_what_may_have_gone_out_is_unknown(
    carrier: TwilioCarrier, provider: Twilio, behaviour: Behaviour
) -> None:
    provider.next = [behaviour]
    assert isinstance(await carrier.send(outgoing()), Unknown)
    assert len(provider.phones.get(PHONE, [])) == behaviour.made
    assert len(provider.forms) == 1


async def test_no_answer_in_time_is_unknown(options: TwilioOptions, host: FakeHost, provider: Twilio) -> None:
    provider.next = [Behaviour(hang=asyncio.Event())]
    outcome = await _sent_by(options, host, 0.5)
    assert outcome == Unknown("The provider did not answer: it does not answer in time.")
    assert provider.phones == {PHONE: ["hello"]}


async def test_without_a_connection_nothing_was_sent(options: TwilioOptions, host: FakeHost) -> None:
    nobody = await _sent_by(replace(options, api=f"https://localhost:{free_port()}"), host)
    unknown = await _sent_by(replace(options, api="https://api.nowhere.test"), host)
    assert nobody == Later(1.0, "The provider cannot be reached: there is no connection to it.")
    assert isinstance(unknown, Later)
    assert "no host called" in unknown.why


async def test_without_trust_nothing_was_sent(
    options: TwilioOptions, host: FakeHost, provider: Twilio, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    stranger = make_certificates(folder)
    strange = await _sent_by(replace(options, ca_file=str(stranger.ca_file)), host)
    system = await _sent_by(replace(options, ca_file=""), host)
    assert strange == system == Later(1.0, "The provider cannot be reached: its certificate is not valid.")
    assert provider.asked == []


async def test_a_server_that_hangs_up_before_tls_got_nothing(options: TwilioOptions, host: FakeHost) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        outcome = await _sent_by(replace(options, api=f"https://localhost:{port}"), host)
    finally:
        server.close()
    assert isinstance(outcome, Later)


async def test_so_many_are_on_their_way_at_once(
    options: TwilioOptions, host: FakeHost, provider: Twilio
) -> None:
    narrow = TwilioCarrier("us", replace(options, max_in_flight=2), host, EXTERNAL)
    gate = asyncio.Event()
    provider.next = [Behaviour(hang=gate) for _ in range(5)]
    texts = [asyncio.create_task(narrow.send(outgoing(str(number)))) for number in range(5)]
    while len(provider.forms) < 2:
        await asyncio.sleep(0.005)
    other = asyncio.create_task(_sent_by(options, host))  # a whole exchange long
    while len(provider.forms) < 3:
        await asyncio.sleep(0.005)
    assert sorted(form["Body"][0] for form in provider.forms) == ["0", "1", "hello"]
    gate.set()
    outcomes = await asyncio.gather(*texts, other)
    await narrow.close()
    assert all(isinstance(each, Sent) for each in outcomes)
    assert sorted(provider.phones[PHONE]) == ["0", "1", "2", "3", "4", "hello"]


async def test_a_send_that_is_cancelled_ends(carrier: TwilioCarrier, provider: Twilio) -> None:
    provider.next = [Behaviour(hang=asyncio.Event())]
    sending = asyncio.create_task(carrier.send(outgoing()))
    await asyncio.wait_for(provider.arrived.wait(), 5)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert isinstance(await carrier.send(outgoing("next")), Sent)


async def test_500_texts_go_out_once_each(carrier: TwilioCarrier, provider: Twilio) -> None:
    texts = [f"text {number}" for number in range(500)]
    outcomes = await asyncio.gather(*(carrier.send(outgoing(text)) for text in texts))
    assert all(isinstance(each, Sent) for each in outcomes)
    assert sorted(provider.phones[PHONE]) == sorted(texts)
    ids = {part.id for each in outcomes if isinstance(each, Sent) for part in each.parts}
    assert ids == {f"us {sid}" for sid in provider.messages}


def test_no_secret_is_shown(carrier: TwilioCarrier, account: Account) -> None:
    assert account.token not in f"{carrier.line!r} {carrier.line.access!r}"
