"""Who holds a claim is known from memory, and exactly, as far as this store changes it."""

from __future__ import annotations

import asyncio
import time
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


# -- claims that were given up


async def left_by_alice(store: Store, *names: str) -> int:
    """They were alice's; returns a time before she gave them up."""
    await store.registrations.put(registered("alice"), names)
    before = time.time_ns() // 1000
    await store.registrations.put(registered("alice"), ["new"])
    return before


async def test_they_are_their_last_holders_for_a_while(store: Store) -> None:
    before = await left_by_alice(store, "a")
    assert await store.claims.holder("g", "a") is None
    assert await store.claims.of("g", Holder("alice", "")) == {"new"}
    with pytest.raises(ClaimTaken):
        await store.registrations.put(registered("bob"), ["a"], before)
    await store.registrations.put(registered("alice"), ["a", "new"], before)
    assert await store.claims.of("g", Holder("alice", "")) == {"a", "new"}


async def test_then_they_are_anybodys(store: Store) -> None:
    await left_by_alice(store, "a")
    await store.registrations.put(registered("bob"), ["a"], time.time_ns() // 1000)
    assert await store.claims.holder("g", "a") == Holder("bob", "")
    await store.registrations.remove("g", "alice", "")
    await store.registrations.put(registered("bob"), ["a", "new"])
    assert await store.claims.of("g", Holder("bob", "")) == {"a", "new"}


async def test_another_network_of_the_same_user_may_have_them(store: Store) -> None:
    before = await left_by_alice(store, "a")
    await store.registrations.put(Registration("g", "alice", "net", {}, {}), ["a"], before)
    assert await store.claims.holder("g", "a") == Holder("alice", "net")


async def test_what_the_admin_takes_back_is_not_reserved(store: Store) -> None:
    alice, before = Holder("alice", ""), time.time_ns() // 1000
    assert await store.registrations.amend("g", alice, {}, ["a"]) == []
    assert await store.registrations.amend("g", alice, {}, ["b"]) == []
    await store.registrations.put(registered("bob"), ["a"], before)
    taken = await store.registrations.amend("g", alice, {}, ["a", "b"])
    assert taken == [("a", Holder("bob", ""))]


async def test_old_ones_are_forgotten(store: Store) -> None:
    before = await left_by_alice(store, "a", "b")
    assert await store.claims.prune(before) == 0
    assert await store.claims.prune(time.time_ns() // 1000 + 1) == 2
    assert await store.claims.holder("g", "new") == Holder("alice", "")


async def test_nobody_hoards_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST_RESERVED", 2)
    before = time.time_ns() // 1000
    for name in ("a", "b", "c", "d"):
        await store.registrations.put(registered("alice"), [name], before)
    await store.registrations.put(registered("bob"), ["a"], before)
    for name in ("b", "c"):
        with pytest.raises(ClaimTaken):
            await store.registrations.put(registered("bob"), [name], before)
