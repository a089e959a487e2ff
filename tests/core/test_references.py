"""Direct messages that refer to others: replies both ways, reports that come late, markers; also after a
restart."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from bridge.api import (
    ContactId,
    Content,
    CorrectMessage,
    Delivered,
    DeliveryFailed,
    DirectChat,
    MarkDisplayed,
    MessageId,
    MessageReceived,
    OccupantId,
    Outcome,
    Reason,
    Refused,
    RetractMessage,
    SendMessage,
    Sent,
    SentPart,
    Support,
    ThreadId,
)
from bridge.api.capabilities import Capabilities
from bridge.core.values import DirectMessage, Outgoing
from tests.core.conftest import ALICE, BOB, BOB_JID, PHONE, World
from tests.core.face import until
from tests.core.network import ScriptedSession

CHAT = DirectChat(BOB.contact)
ABLE = Capabilities(
    reply=Support.NATIVE, marker=Support.NATIVE, correction=Support.NATIVE, retraction=Support.NATIVE
)


async def numbered(session: ScriptedSession, command: object) -> Outcome:
    if isinstance(command, SendMessage):
        return Sent((SentPart(MessageId(f"n-{command.key}"), command.content),))
    return Sent()


def from_bob(text: str, id_: str, reply_to: str = "", thread: str = "") -> MessageReceived:
    return MessageReceived(
        CHAT,
        OccupantId(""),
        MessageId(id_),
        Content(text),
        reply_to=MessageId(reply_to) if reply_to else None,
        thread=ThreadId(thread) if thread else None,
        name="Bob B.",
    )


async def online(world: World) -> ScriptedSession:
    await world.start()
    world.network.answer, world.network.features = numbered, ABLE
    world.write("hello", "s1")
    await world.network.asked(SendMessage)
    await world.store.writer.flush()
    return world.network.session


def shown(world: World, count: int) -> list[DirectMessage]:
    assert len(world.face.delivered) == count
    return [message for message, _ in world.face.delivered]


async def test_a_reply_names_the_stanza_that_it_answers(world: World) -> None:
    session = await online(world)
    await session.emit(from_bob("hi", "n-9", reply_to="n-s1", thread="t"))
    await session.emit(from_bob("and", "n-10", reply_to="n-9"))
    await session.emit(from_bob("what?", "n-11", reply_to="unheard of"))
    first, second, third = shown(world, 3)
    assert (first.reply_to, first.reply_own, first.thread, first.name) == ("s1", True, "t", "Bob B.")
    assert (second.reply_to, second.reply_own) == (first.stanza_id, False)
    assert third.reply_to == ""


async def test_what_was_said_in_another_chat_is_not_answered_in_this_one(world: World) -> None:
    session = await online(world)
    carol = msgspec.structs.replace(from_bob("hi", "n-9", "n-s1"), chat=DirectChat(ContactId("carol")))
    await session.emit(carol)
    (message,) = shown(world, 1)
    assert message.reply_to == ""


async def test_replies_keep_their_place(world: World) -> None:
    session = await online(world)
    for number in range(50):
        session.emit(from_bob(str(number), f"m{number}", reply_to="n-s1" if number % 3 == 0 else ""))
    await until(lambda: len(world.face.delivered) == 50)
    assert [message.content.text for message in shown(world, 50)] == [str(number) for number in range(50)]


async def test_a_reply_that_is_not_stored_is_not_acknowledged(world: World) -> None:
    session = await online(world)
    stored = asyncio.ensure_future(session.emit(from_bob("hi", "n-9", reply_to="n-s1")))
    await stored
    assert await world.store.message_ids.stanza(world.live().id, "n-9") is not None


async def test_a_user_answers(world: World) -> None:
    session = await online(world)
    await session.emit(from_bob("question", "n-9"))
    (question,) = shown(world, 1)
    content = Content("answer")
    answer = Outgoing(PHONE, "s2", content, reply_to=question.stanza_id, thread="t-1")
    world.gateway.outbound.to_contact(ALICE, BOB, answer)
    sent = await world.network.asked(SendMessage, 2)
    assert (sent.reply_to, sent.thread, sent.key) == ("n-9", "t-1", "s2")
    assert sent.said_at > 0


async def test_corrections_and_retractions_name_the_networks_id(world: World) -> None:
    await online(world)
    world.gateway.outbound.to_contact(ALICE, BOB, Outgoing(PHONE, "s2", Content("hullo"), replaces="s1"))
    corrected = await world.network.asked(CorrectMessage)
    assert corrected.target == "n-s1"
    world.gateway.outbound.retract(ALICE, BOB, PHONE, "s3", "s1")
    assert (await world.network.asked(RetractMessage)).target == "n-s1"
    world.gateway.outbound.retract(ALICE, BOB, PHONE, "s4", "nothing")
    failed = await world.face.wait("message_failed")
    assert failed.args[2:4] == ("s4", Reason.NOT_FOUND)


async def test_a_marker_names_the_networks_id(world: World) -> None:
    session = await online(world)
    await session.emit(from_bob("hi", "n-9"))
    (message,) = shown(world, 1)
    world.gateway.outbound.displayed(ALICE, BOB, "s1 that never was")
    world.gateway.outbound.displayed(ALICE, BOB, message.stanza_id)
    assert await world.network.asked(MarkDisplayed) == MarkDisplayed(CHAT, MessageId("n-9"))


async def test_a_report_that_comes_after_a_restart(world: World) -> None:
    await online(world)
    await world.kill()
    await world.start()
    world.network.answer = numbered
    world.write("again", "s2")
    await world.until_online()
    session = world.network.session
    session.emit(Delivered(CHAT, MessageId("n-s1")))
    assert (await world.face.wait("direct_receipt")).args == (ALICE, BOB_JID, "s1")
    session.emit(DeliveryFailed(CHAT, MessageId("n-s1"), "The mailbox is full."))
    failed = await world.face.wait("message_failed")
    assert (failed.args[:3], failed.args[4]) == ((PHONE, BOB_JID, "s1"), "The mailbox is full.")


async def test_the_same_message_again_keeps_its_stanza_id(world: World) -> None:
    session = await online(world)
    await session.emit(from_bob("hi", "n-9"))
    await session.emit(from_bob("hi", "n-9"))
    (message,) = shown(world, 1)
    await session.emit(from_bob("about that", "n-10", reply_to="n-9"))
    assert shown(world, 2)[1].reply_to == message.stanza_id


async def test_a_failure_that_finds_no_client_comes_as_a_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(resource: str, puppet: str) -> bool:
        return False

    session = await online(world)
    monkeypatch.setattr(world.face, "ask_ping", gone)
    failure = DeliveryFailed(CHAT, MessageId("n-s1"), "The mailbox is full.")
    await session.emit(failure, cursor=("place", "1"))
    await session.emit(failure, cursor=("place", "2"))
    (message,) = shown(world, 1)
    assert message.content.text == "Not delivered: The mailbox is full."
    assert world.face.of("message_failed")[-1].args[:3] == (PHONE, BOB_JID, "s1")
    assert await world.store.cursors.get(world.live().id, "place") == "2"


async def test_a_late_failure_that_finds_no_client_comes_as_a_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(session: ScriptedSession, command: object) -> Outcome:
        return Refused(Reason.TIMEOUT, "It was tried for 5 days.")

    async def gone(resource: str, puppet: str) -> bool:
        return False

    monkeypatch.setattr("bridge.core.outbox.LATE_SECONDS", -1.0)
    await world.start()
    monkeypatch.setattr(world.face, "ask_ping", gone)
    world.network.answer = refuse
    world.write("hello there", "s1")
    await until(lambda: world.face.delivered)
    ((message, _),) = world.face.delivered
    assert message.content.text == 'Your message "hello there": It was tried for 5 days.'
    assert world.face.of("message_failed")[-1].args[:3] == (PHONE, BOB_JID, "s1")
