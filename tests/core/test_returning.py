"""Rooms over restarts: whoever was in a room when the gateway ended is brought back into it, or told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bridge.api import (
    AuthFailed,
    ConnectionLost,
    Departure,
    JoinRoom,
    NameChanged,
    Outcome,
    Reason,
    RoomId,
    RoomRefused,
    Sent,
)
from bridge.core.values import SessionState
from bridge.store.room_resources import RoomResource
from tests.core.conftest import ALICE, LAPTOP, PHONE, ROOM, ROOM_JID, World
from tests.core.face import DOMAIN, until
from tests.core.network import Network, ScriptedSession, refusing

DAY = 86_400_000_000


async def quiet(session: ScriptedSession, command: object) -> Outcome:
    return Sent()


async def stored(world: World) -> list[tuple[str, str]]:
    """Who stands in the store, with which nick."""
    await world.store.writer.flush()
    return [(row.resource, row.nick) for row in await world.store.room_resources.list(DOMAIN)]


async def crashed(world: World) -> None:
    """Two resources were in a room when the gateway was killed."""
    await world.start()
    await world.joined(PHONE)
    await world.joined(LAPTOP)
    await world.kill()


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("killed", [True, False])
async def test_brought_back(world: World, killed: bool, kept: bool) -> None:
    await world.start()
    await world.joined(PHONE)
    await world.joined(LAPTOP)
    if kept:
        world.gateway.rooms.keep(ALICE, ROOM, "al")
        await world.at_rest()
    if killed:
        await world.kill()
    else:
        await world.gateway.stop("Gateway shutdown")
        assert world.face.of("room_left")[0].args[1:3] == ((PHONE, LAPTOP), Departure.DISCONNECTED)
    assert await stored(world) == [(PHONE, "al"), (LAPTOP, "al")]
    await world.start(Network())
    for resource in (PHONE, LAPTOP):
        entered = await world.face.wait("room_entered", ROOM_JID, resource)
        assert entered.me == "al"
    assert [(command.room, command.nick) for command in world.network.of(JoinRoom)] == [("#room", "al")]
    world.network.session.say("#room", "here again")
    assert (await world.face.wait("room_message", ROOM_JID)).resources == (PHONE, LAPTOP)
    assert await stored(world) == [(PHONE, "al"), (LAPTOP, "al")]


async def test_brought_back_once_the_xmpp_server_is_there(world: World) -> None:
    """Else a refusal would be told to nobody."""
    await crashed(world)
    await world.start(Network(), link=False)
    assert world.network.sessions == []
    world.gateway.link_up()
    await world.face.wait("room_entered", ROOM_JID, LAPTOP)
    world.gateway.link_down("gone")
    world.gateway.link_up()
    await world.face.wait("room_entered", ROOM_JID, LAPTOP, count=2)
    assert len(world.network.of(JoinRoom)) == 1


async def test_who_left_is_not_brought_back(world: World) -> None:
    await world.start(linger_seconds=60.0)
    room = await world.joined(PHONE)
    await world.joined(LAPTOP)
    world.gateway.rooms.leave(room, PHONE, "")
    assert await stored(world) == [(LAPTOP, "al")]
    world.gateway.rooms.leave(room, LAPTOP, "")
    assert room.joined, "the account may still be in it"
    assert await stored(world) == []


async def test_who_vanished_or_was_put_out_is_not_brought_back(world: World) -> None:
    await world.start()
    await world.joined(PHONE)
    await world.joined(LAPTOP)
    world.gateway.rooms.resource_gone(ALICE, PHONE)
    assert await stored(world) == [(LAPTOP, "al")]
    world.network.session.let_out("#room", Departure.KICKED, "bob", "out!")
    assert await stored(world) == []


async def test_killed_while_the_network_was_away(world: World) -> None:
    await world.start(chance=1.0)
    await world.joined()
    world.network.session.fail()
    await until(lambda: world.live().state is SessionState.WAITING)
    assert await stored(world) == [(PHONE, "al")]
    await world.kill()
    await world.start(Network())
    await world.face.wait("room_entered", ROOM_JID, PHONE)


async def test_killed_while_the_answer_to_a_join_is_awaited(world: World) -> None:
    network = Network()
    network.answer = quiet
    await world.start(network)
    world.join()
    await network.asked(JoinRoom)
    assert await stored(world) == [(PHONE, "al")]
    await world.kill()
    await world.start(Network())
    await world.face.wait("room_entered", ROOM_JID, PHONE)


async def test_by_the_newest_name(world: World) -> None:
    await world.start()
    await world.joined()
    world.network.session.emit(NameChanged("al2"))
    assert await stored(world) == [(PHONE, "al2")]
    await world.kill()
    await world.start(Network())
    await world.face.wait("room_entered", ROOM_JID, PHONE)
    assert world.network.of(JoinRoom)[0].nick == "al2"


async def test_no_cost_while_people_talk(world: World) -> None:
    await world.start(keep_archive=False)
    await world.joined()
    await world.at_rest()
    before = world.store.writer.submitted
    for number in range(100):
        world.network.session.say("#room", str(number))
    world.gateway.link_down("gone")
    world.gateway.link_up()
    await world.face.wait("room_entered", ROOM_JID, PHONE, count=2)
    assert world.store.writer.submitted == before


async def test_not_let_in_any_more(world: World) -> None:
    await crashed(world)
    network = Network()
    network.answer = quiet
    await world.start(network)
    await network.asked(JoinRoom)
    network.session.emit(RoomRefused(RoomId("#room"), Reason.BANNED.value, "You are banned"))
    refused = world.face.of("room_refused", ROOM_JID)
    assert [c.args[1:] for c in refused] == [(r, Reason.BANNED, "You are banned") for r in (PHONE, LAPTOP)]
    assert await stored(world) == []
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is None


async def test_the_network_is_away_at_the_start(world: World) -> None:
    """They are told that they are out, once, and brought back when it is there."""
    await crashed(world)
    network = Network()
    connect, network.connect = network.connect, refusing(ConnectionLost("still down"))
    await world.start(network)
    left = await world.face.wait("room_left", ROOM_JID)
    assert left.args[1:5] == ((PHONE, LAPTOP), Departure.DISCONNECTED, "", "still down")
    assert left.me == "al"
    await until(lambda: len(network.sessions) > 3)
    assert len(world.face.of("room_left")) == 1
    network.connect = connect
    await world.face.wait("room_entered", ROOM_JID, LAPTOP)


async def test_the_network_does_not_take_the_account_any_more(world: World) -> None:
    await crashed(world)
    network = Network()
    network.connect = refusing(AuthFailed("wrong password"))
    await world.start(network)
    assert (await world.face.wait("room_left", ROOM_JID)).args[1] == (PHONE, LAPTOP)
    await until(lambda: world.gateway.rooms.of(ALICE) == ())
    assert await stored(world) == []


async def test_a_client_that_is_gone(world: World) -> None:
    """The XMPP server says so when the room is shown to it."""
    await crashed(world)
    await world.start(Network())
    await world.face.wait("room_entered", ROOM_JID, LAPTOP)
    world.gateway.rooms.resource_gone(ALICE, PHONE)
    assert await stored(world) == [(LAPTOP, "al")]
    world.gateway.rooms.resource_gone(ALICE, LAPTOP)
    assert await stored(world) == []
    await until(lambda: world.live().state is SessionState.IDLE)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"allowed_users": ("*@other.test",)}, Reason.FORBIDDEN),
        ({"registration_required": True}, Reason.REGISTRATION_REQUIRED),
        ({"rooms_per_user": 0}, Reason.RATE_LIMITED),
    ],
)
async def test_the_admin_has_other_rules_now(world: World, settings: dict[str, Any], reason: Reason) -> None:
    await crashed(world)
    await world.start(Network(), **settings)
    assert [c.args[1:3] for c in world.face.of("room_refused")] == [(PHONE, reason), (LAPTOP, reason)]
    assert world.network.sessions == []
    assert await stored(world) == []


@pytest.mark.parametrize(("alive_days", "is_back"), [(2, False), (0, True)])
async def test_a_gateway_that_was_down_for_long(world: World, alive_days: int, is_back: bool) -> None:
    """What counts is when the gateway ended, not for how long a client had been in the room."""
    await crashed(world)
    now = int(time.time() * 1_000_000)
    row = RoomResource(DOMAIN, ALICE, "net", "#room", PHONE, "al", now - 3 * DAY)
    world.store.room_resources.put(row)
    world.store.room_resources.remove(*row[:4], LAPTOP)
    await world.store.cursors.put(DOMAIN, "alive", str(now - alive_days * DAY))
    await world.start(Network())
    assert bool(await stored(world)) is is_back
    assert bool(world.gateway.rooms.of(ALICE)) is is_back
    assert world.face.of("room_refused") == []
