from __future__ import annotations

import asyncio

from bridge.store.engine import Store
from tests.store.conftest import Opener


async def test_inbox_dedupe_and_cursor(store: Store) -> None:
    first = await store.inbox.put("g", "a", "c", "d1", "s1", b"one", ("uid", "1"))
    assert first is not None
    assert await store.inbox.put("g", "a", "c", "d1", "s2", b"again", ("uid", "2")) is None
    assert await store.cursors.get("a", "uid") == "2"
    assert await store.inbox.put("g", "b", "c", "d1", "s3", b"other account") is not None
    assert await store.inbox.put("h", "a", "c", "d1", "s4", b"other gateway") is not None
    rows = await store.inbox.pending("g")
    assert [(row.account, row.chat, row.stanza_id, row.payload) for row in rows] == [
        ("a", "c", "s1", b"one"),
        ("b", "c", "s3", b"other account"),
    ]
    assert rows[0].id == first


async def test_duplicates_within_one_batch(store: Store) -> None:
    puts = [store.inbox.put("g", "a", "c", f"d{n % 3}", "s", b"x") for n in range(9)]
    results = await asyncio.gather(*puts)
    assert [result is None for result in results] == [False] * 3 + [True] * 6


async def test_no_dedupe_key_is_never_a_duplicate(store: Store) -> None:
    assert await store.inbox.put("g", "a", "c", "", "s", b"x") is not None
    assert await store.inbox.put("g", "a", "c", "", "s", b"x") is not None


async def test_settled_events_stay_known_until_pruned(open_store: Opener) -> None:
    store = await open_store()
    ids = await asyncio.gather(*(store.inbox.put("g", "a", "c", str(n), str(n), b"x") for n in range(4)))
    done, failed, kept, last = (row_id for row_id in ids if row_id is not None)
    store.inbox.settle([done])
    await store.inbox.fail(failed)
    assert [row.id for row in await store.inbox.pending("g")] == [kept, last]
    await store.close()
    store = await open_store()
    assert await store.inbox.put("g", "a", "c", "0", "s", b"x") is None
    assert await store.inbox.put("g", "a", "c", "1", "s", b"x") is None
    assert await store.inbox.prune(failed) == 1
    assert await store.inbox.prune(store.new_id()) == 1
    assert [row.id for row in await store.inbox.pending("g")] == [kept, last]
    assert await store.inbox.put("g", "a", "c", "0", "s", b"x") is not None


async def test_prune_goes_in_steps(store: Store) -> None:
    puts = [store.inbox.put("g", "a", "c", str(n), "s", b"x") for n in range(4500)]
    ids = [row_id for row_id in await asyncio.gather(*puts) if row_id is not None]
    store.inbox.settle(ids)
    assert await store.inbox.prune(store.new_id()) == 4500


async def test_an_id_that_another_process_has_taken_is_made_again(open_store: Opener) -> None:
    ours, theirs = await open_store(), await open_store()
    ours.inbox._new_id = theirs.inbox._new_id = lambda: 77
    assert await theirs.inbox.put("g", "their account", "c", "", "s", b"theirs") == 77
    row_id = await ours.inbox.put("g", "our account", "c", "", "s", b"ours")
    assert row_id not in (None, 77)
    assert [row.payload for row in await ours.inbox.pending("g")] == [b"theirs", b"ours"]


async def test_a_batch_written_twice_is_there_once(store: Store) -> None:
    """What happens when the answer to a commit was lost: the same rows come again."""
    row = {
        "id": 5,
        "gateway": "g",
        "account": "a",
        "chat": "c",
        "dedupe": "d",
        "stanza_id": "s",
        "state": "new",
    }
    row |= {"payload": b"x", "cursor": ("uid", "1")}
    for _ in range(2):
        assert await store.writer.submit(store.inbox._put, row) == 5
    assert len(await store.inbox.pending("g")) == 1


async def test_outbox_life(open_store: Opener) -> None:
    store = await open_store()
    first = await store.outbox.put("g", "a", "c", "d1", b"one", "romeo@example.test/x", "s1")
    second = await store.outbox.put("g", "a", "c", "d2", b"two", "", "s2")
    third = await store.outbox.put("g", "a", "c", "d3", b"three", "", "s3")
    assert first is not None
    assert second is not None
    assert third is not None
    assert await store.outbox.put("g", "a", "c", "d1", b"again", "", "s4") is None
    await store.outbox.attempt(first)
    await store.outbox.attempt(second)
    await store.outbox.later(second, 123)
    await store.outbox.attempt(third)
    await store.outbox.settle(third, "sent", ["<m1@x>", 'odd", id'])
    await store.close()

    store = await open_store()
    rows = await store.outbox.pending("g")
    assert [(row.id, row.trying, row.attempts, row.not_before) for row in rows] == [
        (first, True, 1, 0),
        (second, False, 1, 123),
    ]
    assert rows[0].payload == b"one"
    assert rows[0].reply_to == "romeo@example.test/x"
    assert await store.outbox.legacy_ids(third) == ["<m1@x>", 'odd", id']
    assert await store.outbox.legacy_ids(first) == []
    await store.outbox.settle(first, "unknown")
    await store.outbox.settle(second, "failed")
    assert await store.outbox.pending("g") == []
    assert await store.outbox.prune(store.new_id()) == 3
    assert await store.outbox.legacy_ids(third) == []


async def test_settled_rows_hold_no_payload(store: Store, url: str) -> None:
    received = await store.inbox.put("g", "a", "c", "d", "s", b"words of a user")
    sent = await store.outbox.put("g", "a", "c", "d", b"words of a user", "", "s")
    assert received is not None
    assert sent is not None
    store.inbox.settle([received])
    await store.outbox.settle(sent, "sent")
    for table in ("inbox", "outbox"):
        found = await store.writer.submit_unit(
            lambda connection, table=table: connection.exec_driver_sql(
                f"SELECT payload FROM {table}"
            ).scalar()
        )
        assert bytes(found) == b""
