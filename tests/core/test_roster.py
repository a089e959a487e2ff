"""Subscriptions and presence of puppets, over restarts."""

from __future__ import annotations

import pytest

from bridge.api import (
    ContactId,
    ContactPresence,
    Departure,
    NetworkAddress,
    Occupant,
    OccupantId,
    OccupantJoined,
    OccupantLeft,
    RoomId,
)
from bridge.core.live import LiveAccount
from tests.core.conftest import ALICE, BOB, BOB_JID, NET, PHONE, ROOM, ROOM_JID, World
from tests.core.face import DOMAIN, until
from tests.core.network import Network

NETWORK_JID = f"{NET}@{DOMAIN}"


def presences(world: World, puppet: str) -> list[bool]:
    """What a puppet showed, in order."""
    return [c.args[2] for c in world.face.of("puppet_presence") if c.args[1] == puppet]


def subscriptions(world: World) -> list[tuple[str, ...]]:
    return [call.args for call in world.face.of("subscription")]


async def test_the_gateway(world: World) -> None:
    await world.start()
    roster = world.gateway.roster
    roster.subscribe(ALICE, DOMAIN, None, "p1")
    roster.subscribed(ALICE, DOMAIN)
    assert subscriptions(world) == [(ALICE, DOMAIN, "subscribed"), (ALICE, DOMAIN, "subscribe")]
    assert presences(world, DOMAIN) == [True]
    await world.at_rest()
    await world.kill()
    await world.start(Network())
    assert presences(world, DOMAIN) == [True]
    assert subscriptions(world) == [(ALICE, DOMAIN, "probe")]
    world.gateway.roster.probe(ALICE, PHONE, DOMAIN, None)
    assert world.face.of("puppet_presence")[-1].args == (PHONE, DOMAIN, True)
    world.gateway.roster.subscribe(ALICE, DOMAIN, None, "p2")
    assert subscriptions(world)[1:] == [(ALICE, DOMAIN, "subscribed")], "it need not be asked for again"
    await world.gateway.stop("")
    assert presences(world, DOMAIN)[-1] is False


async def test_taken_out_of_the_roster(world: World) -> None:
    await world.start()
    roster = world.gateway.roster
    roster.subscribe(ALICE, BOB_JID, BOB, "p1")
    roster.subscribed(ALICE, BOB_JID)
    roster.unsubscribe(ALICE, BOB_JID, BOB, "p2")
    assert subscriptions(world)[2:] == [(ALICE, BOB_JID, "unsubscribed"), (ALICE, BOB_JID, "unsubscribe")]
    assert presences(world, BOB_JID)[-1] is False
    roster.unsubscribe(ALICE, BOB_JID, BOB, "p3")
    assert subscriptions(world)[4:] == [(ALICE, BOB_JID, "unsubscribed")]
    roster.probe(ALICE, PHONE, BOB_JID, BOB)
    assert subscriptions(world)[5:] == [(PHONE, BOB_JID, "unsubscribed")]
    await world.at_rest()
    await world.kill()
    await world.start(Network())
    assert world.gateway.roster._known == {}


async def test_no_longer_seen_by_a_puppet(world: World) -> None:
    await world.start()
    roster = world.gateway.roster
    roster.subscribe(ALICE, BOB_JID, BOB, "p1")
    roster.subscribed(ALICE, BOB_JID)
    roster.unsubscribed(ALICE, BOB_JID)
    roster.unsubscribed("eve@example.test", BOB_JID)
    await world.at_rest()
    await world.kill()
    await world.start(Network())
    known = world.gateway.roster._known[ALICE, BOB_JID]
    assert (known.user_subscribed, known.puppet_subscribed) == (True, False)
    assert len(world.gateway.roster._known) == 1


async def test_a_network(world: World) -> None:
    await world.start()
    world.gateway.roster.subscribe(ALICE, NETWORK_JID, NetworkAddress(NET), "p1")
    assert presences(world, NETWORK_JID) == [False]
    await world.joined()
    assert presences(world, NETWORK_JID) == [False, True]
    world.gateway.roster.probe(ALICE, PHONE, NETWORK_JID, NetworkAddress(NET))
    assert presences(world, NETWORK_JID)[2:] == [True]
    world.network.session.fail()
    await world.face.wait("room_entered", count=2)
    assert presences(world, NETWORK_JID)[3:] == [False, True]


async def test_a_room_is_kept_and_offered(world: World) -> None:
    await world.start()
    roster = world.gateway.roster
    roster.subscribe(ALICE, ROOM_JID, ROOM, "p1")
    assert world.face.of("invitation")[0].args[:3] == (ALICE, ROOM_JID, ""), "by the room itself"
    room = await until(lambda: world.gateway.rooms.find(ALICE, ROOM_JID))
    await until(lambda: presences(world, ROOM_JID) == [False, True])
    assert room.kept
    assert room.joined
    assert not room.resources
    await world.at_rest()
    await world.kill()
    await world.start(Network())
    await until(lambda: set(presences(world, ROOM_JID)) == {True})
    world.gateway.roster.probe(ALICE, PHONE, ROOM_JID, ROOM)
    assert world.face.of("puppet_presence")[-1].args == (PHONE, ROOM_JID, True)
    assert world.face.of("invitation") == []
    await world.joined()
    world.gateway.roster.unsubscribe(ALICE, ROOM_JID, ROOM, "p2")
    room = world.gateway.rooms.find(ALICE, ROOM_JID)
    assert room is not None
    assert not room.kept
    assert room.joined, "somebody is still there"


async def test_contacts_are_seen_in_shared_rooms(world: World) -> None:
    await world.start()
    roster, rid = world.gateway.roster, RoomId("#room")
    roster.subscribe(ALICE, BOB_JID, BOB, "p1")
    assert presences(world, BOB_JID) == [False]
    await world.joined()
    assert presences(world, BOB_JID) == [False, True]
    emit = world.network.session.emit
    emit(OccupantLeft(rid, OccupantId("bob"), Departure.QUIT))
    emit(OccupantJoined(rid, Occupant(OccupantId("bobby"), contact=ContactId("bob"))))
    emit(OccupantJoined(rid, Occupant(OccupantId("eve"), contact=ContactId("eve"))))
    assert presences(world, BOB_JID) == [False, True, False, True]
    world.gateway.link_down("gone")
    world.gateway.link_up()
    assert presences(world, BOB_JID)[4:] == [True]
    world.network.session.let_out("#room", Departure.KICKED)
    assert presences(world, BOB_JID)[5:] == [False]


async def test_contacts_are_still_seen_after_the_account_was_idle(world: World) -> None:
    gateway = await world.start()
    gateway.roster.subscribe(ALICE, BOB_JID, BOB, "p1")
    world.now += gateway.settings.idle_seconds + 1
    gateway._pool.release_idle()
    assert gateway.accounts.status(ALICE) == []
    await world.joined()
    assert presences(world, BOB_JID)[-1] is True
    world.network.session.fail()
    await world.face.wait("room_left")
    await until(lambda: presences(world, BOB_JID)[-2:] == [False, True])


async def test_contacts_are_seen_after_a_restart_and_a_probe(world: World) -> None:
    await world.start()
    world.gateway.roster.subscribe(ALICE, BOB_JID, BOB, "p1")
    await world.at_rest()
    await world.kill()
    await world.start(Network())
    world.gateway.roster.probe(ALICE, PHONE, BOB_JID, BOB)
    assert presences(world, BOB_JID) == [False]
    await world.joined()
    assert presences(world, BOB_JID) == [False, True]


async def test_what_the_network_says_of_a_contact_holds(world: World) -> None:
    await world.start()
    world.gateway.accounts.connect(ALICE, NET)
    await world.until_online()
    world.network.session.emit(ContactPresence(ContactId("bob"), online=True))
    assert presences(world, BOB_JID) == []
    world.gateway.roster.subscribe(ALICE, BOB_JID, BOB, "p1")
    assert presences(world, BOB_JID)[-1] is True
    world.gateway.roster.probe(ALICE, PHONE, BOB_JID, BOB)
    assert False not in presences(world, BOB_JID)[1:]
    world.network.session.emit(ContactPresence(ContactId("bob"), online=False))
    assert presences(world, BOB_JID)[-1] is False


async def test_nobody_watched_costs_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.start()
    room = await world.joined()
    looked: list[LiveAccount] = []
    monkeypatch.setattr(world.gateway._pool, "refresh_watched", looked.append)
    for n in range(50):
        who = Occupant(OccupantId(f"u{n}"), contact=ContactId(f"u{n}"))
        world.network.session.emit(OccupantJoined(RoomId("#room"), who))
    assert looked == []
    assert len(room.occupants) == 52
