from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.engine import Engine

from bridge.store import migrate
from bridge.store.database import connect, parse_url
from bridge.store.engine import Store
from bridge.store.errors import StoreError
from bridge.store.kept_rooms import KeptRoom
from bridge.store.room_resources import RoomResource
from bridge.store.tables import metadata
from bridge.store.vault import Vault, context
from tests.peers.daemon import free_port


async def test_an_empty_database_gets_the_newest_schema(empty_url: str, vault: Vault) -> None:
    assert await asyncio.to_thread(migrate.current, empty_url) is None
    store = await Store.open(empty_url, vault)
    await store.registrations.list("g")
    await store.close()
    assert migrate.current(empty_url) == migrate.HEAD
    assert not migrate.upgrade(empty_url), "nothing is left to do"


async def test_two_programs_that_start_at_once(empty_url: str, vault: Vault) -> None:
    stores = await asyncio.gather(Store.open(empty_url, vault), Store.open(empty_url, vault))
    for store in stores:
        assert await store.registrations.list("g") == []
        await store.close()


def test_many_connections_to_a_new_file_at_once(tmp_path: Path) -> None:
    for number in range(20):
        engines = [connect(parse_url(f"sqlite:///{tmp_path}/{number}.db")) for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            modes = list(threads.map(journal_mode, engines))
        assert modes == ["wal"] * 4


async def test_sqlite_is_set_to_lose_nothing(tmp_path: Path, vault: Vault) -> None:
    """A killed process can't show it, only a power cut could: each commit is on the disk."""
    store = await Store.open(f"sqlite:///{tmp_path}/bridge.db", vault)
    for pragma, value in {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}.items():
        found = await store.writer.submit_unit(
            lambda connection, pragma=pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
        )
        assert found == value
    await store.close()


def journal_mode(engine: Engine) -> str:
    with engine.connect() as connection:
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    engine.dispose()
    return mode


def test_the_tables_are_those_of_the_migrations(empty_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    migrate.upgrade(empty_url)
    engine = connect(parse_url(empty_url))
    with engine.connect() as connection:
        # On SQLite Alembic takes DEFAULT '' for no default; the next test compares those.
        opts = {"compare_server_default": engine.dialect.name == "postgresql"}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []
        assert sorted(inspect(connection).get_table_names()) == sorted([*metadata.tables, "alembic_version"])
    engine.dispose()


def test_sqlite_makes_the_same_tables_both_ways(tmp_path: Path) -> None:
    """Down to STRICT, WITHOUT ROWID and the indexes' conditions, which Alembic does not compare, and to its
    own table."""
    statements = []
    for name in ("migrated", "made"):
        url = parse_url(f"sqlite:///{tmp_path}/{name}.db")
        engine = connect(url)
        if name == "migrated":
            migrate.upgrade(str(url))
        else:
            assert migrate.create(engine)
            assert not migrate.create(engine), "it is not empty any more"
        with engine.connect() as connection:
            query = text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
            statements.append({name: sorted(sql.split()) for name, sql in connection.execute(query)})
        engine.dispose()
        assert migrate.current(str(url)) == migrate.HEAD
    assert statements[0] == statements[1]
    assert statements[0]


def test_every_revision_is_known() -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(migrate.__file__).with_name("migrations")))
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(revisions)) == migrate.KNOWN


async def test_the_first_schema_becomes_the_newest(
    empty_url: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in it stays, when a store opens it."""
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "HEAD", "0001")
        migrate.upgrade(empty_url)
    engine = connect(parse_url(empty_url))
    kept = KeptRoom("g", "romeo@example.test", "net", "#r", "romeo", "key")
    row = {"u": kept.user, "p": vault.encrypt(context("kept room", *kept[:4]), {"password": "key"})}
    with engine.begin() as connection:
        assert "room_resources" not in inspect(connection).get_table_names()
        connection.execute(text("INSERT INTO cursors (account, name, value) VALUES ('a', 'uid', '7')"))
        connection.execute(text("INSERT INTO kept_rooms VALUES ('g', :u, 'net', '#r', 'romeo', :p)"), row)
    engine.dispose()
    store = await Store.open(empty_url, vault)
    assert migrate.current(empty_url) == migrate.HEAD
    assert await store.cursors.get("a", "uid") == "7"
    assert await store.kept_rooms.list("g") == [kept]
    assert await store.room_resources.list("g") == []
    resource = RoomResource("g", "romeo@example.test", "net", "#r", "romeo@example.test/r", "romeo", 1)
    store.room_resources.put(resource)
    await store.writer.flush()
    assert await store.room_resources.list("g") == [resource]
    await store.close()


async def test_a_newer_schema_is_refused(url: str, vault: Vault) -> None:
    engine = connect(parse_url(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"version 9999.*newer"):
        await Store.open(url, vault)
    with pytest.raises(StoreError, match=r"version 9999.*newer"):
        migrate.upgrade(url)


async def test_a_migration_that_fails_leaves_nothing(empty_url: str, vault: Vault) -> None:
    engine = connect(parse_url(empty_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept_rooms (a INTEGER)"))
    with pytest.raises(StoreError, match="kept_rooms"):
        await Store.open(empty_url, vault)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["kept_rooms"]
    engine.dispose()


def test_alembic_stays_out_of_the_program(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from bridge.store.engine import Store\n"
        "from bridge.store.vault import Vault, generate_key\n"
        "async def main():\n"
        "    store = await Store.open(sys.argv[1], Vault([generate_key()]))\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
        "print('alembic' in sys.modules)\n"
    )
    words = [sys.executable, "-c", program, f"sqlite:///{tmp_path}/bridge.db"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "False\n"


async def test_files_are_for_us_only(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "new" / "folder" / "bridge.db"
    store = await Store.open(f"sqlite:///{path}", vault)
    await store.cursors.put("a", "b", "c")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await store.close()
    assert modes == {"bridge.db": 0o600, "bridge.db-wal": 0o600, "bridge.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("nonsense", "use sqlite:///"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("mysql://u:hunter2@h/d", "'mysql' are not supported.*use sqlite:///"),
        ("postgresql+asyncpg://u:hunter2@h/d", "not supported"),
        ("sqlite:////proc/nowhere/bridge.db", "can't be written"),
        pytest.param(
            f"postgresql+psycopg://u:hunter2@127.0.0.1:{free_port()}/d",
            "can't be opened.*refused",
            id="refused",
        ),
    ],
)
async def test_a_database_that_cannot_be_used(bad: str, words: str, vault: Vault) -> None:
    with pytest.raises(StoreError, match=words) as error:
        await Store.open(bad, vault)
    assert "hunter2" not in str(error.value)


async def test_a_file_that_is_no_database(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(StoreError, match="not a database"):
        await Store.open(f"sqlite:///{path}", vault)
