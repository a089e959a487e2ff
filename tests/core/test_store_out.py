"""While the store is out: talk goes on, what cannot be kept is told, and nothing comes twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator

import pytest

from bridge.api import NetworkId, Reason, SendMessage
from bridge.core.storage import NOT_KEPT, Unavailable
from bridge.core.values import ArchiveQuery
from bridge.store import database, health
from tests.core.conftest import ALICE, BOB_JID, PHONE, ROOM, World
from tests.core.face import DOMAIN, until
from tests.core.test_queues import online, texts, unsettled


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_MS", 20)
    monkeypatch.setattr(health, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.1)


@pytest.fixture
def other(world: World) -> Iterator[sqlite3.Connection]:
    """Somebody who may lock the database: `BEGIN IMMEDIATE`, `ROLLBACK`."""
    connection = sqlite3.connect(world._url.removeprefix("sqlite:///"), isolation_level=None)
    yield connection
    connection.close()


async def lock(world: World, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    world.store.archive.add(999, 1, "", "", "", b"")
    await until(lambda: not world.store.writer.healthy)


async def back(world: World, other: sqlite3.Connection) -> None:
    other.execute("ROLLBACK")
    await until(lambda: world.store.writer.healthy and not world.store.writer.backlog)


async def test_direct_messages_go_on_and_are_stored_later(world: World, other: sqlite3.Connection) -> None:
    session = await online(world)
    other.execute("BEGIN IMMEDIATE")
    stored = [asyncio.ensure_future(session.tell("bob", str(n), f"m{n}")) for n in range(3)]
    await until(lambda: len(world.face.delivered) == 3)
    assert not world.store.writer.healthy
    stored += [asyncio.ensure_future(session.tell("bob", str(n), f"m{n}")) for n in range(3, 6)]
    assert texts(world.face) == [str(n) for n in range(6)]
    assert not any(one.done() for one in stored), "the network is not told that they are kept"
    await back(world, other)
    await asyncio.gather(*stored)
    assert await unsettled(world) == 0
    await session.tell("bob", "6", "m6")
    await session.tell("bob", "5", "m5")
    await until(lambda: len(world.face.delivered) == 7)
    assert texts(world.face) == [str(n) for n in range(7)]


async def test_what_the_network_keeps_waits_for_the_store(world: World, other: sqlite3.Connection) -> None:
    session = await online(world)
    await lock(world, other)
    stored = session.tell("bob", "kept", "m1", cursor=("inbox", "17"))
    session.tell("bob", "not kept", "m2")
    await until(lambda: texts(world.face) == ["not kept"])
    await back(world, other)
    await stored
    await until(lambda: texts(world.face) == ["not kept", "kept"])


async def test_delivered_early_and_lost_with_the_link(world: World, other: sqlite3.Connection) -> None:
    session = await online(world)
    await lock(world, other)
    world.face.fence = None
    stored = session.tell("bob", "hi", "m1")
    await until(lambda: world.face.delivered)
    world.gateway.link_down("gone")
    world.face.delivered[0][1].set_result("lost")
    world.face.fence = "fenced"
    world.gateway.link_up()
    await until(lambda: len(world.face.delivered) == 2)
    await back(world, other)
    await stored
    await until(lambda: not world.gateway._inbox._replaying)
    assert await unsettled(world) == 0
    assert texts(world.face) == ["hi", "hi"]
    assert len({message.stanza_id for message, _ in world.face.delivered}) == 1


async def test_a_replay_waits_for_the_store(
    world: World, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.core.inbox.AGAIN_SECONDS", 0.01)
    monkeypatch.setattr("bridge.core.inbox.PAGE_ROWS", 3)
    session = await online(world, link=False)
    for n in range(10):
        await session.tell("bob", str(n), f"m{n}")
    await lock(world, other)
    world.gateway.link_up()
    await asyncio.sleep(0)
    assert texts(world.face) == []
    await back(world, other)
    await until(lambda: len(world.face.delivered) == 10)
    assert texts(world.face) == [str(n) for n in range(10)]
    assert await unsettled(world) == 0


async def test_what_cannot_be_kept_is_told(world: World, other: sqlite3.Connection) -> None:
    await online(world)
    await lock(world, other)
    world.write("hello")
    failed = await world.face.wait("message_failed")
    assert failed.args[:5] == (PHONE, BOB_JID, "s1", Reason.STORE_DOWN, NOT_KEPT)
    await back(world, other)
    world.write("hello")
    assert (await world.network.asked(SendMessage)).content.text == "hello", "the same stanza once more"
    await until(lambda: not world.live().lanes)
    assert len(world.network.of(SendMessage)) == 1
    assert await world.store.outbox.pending(DOMAIN) == []


async def test_rooms_are_entered_and_archived_when_the_store_is_back(
    world: World, other: sqlite3.Connection
) -> None:
    await online(world)
    await lock(world, other)
    room = await world.joined()
    assert room.archive_key == 0
    with pytest.raises(Unavailable):
        await world.gateway.rooms.archive_page(ALICE, ROOM, ArchiveQuery(limit=10))
    with pytest.raises(Unavailable):
        await world.gateway.accounts.register(ALICE, NetworkId("net"), {"nick": "al"})
    await back(world, other)
    await until(lambda: room.archive_key)
    page = await world.gateway.rooms.archive_page(ALICE, ROOM, ArchiveQuery(limit=10))
    assert page.messages == ()
