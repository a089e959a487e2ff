from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.store.archive import Message
from bridge.store.engine import Store
from bridge.store.errors import ItemNotFound
from tests.store.conftest import Opener


def add(store: Store, key: int, *ids: int, sender: str = "s") -> None:
    for archive_id in ids:
        store.archive.add(key, archive_id, sender, "o", f"stanza{archive_id}", b"<body/>")


async def test_a_read_sees_what_was_added_just_before(store: Store) -> None:
    key = await store.archive.room_key("a", "#r")
    for number in range(1, 30):
        add(store, key, number)
        assert (await store.archive.metadata(key)) == (1, number)
        assert [row.id for row in await store.archive.last(key, 1)] == [number]


async def test_rooms_and_accounts_are_apart(open_store: Opener) -> None:
    store = await open_store()
    names = [("a", "#r"), ("a", "#q"), ("b", "#r")]
    keys = [await store.archive.room_key(*name) for name in names]
    assert len(set(keys)) == 3
    for number, key in enumerate(keys):
        add(store, key, number + 1)
    await store.close()
    store = await open_store()
    assert [await store.archive.room_key(*name) for name in names] == keys
    assert [[row.id for row in await store.archive.last(key, 9)] for key in keys] == [[1], [2], [3]]


async def test_the_same_room_asked_for_twice_at_once(store: Store) -> None:
    first, second = await asyncio.gather(store.archive.room_key("a", "#r"), store.archive.room_key("a", "#r"))
    assert first == second


async def test_many_rooms_asked_for_at_once(open_store: Opener) -> None:
    store = await open_store()
    old = await store.archive.room_key("user3", "#c1")
    names = [(f"user{number}", f"#c{number % 2}") for number in range(1000)]
    found = await asyncio.gather(*[store.archive.room_key(*name) for name in names])
    assert len(set(found)) == len(names)
    assert found[3] == old
    await store.close()
    store = await open_store()
    assert await asyncio.gather(*[store.archive.room_key(*name) for name in names]) == found


async def test_a_room_is_new_until_something_is_said(open_store: Opener) -> None:
    store = await open_store()
    quiet, loud = await asyncio.gather(*[store.archive.room_key("a", room) for room in ("#q", "#l")])
    assert store.archive.is_new(quiet)
    assert store.archive.is_new(loud)
    add(store, loud, 1)
    assert not store.archive.is_new(loud)
    await store.close()
    store = await open_store()
    assert await store.archive.room_key("a", "#q") == quiet
    assert not store.archive.is_new(quiet)


async def test_a_message_comes_back_as_it_was(store: Store) -> None:
    key = await store.archive.room_key("a", "#r")
    message = Message(1, "#r%irc@x/nick 😀", "occupant", "stanza", b"<body>\xc3\xa9</body>\x00")
    store.archive.add(key, *message)
    assert await store.archive.last(key, 1) == [message]


async def test_last_since(store: Store) -> None:
    key = await store.archive.room_key("a", "#r")
    assert await store.archive.last(key, 5) == []
    add(store, key, *range(10, 20))
    assert [row.id for row in await store.archive.last(key, 3)] == [17, 18, 19]
    assert [row.id for row in await store.archive.last(key, 9, since=18)] == [18, 19]
    assert await store.archive.last(key, 0) == []


async def test_by_ids(store: Store) -> None:
    key = await store.archive.room_key("a", "#r")
    add(store, key, *range(10))
    assert [row.id for row in await store.archive.ids(key, [7, 2, 2])] == [2, 7]
    with pytest.raises(ItemNotFound):
        await store.archive.ids(key, [7, 99])


async def test_an_unknown_id_is_not_found(store: Store) -> None:
    key = await store.archive.room_key("a", "#r")
    other = await store.archive.room_key("a", "#other")
    add(store, key, 1)
    add(store, other, 2)
    for wrong in ({"after": 2}, {"before": 2}, {"after": 99}):
        with pytest.raises(ItemNotFound):
            await store.archive.page(key, limit=5, **wrong)


@pytest.mark.parametrize("huge", [2**63, 10**40, -(10**40)])
async def test_numbers_beyond_64_bits(store: Store, huge: int) -> None:
    key = await store.archive.room_key("a", "#r")
    add(store, key, 1)
    for wrong in ({"after": huge}, {"before": huge}):
        with pytest.raises(ItemNotFound):
            await store.archive.page(key, limit=5, **wrong)
    with pytest.raises(ItemNotFound):
        await store.archive.ids(key, [huge])
    page = await store.archive.page(key, start=huge, limit=10**40)
    assert page.rows == ([] if huge > 0 else await store.archive.last(key, 10**40, since=huge))
    page = await store.archive.page(key, end=huge, limit=5)
    assert [row.id for row in page.rows] == ([1] if huge > 0 else [])
    assert await store.archive.last(key, -5) == []


async def test_an_empty_archive(store: Store) -> None:
    key = await store.archive.room_key("a", "#r")
    page = await store.archive.page(key, limit=5)
    assert (page.rows, page.complete, page.count) == ([], True, 0)
    assert await store.archive.metadata(key) is None


async def test_prune_and_forget(open_store: Opener) -> None:
    store = await open_store()
    room, other = await store.archive.room_key("a", "#r"), await store.archive.room_key("b", "#r")
    add(store, room, *range(5000))
    add(store, other, *range(10))
    assert await store.archive.prune(4990) == 4990 + 10
    assert await store.archive.metadata(room) == (4990, 4999)
    add(store, other, 1)
    assert await store.archive.forget("a") == 10
    again = await store.archive.room_key("a", "#r")
    assert again not in (room, other), "a key is never used again"
    assert await store.archive.last(again, 10) == []
    assert len(await store.archive.last(other, 10)) == 1


SENDERS = ("ann", "bob")
MARK = st.one_of(st.none(), st.integers(0, 24))


def expected(ids: list[int], query: dict[str, Any]) -> tuple[list[int], bool, int, int] | None:
    """A page as XEP-0059 describes it, from a plain list. None: item-not-found."""
    after, before, limit = query["after"], query["before"], query["limit"]
    if any(isinstance(mark, int) and mark not in ids for mark in (after, before)):
        return None
    whole = [
        number
        for number in ids
        if (query["start"] is None or number >= query["start"])
        and (query["end"] is None or number <= query["end"])
        and (query["sender"] is None or SENDERS[number % 2] == query["sender"])
    ]
    part = [number for number in whole if after is None or number > after]
    if isinstance(before, int):
        part = [number for number in part if number < before]
    backward = before is not None and after is None
    rows = (part[-limit:] if limit else []) if backward else part[:limit]
    return rows, len(rows) == len(part), len(whole), whole.index(rows[0]) if rows else 0


async def _pages(store: Store, cases: list[tuple[list[int], dict[str, Any]]]) -> None:
    for number, (ids, query) in enumerate(cases):
        key = await store.archive.room_key("a", f"#{number}{ids}{query}")
        for archive_id in ids:
            add(store, key, archive_id, sender=SENDERS[archive_id % 2])
        wanted = expected(ids, query)
        if wanted is None:
            with pytest.raises(ItemNotFound):
                await store.archive.page(key, **query)
            continue
        page = await store.archive.page(key, **query)
        assert ([row.id for row in page.rows], page.complete, page.count, page.first_index) == wanted
        short = await store.archive.page(key, counted=False, **query)
        assert (short.rows, short.complete) == (page.rows, page.complete)


QUERY = st.fixed_dictionaries(
    {
        "start": MARK,
        "end": MARK,
        "after": MARK,
        "before": st.one_of(MARK, st.just("last")),
        "limit": st.integers(0, 8),
        "sender": st.sampled_from([None, *SENDERS]),
    }
)
CASE = st.tuples(st.lists(st.integers(0, 24), unique=True, max_size=20).map(sorted), QUERY)


def test_pages_are_those_of_a_plain_list(url: str, vault: Any) -> None:
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(url, vault))

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(CASE, min_size=1, max_size=5))
        def check(cases: list[tuple[list[int], dict[str, Any]]]) -> None:
            runner.run(_pages(store, cases))

        try:
            check()
        finally:
            runner.run(store.close())


async def test_paging_through_meets_each_message_once(store: Store) -> None:
    key = await store.archive.room_key("a", "#r")
    add(store, key, *range(1, 96))
    seen: list[int] = []
    after = None
    while True:
        page = await store.archive.page(key, after=after, limit=10)
        assert page.first_index == len(seen)
        seen += [row.id for row in page.rows]
        after = seen[-1]
        if page.complete:
            break
    assert seen == list(range(1, 96))


async def test_what_is_remembered_of_rooms_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 8
    monkeypatch.setattr("bridge.store.archive._MOST_ROOMS", most)
    store.archive._tidy_at = most
    names = [(f"user{number}", "#r") for number in range(10 * most)]
    keys = [await store.archive.room_key(*name) for name in names]
    for number, key in enumerate(keys):
        add(store, key, number + 1)
        await store.archive.metadata(key)  # written by then
    assert len(store.archive._keys) <= most
    assert len(store.archive._unwritten) <= most
    assert [await store.archive.room_key(*name) for name in names] == keys
    assert [await store.archive.metadata(key) for key in keys] == [(n, n) for n in range(1, len(keys) + 1)]
