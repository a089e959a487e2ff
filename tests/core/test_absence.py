"""Who leaves a room for good leaves it at once; whose server stops stays in it on the other network."""

from __future__ import annotations

import asyncio

import pytest

from bridge.core.values import SessionState
from tests.core.conftest import ALICE, PHONE, ROOM_JID, World
from tests.core.face import until

LONG = 3600.0
"""Longer than any test waits: what happens does not wait for it."""


def answering(world: World, online: bool) -> asyncio.Event:
    """All clients answer pings from now on, or none; the event tells of a ping."""
    asked = asyncio.Event()

    async def ask_ping(resource: str, puppet: str) -> bool:
        assert (resource, puppet) == (PHONE, ROOM_JID)
        asked.set()
        return online

    world.face.ask_ping = ask_ping  # type: ignore[method-assign]
    return asked


def leave(world: World) -> None:
    room = world.gateway.rooms.find(ALICE, ROOM_JID)
    assert room is not None
    world.gateway.rooms.leave(room, PHONE, "bye")


async def test_a_client_that_is_still_online_leaves_at_once(world: World) -> None:
    await world.start(linger_seconds=LONG)
    await world.joined()
    answering(world, online=True)
    leave(world)
    await until(lambda: world.live().state is SessionState.IDLE)


async def test_a_client_that_went_offline_leaves_after_a_while(world: World) -> None:
    await world.start(linger_seconds=0.05)
    await world.joined()
    answering(world, online=False)
    leave(world)
    await until(lambda: world.live().state is SessionState.IDLE)


async def test_a_client_that_never_answers_leaves_after_a_while(world: World) -> None:
    await world.start(linger_seconds=0.05)
    await world.joined()

    async def ask_ping(resource: str, puppet: str) -> bool:
        return await asyncio.get_running_loop().create_future()

    world.face.ask_ping = ask_ping  # type: ignore[method-assign]
    leave(world)
    await until(lambda: world.live().state is SessionState.IDLE)


async def test_a_server_that_stops_takes_nobody_out(world: World) -> None:
    await world.start(linger_seconds=0.05)
    room = await world.joined()
    asked = answering(world, online=False)
    leave(world)
    await asked.wait()
    world.gateway.link_down("gone")
    await world.at_rest()
    assert room.joined
    assert world.live().state is SessionState.ONLINE


async def test_what_a_stopping_server_returns_takes_nobody_out(world: World) -> None:
    """Messages for clients that it has just put offline come back as errors."""
    await world.start(linger_seconds=0.05)
    room = await world.joined()
    answering(world, online=False)
    leave(world)
    world.gateway.rooms.resource_gone(ALICE, PHONE)
    assert room.joined
    world.gateway.link_down("gone")
    await world.at_rest()
    assert room.joined
    assert room.wanted


async def test_a_message_that_returns_says_that_a_client_is_gone(world: World) -> None:
    await world.start(linger_seconds=0.05)
    await world.joined()
    world.gateway.rooms.resource_gone(ALICE, PHONE)
    await until(lambda: world.live().state is SessionState.IDLE)
    assert world.gateway.rooms.find(ALICE, ROOM_JID) is None


@pytest.mark.parametrize("stops", [True, False])
async def test_a_server_that_has_much_to_read_is_waited_for(world: World, stops: bool) -> None:
    """It says of its clients that they go, reads on for long, and only then ends the stream, or goes on."""
    await world.start(linger_seconds=0.01)
    room = await world.joined()
    answering(world, online=False)
    asked, read = asyncio.Event(), asyncio.Event()

    async def caught_up() -> None:
        asked.set()
        await read.wait()

    world.face.caught_up = caught_up  # type: ignore[method-assign]
    leave(world)
    await asked.wait()
    assert room.wanted
    if stops:
        world.gateway.link_down("gone")
    read.set()
    await world.at_rest()
    await until(lambda: (world.live().state is SessionState.IDLE) is not stops)
    assert not stops or room.joined
