from __future__ import annotations

import asyncio
import logging
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from bridge.store import database, migrate
from bridge.store.engine import Store
from bridge.store.errors import StoreError
from bridge.store.vault import Vault
from tests.peers.postgres import Postgres, running_cluster


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_MS", 20)


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    with running_cluster() as server:
        yield server


async def becomes(store: Store, *, healthy: bool) -> None:
    async with asyncio.timeout(30):
        while store.writer.healthy != healthy:
            await asyncio.sleep(0.01)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def check_all_there(store: Store, puts: list[asyncio.Future[int | None]], key: int) -> None:
    ids = await asyncio.wait_for(asyncio.gather(*puts), 60)
    assert store.writer.healthy
    assert store.writer.refused == 0
    assert [row.id for row in await store.inbox.pending("g")] == ids
    assert [row.id for row in await store.archive.last(key, 10_000)] == list(range(3000))


def put_many(store: Store, key: int, payload: bytes = b"x" * 100) -> list[asyncio.Future[int | None]]:
    puts = []
    for number in range(3000):
        store.archive.add(key, number, "s", "o", "i", payload)
        if number % 10 == 0:
            puts.append(store.inbox.put("g", "a", "c", str(number), "s", b"x" * 100))
    return puts


async def test_sqlite_locked_by_someone_else(
    store: Store, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = await store.archive.room_key("a", "#r")
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    puts = put_many(store, key)
    await becomes(store, healthy=False)
    assert not any(put.done() for put in puts)
    assert await store.registrations.list("g") == [], "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    await check_all_there(store, puts, key)
    assert len(complaints(caplog)) == 1
    assert "database is locked" in complaints(caplog)[0]


@pytest.mark.parametrize("size", [100, 5000])
async def test_sqlite_on_a_full_disk(
    store: Store, url: str, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    """The limit on a file's size stands for the end of the disk: the system says no in the same place.

    Small rows meet it at the commit; large ones before, when SQLite's cache is full.
    """
    key = await store.archive.room_key("a", "#r")
    log_file = Path(url.removeprefix("sqlite:///") + "-wal")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_file.stat().st_size + 20_000, hard))
    try:
        puts = put_many(store, key, b"x" * size)
        await becomes(store, healthy=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await check_all_there(store, puts, key)
    assert len(complaints(caplog)) == 1


@pytest.mark.parametrize("poisoned", [False, True])
async def test_a_full_disk_in_the_middle_of_savepoints(store: Store, url: str, poisoned: bool) -> None:
    """SQLite then undoes the whole transaction, savepoints and all: nothing in it may count as written."""
    key = await store.archive.room_key("a", "#r")
    insert = text("INSERT INTO archive VALUES (:key, :id, '', '', '', :payload)")
    rows = [{"key": key + 1, "id": number, "payload": b"x" * 5000} for number in range(1000)]
    log_file = Path(url.removeprefix("sqlite:///") + "-wal")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_file.stat().st_size + 20_000, hard))
    try:
        before = store.inbox.put("g", "a", "c", "before", "s", b"x")
        poison = store.inbox.put("g", "a", "\ud800", "poison", "s", b"x") if poisoned else None
        unit = store.writer.submit_unit(lambda connection: connection.execute(insert, rows).rowcount)
        after = store.inbox.put("g", "a", "c", "after", "s", b"x")
        await becomes(store, healthy=False)
        assert not unit.done()
        assert not after.done()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ids = [await before, await after]
    if poison is not None:
        with pytest.raises(UnicodeEncodeError):
            await poison
    await unit
    assert [row.id for row in await store.inbox.pending("g")] == ids
    assert len(await store.archive.last(key + 1, 2000)) == 1000


async def test_postgres_stopped_and_started(
    own_postgres: Postgres, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_postgres.create_database("stopped")
    migrate.upgrade(url)
    store = await Store.open(url, vault)
    key = await store.archive.room_key("a", "#r")
    put_many(store, key)
    await asyncio.to_thread(own_postgres.kill)
    puts = [store.inbox.put("g", "b", "c", str(n), "s", b"x") for n in range(500)]
    await becomes(store, healthy=False)
    with pytest.raises(StoreError, match="could not be read"):
        await store.registrations.list("g")
    await asyncio.to_thread(own_postgres.start)
    ids = await asyncio.wait_for(asyncio.gather(*puts), 60)
    rows = await store.inbox.pending("g")
    assert [row.id for row in rows if row.account == "b"] == ids
    assert [row.id for row in await store.archive.last(key, 10_000)] == list(range(3000))
    assert store.writer.refused == 0
    assert len(complaints(caplog)) == 1
    await store.close()


async def test_postgres_ends_our_connections(own_postgres: Postgres, vault: Vault) -> None:
    url = own_postgres.create_database("ended")
    migrate.upgrade(url)
    store = await Store.open(url, vault)
    assert await store.inbox.put("g", "a", "c", "1", "s", b"x") is not None
    await own_postgres.restart()
    assert await store.inbox.put("g", "a", "c", "2", "s", b"x") is not None
    assert len(await store.inbox.pending("g")) == 2
    await store.close()


async def test_closing_while_the_database_refuses_says_what_is_lost(
    store: Store, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    put = store.inbox.put("g", "a", "c", "d", "s", b"x")
    await becomes(store, healthy=False)
    await store.writer.close(timeout=0.1)
    with pytest.raises(StoreError, match="closed before"):
        await put
    assert any("1 rows could not be written and are lost" in line for line in complaints(caplog))
    other.close()


async def test_recovery_keeps_the_order_of_changes(store: Store, url: str) -> None:
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    moves = [store.cursors.put("a", "uid", str(value)) for value in range(1500)]
    await becomes(store, healthy=False)
    other.close()
    await asyncio.gather(*moves)
    assert await store.cursors.get("a", "uid") == "1499"
