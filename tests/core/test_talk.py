"""What users say in rooms, and to networks: reflected, degraded, paced, refused."""

from __future__ import annotations

import asyncio

import pytest

from bridge.api import (
    AccountId,
    Capabilities,
    ContactId,
    Content,
    CorrectMessage,
    Delivered,
    DeliveryFailed,
    DirectChat,
    Displayed,
    JoinRoom,
    Later,
    MarkDisplayed,
    MessageId,
    MessageLost,
    NetworkAddress,
    NetworkNotice,
    Outcome,
    Reason,
    Refused,
    RetractMessage,
    RoomChat,
    RoomId,
    RunCommand,
    SendMessage,
    SendReceipt,
    Sent,
    SentPart,
    SetReactions,
    SetTyping,
    Support,
    Typing,
    Unknown,
)
from bridge.core.room import Room
from bridge.core.sentids import Senders, SentIds
from bridge.core.values import ArchiveQuery, Outgoing, RoomMessage
from bridge.store.message_ids import KnownMessage
from tests.core.conftest import ALICE, BOB, BOB_JID, LAPTOP, NET, PHONE, ROOM, ROOM_JID, World
from tests.core.face import until
from tests.core.network import ScriptedSession

ALL = Capabilities(
    reaction=Support.NATIVE,
    correction=Support.NATIVE,
    retraction=Support.NATIVE,
    receipt=Support.NATIVE,
    marker=Support.NATIVE,
    typing=Support.NATIVE,
)


def say(world: World, room: Room, text: str, id_: str = "s1", **more: str) -> None:
    world.gateway.outbound.to_room(room, Outgoing(PHONE, id_, Content(text), **more))  # type: ignore[arg-type]


async def reflections(world: World, count: int = 1) -> list[RoomMessage]:
    await world.face.wait("room_message", count=count)
    return [call.args[1] for call in world.face.of("room_message")]


def scripted(world: World, *outcomes: Outcome) -> None:
    left = list(outcomes)

    async def answer(session: ScriptedSession, command: object) -> Outcome:
        return left.pop(0) if left else Sent()

    world.network.answer = answer


async def test_reflected_to_all_in_order(world: World) -> None:
    await world.start()
    room = await world.joined()
    await world.joined(LAPTOP)
    for n in range(10):
        say(world, room, str(n), f"s{n}", origin_id=f"o{n}")
    messages = await reflections(world, 10)
    assert [(m.content.text, m.stanza_id, m.origin_id, m.sender) for m in messages] == [
        (str(n), f"s{n}", f"o{n}", "al") for n in range(10)
    ]
    assert set(world.face.of("room_message")[0].resources) == {PHONE, LAPTOP}
    assert [m.archive_id for m in messages] == sorted({m.archive_id for m in messages})


async def test_in_parts_only_the_first_has_the_ids(world: World) -> None:
    await world.start()
    room = await world.joined()
    parts = tuple(SentPart(MessageId(f"p{n}"), Content(f"part {n}")) for n in range(3))
    scripted(world, Sent(parts))
    say(world, room, "part 0 part 1 part 2", origin_id="o1", reply_to="77", reply_name="bob", thread="t")
    messages = await reflections(world, 3)
    assert [m.content.text for m in messages] == ["part 0", "part 1", "part 2"]
    assert [(m.origin_id, m.reply_to, m.thread) for m in messages] == [
        ("o1", "77", "t"),
        ("", "", "t"),
        ("", "", "t"),
    ]
    assert messages[0].stanza_id == "s1"
    assert len({m.stanza_id for m in messages}) == 3
    page = await world.gateway.rooms.archive_page(ALICE, ROOM, ArchiveQuery())
    assert [m.content.text for m in page.messages] == ["part 0", "part 1", "part 2"]


async def test_replies_and_corrections_as_text(world: World) -> None:
    await world.start()
    room = await world.joined()
    say(world, room, "yes", "s1", reply_to="77", reply_name="bob")
    say(world, room, "better", "s2", replaces="s1")
    messages = await reflections(world, 2)
    sent = [c.content.text for c in world.network.of(SendMessage)]
    assert sent == ["bob: yes", "* better"]
    assert [m.content.text for m in messages] == ["yes", "better"]
    assert (messages[0].reply_to, messages[1].replaces) == ("77", "s1")


async def test_a_correction_where_the_network_can(world: World) -> None:
    await world.start()
    world.network.features = ALL
    room = await world.joined()
    say(world, room, "better", "s2", replaces="s1")
    command = await world.network.asked(CorrectMessage)
    assert command == CorrectMessage(RoomChat(RoomId("#room")), "s2", MessageId("s1"), Content("better"))


async def test_reactions_as_text_name_what_they_are_about(world: World) -> None:
    await world.start()
    room = await world.joined()
    world.network.session.say("#room", "see you at five")
    (about,) = await reflections(world)
    react = world.gateway.outbound.react
    react(ALICE, ROOM, PHONE, "s1", str(about.archive_id), ("👍",))
    react(ALICE, ROOM, PHONE, "s2", "not in the archive", ("🎉",))
    react(ALICE, ROOM, PHONE, "s3", str(about.archive_id), ())
    failed = await world.face.wait("message_failed")
    assert failed.args[:4] == (PHONE, ROOM_JID, "s2", Reason.NOT_FOUND)
    assert failed.args[5]
    say(world, room, "afterwards", "s4")
    messages = await reflections(world, 3)
    assert [m.content.text for m in messages[1:]] == ["👍 to: “see you at five”", "afterwards"]
    assert messages[1].stanza_id == "s1"
    assert room.joined


@pytest.mark.parametrize(
    ("outcomes", "reason"),
    [
        ([Refused(Reason.FORBIDDEN, "muted")], Reason.FORBIDDEN),
        ([Unknown("no echo")], Reason.TIMEOUT),
        ([Later(0.0, "flood")] * 5, Reason.RATE_LIMITED),
    ],
)
async def test_not_said(world: World, outcomes: list[Outcome], reason: Reason) -> None:
    await world.start()
    room = await world.joined()
    scripted(world, *outcomes)
    say(world, room, "hi")
    failed = await world.face.wait("message_failed")
    assert failed.args[:4] == (PHONE, ROOM_JID, "s1", reason)
    assert failed.args[5]
    assert world.face.of("room_message") == []


async def test_a_reaction_to_a_contact_is_not_dropped_in_silence(world: World) -> None:
    await world.start()
    world.gateway.accounts.connect(ALICE, NET)
    await world.until_online()
    world.gateway.outbound.react(ALICE, BOB, PHONE, "s1", "t1", ("👍",))
    failed = await world.face.wait("message_failed")
    assert failed.args[:4] == (PHONE, BOB_JID, "s1", Reason.NOT_FOUND)
    assert not failed.args[5]
    assert world.network.of(SendMessage) == []


async def test_a_reaction_as_text_is_said_again_later(world: World) -> None:
    await world.start()
    await world.joined()
    world.network.session.say("#room", "tea?")
    (about,) = await reflections(world)
    scripted(world, Later(0.0, "busy"), Sent())
    world.gateway.outbound.react(ALICE, ROOM, PHONE, "s1", str(about.archive_id), ("👍",))
    first = await world.network.asked(SendMessage, 1)
    assert await world.network.asked(SendMessage, 2) == first
    assert first.key == "s1"
    assert first.content.text == "👍 to: “tea?”"


async def test_reactions_and_retractions_where_the_network_can(world: World) -> None:
    await world.start()
    world.network.features = ALL
    await world.joined()
    out = world.gateway.outbound
    out.react(ALICE, ROOM, PHONE, "s1", "t1", ("👍",))
    out.retract(ALICE, ROOM, PHONE, "s2", "t1")
    assert (await world.network.asked(SetReactions)).reactions == ("👍",)
    assert (await world.network.asked(RetractMessage)).target == "t1"
    world.network.features = Capabilities()
    out.retract(ALICE, ROOM, PHONE, "s3", "t1")
    assert world.face.of("message_failed")[0].args[2:4] == ("s3", Reason.UNSUPPORTED)


async def test_small_signs(world: World) -> None:
    await world.start()
    out = world.gateway.outbound
    out.typing(ALICE, BOB, Typing.COMPOSING)
    await world.joined()
    out.typing(ALICE, BOB, Typing.COMPOSING)
    out.receipt(ALICE, BOB, "s1")
    out.displayed(ALICE, BOB, "s1")
    world.network.features = ALL
    world.store.message_ids.put(world.live().id, "n-2", "bob", "s2", "")
    out.typing(ALICE, BOB, Typing.PAUSED)
    out.displayed(ALICE, BOB, "s1")  # of which the network knows nothing
    out.receipt(ALICE, BOB, "s2")
    out.displayed(ALICE, BOB, "s2")
    await world.network.asked(MarkDisplayed)
    assert [c for c in world.network.commands if not isinstance(c, JoinRoom)] == [
        SetTyping(DirectChat(ContactId("bob")), Typing.PAUSED),
        SendReceipt(DirectChat(ContactId("bob")), MessageId("n-2")),
        MarkDisplayed(DirectChat(ContactId("bob")), MessageId("n-2")),
    ]


async def test_not_connected(world: World) -> None:
    await world.start()
    room = await world.joined()
    world.gateway.rooms.leave(room, PHONE, "")
    await until(lambda: not world.live().session)
    out = world.gateway.outbound
    room.state = type(room.state).LOST
    say(world, room, "hi", "s1")
    out.react(ALICE, ROOM, PHONE, "s2", "t", ("👍",))
    out.retract(ALICE, BOB, PHONE, "s3", "t")
    failed = world.face.of("message_failed")
    assert [(c.args[1], c.args[2], c.args[3]) for c in failed] == [
        (ROOM_JID, "s1", Reason.NETWORK_DOWN),
        (ROOM_JID, "s2", Reason.NETWORK_DOWN),
        (BOB_JID, "s3", Reason.NETWORK_DOWN),
    ]
    assert world.live().lanes == {}


async def test_too_fast(world: World) -> None:
    await world.start(message_burst=2, message_rate=1.0)
    room = await world.joined()
    for n in range(3):
        say(world, room, str(n), f"s{n}")
    assert [c.args[2:4] for c in world.face.of("message_failed")] == [("s2", Reason.RATE_LIMITED)]
    world.write("x", "s3")
    world.gateway.outbound.react(ALICE, ROOM, PHONE, "s4", "t", ("👍",))
    assert [c.args[2] for c in world.face.of("message_failed")] == ["s2", "s3", "s4"]
    world.now += 1.0
    say(world, room, "3", "s5")
    await reflections(world, 3)
    world.gateway.outbound.forget_idle()
    assert len(world.gateway.outbound._buckets) == 1
    world.now += 2.0
    world.gateway.outbound.forget_idle()
    assert world.gateway.outbound._buckets == {}


async def test_a_full_lane_and_a_kick(world: World) -> None:
    await world.start(lane_length=2)
    room = await world.joined()
    gate = asyncio.Event()

    async def answer(session: ScriptedSession, command: object) -> Outcome:
        await gate.wait()
        return Sent()

    world.network.answer = answer
    for n in range(3):
        say(world, room, str(n), f"s{n}")
    assert [c.args[2:4] for c in world.face.of("message_failed")] == [("s2", Reason.RATE_LIMITED)]
    await world.network.asked(SendMessage)
    world.network.session.let_out("#room")
    assert [c.args[2:4] for c in world.face.of("message_failed")][1:] == [("s1", Reason.NOT_IN_ROOM)]
    gate.set()
    await until(lambda: not world.live().lanes)
    assert len(world.face.of("message_failed")) == 2


async def test_commands_for_the_network(world: World) -> None:
    await world.start()
    network = NetworkAddress(NET)
    world.gateway.outbound.to_network(ALICE, PHONE, network, "s1", "whois bob")
    assert await world.network.asked(RunCommand) == RunCommand("whois bob")
    world.network.session.emit(NetworkNotice("bob is bob"))
    assert world.face.of("network_text")[0].args == (ALICE, f"{NET}@gw.test", "bob is bob")
    room = await world.joined()
    scripted(world, Refused(Reason.BAD_REQUEST, "what?"))
    world.gateway.outbound.room_command(room, PHONE, "s2", "mode +t")
    failed = await world.face.wait("message_failed")
    assert failed.args == (PHONE, ROOM_JID, "s2", Reason.BAD_REQUEST, "what?", True)
    world.network.session.emit(NetworkNotice("motd"))
    assert world.face.of("network_text")[-1].args[0] == PHONE


async def test_own_words_from_elsewhere(world: World) -> None:
    await world.start()
    await world.joined()
    world.network.session.say("#room", "from my phone", sender="", own=True)
    (message,) = await reflections(world)
    assert message.sender == "al"
    assert message.stanza_id


async def test_reports_of_direct_messages_reach_their_sender(world: World) -> None:
    async def numbered(session: ScriptedSession, command: object) -> Outcome:
        assert isinstance(command, SendMessage)
        return Sent((SentPart(MessageId("n-1"), command.content),))

    await world.start()
    world.network.answer = numbered
    world.write("hello", "s7")
    chat = DirectChat(BOB.contact)
    await until(lambda: world.gateway._ground.message_ids.newest.find(world.live().id, MessageId("n-1")))
    session = world.network.session
    session.emit(Delivered(chat, MessageId("n-1")))
    assert world.face.of("direct_receipt")[-1].args == (ALICE, BOB_JID, "s7")
    session.emit(Displayed(chat, MessageId("n-1")))
    assert world.face.of("direct_displayed")[-1].args == (ALICE, BOB_JID, "s7")
    session.emit(DeliveryFailed(chat, MessageId("n-1"), "The mailbox is full."))
    failed = world.face.of("message_failed")[-1].args
    assert failed[:3] == (PHONE, BOB_JID, "s7")
    assert failed[4] == "The mailbox is full."
    session.emit(Delivered(chat, MessageId("n-2")))
    assert len(world.face.of("direct_receipt")) == 1


async def test_a_message_that_may_be_lost_is_told_to_its_sender(world: World) -> None:
    await world.start()
    world.write("hello", "s7")
    room = await world.joined()
    say(world, room, "to all", "s8")
    await reflections(world)
    senders = world.gateway._ground.senders
    await until(lambda: senders.find(ALICE, BOB_JID, "s7"))
    session = world.network.session
    session.emit(MessageLost(DirectChat(BOB.contact), "s7", "The connection broke."))
    session.emit(MessageLost(RoomChat(RoomId("#room")), "s8", "The connection broke."))
    session.emit(MessageLost(RoomChat(RoomId("#room")), "another", "The connection broke."))
    direct, room = (call for call in world.face.of("message_failed"))
    assert (direct.args[:3], direct.args[4]) == ((PHONE, BOB_JID, "s7"), "The connection broke.")
    assert (room.args[0], room.args[2]) == (PHONE, "s8")


def test_only_the_newest_senders_are_kept() -> None:
    senders = Senders(kept=2)
    for key in ("1", "2", "3", ""):
        senders.remember(ALICE, BOB_JID, key, PHONE)
    assert [senders.find(ALICE, BOB_JID, key) for key in ("1", "2", "3", "")] == [None, PHONE, PHONE, None]


def test_only_the_newest_ids_are_kept() -> None:
    sent, account = SentIds(kept=2), AccountId("a")
    for number in ("1", "2", "3"):
        sent.remember(account, MessageId(number), (PHONE, f"s{number}", "bob"))
    assert sent.find(account, MessageId("1")) is None
    assert sent.find(account, MessageId("3")) == KnownMessage(PHONE, "s3", "bob")
    assert sent.find(AccountId("b"), MessageId("3")) is None
