"""What the provider says became of our texts."""

from __future__ import annotations

import pytest

from backends.sms.http.carrier import TwilioCarrier
from backends.sms.http.reasons import failure, refusal
from backends.sms.values import Outgoing, Report, Verdict
from bridge.api import ContactId, MessageId, Reason, Sent
from tests.peers.twilio import Account, Behaviour, Twilio
from tests.sms.http.conftest import EXTERNAL, NUMBER, PHONE, Listening
from tests.sms.http.desk import SmallDesk


async def _sent(carrier: TwilioCarrier, provider: Twilio) -> str:
    """Returns the provider's id."""
    outcome = await carrier.send(Outgoing(NUMBER, ContactId(PHONE), "hello", "key"))
    assert isinstance(outcome, Sent)
    return outcome.parts[0].id.removeprefix("us ")


def _report(sid: str, verdict: Verdict, text: str = "") -> Report:
    return Report(MessageId(f"us {sid}"), ContactId(PHONE), verdict, text)


async def test_delivery_is_reported_once_it_is_there(
    listening: Listening, carrier: TwilioCarrier, provider: Twilio, desk: SmallDesk
) -> None:
    sid = await _sent(carrier, provider)
    for status in ("queued", "accepted", "scheduled", "sending", "sent", "invented later"):
        called = await provider.tell(sid, status)
        assert (called.status, called.body) == (204, "")
    assert desk.reports == []
    assert (await provider.tell(sid, "delivered")).status == 204
    assert desk.reports == [_report(sid, Verdict.DELIVERED)]


async def test_a_report_about_a_short_code_names_the_contact_that_was_texted(
    listening: Listening, carrier: TwilioCarrier, provider: Twilio, desk: SmallDesk, account: Account
) -> None:
    fields = {"MessageSid": "SM12345678", "From": NUMBER, "To": "12345", "MessageStatus": "delivered"}
    assert (await provider.call(account, f"{EXTERNAL}/us/status", fields)).status == 204
    assert [each.contact for each in desk.reports] == ["12345;phone-context=+1"]


async def test_what_is_read_was_delivered(
    listening: Listening, carrier: TwilioCarrier, provider: Twilio, desk: SmallDesk
) -> None:
    sid = await _sent(carrier, provider)
    await provider.tell(sid, "read")
    assert desk.reports == [_report(sid, Verdict.DELIVERED)]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ("undelivered", 30003, "The phone cannot be reached: it may be off or out of coverage."),
        ("undelivered", 30005, "The number is unknown or no longer in service."),
        ("undelivered", 30006, "That number is a landline, or its carrier cannot be reached."),
        ("undelivered", 30007, "The carrier took the text for spam or found it against its rules."),
        ("failed", 30004, "The text was blocked."),
        ("failed", 30036, "The text expired: it waited too long to be sent."),
        (
            "failed",
            21610,
            "They have opted out: they must text START to your number before you can text them.",
        ),
        ("undelivered", 30999, "It was not delivered: error 30999."),
        ("failed", 0, "It was not delivered; nothing says why."),
        ("canceled", 0, "The text was cancelled at the provider."),
    ],
)
async def test_a_failure_says_why(
    listening: Listening,
    carrier: TwilioCarrier,
    provider: Twilio,
    desk: SmallDesk,
    status: str,
    code: int,
    words: str,
) -> None:
    sid = await _sent(carrier, provider)
    assert (await provider.tell(sid, status, code)).status == 204
    assert desk.reports == [_report(sid, Verdict.FAILED, words)]


async def test_reports_in_any_order_and_before_the_answer(
    listening: Listening, carrier: TwilioCarrier, provider: Twilio, desk: SmallDesk
) -> None:
    provider.next = [Behaviour(first=("delivered", "sent", "sending", "queued"))]
    sid = await _sent(carrier, provider)
    assert desk.reports == [_report(sid, Verdict.DELIVERED)]
    await provider.tell(sid, "sent")
    await provider.tell(sid, "delivered")
    assert desk.reports == [_report(sid, Verdict.DELIVERED)] * 2


async def test_while_the_database_is_out_reports_are_asked_for_again(
    listening: Listening, carrier: TwilioCarrier, provider: Twilio, desk: SmallDesk
) -> None:
    sid = await _sent(carrier, provider)
    desk.out = True
    called = await provider.tell(sid, "delivered")
    assert (called.status, called.attempts) == (503, 6)
    desk.out = False
    assert (await provider.tell(sid, "delivered")).status == 204
    assert len(desk.reports) == 1


async def test_a_report_for_a_number_that_nobody_has_any_more(
    listening: Listening, carrier: TwilioCarrier, provider: Twilio, desk: SmallDesk
) -> None:
    sid = await _sent(carrier, provider)
    desk.holders.clear()
    assert (await provider.tell(sid, "delivered")).status == 404


async def test_a_report_without_a_status(
    listening: Listening, carrier: TwilioCarrier, provider: Twilio, account: Account
) -> None:
    sid = await _sent(carrier, provider)
    fields = {"MessageSid": sid, "From": NUMBER, "To": PHONE, "MessageStatus": ""}
    called = await provider.call(account, provider.callbacks[sid], fields)
    assert (called.status, called.body) == (400, "the field SmsStatus is missing\n")


@pytest.mark.parametrize("code", [*range(30001, 30037), 21211, 21408, 21610, 21614, 21635])
def test_every_code_has_words(code: int) -> None:
    assert failure(code)[0].isupper()
    assert failure(code).endswith(".")
    reason, words = refusal(400, code, "")
    assert isinstance(reason, Reason)
    assert words
