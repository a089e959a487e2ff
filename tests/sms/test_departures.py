"""How messages leave as texts: numbers, limits, and what is said to those who wait."""

from __future__ import annotations

import time

import pytest

from backends.sms.choices import Choices
from backends.sms.daily import CURSOR, Daily
from backends.sms.departures import Departures, Limits
from backends.sms.values import OwnNumber
from bridge.api import (
    Attachment,
    Capabilities,
    ContactId,
    Content,
    DirectChat,
    Later,
    MessageReceived,
    Outcome,
    Reason,
    Refused,
    RoomChat,
    RoomId,
    SendMessage,
    Sent,
    Support,
    Unknown,
)
from bridge.testing.fake_host import FakeHost
from tests.sms.carriers import ScriptedCarrier

BOB = ContactId("+15550002222")
ONE, TWO = OwnNumber("+15550001111", "main"), OwnNumber("+15550009999", "other")


class Desk:
    """An account with its departures."""

    def __init__(self, *numbers: OwnNumber, most: int = 100) -> None:
        self.host = FakeHost()
        self.main, self.other = ScriptedCarrier(), ScriptedCarrier()
        self.daily = Daily(self.host, most)
        self.choices = Choices()
        self.set_numbers(numbers or (ONE,))

    def set_numbers(self, numbers: tuple[OwnNumber, ...]) -> None:
        carriers = {"main": self.main, "other": self.other}
        limits = Limits(notice=3, most=10, hours=12)
        self.departures = Departures(self.host, numbers, carriers, self.choices, self.daily, limits)

    async def say(
        self, text: str, to: ContactId = BOB, *, key: str = "k", ago: float = 0, **content: bool
    ) -> Outcome:
        said_at = time.time_ns() // 1000 - int(ago * 1_000_000)
        return await self.departures.send(
            SendMessage(DirectChat(to), key, Content(text, **content), said_at=said_at)
        )

    def notices(self) -> list[str]:
        return [event.content.text for event in self.host.of_type(MessageReceived) if event.content.notice]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_text_goes_out(desk: Desk) -> None:
    outcome = await desk.say("hello")
    assert isinstance(outcome, Sent)
    assert [(each.number, each.contact, each.text) for each in desk.main.sent] == [(ONE.number, BOB, "hello")]
    assert outcome.parts[0].id == f"main {desk.main.sent[0].key}"
    assert desk.daily.sent == 1


async def test_an_action(desk: Desk) -> None:
    await desk.say("waves", action=True)
    assert desk.main.sent[0].text == "* waves"


async def test_nothing_is_not_sent(desk: Desk) -> None:
    assert await desk.say("") == Refused(Reason.BAD_REQUEST, "There is nothing to send.")
    assert (desk.main.sent, desk.daily.sent) == ([], 0)


async def test_not_to_rooms(desk: Desk) -> None:
    outcome = await desk.departures.send(SendMessage(RoomChat(RoomId("r")), "k", Content("x")))
    assert isinstance(outcome, Refused)


async def test_a_sender_with_a_name_cannot_be_answered(desk: Desk) -> None:
    outcome = await desk.say("hello?", ContactId("my bank"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.UNSUPPORTED
    assert not desk.main.sent


async def test_what_cannot_be_sent(desk: Desk) -> None:
    assert await desk.say("x" * 1001) == Refused(Reason.TOO_LONG, "More than 1000 characters cannot be sent.")
    assert await desk.say("x" * 101) == Refused(
        Reason.TOO_LONG, "This would be 11 texts; the most in one message is 10."
    )
    assert desk.daily.sent == 0


async def test_a_long_message_is_sent_when_it_is_said_twice(desk: Desk) -> None:
    assert await desk.say("x" * 31) == Refused(
        Reason.TOO_LONG, "This would be 4 texts. To send it, say the same once more."
    )
    other = await desk.say("y" * 31, key="2")
    assert isinstance(other, Refused)
    assert isinstance(await desk.say("x" * 31, key="3"), Sent)
    assert isinstance(await desk.say("x" * 31, key="4"), Refused)
    assert desk.daily.sent == 4
    assert isinstance(await desk.say("x" * 30, key="5"), Sent)


async def test_the_days_texts() -> None:
    desk = Desk(most=5)
    assert isinstance(await desk.say("x" * 30), Sent)
    few = await desk.say("y" * 30)
    assert few == Refused(
        Reason.RATE_LIMITED, "This would be 3 texts, and you may send 2 more today. Go on tomorrow (UTC)."
    )
    assert isinstance(await desk.say("z" * 20), Sent)
    none = await desk.say("x")
    assert none == Refused(
        Reason.RATE_LIMITED, "You have sent 5 texts today, as many as you may. Go on tomorrow (UTC)."
    )
    assert len(desk.main.sent) == 2


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [(Refused(Reason.NOT_FOUND, "no"), 0), (Later(1, "busy"), 0), (Unknown("broke"), 2)],
)
async def test_what_was_not_sent_is_not_counted(desk: Desk, outcome: Outcome, counted: int) -> None:
    desk.main.answer = lambda _: outcome
    assert type(await desk.say("x" * 20)) is type(outcome)
    assert desk.daily.sent == counted


async def test_what_is_not_known_is_said_to_be(desk: Desk) -> None:
    desk.main.answer = lambda _: Unknown("The link broke.")
    assert await desk.say("x") == Unknown("The link broke. The text may have been sent, or not.")


async def test_who_waits_is_told_once(desk: Desk) -> None:
    desk.main.answer = lambda _: Later(5, "The carrier cannot be reached.")
    for ago in (0, 31, 60):
        assert isinstance(await desk.say("x", ago=ago, key="waits"), Later)
    again = time.time_ns() // 1000 - 90_000_000
    for _ in range(2):
        await desk.departures.send(SendMessage(DirectChat(BOB), "w", Content("x"), said_at=again))
    assert desk.notices()[-1] == "Not sent yet: The carrier cannot be reached. It is tried again by itself."
    assert [event.id for event in desk.host.of_type(MessageReceived)].count(f"w {again} waits") == 1


async def test_who_must_wait_for_long_is_told_at_once(desk: Desk) -> None:
    desk.main.answer = lambda _: Later(3600, "The provider takes no more texts for now.")
    await desk.say("x")
    assert desk.notices() == [
        "Not sent yet: The provider takes no more texts for now. It is tried again by itself."
    ]


async def test_a_long_message_that_waits_is_not_asked_about_again(desk: Desk) -> None:
    desk.main.answer = lambda _: Later(5, "The carrier cannot be reached.")
    again = SendMessage(DirectChat(BOB), "2", Content("x" * 31), said_at=time.time_ns() // 1000)
    assert isinstance(await desk.say("x" * 31), Refused)
    for _ in range(2):
        assert isinstance(await desk.departures.send(again), Later)
    desk.main.answer = ScriptedCarrier().answer
    assert isinstance(await desk.departures.send(again), Sent)


async def test_what_waits_too_long_is_given_up(desk: Desk) -> None:
    desk.main.answer = lambda _: Later(5, "The carrier cannot be reached.")
    assert await desk.say("x", ago=12.1 * 3600) == Refused(
        Reason.TIMEOUT, "Not sent within 12 hours. The carrier cannot be reached."
    )


async def test_several_numbers() -> None:
    desk = Desk(ONE, TWO)
    await desk.say("by the first")
    assert isinstance(await desk.say("/number 2"), Sent)
    assert desk.notices()[-1].splitlines()[:2] == ["1. +15550001111", "2. +15550009999 (used here)"]
    await desk.say("by the second")
    await desk.say("by the first", ContactId("+15550003333"))
    assert [each.text for each in desk.main.sent] == ["by the first"] * 2
    assert [(each.number, each.text) for each in desk.other.sent] == [(TWO.number, "by the second")]
    await desk.say("/number +1 555 000 1111")
    await desk.say("by the first")
    assert len(desk.main.sent) == 3
    wrong = await desk.say("/number 3")
    assert wrong == Refused(Reason.NOT_FOUND, "3 is none of your numbers. Say /number to see them.")


@pytest.mark.parametrize(
    ("text", "sent"),
    [("", "https://f.example/cat"), ("look", "look\nhttps://f.example/cat")],
)
async def test_a_file_goes_as_a_link_where_the_carrier_has_none(text: str, sent: str) -> None:
    """What a chat can carry is asked of the user's first number, and this one goes out by another."""
    desk = Desk(ONE, TWO)
    desk.main.capabilities = Capabilities(attachment=Support.NATIVE)
    file = Attachment("https://f.example/cat")
    content = Content(text, attachments=(file,))
    for key, words in enumerate(("/number 1", "", "/number 2", "")):
        said = Content(words) if words else content
        await desk.departures.send(SendMessage(DirectChat(BOB), str(key), said, said_at=1))
    assert [(each.text, each.attachments) for each in desk.main.sent] == [(text, (file,))]
    assert [(each.text, each.attachments) for each in desk.other.sent] == [(sent, ())]


async def test_a_chosen_number_that_is_gone() -> None:
    desk = Desk(ONE, TWO)
    await desk.say("/number 2")
    desk.set_numbers((ONE, OwnNumber("+15550008888", "main")))
    await desk.say("x")
    assert desk.main.sent[0].number == ONE.number
    desk.set_numbers((OwnNumber("+15550001111", "gone"),))
    outcome = await desk.say("x")
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.GONE


async def test_the_count_lasts() -> None:
    host = FakeHost()
    daily = Daily(host, 10, lambda: "2026-11-26")
    assert daily.take(7)
    await daily.save()
    assert host.cursors[CURSOR] == "2026-11-26 7"
    later = Daily(host, 10, lambda: "2026-11-26")
    await later.load()
    assert not later.take(4)
    assert later.take(3)
    tomorrow = Daily(host, 10, lambda: "2026-11-27")
    await tomorrow.load()
    assert tomorrow.sent == 0


async def test_a_new_day_begins_anew() -> None:
    day = ["2026-11-26"]
    daily = Daily(FakeHost(), 10, lambda: day[0])
    assert daily.take(10)
    assert not daily.take(1)
    day[0] = "2026-11-27"
    assert daily.take(1)
    assert daily.sent == 1
