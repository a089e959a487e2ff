"""What becomes of what carriers bring."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backends.sms.choices import Choices
from backends.sms.desk import FrontDesk
from backends.sms.numbers import Numbers
from backends.sms.options import NumberOptions, Options
from backends.sms.smpp.options import SmppOptions
from backends.sms.values import Arrived, OwnNumber, Report, Verdict
from bridge.api import (
    Account,
    AccountId,
    Attachment,
    ContactId,
    Delivered,
    DeliveryFailed,
    DirectChat,
    Endpoint,
    Host,
    MessageId,
    MessageReceived,
    NetworkId,
)
from bridge.testing.fake_host import FakeHost

BOB = ContactId("+15550002222")
ROUTE = SmppOptions(host="localhost", port=1, system_id="x")
OPTIONS = Options(
    routes={"main": ROUTE, "other": ROUTE},
    numbers={"+15550001111": NumberOptions(user="Alice@example.org", route="main")},
)


class Gateway:
    """Holds who has which number."""

    def __init__(self) -> None:
        self.holders: dict[str, FakeHost] = {}

    async def holder(self, claim: str) -> Host | None:
        return self.holders.get(claim)

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        raise NotImplementedError

    async def enrol(self, user: str, network: NetworkId, settings: dict[str, str]) -> None:
        raise NotImplementedError


def _host(**settings: str) -> FakeHost:
    return FakeHost(Account(AccountId("a"), "alice@example.org", NetworkId(""), settings))


def _desk(host: FakeHost, *numbers: str) -> FrontDesk:
    gateway = Gateway()
    gateway.holders = dict.fromkeys(numbers, host)
    return FrontDesk(Numbers(OPTIONS), Choices(), gateway)


def _text(text: str, number: str = "+15550001111", id_: str = "m1", **more: object) -> Arrived:
    return Arrived(number, BOB, MessageId(id_), text, **more)  # type: ignore[arg-type]


async def test_whose_number_it_is() -> None:
    host = _host(numbers="+15550009999 other")
    desk = _desk(host, "+15550001111", "+15550009999", "+15550007777")
    assert await desk.holder("+15550001111", "main") is host
    assert await desk.holder("+15550009999", "other") is host
    assert await desk.holder("+15550001111", "other") is None, "not by another carrier"
    assert await desk.holder("+15550007777", "main") is None, "a number that was taken away"
    assert await desk.holder("+15550000000", "main") is None


def test_an_assigned_number_that_is_configured_for_somebody_else() -> None:
    """Whom it was assigned to before neither texts from it nor reads what comes for it."""
    numbers = Numbers(OPTIONS)
    settings = {"numbers": "+15550001111 main\n+15550009999 other"}
    mallory = Account(AccountId("m"), "mallory@example.org", NetworkId(""), settings)
    assert numbers.of(mallory) == (OwnNumber("+15550009999", "other"),)
    assert not numbers.holds(mallory, "+15550001111", "main")
    assert numbers.holds(_host(**settings).account, "+15550001111", "main")


async def test_a_text() -> None:
    host = _host()
    await _desk(host).text(host, _text("hello", name="Bob"), cursor=("state", "x"))
    [event] = host.of_type(MessageReceived)
    assert (event.chat, event.id, event.content.text, event.name) == (DirectChat(BOB), "m1", "hello", "Bob")
    assert host.cursors == {"state": "x"}


async def test_the_carrier_is_told_when_it_is_stored() -> None:
    host = _host()
    host.hold_storing = True
    stored = _desk(host).text(host, _text("hello"))
    assert not stored.done()  # type: ignore[attr-defined]
    host.store()
    await stored


async def test_files_are_messages_of_their_own() -> None:
    host = _host()
    files = (Attachment("https://x/1"), Attachment("https://x/2"))
    await _desk(host).text(host, _text("look", attachments=files), cursor=("state", "x"))
    await _desk(host).text(host, _text("", id_="m2", attachments=files[:1]))
    events = host.of_type(MessageReceived)
    assert [event.id for event in events] == ["m1", "m1 1", "m1 2", "m2"]
    assert [len(event.content.attachments) for event in events] == [0, 1, 1, 1]
    assert host.cursors == {"state": "x", "sms last": "m2"}, "each has one"


async def test_the_number_that_was_texted_is_answered_from() -> None:
    host = _host(numbers="+15550009999 other")
    choices = Choices()
    desk = FrontDesk(Numbers(OPTIONS), choices, Gateway())
    await desk.text(host, _text("one"))
    await desk.text(host, _text("two", "+15550009999"))
    await desk.text(host, _text("three", "+15550009999"))
    texts = [event.content.text for event in host.of_type(MessageReceived)]
    assert texts == ["one", "[to +15550009999]\ntwo", "three"]
    assert await choices.get(host, BOB) == "+15550009999"


async def test_the_first_text_to_the_second_number_says_so() -> None:
    host = _host(numbers="+15550009999 other")
    await _desk(host).text(host, _text("hello", "+15550009999"))
    assert host.of_type(MessageReceived)[0].content.text == "[to +15550009999]\nhello"


async def test_a_text_that_is_fetched_again_changes_no_later_choice() -> None:
    """After a restart the provider's list of the last day is gone through."""
    host = _host(numbers="+15550009999 other")
    await FrontDesk(Numbers(OPTIONS), Choices(), Gateway()).text(host, _text("hello", "+15550009999"))
    await Choices().put(host, BOB, "+15550001111")
    again, earlier = Choices(), datetime.now(UTC) - timedelta(minutes=5)
    desk = FrontDesk(Numbers(OPTIONS), again, Gateway())
    await desk.text(host, _text("hello", "+15550009999", sent_at=earlier))
    assert await again.get(host, BOB) == "+15550001111"
    await desk.text(
        host, _text("new", "+15550009999", "m2", sent_at=datetime.now(UTC) + timedelta(minutes=5))
    )
    assert await again.get(host, BOB) == "+15550009999"


async def test_reports() -> None:
    host = _host()
    desk = _desk(host)
    await desk.report(host, Report(MessageId("main 1"), BOB, Verdict.DELIVERED))
    await desk.report(host, Report(MessageId("main 2"), BOB, Verdict.FAILED, "no such number"))
    assert host.events == [
        Delivered(DirectChat(BOB), MessageId("main 1")),
        DeliveryFailed(DirectChat(BOB), MessageId("main 2"), "No such number"),
    ]
