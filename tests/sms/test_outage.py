"""The database, or the carrier, is away for a while: nothing is acknowledged that is not stored, nothing is
lost, and nothing comes twice."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.mail.reader import until
from tests.peers.postgres import running_cluster
from tests.peers.xmpp_client import message, xmpp_client
from tests.plug.outages import Outage, PostgresKilled, SqliteLocked, small_disk
from tests.sms.flood import flood
from tests.sms.provider_town import ROUTE, Plan, running_provider_town
from tests.sms.test_chat import failure, receipt, somebody
from tests.sms.test_kill import LIMITS, OPTIONS
from tests.sms.town import ALICE, ALSO_ALICE, Town, phones_of, puppet, running_town

COUNT = 200
SEED = 31
LOST = "the database takes no rows"
BACK = "the database takes rows again"


@dataclass
class Place:
    """A town, and what takes its database away."""

    town: Town
    taker: Outage


@pytest.fixture(params=["sqlite locked", "disk full", "postgres killed"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with contextlib.ExitStack() as stack:
        taker: Outage = SqliteLocked()
        store_url, data_dir = "", None
        if request.param == "disk full":
            data_dir, taker = stack.enter_context(small_disk(16))
        if request.param == "postgres killed":
            postgres = stack.enter_context(running_cluster())
            store_url, taker = postgres.create_database("sms"), PostgresKilled(postgres)
        town = stack.enter_context(
            running_town(options=OPTIONS, limits=LIMITS, store_url=store_url, data_dir=data_dir)
        )
        yield Place(town, taker)


def stored(town: Town) -> set[str]:
    """The ids of the messages that the bridge has."""
    with contextlib.closing(sqlite3.connect(town.bridge.folder / "bridge.db")) as database:
        return {row[0] for row in database.execute("SELECT stanza_id FROM outbox")}


@pytest.mark.heavy
async def test_the_database_is_away(place: Place, request: pytest.FixtureRequest) -> None:
    town = place.town
    async with flood(town, count=COUNT, seed=SEED) as traffic:

        async def strike() -> None:
            try:
                await asyncio.to_thread(place.taker.begin, town.bridge)
                await until(lambda: LOST in town.bridge.log_text(), 60, town.bridge.log_tail)
                await until(lambda: traffic.progress() >= 0 and traffic.put_off, 60, traffic.missing)
            finally:
                await asyncio.to_thread(place.taker.end)
            await until(lambda: BACK in town.bridge.log_text(), 60, town.bridge.log_tail)

        await traffic.run(strike, 1)
        await traffic.all_in(90)
        await traffic.all_out()
        traffic.check(f"{request.node.name}, seed {SEED}")
    assert "Traceback" not in town.bridge.log_text()


@pytest.mark.heavy
async def test_the_bridge_is_killed_while_the_database_is_locked() -> None:
    with running_town(options=OPTIONS, limits=LIMITS) as town:
        async with flood(town, count=COUNT, seed=SEED + 1) as traffic:
            lock = SqliteLocked()

            async def strike() -> None:
                lock.begin(town.bridge)
                try:
                    await until(lambda: LOST in town.bridge.log_text(), 60, town.bridge.log_tail)
                    traffic.may_write.clear()
                    await asyncio.to_thread(town.bridge.kill)
                    traffic.note_unstored()
                finally:
                    lock.end()
                await asyncio.to_thread(town.bridge.start)
                traffic.may_write.set()

            await traffic.run(strike, 1)
            await traffic.all_in(90)
            await traffic.all_out()
            traffic.check(f"killed while locked, seed {SEED + 1}")


async def test_the_carrier_is_away() -> None:
    """At the start, and for a while: what was said goes out when it is there, once."""
    with running_town() as town:
        async with xmpp_client(town.xmpp, "alice") as alice:
            rose, tom = somebody(), somebody()
            first = alice.say(puppet(rose), "before")
            async with phones_of(town) as phones:
                await phones.wait("text", lambda event: event["text"] == "before")
                await alice.wait(receipt(first))
            await asyncio.to_thread(town.smsc.stop)
            waits = [alice.say(puppet(rose), "while it is away")]
            await until(lambda: waits[0] in stored(town), 10, town.bridge.log_tail)
            await town.bridge.restart(crash=True)
            waits += [alice.say(puppet(tom), f"at the start {count}") for count in range(3)]
            await until(lambda: "connection refused" in town.bridge.log_text(), 10, town.bridge.log_tail)
            await asyncio.to_thread(town.smsc.start)
            async with phones_of(town):
                for stanza_id in waits:
                    await until(
                        lambda id_=stanza_id: any(map(receipt(id_), alice.stanzas)),  # type: ignore[misc]
                        30,
                        town.bridge.log_tail,
                    )
            async with phones_of(town) as phones:
                assert await phones.inbox(rose[1:]) == ["while it is away"]
                assert await phones.inbox(tom[1:]) == [f"at the start {count}" for count in range(3)]
            assert not [s for s in alice.stanzas if failure(str(s["id"]))(s)]


@pytest.mark.heavy
async def test_the_database_is_locked_while_a_provider_calls() -> None:
    """Nothing of a text is shown before all of it can be stored: the provider brings it again."""
    plan = Plan(numbers={ALICE: ("alice", ROUTE), ALSO_ALICE: ("alice", ROUTE)})
    async with running_provider_town(plan) as town, xmpp_client(town.xmpp, "alice") as alice:
        rose, sid = somebody(), f"MM{'0' * 31}7"
        town.provider.media["MEcat"] = ("image/png", b"cat")
        await town.texted(rose, ALICE, "before")
        lock = SqliteLocked()
        lock.begin(town.bridge)
        try:
            called = await town.provider.text(rose, ALICE, "look", files=["MEcat"], sid=sid)
            assert (called.status, called.attempts) == (503, 6)
            report = await town.provider.text(rose, ALSO_ALICE, "and here", sid=f"SM{'0' * 31}8")
            assert report.status == 503
            assert not [s for s in alice.stanzas if s["body"] in ("look", "and here")]
        finally:
            lock.end()
        await until(lambda: BACK in town.bridge.log_text(), 30, town.bridge.log_tail)
        for _ in range(2):
            await town.texted(rose, ALICE, "look", files=["MEcat"], sid=sid)
        await town.texted(rose, ALICE, "after")
        await alice.wait(message(puppet(rose), "after"))
        shown = [s["body"] for s in alice.stanzas if message(puppet(rose))(s)]
        assert (shown[:2], shown[3:]) == (["before", "look"], ["after"])
        assert shown[2].startswith("http")
