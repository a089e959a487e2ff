from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Connection

from bridge.store import writer as writer_module
from bridge.store.engine import Store
from bridge.store.errors import StoreError
from tests.store.conftest import Opener


async def test_many_rows_are_few_transactions_in_order(store: Store) -> None:
    key = await store.archive.room_key("a", "#r")
    before = store.writer.transactions
    for number in range(5000):
        store.archive.add(key, number, "s", "o", str(number), b"x")
    await store.writer.flush()
    assert store.writer.transactions - before <= 7
    rows = await store.archive.last(key, 5000)
    assert [row.stanza_id for row in rows] == [str(number) for number in range(5000)]


async def test_durable_rows_share_transactions(store: Store) -> None:
    before = store.writer.transactions
    puts = [store.inbox.put("g", "a", "c", str(n), str(n), b"x") for n in range(1500)]
    assert None not in await asyncio.gather(*puts)
    assert store.writer.transactions - before <= 4


async def test_rows_that_nobody_waits_for_are_committed_too(store: Store) -> None:
    key = await store.archive.room_key("a", "#r")
    for number in range(20):
        written = store.writer.written
        store.archive.add(key, number, "s", "o", "i", b"x")
        async with asyncio.timeout(5):
            while store.writer.written == written:
                await asyncio.sleep(0)


async def test_operations_run_in_the_order_given(store: Store) -> None:
    seen: list[Any] = []

    def even(_connection: Connection, rows: list[Any]) -> None:
        seen.extend(rows)

    def odd(_connection: Connection, rows: list[Any]) -> None:
        seen.extend(rows)

    for number in range(3000):
        store.writer.add(odd if number % 2 else even, number)
    await store.writer.flush()
    assert seen == list(range(3000))


async def test_units_return_raise_and_are_undone_each_for_itself(store: Store) -> None:
    def insert(name: str, fail: bool) -> Any:
        def unit(connection: Connection) -> str:
            connection.execute(text("INSERT INTO cursors VALUES ('a', :name, 'v')"), {"name": name})
            if fail:
                raise LookupError(name)
            return name

        return unit

    units = [store.writer.submit_unit(insert(name, name == "two")) for name in ("one", "two", "three")]
    results = await asyncio.gather(*units, return_exceptions=True)
    assert results[0] == "one"
    assert isinstance(results[1], LookupError)
    assert results[2] == "three"
    assert [await store.cursors.get("a", name) for name in ("one", "two", "three")] == ["v", None, "v"]


async def test_a_poison_row_fails_alone(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    bad: Any = "not a number"
    key = await store.archive.room_key("a", "#r")
    for number in range(10):
        store.archive.add(key, number, "s", "o", "i", b"x")
    store.archive.add(bad, 10, "s", "o", "i", b"secret words")
    good = [store.inbox.put("g", "a", "c", str(n), "s", b"x") for n in range(5)]
    poison = store.inbox.put("g", "a", bad_text(), "d", "s", b"secret words")
    more = [store.inbox.put("g", "a", "c", f"more{n}", "s", b"x") for n in range(5)]
    assert None not in await asyncio.gather(*good, *more)
    with pytest.raises((StoreError, UnicodeEncodeError)) as refused:
        await poison
    assert "secret words" not in str(refused.value)
    assert store.writer.refused == 2
    assert store.writer.healthy
    assert len(await store.archive.last(key, 100)) == 10
    assert "the database refused a row" in caplog.text
    assert "secret words" not in caplog.text


def bad_text() -> str:
    """Text that no database takes: half of a surrogate pair."""
    return "\ud800"


async def test_a_broken_statement_does_not_stop_the_others(store: Store) -> None:
    """SQLite calls it an OperationalError, as it does a full disk; only the latter may be tried for ever."""
    broken = store.writer.submit_unit(lambda connection: connection.execute(text("SELECT * FROM nowhere")))
    after = store.inbox.put("g", "a", "c", "d", "s", b"x")
    with pytest.raises(StoreError, match="nowhere"):
        await broken
    assert await after is not None


async def test_a_key_too_long_for_an_index_fails_alone(open_store: Opener, url: str) -> None:
    """PostgreSQL calls it an OperationalError too."""
    store = await open_store()
    long = "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(20_000))
    put = store.inbox.put("g", "a", "c", long, "s", b"x")
    after = store.inbox.put("g", "a", "c", "d", "s", b"x")
    assert await after is not None
    if url.startswith("sqlite"):
        assert await put is not None
    else:
        with pytest.raises(StoreError, match="index row"):
            await put


async def test_back_pressure(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "HIGH_WATER", 3000)
    monkeypatch.setattr(writer_module, "LOW_WATER", 1500)
    key = await store.archive.room_key("a", "#r")
    assert not store.writer.congested
    await store.writer.drain()
    for number in range(3001):
        store.archive.add(key, number, "s", "o", "i", b"x")
    assert store.writer.congested
    async with asyncio.timeout(10):
        await store.writer.drain()
    assert store.writer.backlog < 1500


async def test_close_writes_what_is_queued(open_store: Opener) -> None:
    first = await open_store()
    key = await first.archive.room_key("a", "#r")
    for number in range(2500):
        first.archive.add(key, number, "s", "o", "i", b"x")
    await first.close()
    second = await open_store()
    assert len(await second.archive.last(key, 5000)) == 2500


async def test_a_closed_store_takes_nothing(open_store: Opener) -> None:
    store = await open_store()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        store.inbox.put("g", "a", "c", "d", "s", b"x")
    with pytest.raises(StoreError, match="closed"):
        store.archive.add(1, 1, "s", "o", "i", b"x")


async def test_a_cancelled_waiter_does_not_hurt(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    cancelled = store.inbox.put("g", "a", "c", "1", "s", b"x")
    cancelled.cancel()
    assert await store.inbox.put("g", "a", "c", "2", "s", b"x") is not None
    assert len(await store.inbox.pending("g")) == 2
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
