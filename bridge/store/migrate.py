"""Which version the schema has, and how it gets to the newest: Alembic, loaded only for an older one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, inspect, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from bridge.store.database import WRITING, connect, describe, full_disk, parse_url, prepare_file
from bridge.store.errors import StoreError
from bridge.store.tables import metadata

KNOWN = ("0001", "0002", "0003", "0004", "0005")
"""The revisions in migrations/versions, oldest first (a test compares the two)."""

HEAD = KNOWN[-1]

_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table, as it makes it."""

_POSTGRES_LOCK = 0x786D7070  # any number that every version of this program has in common


def current(url: str) -> str | None:
    """The revision of a database's schema; None for an empty database. Raises StoreError."""
    parsed = parse_url(url)
    prepare_file(parsed)
    engine = connect(parsed)
    try:
        return revision(engine)
    finally:
        engine.dispose()


def upgrade(url: str) -> bool:
    """Bring a database to HEAD, in this process. Returns whether there was anything to do. Raises StoreError.

    It is one transaction, and of two programs that start at once the second waits and finds it done.
    """
    parsed = parse_url(url)
    prepare_file(parsed)
    engine = connect(parsed)
    try:
        if revision(engine) == HEAD:
            return False
        with engine.execution_options(**{WRITING: True}).begin() as connection:
            _run(connection)
    except SQLAlchemyError as error:
        why = describe(error) + full_disk(parsed)
        raise StoreError(f"the database schema could not be brought to {HEAD}: {why}") from None
    finally:
        engine.dispose()
    return True


def create(engine: Engine) -> bool:
    """Give an empty database the newest schema, in one transaction and without Alembic: a test holds that it
    is the one that the migrations make. False, and nothing done, if anything is in it. Raises
    SQLAlchemyError."""
    with engine.execution_options(**{WRITING: True}).begin() as connection:
        _lock(connection)
        if inspect(connection).get_table_names():
            return False
        metadata.create_all(connection)
        connection.execute(CreateTable(_VERSION))
        connection.execute(_VERSION.insert().values(version_num=HEAD))
    return True


def upgrade_apart(url: str) -> None:
    """`upgrade` in a process of its own: Alembic's 29 MB would stay with ours for ever. Raises StoreError."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    done = subprocess.run(
        [sys.executable, "-m", "bridge.store.migrate"],
        input=url,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"the migration ended with {done.returncode}"]
        raise StoreError(lines[-1])


def revision(engine: Engine) -> str | None:
    """As `current`. Raises StoreError for a database that can't be reached or is newer than this program."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError as error:
        where = engine.url.render_as_string(hide_password=True)
        why = describe(error) + full_disk(engine.url)
        raise StoreError(f"the database {where} can't be opened: {why}") from None
    if found is not None and found not in KNOWN:
        raise StoreError(
            f"the database schema has version {found}, this program knows {HEAD}: it was written by a newer "
            "version; install that version, or restore a backup from before the upgrade"
        )
    return None if found is None else str(found)


def _lock(connection: Connection) -> None:
    """Be the only one who makes tables, until the end of the transaction. SQLite does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})


def _run(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    _lock(connection)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def main() -> int:
    """Upgrade the database whose URL stands on standard input (an argument could be seen by other users)."""
    try:
        upgrade(sys.stdin.read().strip())
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
