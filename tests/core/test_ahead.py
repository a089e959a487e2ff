"""Attempts that are counted together: in time, few enough, and taken back where nothing was attempted."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.api import Command, Outcome, SendMessage, Sent
from bridge.core.ahead import MOST, QUICK_SECONDS, Ahead
from tests.core.conftest import World
from tests.core.face import until
from tests.core.network import Network, ScriptedSession
from tests.core.test_queues import online, open_rows


class Rows:
    """What is counted, as the store has it."""

    def __init__(self) -> None:
        self.trying: set[int] = set()
        self.writes = 0

    async def attempt(self, row: int, ahead: list[int]) -> None:
        self.writes += 1
        self.trying |= {row, *ahead}

    def put_back(self, ids: list[int]) -> None:
        assert self.trying >= set(ids)
        self.trying -= set(ids)


@given(st.lists(st.sampled_from(["quick", "slow", "not sent", "again"]), max_size=60), st.integers(1, 60))
def test_counted_before_each_attempt_and_never_many_more(ends: list[str], total: int) -> None:
    async def play() -> None:
        rows, now = Rows(), [0.0]
        ahead = Ahead(rows, lambda: now[0])  # type: ignore[arg-type]
        left = list(range(total))
        for row in left:
            ahead.add(row)
        for end in ends[:total]:
            row = left[0]
            await ahead.begin(row)
            assert row in rows.trying
            assert len(rows.trying) <= MOST
            assert rows.trying == set(left[: len(rows.trying)]), "the next ones, and no others"
            now[0] += 2 * QUICK_SECONDS if end == "slow" else 0
            ahead.end(row, sent=end in ("quick", "slow"))
            rows.trying.discard(row)
            assert end == "quick" or not rows.trying
            if end != "again":
                ahead.remove(left.pop(0))
        assert bool(ahead) == bool(left)

    asyncio.run(play())


async def test_quick_ones_share_their_counts() -> None:
    rows = Rows()
    ahead = Ahead(rows, lambda: 0.0)  # type: ignore[arg-type]
    for row in range(1000):
        ahead.add(row)
    for row in range(1000):
        await ahead.begin(row)
        ahead.end(row, sent=True)
        ahead.remove(row)
    assert rows.writes < 1000 / MOST + 6


async def test_a_stop_in_mid_burst_sends_what_was_not_attempted(world: World) -> None:
    reached = asyncio.Event()
    sent: list[str] = []

    async def answer(session: ScriptedSession, command: Command) -> Outcome:
        assert isinstance(command, SendMessage)
        if command.content.text == "10":
            reached.set()
            await asyncio.Event().wait()
        sent.append(command.content.text)
        return Sent()

    await world.start()
    world.network.answer = answer
    for number in range(40):
        world.write(str(number), f"s{number}")
    await reached.wait()
    await until(lambda: not world.store.writer.backlog)
    trying = await open_rows(world)
    assert trying[0]
    assert sum(trying) <= MOST
    await world.gateway.stop("restart")
    assert await open_rows(world) == [True] + [False] * 29, "only one is of unknown outcome"
    world.face.calls.clear()
    await world.start(Network())
    await until(lambda: len(world.network.of(SendMessage)) == 29)
    assert sent == [str(number) for number in range(10)]
    assert [c.args[2] for c in world.face.of("message_failed")] == ["s10"]


def attempts(world: World) -> list[tuple[str, int]]:
    """Of each kept message, the state and how often it was attempted."""
    with contextlib.closing(sqlite3.connect(world.store._engine.url.database or "")) as database:
        return database.execute("SELECT state, attempts FROM outbox ORDER BY id").fetchall()


async def test_what_nothing_is_before_is_counted_as_it_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await online(world)
    counted: list[int] = []
    count = world.store.outbox.attempt
    monkeypatch.setattr(
        world.store.outbox, "attempt", lambda row, ahead=(): counted.append(row) or count(row, ahead)
    )
    for number in range(3):
        world.write(str(number), f"s{number}")
        await world.network.asked(SendMessage, number + 1)
        await until(lambda: not world.live().lanes)
    world.write("3", "s3")
    world.write("4", "s4")
    await world.network.asked(SendMessage, 5)
    await world.at_rest()
    assert len(counted) == 1, "the one that came while another was being kept"
    assert attempts(world) == [("sent", 1)] * 5


async def test_the_link_breaks_while_a_message_is_being_kept(world: World) -> None:
    """It was not attempted, so a crash loses nothing of it."""
    session = await online(world)
    world.write("one", "s1")
    world.live().session = None
    await until(lambda: world.live().lanes)
    await world.store.writer.flush()
    assert await open_rows(world) == [False]
    world.live().session = session
    await world.kill()
    await world.start(Network())
    assert (await world.network.asked(SendMessage)).content.text == "one"
    assert world.face.of("message_failed") == []


async def test_a_stop_while_a_message_is_being_kept(world: World) -> None:
    await online(world)
    world.write("one", "s1")
    await world.gateway.stop("restart")
    await until(lambda: not world.store.writer.backlog)
    assert world.network.of(SendMessage) == []
    assert await open_rows(world) == [False]
    await world.start(Network())
    assert (await world.network.asked(SendMessage)).content.text == "one"
