"""Who holds a claim is known from memory, and exactly, as far as this store changes it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.store import claims
from bridge.store.claims import ClaimTaken, Holder
from bridge.store.engine import Store
from bridge.store.registrations import Registration
from tests.store.conftest import Opener


def registered(user: str) -> Registration:
    return Registration("g", user, "", {}, {})


class Readings:
    """Counts the readings of a store; `hold` keeps their results back."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        run = store._reader.run

        async def counted(read: Any) -> Any:
            self.count += 1
            found = await run(read)
            await self.go_on.wait()
            return found

        monkeypatch.setattr(store.claims._reader, "run", counted)


@pytest.fixture
def readings(store: Store, monkeypatch: pytest.MonkeyPatch) -> Readings:
    return Readings(store, monkeypatch)


async def test_it_is_read_once(store: Store, readings: Readings) -> None:
    await store.registrations.put(registered("alice"), ["a"])
    for _ in range(3):
        assert await store.claims.holder("g", "a") == Holder("alice", "")
        assert await store.claims.holder("g", "b") is None
        assert await store.claims.holder("h", "a") is None
    assert readings.count == 3


async def test_what_changes_is_seen_at_once(store: Store, readings: Readings) -> None:
    for names in (["a"], [], ["a", "b"]):
        await store.registrations.put(registered("alice"), names)
        assert await store.claims.holder("g", "a") == (Holder("alice", "") if names else None)
    with pytest.raises(ClaimTaken):
        await store.registrations.put(registered("bob"), ["a"])
    assert await store.claims.holder("g", "a") == Holder("alice", "")
    await store.registrations.remove("g", "alice", "")
    assert await store.claims.holder("g", "a") is None
    assert store.claims._changing == 0


async def test_what_was_read_before_a_change_is_not_kept(store: Store, readings: Readings) -> None:
    readings.go_on.clear()
    early = asyncio.create_task(store.claims.holder("g", "a"))
    while not readings.count:
        await asyncio.sleep(0)
    await store.registrations.put(registered("alice"), ["a"])
    readings.go_on.set()
    assert await early is None
    assert await store.claims.holder("g", "a") == Holder("alice", "")


async def test_whoever_is_cancelled_changes_it_all_the_same(store: Store) -> None:
    assert await store.claims.holder("g", "a") is None
    task = asyncio.create_task(store.registrations.put(registered("alice"), ["a"]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert await store.claims.holder("g", "a") == Holder("alice", "")
    assert await store.claims.holder("g", "a") == Holder("alice", "")


async def test_another_process_is_believed_after_a_while(
    store: Store, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "KNOWN_SECONDS", 0.2)
    other = await open_store()
    assert await store.claims.holder("g", "a") is None
    await other.registrations.put(registered("alice"), ["a"])
    async with asyncio.timeout(10):
        while await store.claims.holder("g", "a") is None:
            await asyncio.sleep(0.01)
    assert await store.claims.holder("g", "a") == Holder("alice", "")


async def test_so_many_are_known(store: Store, readings: Readings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST_KNOWN", 2)
    for name in ("a", "b", "c", "c", "b", "a"):
        await store.claims.holder("g", name)
    assert readings.count == 4
    assert list(store.claims._known) == [("g", "c"), ("g", "a")]
