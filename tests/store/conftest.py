"""Fixtures: an empty database of each kind, and stores opened on it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.store.engine import Store
from bridge.store.vault import Vault, generate_key

_numbers = itertools.count()

Opener = Callable[..., Awaitable[Store]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of its own for one test."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bridge.db"
    created: str = request.getfixturevalue("postgres").create_database(f"store{next(_numbers)}")
    return created


@pytest.fixture
def vault() -> Vault:
    return Vault([generate_key()])


@pytest_asyncio.fixture
async def open_store(url: str, vault: Vault) -> AsyncIterator[Opener]:
    """Opens stores on the test's database; those that the test leaves open are closed after it."""
    opened: list[Store] = []

    async def open_it(other_vault: Vault | None = None) -> Store:
        opened.append(await Store.open(url, other_vault or vault))
        return opened[-1]

    yield open_it
    for store in opened:
        await store.close()


@pytest_asyncio.fixture
async def store(open_store: Opener) -> Store:
    return await open_store()
