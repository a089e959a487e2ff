"""Connections: which URLs are usable, how SQLite and PostgreSQL are set up, and reading off the loop."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.store.errors import StoreDown, StoreError

T = TypeVar("T")

WRITING = "bridge_writing"
"""Execution option of a connection that is going to write (SQLite takes the write lock at once)."""

_USE = "use sqlite:///path/to/file or postgresql+psycopg://user@host/database"
_READ_THREADS = 3
READ_SECONDS = 10.0
"""A reading that takes longer is not waited for."""
_MOST_READS = 1_000
_BUSY_MS = 2_000
_LEAST_FREE_BYTES = 1024 * 1024
_POSTGRES_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""libpq's options (seconds; the last in milliseconds): a server that vanished without a word is noticed."""

_WAL_LIMIT_BYTES = 64 * 1024 * 1024

_SQLITE_OUTAGES = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    )
)
# SQLSTATE classes: connection, transaction rollback, resources, object state, operator, system.
_POSTGRES_OUTAGES = frozenset(("08", "25", "28", "3D", "40", "53", "55", "57", "58"))


def parse_url(url: str) -> URL:
    """The URL of a database that we can use. Raises StoreError that says what to write instead."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(f"the database URL can't be read: {_USE}") from None
    if parsed.drivername == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise StoreError("the SQLite database needs a file: sqlite:///path/to/file")
        return parsed
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        if importlib.util.find_spec("psycopg") is None:
            raise StoreError("PostgreSQL needs the package psycopg: pip install 'xmpp-bridge[postgres]'")
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError(f"databases of the kind {parsed.drivername!r} are not supported: {_USE}")


def prepare_file(url: URL) -> None:
    """Create SQLite's file, readable by us only, and its folder. Raises StoreError."""
    if url.drivername != "sqlite" or not url.database:
        return
    path = Path(url.database)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"the database file {path} can't be written: {error.strerror}; check the path and its owner"
        ) from error


def full_disk(url: URL) -> str:
    """A remark for an error message where SQLite's disk is full: SQLite calls that by many names."""
    if url.drivername != "sqlite" or not url.database:
        return ""
    try:
        disk = os.statvfs(Path(url.database).parent)
    except OSError:
        return ""
    return " (the disk is full)" if disk.f_bavail * disk.f_frsize < _LEAST_FREE_BYTES else ""


def connect(url: URL) -> Engine:
    """An engine; nothing is opened yet. Statements never show their parameters in errors or logs."""
    if url.drivername != "sqlite":
        patience = {name: value for name, value in _POSTGRES_PATIENCE.items() if name not in url.query}
        return create_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=_READ_THREADS + 1, connect_args=patience
        )
    engine = create_engine(url, hide_parameters=True, paramstyle="named", pool_size=_READ_THREADS + 1)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: it would begin them too late, and not for writing.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    _write_ahead(connection)
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        f"journal_size_limit = {_WAL_LIMIT_BYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    """Switch to WAL. SQLite does not wait when two connections do that to a new file at once, so we do."""
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise StoreError("SQLite can't keep its write-ahead log here; put the database on a local disk")
        time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def is_outage(error: BaseException) -> bool:
    """Whether the database, and not the row, is at fault: then the same rows may succeed later."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in _SQLITE_OUTAGES
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state[:2] in _POSTGRES_OUTAGES
    return type(error.orig).__name__ == "OperationalError"


def transaction_lost(connection: Connection) -> bool:
    """Whether the rows written so far are gone, after an error in a savepoint.

    SQLite undoes the whole transaction by itself on a full disk; later statements would commit each alone.
    """
    if connection.invalidated:
        return True
    return not getattr(connection.connection.dbapi_connection, "in_transaction", True)


def describe(error: BaseException) -> str:
    """An error in a few words, without the values of the row that met it."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    lines = str(primary or cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0]}" if lines else type(cause).__name__


class Reader:
    """Runs reading functions in a few threads of its own, each in a transaction that is rolled back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_READ_THREADS, thread_name_prefix="store-read")
        self._under_way = 0
        self._counting = threading.Lock()

    async def run(self, read: Callable[[Connection], T]) -> T:
        """What `read` returns. Raises StoreDown when the database is out or has not answered in READ_SECONDS,
        StoreError when it fails otherwise, else what `read` raises."""
        if self._under_way >= _MOST_READS:
            raise StoreDown("the database is slow, and too many wait for it")
        with self._counting:
            self._under_way += 1
        reading = self._threads.submit(self._read, read)
        reading.add_done_callback(self._done)
        try:
            async with asyncio.timeout(READ_SECONDS) as limit:
                return await asyncio.wrap_future(reading)
        except TimeoutError:
            if not limit.expired():
                raise
            raise StoreDown(f"the database has not answered in {READ_SECONDS:g} s") from None

    def _done(self, _reading: object) -> None:
        """From whichever thread."""
        with self._counting:
            self._under_way -= 1

    def _read(self, read: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection:
                return read(connection)
        except SQLAlchemyError as error:
            kind = StoreDown if is_outage(error) else StoreError
            raise kind(f"the database could not be read: {describe(error)}") from None

    def close(self) -> None:
        """Wait for running reads and end the threads."""
        self._threads.shutdown()
