"""Rooms: getting in and out of them, alone and in company, in order and out of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.api import (
    ChangeNick,
    Connected,
    ConnectionLost,
    ContactId,
    Departure,
    Invited,
    JoinRoom,
    KickOccupant,
    LeaveRoom,
    NameChanged,
    Occupant,
    OccupantChanged,
    OccupantId,
    OccupantJoined,
    OccupantLeft,
    OccupantRenamed,
    Outcome,
    Rank,
    Reason,
    Refused,
    RoomAddress,
    RoomId,
    RoomNotice,
    RoomRefused,
    SendMessage,
    Sent,
    SetSubject,
    SubjectChanged,
)
from bridge.core import entrance
from bridge.core.room import Room, RoomState
from bridge.core.values import ArchiveItemMissing, ArchiveQuery, HistoryRequest, SessionState
from bridge.store.errors import StoreError
from tests.core.conftest import ALICE, LAPTOP, NET, PHONE, ROOM, ROOM_JID, World
from tests.core.face import Call, until
from tests.core.network import Network, ScriptedSession, refusing

RID = RoomId("#room")
OTHER = RoomAddress(NET, RoomId("#other"))
OTHER_JID = "#other%net@gw.test"


def history(call: Call) -> list[str]:
    return [message.content.text for message in call.args[2]]


def said_to(world: World, resource: str) -> list[str]:
    """What a resource was told as it was said."""
    return [call.args[1].content.text for call in world.face.of("room_message") if resource in call.resources]


async def quiet(session: ScriptedSession, command: object) -> Outcome:
    """A `Network.answer` that leaves it to the test to say what follows."""
    return Sent()


async def _let_in(session: ScriptedSession, command: object) -> Outcome:
    if isinstance(command, JoinRoom):
        session.let_in(command.room)
    return Sent()


async def test_second_resource_and_back_again(world: World) -> None:
    await world.start()
    room = await world.joined(PHONE)
    await world.joined(LAPTOP)
    assert len(world.network.of(JoinRoom)) == 1
    assert list(room.resources) == [PHONE, LAPTOP]
    entered = world.face.of("room_entered", ROOM_JID, PHONE)[0]
    assert entered.names == ("bob", "al")
    assert entered.me == "al"
    await world.joined(PHONE)
    assert set(room.resources) == {PHONE, LAPTOP}
    world.gateway.rooms.leave(room, PHONE, "")
    assert world.face.of("room_left")[0].args == (ROOM_JID, (PHONE,), Departure.LEFT, "", "", 1)
    world.gateway.rooms.leave(room, LAPTOP, "bye")
    assert world.face.of("room_left")[1].args == (ROOM_JID, (LAPTOP,), Departure.LEFT, "", "bye", 0)
    await until(lambda: world.live().state is SessionState.IDLE)
    assert world.network.session.closed_with == "bye"


async def test_one_room_of_two_is_left(world: World) -> None:
    await world.start()
    room = await world.joined()
    await world.joined(address=OTHER)
    world.gateway.rooms.leave(room, PHONE, "enough")
    assert (await world.network.asked(LeaveRoom)) == LeaveRoom(RID, "enough")
    await until(lambda: not world.live().leaving)
    assert world.live().state is SessionState.ONLINE
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is None
    assert [r.jid for r in world.gateway.rooms.of(ALICE)] == [OTHER_JID]


async def test_two_join_and_one_leaves_before_they_are_in(world: World) -> None:
    await world.start()
    world.join(PHONE)
    world.join(LAPTOP)
    room = world.gateway.rooms.find(ALICE, ROOM_JID)
    assert room is not None
    world.gateway.rooms.leave(room, PHONE, "")
    await world.face.wait("room_entered", ROOM_JID, LAPTOP)
    assert world.face.of("room_entered", ROOM_JID, PHONE) == []
    assert list(room.resources) == [LAPTOP]
    assert not room.waiting


async def test_one_leaves_while_both_are_shown_in(world: World) -> None:
    await world.start()
    room = await world.joined("alice@example.test/first")
    world.network.session.say("#room", "so that there is a history to be read")
    world.join(PHONE)
    world.join(LAPTOP)
    world.gateway.rooms.leave(room, PHONE, "")
    await world.face.wait("room_entered", ROOM_JID, LAPTOP)
    assert world.face.of("room_entered", ROOM_JID, PHONE) == []
    await until(lambda: not world.gateway._entrance.admitting)


async def test_leave_while_joining(world: World) -> None:
    await world.start()
    await world.joined(address=OTHER)
    world.network.answer = quiet
    world.join()
    await world.network.asked(JoinRoom, 2)
    room = world.gateway.rooms.find(ALICE, ROOM_JID)
    assert room is not None
    world.gateway.rooms.leave(room, PHONE, "")
    await world.network.asked(LeaveRoom)
    world.network.session.let_in("#room")
    world.network.session.let_out("#room")
    assert world.face.of("invitation") == []
    assert world.face.of("room_entered", ROOM_JID) == []
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is None
    assert not world.live().leaving


async def test_leave_before_the_join_is_on_its_way(world: World) -> None:
    await world.start()
    await world.joined(address=OTHER)
    world.join()
    room = world.gateway.rooms.find(ALICE, ROOM_JID)
    assert room is not None
    world.gateway.rooms.leave(room, PHONE, "")
    await world.network.asked(LeaveRoom)
    await world.joined(address=OTHER, resource=LAPTOP)
    assert [c.room for c in world.network.of(JoinRoom)] == [OTHER.room]


async def test_join_again_waits_until_the_network_has_let_go(world: World) -> None:
    await world.start()
    await world.joined(address=OTHER)
    room = await world.joined()
    world.network.answer = quiet
    world.gateway.rooms.leave(room, PHONE, "")
    world.join()
    await world.network.asked(LeaveRoom)
    world.network.session.let_in("#room")
    assert len(world.network.of(JoinRoom)) == 2
    world.network.session.let_out("#room")
    await world.network.asked(JoinRoom, 3)
    world.network.session.let_in("#room")
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    assert len(world.face.of("room_left", ROOM_JID)) == 1
    assert [type(c) for c in world.network.commands[-2:]] == [LeaveRoom, JoinRoom]


async def test_a_network_that_does_not_say_that_it_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrance, "LEAVE_SECONDS", 0.01)
    await world.start()
    await world.joined(address=OTHER)
    room = await world.joined()
    world.network.answer = quiet
    world.gateway.rooms.leave(room, PHONE, "")
    world.join()
    await world.network.asked(JoinRoom, 3)
    world.network.session.let_in("#room")
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)


async def test_refused(world: World) -> None:
    await world.start()
    await world.joined(address=OTHER)
    world.network.answer = quiet
    world.join()
    world.join(LAPTOP)
    await world.network.asked(JoinRoom, 2)
    world.network.session.emit(RoomRefused(RID, Reason.BANNED.value, "You are banned"))
    refused = world.face.of("room_refused", ROOM_JID)
    assert [c.args[1:] for c in refused] == [(r, Reason.BANNED, "You are banned") for r in (PHONE, LAPTOP)]
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is None
    world.join()
    await world.network.asked(JoinRoom, 3)
    world.network.session.emit(RoomRefused(RID, "no-such-reason", "?"))
    assert world.face.of("room_refused")[-1].args[2] is Reason.INTERNAL


async def test_a_network_that_says_neither_yes_nor_no(world: World) -> None:
    await world.start(join_seconds=0.01)
    await world.joined(address=OTHER)
    world.network.answer = quiet
    world.join()
    refused = await world.face.wait("room_refused", ROOM_JID)
    assert refused.args[1:3] == (PHONE, Reason.TIMEOUT)


async def test_refused_by_the_command(world: World) -> None:
    async def full(session: ScriptedSession, command: object) -> Outcome:
        return Refused(Reason.ROOM_FULL, "full")

    await world.start(grace_seconds=0.01)
    world.network.answer = full
    world.join()
    assert (await world.face.wait("room_refused")).args[2:] == (Reason.ROOM_FULL, "full")
    await until(lambda: world.live().state is SessionState.IDLE)


async def test_the_answer_to_an_old_join_is_not_for_the_new_one(world: World) -> None:
    gate = asyncio.Event()

    async def slowly(session: ScriptedSession, command: object) -> Outcome:
        if isinstance(command, JoinRoom) and not gate.is_set():
            await gate.wait()
            return Refused(Reason.BANNED, "old")
        if isinstance(command, JoinRoom):
            session.let_in(command.room)
        elif isinstance(command, LeaveRoom):
            session.let_out(command.room)
        return Sent()

    await world.start()
    await world.joined(address=OTHER)
    world.network.answer = slowly
    world.join()
    await world.network.asked(JoinRoom, 2)
    old = world.gateway.rooms.find(ALICE, ROOM_JID)
    assert old is not None
    world.gateway.rooms.leave(old, PHONE, "")
    world.join()
    gate.set()
    await world.face.wait("room_entered", ROOM_JID, PHONE)
    assert world.face.of("room_refused") == []
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is not old


async def test_kicked(world: World) -> None:
    await world.start(grace_seconds=0.01)
    room = await world.joined()
    await world.joined(LAPTOP)
    world.network.session.let_out("#room", Departure.KICKED, "bob", "out!")
    left = await world.face.wait("room_left")
    assert left.args == (ROOM_JID, (PHONE, LAPTOP), Departure.KICKED, "bob", "out!", 0)
    assert left.me == "al"
    await until(lambda: world.live().state is SessionState.IDLE)
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is None
    assert not room.resources


async def test_after_a_refusal_the_next_try_is_on_the_same_connection(world: World) -> None:
    await world.start()
    world.network.answer = quiet
    world.join()
    await world.network.asked(JoinRoom)
    world.network.session.emit(RoomRefused(RID, Reason.NOT_AUTHORIZED.value, "wrong key"))
    assert world.face.of("room_refused")
    assert world.live().state is SessionState.ONLINE
    assert world.live().grace is not None
    world.join()
    await world.network.asked(JoinRoom, 2)
    assert world.live().grace is None
    world.network.session.let_in("#room")
    await world.face.wait("room_entered", ROOM_JID, PHONE)
    world.network.session.let_out("#room", Departure.KICKED, "bob", "out!")
    world.network.answer = _let_in
    await world.face.wait("room_left")
    world.join()
    room = world.gateway.rooms.find(ALICE, ROOM_JID)
    assert room is not None
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    assert len(world.network.sessions) == 1
    world.gateway.rooms.leave(room, PHONE, "bye")
    await until(lambda: world.live().state is SessionState.IDLE)
    assert world.network.session.closed_with == "bye", "whoever leaves does so at once"


async def test_the_grace_ends_with_the_session(world: World) -> None:
    await world.start()
    await world.joined()
    world.network.session.let_out("#room", Departure.BANNED, "bob", "out!")
    live = world.live()
    assert live.grace is not None
    world.network.session.fail()
    await until(lambda: live.state is SessionState.IDLE)
    assert live.grace is None
    assert len(world.network.sessions) == 1, "nobody needs another"


async def test_what_is_under_way_when_the_grace_ends_is_done_first(world: World) -> None:
    gate = asyncio.Event()

    async def slowly(session: ScriptedSession, command: object) -> Outcome:
        await gate.wait()
        return Sent()

    await world.start(grace_seconds=0.01)
    await world.joined()
    world.network.answer = slowly
    world.write("still talking")
    await world.network.asked(SendMessage)
    world.network.session.let_out("#room", Departure.KICKED, "bob", "out!")
    await until(lambda: world.live().parting is not None)
    assert world.live().state is SessionState.ONLINE
    gate.set()
    await until(lambda: world.live().state is SessionState.IDLE)


async def test_told_twice_that_the_account_is_in_brings_nobody_back_who_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def offline(resource: str, puppet: str) -> bool:
        return False

    await world.start(linger_seconds=60.0)
    monkeypatch.setattr(world.face, "ask_ping", offline)
    room = await world.joined()
    world.gateway.rooms.leave(room, PHONE, "")
    assert room.joined
    world.network.session.let_in("#room")
    await world.joined(LAPTOP)
    assert list(room.resources) == [LAPTOP]
    assert len(world.face.of("room_entered", ROOM_JID, PHONE)) == 1
    world.gateway.rooms.leave(room, LAPTOP, "")
    world.network.session.fail()
    await world.network.asked(JoinRoom, 2)
    await until(lambda: room.joined)
    await world.joined(PHONE)
    assert list(room.resources) == [PHONE], "nor does a connection that broke meanwhile"
    assert len(world.face.of("room_entered", ROOM_JID, LAPTOP)) == 1


async def test_kicked_while_somebody_is_shown_in(world: World) -> None:
    await world.start()
    await world.joined(address=OTHER)
    room = await world.joined()
    world.network.session.say("#room", "so that there is a history to be read")
    world.join(LAPTOP)
    world.network.session.let_out("#room", Departure.KICKED, "bob", "out!")
    assert world.face.of("room_left")[0].args[1] == (PHONE,)
    assert world.face.of("room_refused")[0].args[1:3] == (LAPTOP, Reason.FORBIDDEN)
    await until(lambda: not world.gateway._entrance.admitting)
    assert world.face.of("room_entered", ROOM_JID, LAPTOP) == []
    assert room.state is RoomState.OUT
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is None


async def test_lost_and_brought_back(world: World) -> None:
    await world.start()
    room = await world.joined(PHONE)
    await world.joined(LAPTOP)
    first = world.network.session
    world.network.connect = refusing(ConnectionLost("still down"))
    first.fail()
    left = await world.face.wait("room_left")
    assert left.args[1:3] == ((PHONE, LAPTOP), Departure.DISCONNECTED)
    await until(lambda: len(world.network.sessions) > 2)
    assert world.face.of("room_refused") == []

    async def connect(session: ScriptedSession) -> None:
        session.emit(Connected("al2"))

    world.network.connect = connect
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    await world.face.wait("room_entered", ROOM_JID, LAPTOP, count=2)
    assert not room.remembered
    assert room.lost_at is None
    assert world.network.of(JoinRoom)[-1].nick == "al2"


async def test_not_brought_back_after_long(world: World) -> None:
    await world.start()
    await world.joined()
    world.network.connect = refusing(ConnectionLost("still down"))
    world.network.session.fail()
    await world.face.wait("room_left")
    world.now += 3601
    await until(lambda: world.live().state is SessionState.IDLE)
    assert world.gateway.rooms.of(ALICE) == ()


async def test_gone_while_the_network_is_away(world: World) -> None:
    await world.start(chance=1.0)
    room = await world.joined()
    world.network.session.fail()
    await until(lambda: world.live().state is SessionState.WAITING)
    world.gateway.rooms.resource_gone(ALICE, PHONE)
    await until(lambda: world.live().state is SessionState.IDLE)
    assert world.gateway.rooms.of(ALICE) == ()
    assert not room.wanted


async def test_kept(world: World) -> None:
    await world.start()
    room = await world.joined()
    world.gateway.rooms.keep(ALICE, ROOM, "al")
    world.gateway.rooms.leave(room, PHONE, "")
    world.network.session.say("#room", "while away")
    await world.joined()
    assert history(world.face.of("room_entered")[-1]) == ["while away"]
    world.gateway.rooms.leave(room, PHONE, "")
    await world.at_rest()
    await world.kill()
    await world.start(Network())
    await world.network.asked(JoinRoom)
    kept = await until(lambda: world.gateway.rooms.find(ALICE, ROOM_JID))
    await until(lambda: kept.joined)
    world.gateway.rooms.unkeep(kept)
    await until(lambda: world.live().state is SessionState.IDLE)
    await world.at_rest()
    await world.kill()
    await world.start(Network())
    assert world.gateway.rooms.of(ALICE) == ()


async def test_kept_and_refused_stays_kept(world: World) -> None:
    await world.start()
    world.network.answer = quiet
    world.gateway.rooms.keep(ALICE, ROOM, "al")
    await world.network.asked(JoinRoom)
    world.network.session.emit(RoomRefused(RID, Reason.INVITE_ONLY.value, "no"))
    room = world.gateway.rooms.find(ALICE, ROOM_JID)
    assert room is not None
    assert room.kept
    world.network.session.fail()
    await world.network.asked(JoinRoom, 2)


@pytest.mark.parametrize(
    ("settings", "info", "reason"),
    [
        ({"allowed_users": ("*@other.test",)}, {}, Reason.FORBIDDEN),
        ({"registration_required": True}, {}, Reason.REGISTRATION_REQUIRED),
        ({}, {"registration_required": True}, Reason.REGISTRATION_REQUIRED),
        ({"rooms_per_user": 0}, {}, Reason.RATE_LIMITED),
    ],
)
async def test_not_let_in(
    world: World, settings: dict[str, Any], info: dict[str, Any], reason: Reason
) -> None:
    await world.start(Network(**info), **settings)
    world.join()
    assert world.face.of("room_refused")[0].args[:3] == (ROOM_JID, PHONE, reason)
    assert world.gateway.rooms.of(ALICE) == ()
    assert world.network.sessions == []
    world.gateway.roster.subscribe(ALICE, ROOM_JID, ROOM, "s1")
    assert [c.args[2] for c in world.face.of("subscription")] == ["unsubscribed"]
    assert world.gateway.rooms.of(ALICE) == ()


async def test_registered_is_let_in(world: World) -> None:
    await world.start(registration_required=True)
    await world.gateway.accounts.register(ALICE, NET, {"nick": "registered"})
    await world.joined()
    assert world.network.session.account.settings == {"nick": "registered"}


async def test_the_last_room_that_is_allowed(world: World) -> None:
    await world.start(rooms_per_user=1)
    await world.joined()
    await world.joined(LAPTOP)
    world.join(address=OTHER)
    assert world.face.of("room_refused")[0].args[:3] == (OTHER_JID, PHONE, Reason.RATE_LIMITED)


async def test_history_and_what_is_said_meanwhile(world: World) -> None:
    """None is lost, none comes twice, in whatever moment it is said."""
    await world.start()
    await world.joined()
    said: list[str] = []

    async def talk() -> None:
        while len(said) < 200:
            world.network.session.say("#room", f"m{len(said)}")
            said.append(f"m{len(said)}")
            await asyncio.sleep(0)

    talking = asyncio.create_task(talk())
    resources = [f"{ALICE}/r{n}" for n in range(20)]
    for resource in resources:
        world.join(resource, history=HistoryRequest(max_messages=1000))
        await asyncio.sleep(0.001)
    await talking
    for resource in resources:
        entered = await world.face.wait("room_entered", ROOM_JID, resource)
        at = world.face.calls.index(entered)
        live = [
            c.args[1].content.text
            for c in world.face.calls[at:]
            if c.name == "room_message" and resource in c.resources
        ]
        assert history(entered) + live == said


async def test_how_much_history(world: World) -> None:
    await world.start()
    await world.joined()
    for text in "abc":
        world.network.session.say("#room", text)
    world.join(LAPTOP, history=HistoryRequest(max_messages=2))
    assert history(await world.face.wait("room_entered", ROOM_JID, LAPTOP)) == ["b", "c"]
    world.join(f"{ALICE}/x", history=HistoryRequest(max_messages=0))
    world.network.session.say("#room", "now")
    assert history(await world.face.wait("room_entered", ROOM_JID, f"{ALICE}/x")) == []
    assert said_to(world, f"{ALICE}/x") == ["now"]


async def test_without_archive_nothing_is_lost_either(world: World) -> None:
    await world.start(keep_archive=False)
    await world.joined()
    world.network.session.say("#room", "before")
    world.join(LAPTOP)
    world.network.session.say("#room", "meanwhile")
    assert history(await world.face.wait("room_entered", ROOM_JID, LAPTOP)) == []
    assert said_to(world, LAPTOP) == ["meanwhile"]
    assert (await world.gateway.rooms.archive_page(ALICE, ROOM, ArchiveQuery())).messages == ()


async def test_back_again_sees_nothing_twice(world: World) -> None:
    await world.start()
    await world.joined()
    world.network.session.say("#room", "before")
    world.join(PHONE)
    world.network.session.say("#room", "meanwhile")
    entered = await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    assert history(entered) == ["before", "meanwhile"]
    assert said_to(world, PHONE) == ["before"]


async def test_where_nothing_was_said_nobody_waits_for_the_history(world: World) -> None:
    await world.start()
    await world.joined()
    world.join(LAPTOP)
    assert history(world.face.of("room_entered", ROOM_JID, LAPTOP)[0]) == []
    world.network.session.say("#room", "first")
    assert said_to(world, LAPTOP) == ["first"]
    world.join(f"{ALICE}/x")
    assert history(await world.face.wait("room_entered", ROOM_JID, f"{ALICE}/x")) == ["first"]


async def test_a_store_that_fails_keeps_nobody_out(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await world.start()

    def fail(*_: object) -> asyncio.Future[int]:
        failed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        failed.set_exception(StoreError("broken"))
        return failed

    async def fail_to_read(*_: object) -> None:
        raise StoreError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(world.store.archive, "find_key", fail)
        await world.joined()
    assert "a room is not archived" in caplog.text
    monkeypatch.setattr(world.store.archive, "last", fail_to_read)
    await world.joined(LAPTOP)
    assert "without its history" in caplog.text


async def test_names(world: World) -> None:
    await world.start()
    room = await world.joined()
    emit, face = world.network.session.emit, world.face
    emit(OccupantJoined(RID, Occupant(OccupantId("carol"), stable="c-account")))
    emit(OccupantRenamed(RID, OccupantId("carol"), Occupant(OccupantId("caz"), stable="c-account")))
    emit(OccupantChanged(RID, Occupant(OccupantId("caz"), Rank.MODERATOR), "bob"))
    emit(OccupantRenamed(RID, OccupantId("al"), Occupant(OccupantId("al_"))))
    emit(NameChanged("al_"))
    emit(OccupantLeft(RID, OccupantId("caz"), Departure.QUIT))
    emit(OccupantLeft(RID, OccupantId("nobody"), Departure.QUIT))
    emit(SubjectChanged(RID, "tea", "bob"))
    emit(RoomNotice(RID, "mode +t"))
    assert [(c.name, *c.args[1:3]) for c in face.calls if c.name.startswith(("occupant", "room_"))][1:] == [
        ("occupant_joined", "carol"),
        ("occupant_renamed", "carol", "caz"),
        ("occupant_changed", "caz", "bob"),
        ("occupant_renamed", "al", "al_"),
        ("occupant_left", "caz", Departure.QUIT),
        ("room_subject", "tea", "bob"),
        ("room_notice", "mode +t"),
    ]
    assert room.me == "al_"
    assert set(room.occupants) == {"bob", "al_"}
    assert world.live().name == "al_"


async def test_occupant_ids(world: World) -> None:
    await world.start()
    room = await world.joined()
    identify = world.gateway.rooms.occupant_id
    emit = world.network.session.emit
    emit(OccupantJoined(RID, Occupant(OccupantId("carol"), stable="c-account")))
    carol, bob = identify(room, OccupantId("carol")), identify(room, OccupantId("bob"))
    assert carol != bob
    assert "carol" not in carol
    emit(OccupantRenamed(RID, OccupantId("carol"), Occupant(OccupantId("caz"), stable="c-account")))
    assert identify(room, OccupantId("caz")) == carol
    emit(OccupantRenamed(RID, OccupantId("bob"), Occupant(OccupantId("rob"))))
    assert identify(room, OccupantId("rob")) == bob
    emit(OccupantJoined(RID, Occupant(OccupantId("dan"), real="~dan@host")))
    dan = identify(room, OccupantId("dan"))
    for n in range(100):
        world.network.session.say("#room", "hi", sender=f"outsider{n}")
    assert len(room.occupant_ids) < 10, "who is not in the room takes no memory"
    await world.at_rest()
    await world.kill()
    network = Network()
    network.people = [
        Occupant(OccupantId("caz"), stable="c-account"),
        Occupant(OccupantId("dan"), real="~dan@host"),
        Occupant(OccupantId("bob")),
    ]
    await world.start(network)
    again = await world.joined()
    identify = world.gateway.rooms.occupant_id
    assert (identify(again, OccupantId("caz")), identify(again, OccupantId("dan"))) == (carol, dan)
    assert identify(again, OccupantId("bob")) != bob, "a name alone is no person"


async def test_an_occupant_id_is_one_persons(world: World) -> None:
    await world.start()
    room = await world.joined()
    emit, say = world.network.session.emit, world.network.session.say

    def who(name: str) -> str:
        return world.gateway.rooms.occupant_id(room, OccupantId(name))

    def person(name: str, real: str = "~u@host", stable: str = "") -> Occupant:
        return Occupant(OccupantId(name), real=real, stable=stable)

    emit(OccupantJoined(RID, person("x")))
    say("#room", "mine", sender="x")
    emit(OccupantRenamed(RID, OccupantId("x"), person("y")))
    emit(OccupantJoined(RID, person("x")))
    say("#room", "not mine", sender="x")
    say("#room", "mine too", sender="y")
    first, second, third = [c.args[1].occupant_id for c in world.face.of("room_message")]
    assert first == third == who("y")
    assert second == who("x") != first, "same address, same name, and yet somebody else: both are there"
    emit(OccupantChanged(RID, person("y", stable="account")))
    assert who("y") == first, "what becomes known later makes nobody another"
    emit(OccupantLeft(RID, OccupantId("x"), Departure.QUIT))
    emit(OccupantLeft(RID, OccupantId("y"), Departure.QUIT))
    emit(OccupantJoined(RID, person("x", real="~u@elsewhere")))
    assert who("x") not in (first, second)
    emit(OccupantLeft(RID, OccupantId("x"), Departure.QUIT))
    emit(OccupantJoined(RID, person("x", real="")))
    unknown = who("x")
    emit(OccupantJoined(RID, person("x", real="")))
    assert who("x") != unknown, "nobody joins twice"
    emit(OccupantJoined(RID, person("z", real="", stable="x")))
    assert who("x") != who("z")
    page = await world.gateway.rooms.archive_page(ALICE, ROOM, ArchiveQuery())
    assert [message.occupant_id for message in page.messages] == [first, second, third]


async def test_the_users_own_occupant_id_stays_for_good(world: World) -> None:
    await world.start()
    room = await world.joined()
    mine = world.gateway.rooms.occupant_id(room, room.me)
    world.network.session.emit(OccupantRenamed(RID, room.me, Occupant(OccupantId("al_"))))
    assert (room.me, world.gateway.rooms.occupant_id(room, room.me)) == ("al_", mine)
    world.network.session.emit(OccupantJoined(RID, Occupant(OccupantId("al"))))
    assert world.gateway.rooms.occupant_id(room, OccupantId("al")) != mine
    world.network.session.fail()
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    assert world.gateway.rooms.occupant_id(room, room.me) == mine


async def test_archive_paging(world: World) -> None:
    await world.start()
    await world.joined()
    for n in range(10):
        world.network.session.say("#room", f"m{n}", sender="bob" if n % 2 else "carol")
    page_of = world.gateway.rooms.archive_page

    async def texts(**query: Any) -> list[str]:
        page = await page_of(ALICE, ROOM, ArchiveQuery(**query))
        return [message.content.text for message in page.messages]

    first = await page_of(ALICE, ROOM, ArchiveQuery(limit=4))
    assert (len(first.messages), first.complete, first.count, first.first_index) == (4, False, 10, 0)
    after = first.messages[-1].archive_id
    assert await texts(after=after, limit=3) == ["m4", "m5", "m6"]
    assert await texts(before=after, limit=2) == ["m1", "m2"]
    assert await texts(last=True, limit=2) == ["m8", "m9"]
    assert await texts(name="carol") == ["m0", "m2", "m4", "m6", "m8"]
    assert await texts(ids=(after,)) == ["m3"]
    assert await texts(start=after, end=after) == ["m3"]
    bounds = await world.gateway.rooms.archive_bounds(ALICE, ROOM)
    assert bounds is not None
    assert bounds[0] == first.messages[0].archive_id
    with pytest.raises(ArchiveItemMissing):
        await texts(after=17)
    with pytest.raises(ArchiveItemMissing):
        await texts(ids=(after, 17))
    other = await page_of("carol@example.test", ROOM, ArchiveQuery())
    assert other.messages == ()
    assert other.complete


async def test_asked_of_the_network(world: World) -> None:
    async def answer(session: ScriptedSession, command: object) -> Outcome:
        if isinstance(command, JoinRoom):
            session.let_in(command.room)
        if isinstance(command, ChangeNick | SetSubject | KickOccupant):
            return Refused(Reason.FORBIDDEN, "no")
        return Sent()

    await world.start()
    world.network.answer = answer
    room = await world.joined()
    rooms = world.gateway.rooms
    rooms.change_nick(room, PHONE, "other")
    rooms.set_subject(room, PHONE, "s1", "tea")
    refused = await world.face.wait("nick_refused")
    assert refused.args[1:] == (PHONE, "other", Reason.FORBIDDEN, "no")
    failed = await world.face.wait("message_failed")
    assert failed.args == (PHONE, ROOM_JID, "s1", Reason.FORBIDDEN, "no", True)
    assert await rooms.kick(room, OccupantId("bob"), "") == Refused(Reason.FORBIDDEN, "no")
    assert await rooms.set_rank(room, OccupantId("bob"), Rank.MEMBER) == Sent()
    assert await rooms.invite(room, ContactId("carol"), "") == Sent()
    world.network.connect = refusing(ConnectionLost("down"))
    world.network.session.fail()
    await world.face.wait("room_left")
    outcome = await rooms.kick(room, OccupantId("bob"), "")
    assert isinstance(outcome, Refused)


async def test_invited_and_put_into_a_room(world: World) -> None:
    await world.start()
    await world.joined()
    emit = world.network.session.emit
    emit(Invited(OTHER.room, "bob", "come"))
    assert world.face.of("invitation")[0].args == (ALICE, OTHER_JID, "bob", "come", (PHONE,))
    world.network.session.let_in("#other")
    assert world.face.of("invitation")[1].args[1] == OTHER_JID
    await world.joined(address=OTHER)
    world.network.session.let_in("#third")
    world.network.session.let_out("#third")
    assert world.gateway.rooms.find(ALICE, "#third%net@gw.test") is None


async def test_the_xmpp_server_was_away(world: World) -> None:
    await world.start()
    room = await world.joined()
    world.network.session.say("#room", "before")
    world.gateway.link_down("gone")
    world.network.session.say("#room", "meanwhile")
    world.network.session.emit(OccupantLeft(RID, OccupantId("bob"), Departure.QUIT))
    assert room.joined
    assert world.live().state is SessionState.ONLINE
    world.gateway.link_up()
    entered = await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    assert history(entered) == ["meanwhile"]
    assert entered.names == ("al",)


def registry_sizes(world: World) -> tuple[int, ...]:
    gateway = world.gateway
    registry, door = gateway._registry, gateway._entrance
    return len(registry._by_jid), len(registry._of_user), len(door.admitting), len(world.live().rooms)


async def test_nothing_is_left_behind(world: World) -> None:
    await world.start()
    for _ in range(3):
        room: Room = await world.joined()
        await world.joined(LAPTOP)
        world.network.session.fail()
        await world.face.wait("room_left")
        world.gateway.rooms.resource_gone(ALICE, PHONE)
        world.gateway.rooms.resource_gone(ALICE, LAPTOP)
        await until(lambda: world.live().state is SessionState.IDLE)
        assert not room.wanted
        world.face.calls.clear()
    assert registry_sizes(world) == (0, 0, 0, 0)
    assert world.live().lanes == {}
    assert world.live().leaving == {}
