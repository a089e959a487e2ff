from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from bridge.store.engine import Store
from bridge.store.ids import IdSource
from tests.store.conftest import Opener


@given(st.lists(st.integers(0, 2**52), min_size=1), st.integers(0, 2**52))
def test_ids_increase_whatever_the_clock_does(clock: list[int], start: int) -> None:
    times = iter(clock)
    source = IdSource(start, lambda: next(times) * 1000)
    ids = [source.new_id() for _ in clock]
    assert ids == sorted(set(ids))
    assert ids[0] > start
    assert ids[-1] < 2**63


def test_an_id_is_the_time_where_the_clock_goes_on() -> None:
    times = iter([10, 10, 5, 30])
    source = IdSource(0, lambda: next(times) * 1000)
    assert [source.new_id() for _ in range(4)] == [10, 11, 12, 30]


def test_where_ids_are_ahead_the_true_time_is_known() -> None:
    second = 1_000_000
    times = iter([100 * second, 90 * second, 101 * second])
    source = IdSource(0, lambda: next(times) * 1000)
    assert [(source.new_id(), source.true_time) for _ in range(3)] == [
        (100 * second, 0),
        (100 * second + 1, 90 * second),
        (101 * second, 0),
    ]


def test_two_threads_never_get_the_same_id() -> None:
    source = IdSource(0, lambda: 0)
    ids: list[int] = []
    threads = [
        threading.Thread(target=lambda: ids.extend([source.new_id() for _ in range(5000)])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids) == list(range(1, 20_001))


async def test_ids_go_on_after_the_newest_one_stored(open_store: Opener) -> None:
    future = 2**52
    first: Store = await open_store()
    key = await first.archive.room_key("a", "#r")
    first.archive.add(key, future, "s", "o", "i", b"")
    await first.close()
    second = await open_store()
    assert second.new_id() == future + 1


async def test_ids_go_on_after_the_newest_queue_row(open_store: Opener) -> None:
    first = await open_store()
    first.inbox._new_id = lambda: 2**53
    await first.inbox.put("g", "a", "c", "d", "s", b"")
    first.outbox._new_id = lambda: 2**54
    await first.outbox.put("g", "a", "c", "d", b"", "", "s")
    await first.close()
    assert (await open_store()).new_id() == 2**54 + 1
