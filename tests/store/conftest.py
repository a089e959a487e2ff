"""Fixtures: a database of each kind for each test, and stores opened on it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from bridge.store import migrate
from bridge.store.engine import Store
from bridge.store.vault import Vault, generate_key
from tests.peers.postgres import Postgres

_numbers = itertools.count()

Opener = Callable[..., Awaitable[Store]]


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> str:
    """A database with nothing in it."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/bridge.db"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create_database(f"store{next(_numbers)}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    migrate.upgrade(postgres.create_database("template_store"))
    return "template_store"


@pytest.fixture
def url(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> str:
    """A database with the newest schema; copied, for a migration takes a second."""
    if kind == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "bridge.db")
        return f"sqlite:///{tmp_path}/bridge.db"
    template = request.getfixturevalue("postgres_template")
    postgres: Postgres = request.getfixturevalue("postgres")
    return copy_database(postgres, template, f"store{next(_numbers)}")


def copy_database(postgres: Postgres, template: str, name: str) -> str:
    with psycopg.connect(postgres.url().replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return postgres.url(name)


@pytest.fixture
def vault() -> Vault:
    return Vault([generate_key()])


@pytest_asyncio.fixture
async def open_store(url: str, vault: Vault) -> AsyncIterator[Opener]:
    """Opens stores on the test's database, and closes them after it."""
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
