"""Reports that come before the answer to the message that they are about."""

from __future__ import annotations

import asyncio

import pytest

from bridge.api import (
    ContactAddress,
    ContactId,
    Delivered,
    DeliveryFailed,
    DirectChat,
    MessageId,
    Outcome,
    Reason,
    Refused,
    SendMessage,
    Sent,
    SentPart,
)
from bridge.core import expected, messageids
from tests.core.conftest import ALICE, BOB, BOB_JID, NET, PHONE, World
from tests.core.face import until
from tests.core.network import ScriptedSession

CHAT = DirectChat(BOB.contact)
CAROL = ContactAddress(NET, ContactId("carol"))


class Slow:
    """A network that answers when it is told to: `answers` are by the message's key."""

    def __init__(self) -> None:
        self.answers: dict[str, asyncio.Future[Outcome]] = {}

    async def __call__(self, session: ScriptedSession, command: object) -> Outcome:
        if not isinstance(command, SendMessage):
            return Sent()
        answer = self.answers[command.key] = asyncio.get_running_loop().create_future()
        return await answer

    def sent(self, key: str) -> None:
        """The answer says that it was taken, as `n-KEY`."""
        self.answers[key].set_result(Sent((SentPart(MessageId(f"n-{key}"), None),)))  # type: ignore[arg-type]


async def begun(world: World, *keys: str) -> Slow:
    """Messages whose answers are still to come."""
    slow = Slow()
    await world.start()
    world.network.answer = slow
    for number, key in enumerate(keys):
        world.write("hello", key, address=(BOB, CAROL)[number % 2])
    await until(lambda: slow.answers.keys() == set(keys))
    return slow


def report(world: World, id_: str = "n-s1", cursor: tuple[str, str] | None = None) -> asyncio.Future[None]:
    return asyncio.ensure_future(world.network.session.emit(Delivered(CHAT, MessageId(id_)), cursor))


async def test_it_waits_for_the_answer(world: World) -> None:
    slow = await begun(world, "s1")
    told = report(world, cursor=("place", "1"))
    again = report(world)
    await until(lambda: len(world.gateway._ground.message_ids.expected) == 2)
    assert world.face.of("direct_receipt") == []
    assert not told.done()
    slow.sent("s1")
    await asyncio.gather(told, again)
    assert [call.args for call in world.face.of("direct_receipt")] == [(ALICE, BOB_JID, "s1")] * 2
    assert await world.store.cursors.get(world.live().id, "place") == "1"
    assert not world.gateway._ground.message_ids.expected


async def test_it_comes_in_the_same_step_as_the_answer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    slow = await begun(world, "s1")
    slow.sent("s1")
    await report(world)
    assert len(world.face.of("direct_receipt")) == 1
    assert "not known" not in caplog.text


async def test_it_waits_while_the_store_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messageids, "SOON_SECONDS", 0.0)
    slow = await begun(world, "s1")
    asked = asyncio.Event()
    stanza = world.store.message_ids.stanza

    async def asking(account: str, network_id: str) -> object:
        found = await stanza(account, network_id)
        asked.set()
        return found

    monkeypatch.setattr(world.store.message_ids, "stanza", asking)
    told = report(world)
    await asked.wait()
    slow.sent("s1")
    await told
    assert len(world.face.of("direct_receipt")) == 1


async def test_a_failure_waits_as_well(world: World) -> None:
    slow = await begun(world, "s1")
    failure = DeliveryFailed(CHAT, MessageId("n-s1"), "No such number.")
    told = asyncio.ensure_future(world.network.session.emit(failure))
    await until(lambda: world.gateway._ground.message_ids.expected)
    slow.sent("s1")
    await told
    assert world.face.of("message_failed")[0].args == (
        PHONE, BOB_JID, "s1", Reason.OFFLINE, "No such number.", False,
    )  # fmt: skip


async def test_nobody_waits_for_what_no_answer_can_bring(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    slow = await begun(world, "s1")
    slow.sent("s1")
    await until(lambda: not world.live().lanes)
    await report(world, "unheard of")
    assert "not known" in caplog.text


async def test_it_is_given_up_with_the_last_attempt(world: World, caplog: pytest.LogCaptureFixture) -> None:
    slow = await begun(world, "s1", "s2")
    told = report(world, "unheard of", cursor=("place", "1"))
    slow.answers["s1"].set_result(Refused(Reason.TOO_LONG, "Too long."))
    await world.face.wait("message_failed")
    assert not told.done()
    slow.sent("s2")
    await told
    assert "not known" in caplog.text
    assert await world.store.cursors.get(world.live().id, "place") == "1"
    assert world.gateway._ground.message_ids.expected._waiting == {}


async def test_a_message_that_is_sent_later_is_not_waited_for(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever writes all the time would else have every report wait that is of no message of theirs."""
    slow = await begun(world, "s1")
    told = report(world, "unheard of")
    await until(lambda: len(world.gateway._ground.message_ids.expected) == 1)
    world.write("hello", "s2", address=CAROL)
    await until(lambda: "s2" in slow.answers)
    early = report(world, "n-s2")
    await until(lambda: len(world.gateway._ground.message_ids.expected) == 2)
    slow.sent("s1")
    await told
    assert "not known" in caplog.text
    assert not early.done()
    slow.sent("s2")
    await early
    assert [call.args[2] for call in world.face.of("direct_receipt")] == ["s2"]
    assert world.gateway._ground.message_ids.expected._waiting == {}


async def test_it_is_given_up_after_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(messageids, "PATIENCE_SECONDS", 0.01)
    slow = await begun(world, "s1")
    await report(world, "unheard of")
    assert "not known" in caplog.text
    assert not world.gateway._ground.message_ids.expected
    slow.sent("s1")


async def test_so_many_wait_and_the_oldest_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(expected, "MOST", 2)
    slow = await begun(world, "s1")
    oldest = report(world, "unheard of")
    known = [report(world), report(world)]
    await oldest
    assert "not known" in caplog.text
    slow.sent("s1")
    await asyncio.gather(*known)
    assert len(world.face.of("direct_receipt")) == 2


async def test_an_attempt_that_is_cut_off_keeps_nobody_waiting(world: World) -> None:
    slow = await begun(world, "s1")
    told = report(world, "unheard of")
    await until(lambda: world.gateway._ground.message_ids.expected)
    world.live().lanes[CHAT].cancel()
    await told
    assert slow.answers["s1"].cancelled()
