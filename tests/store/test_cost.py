"""What a direct message costs the database does not depend on how many others wait."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from bridge.store.engine import Store

WAITING = 50_000
MESSAGES = 50


@pytest.fixture
def kind() -> str:
    return "sqlite"


def counted(store: Store) -> Callable[[], int]:
    """Counts the steps of SQLite's virtual machine, on all connections."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def watch(connection: Any, *_: object) -> None:
        connection.set_progress_handler(step, 1)

    event.listen(store._engine, "checkout", watch)
    return lambda: steps


async def talk(store: Store, mark: str) -> None:
    """Messages both ways, one after the other, with all that becomes of them."""
    newest = 0
    for number in range(MESSAGES):
        name = f"{mark}{number}"
        row = await store.inbox.put("g", "a", "c", name, name, b"x" * 100)
        assert row is not None
        newest = newest or row - 1
        assert (await store.inbox.pending("g", newest, 10))[0].id == row
        if number % 5:
            store.inbox.settle([row])
        else:
            await store.inbox.fail(row)
        row = await store.outbox.put("g", "a", "c", name, b"x" * 100, "r", name)
        assert row is not None
        assert await store.outbox.put("g", "a", "c", name, b"x" * 100, "r", name) is None
        await store.outbox.attempt(row)
        if number % 5 == 0:
            await store.outbox.later(row, 1)
        await store.outbox.settle(row, "sent" if number % 3 else "failed", ["id"])


def fill(url: str) -> None:
    """Rows of people who are not there, older than all others."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        for table in ("inbox", "outbox"):
            database.executemany(
                f"INSERT INTO {table} (id, gateway, account, chat, dedupe, stanza_id, state, payload) "
                "VALUES (?, 'g', 'absent', 'c', ?, ?, 'new', x'00')",
                ((number, f"d{number}", f"s{number}") for number in range(1, WAITING + 1)),
            )


async def test_fifty_thousand_that_wait(store: Store, url: str) -> None:
    steps = counted(store)
    await talk(store, "warm")
    costs = []
    for mark in ("empty", "full"):
        if mark == "full":
            fill(url)
        before = steps()
        await talk(store, mark)
        costs.append((steps() - before) / MESSAGES)
    assert costs[0] > 100, "something was counted"
    assert costs[1] < costs[0] * 1.2
