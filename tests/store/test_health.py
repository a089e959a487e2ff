"""A database that is out: who asks is answered in time, what was given up is never written."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from bridge.store import database, health
from bridge.store import writer as writer_module
from bridge.store.engine import Store
from bridge.store.errors import StoreDown
from bridge.store.registrations import Registration


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_MS", 20)
    monkeypatch.setattr(health, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.1)


@pytest.fixture
def other(url: str, store: Store) -> Iterator[sqlite3.Connection]:
    """Somebody else, who has the database locked; `rollback` lets go."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not fact():
            await asyncio.sleep(0.005)


def command(store: Store, number: int) -> asyncio.Future[int | None]:
    return store.outbox.put("g", "a", "c", f"d{number}", b"x", "", f"s{number}")


async def test_what_was_given_up_is_never_sent(store: Store, other: sqlite3.Connection) -> None:
    """The first batch is under way when its time is up: its rows may be written, and are closed then."""
    taken = [command(store, number) for number in range(10)]
    await until(lambda: not store.writer.healthy)
    queued = [command(store, number) for number in range(10, 20)]
    for put in taken + queued:
        with pytest.raises(StoreDown):
            await put
    other.execute("ROLLBACK")
    await until(lambda: store.writer.backlog == 0 and store.writer.healthy)
    assert await store.outbox.pending("g") == []
    again = await asyncio.gather(*(command(store, number) for number in range(20)))
    assert [row.id for row in await store.outbox.pending("g")] == again, "told as failed, it may come again"


async def test_what_failed_may_be_sent_again_and_what_was_sent_may_not(store: Store) -> None:
    rows = [await command(store, number) for number in range(3)]
    for row, state in zip(rows, ("sent", "failed", "unknown"), strict=True):
        assert row is not None
        await store.outbox.settle(row, state)  # type: ignore[arg-type]
    again = [await command(store, number) for number in range(3)]
    assert again[0] is None
    assert None not in again[1:]
    assert [row.id for row in await store.outbox.pending("g")] == again[1:]


async def test_nobody_waits_for_a_database_that_is_out(
    store: Store, other: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    key_known = 1
    store.archive.add(key_known, 1, "s", "o", "i", b"x")
    await until(lambda: not store.writer.healthy)
    with pytest.raises(StoreDown):
        await store.archive.room_key("a", "#r")
    with pytest.raises(StoreDown):
        await store.archive.page(key_known, limit=10)
    with pytest.raises(StoreDown):
        await store.inbox.pending("g")
    with pytest.raises(StoreDown):
        await store.registrations.put(Registration("g", "u", "n", {}, {}))
    assert await store.archive.last(key_known, 10) == [], "what can be read is shown"
    later = store.archive.find_key("a", "#r")
    other.execute("ROLLBACK")
    assert await later == await store.archive.room_key("a", "#r")
    assert len(await store.archive.last(key_known, 10)) == 1
    assert await store.registrations.list("g") == []
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.ERROR, logging.WARNING], "told when it is lost, and when it is back"


async def test_memory_is_bounded(
    store: Store,
    other: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(writer_module, "HIGH_WATER", 100)
    monkeypatch.setattr(writer_module, "LOW_WATER", 50)
    for number in range(101):
        store.archive.add(1, number, "s", "o", "i", b"x")
    assert store.writer.congested
    await store.writer.drain()
    assert not store.writer.healthy, "nobody is slowed down by a database that is out"
    assert not store.writer.congested
    for number in range(101, 200):
        store.archive.add(1, number, "s", "o", "i", b"x")
    assert store.writer.backlog == 101
    with pytest.raises(StoreDown):
        command(store, 1)
    other.execute("ROLLBACK")
    await until(lambda: store.writer.healthy)
    assert "99 room messages were delivered but not archived" in caplog.text
    assert [row.id for row in await store.archive.last(1, 1000)] == list(range(101))


async def test_a_database_that_says_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "STALL_SECONDS", 0.05)
    monkeypatch.setattr(database, "READ_SECONDS", 0.05)
    silent = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(_connection: object) -> None:
        asyncio.run_coroutine_threadsafe(silent.wait(), loop).result()

    hanging = store.writer.submit_unit(hang)
    told: list[bool] = []
    store.writer.health.listen(told.append)
    put = command(store, 1)
    with pytest.raises(StoreDown, match="not answer"):
        await put
    with pytest.raises(StoreDown, match="has not answered"):
        await store._reader.run(hang)
    assert told == [True]
    monkeypatch.setattr(health, "STALL_SECONDS", 60.0)
    silent.set()
    await hanging
    await until(lambda: store.writer.healthy)
    assert told == [True, False]
    assert health.SILENT in caplog.text
    assert await store.outbox.pending("g") == []
