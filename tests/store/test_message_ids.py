"""Network ids of messages, and the names that accounts hold alone."""

from __future__ import annotations

import time

import pytest

from bridge.store.claims import ClaimTaken, Holder
from bridge.store.engine import Store
from bridge.store.message_ids import Fate, KnownMessage, Whole
from bridge.store.registrations import Registration


async def test_both_ways(store: Store) -> None:
    ids = store.message_ids
    ids.put("a", "<1@x>", "bob", "s1", "")
    ids.put("a", "<2@x>", "bob", "s2", "alice@example.test/phone")
    assert await ids.stanza("a", "<1@x>") == KnownMessage("", "s1", "bob")
    assert await ids.stanza("a", "<2@x>") == KnownMessage("alice@example.test/phone", "s2", "bob")
    assert await ids.network_id("a", "bob", "s2") == "<2@x>"
    assert await ids.stanza("b", "<1@x>") is None
    assert await ids.network_id("a", "carol", "s2") is None


async def test_what_is_known_stays(store: Store) -> None:
    ids = store.message_ids
    ids.put("a", "1", "bob", "first", "")
    ids.put("a", "1", "bob", "again", "")
    assert await ids.stanza("a", "1") == KnownMessage("", "first", "bob")


async def test_of_several_parts_the_first(store: Store) -> None:
    for part in ("1", "2", "3"):
        store.message_ids.put("a", part, "bob", "s", "r")
    assert await store.message_ids.network_id("a", "bob", "s") == "1"


SENT = KnownMessage("alice@example.test/phone", "s", "bob")


async def test_a_message_in_parts(store: Store) -> None:
    ids = store.message_ids
    ids.put_sent("a", ["z", "y"], SENT)
    assert await ids.stanza("a", "z") == SENT._replace(part=1, parts=2)
    assert await ids.stanza("a", "y") == SENT._replace(part=2, parts=2)
    assert await ids.network_id("a", "bob", "s") == "z", "in their own order"
    ids.put_sent("a", ["w"], SENT._replace(stanza_id="t", written_to="bo@gw.test"))
    assert await ids.stanza("a", "w") == KnownMessage(*SENT[:1], "t", "bob", written_to="bo@gw.test")


async def fates(store: Store, *reports: tuple[str, Fate]) -> list[Fate | None]:
    """What is certain after each report."""
    found = [await store.message_ids.report("a", part, fate) for part, fate in reports]
    return [whole.fate if whole else None for whole in found]


async def test_all_parts_arrive(store: Store) -> None:
    store.message_ids.put_sent("a", ["1", "2", "3"], SENT)
    arrived = [(part, Fate.ARRIVED) for part in ("2", "2", "1", "3", "1")]
    assert await fates(store, *arrived) == [None, None, None, Fate.ARRIVED, Fate.ARRIVED]


async def test_one_part_fails(store: Store) -> None:
    store.message_ids.put_sent("a", ["1", "2", "3"], SENT)
    reports = [("1", Fate.ARRIVED), ("1", Fate.FAILED), ("2", Fate.FAILED), ("2", Fate.ARRIVED)]
    reports.append(("3", Fate.ARRIVED))
    assert await fates(store, *reports) == [None, None, *[Fate.FAILED] * 3]


async def test_that_the_user_knows_is_kept(store: Store) -> None:
    ids = store.message_ids
    ids.put_sent("a", ["1", "2"], SENT)
    first = await ids.report("a", "1", Fate.FAILED)
    assert first is not None
    assert (first.fate, first.told) == (Fate.FAILED, False)
    await ids.mark_told("a", "s", first.put_at)
    await ids.mark_told("a", "s", first.put_at)
    assert await ids.report("a", "2", Fate.ARRIVED) == Whole(first.put_at, Fate.FAILED, told=True)
    assert await ids.report("a", "3", Fate.ARRIVED) is None


async def test_two_messages_with_one_stanza_id(store: Store) -> None:
    """There are clients that count their ids from one again."""
    ids = store.message_ids
    ids.put_sent("a", ["1", "2"], SENT)
    await store.writer.flush()
    ids.put_sent("a", ["3", "4"], SENT)
    assert await fates(store, ("1", Fate.FAILED), ("3", Fate.ARRIVED), ("4", Fate.ARRIVED)) == [
        Fate.FAILED, None, Fate.ARRIVED,
    ]  # fmt: skip


async def test_an_id_that_is_given_to_another_message(store: Store) -> None:
    """An SMSC may count anew: what it reports is of the newest."""
    ids = store.message_ids
    ids.put_sent("a", ["1", "2"], SENT)
    first = await ids.report("a", "1", Fate.FAILED)
    assert first is not None
    await ids.mark_told("a", "s", first.put_at)
    ids.put("a", "3", "bob", "t", SENT.resource)
    newer = SENT._replace(stanza_id="u", chat="carol")
    ids.put_sent("a", ["1", "3"], newer)
    assert await ids.stanza("a", "1") == newer._replace(part=1, parts=2)
    assert await fates(store, ("3", Fate.ARRIVED), ("1", Fate.ARRIVED)) == [None, Fate.ARRIVED]
    ids.put("a", "3", "bob", "v", SENT.resource)
    assert await ids.stanza("a", "3") == SENT._replace(stanza_id="v")


async def test_forgetting(store: Store) -> None:
    ids = store.message_ids
    ids.put("a", "1", "bob", "s1", "")
    ids.put("b", "1", "bob", "s1", "")
    await ids.forget("a")
    assert await ids.stanza("a", "1") is None
    assert await ids.stanza("b", "1") is not None
    assert await ids.prune(time.time_ns() // 1000 + 1) == 1
    assert await ids.stanza("b", "1") is None


def registered(user: str, **settings: str) -> Registration:
    return Registration("g", user, "", settings, {})


async def test_a_claim_is_one_accounts(store: Store) -> None:
    await store.registrations.put(registered("alice", address="a"), ["a@x", "a@x"])
    assert await store.claims.holder("g", "a@x") == Holder("alice", "")
    assert await store.claims.holder("other", "a@x") is None
    with pytest.raises(ClaimTaken, match="a@x"):
        await store.registrations.put(registered("bob", address="a"), ["b@x", "a@x"])
    assert await store.registrations.get("g", "bob", "") is None
    assert await store.claims.holder("g", "b@x") is None


async def test_claims_go_with_the_registration(store: Store) -> None:
    await store.registrations.put(registered("alice"), ["a@x"])
    await store.registrations.put(registered("alice"), ["b@x"])
    assert await store.claims.holder("g", "a@x") is None
    assert await store.registrations.remove("g", "alice", "")
    assert await store.claims.holder("g", "b@x") is None
    await store.registrations.put(registered("bob"), ["a@x", "b@x"])


async def test_cursors_are_forgotten(store: Store) -> None:
    await store.cursors.put("a", "inbox", "1")
    await store.cursors.put("b", "inbox", "2")
    await store.cursors.forget("a")
    assert await store.cursors.get("a", "inbox") is None
    assert await store.cursors.get("b", "inbox") == "2"
