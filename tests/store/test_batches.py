"""In which order the rows of one transaction are written, and whose result is whose."""

from __future__ import annotations

from typing import Any, cast

import pytest
from sqlalchemy.engine import Connection

from bridge.store.batches import Item, Place, write_grouped
from bridge.store.engine import Store

NO_CONNECTION = cast(Connection, None)


class Recorded:
    """An operation that notes its calls; the result of a row is its double."""

    def __init__(self, calls: list[tuple[str, list[int]]], name: str, place: Place | None = None) -> None:
        self.place = place
        self._calls, self._name = calls, name

    def __call__(self, connection: Connection, rows: list[Any]) -> list[int]:
        self._calls.append((self._name, rows))
        return [2 * row for row in rows]


def items(*rows: tuple[Recorded, int]) -> list[Item]:
    return [(operation, row, None) for operation, row in rows]


def test_rows_of_an_operation_are_written_together_and_get_their_own_results() -> None:
    calls: list[tuple[str, list[int]]] = []
    mail, ids = Recorded(calls, "mail", Place("mail")), Recorded(calls, "ids", Place("ids"))
    batch = items((mail, 1), (ids, 2), (mail, 3), (ids, 4), (mail, 5))
    assert write_grouped(NO_CONNECTION, batch) == [2, 4, 6, 8, 10]
    assert sorted(calls) == [("ids", [2, 4]), ("mail", [1, 3, 5])]


def test_in_one_book_turns_come_one_after_the_other() -> None:
    calls: list[tuple[str, list[int]]] = []
    new, ended = Recorded(calls, "new", Place("b", 0)), Recorded(calls, "ended", Place("b", 1))
    assert write_grouped(NO_CONNECTION, items((ended, 1), (new, 2), (ended, 2), (new, 3))) == [2, 4, 4, 6]
    assert calls == [("new", [2, 3]), ("ended", [1, 2])]


def test_in_one_turn_the_order_is_that_in_which_rows_were_given() -> None:
    calls: list[tuple[str, list[int]]] = []
    one, other = Recorded(calls, "one", Place("b")), Recorded(calls, "other", Place("b"))
    write_grouped(NO_CONNECTION, items((one, 1), (other, 2), (one, 3)))
    assert calls == [("one", [1]), ("other", [2]), ("one", [3])]


@pytest.mark.parametrize("place", [None, Place("b", 7)])
def test_nothing_passes_an_operation_without_a_place(place: Place | None) -> None:
    calls: list[tuple[str, list[int]]] = []
    stays, moves = Recorded(calls, "stays"), Recorded(calls, "moves", Place("b"))
    other = Recorded(calls, "other", place)
    assert write_grouped(NO_CONNECTION, items((moves, 1), (stays, 2), (other, 3), (moves, 4))) == [2, 4, 6, 8]
    assert calls.index(("moves", [1])) < calls.index(("stays", [2])) < calls.index(("moves", [4]))
    assert calls.index(("stays", [2])) < calls.index(("other", [3]))


async def test_a_cursor_that_is_saved_after_an_event_stands(store: Store) -> None:
    """Both move it, in one transaction."""
    for number in range(100):
        store.inbox.put("g", "a", "c", str(number), str(number), b"x", ("at", f"event {number}"))
        store.message_ids.put("a", str(number), "c", str(number), "")
        store.cursors.put("a", "at", f"saved {number}")
    await store.writer.flush()
    assert await store.cursors.get("a", "at") == "saved 99"


async def test_a_message_that_failed_may_be_sent_again_at_once(store: Store) -> None:
    """It is put under the same key, in the transaction in which the first one ended."""
    row = await store.outbox.put("g", "a", "c", "key", b"x", "r", "s")
    assert row is not None
    store.outbox.attempt(row)
    store.outbox.settle(row, "failed")
    again = store.outbox.put("g", "a", "c", "key", b"x", "r", "s")
    assert await again is not None
