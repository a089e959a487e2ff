"""Knows how a database goes away and comes back: killed, frozen, locked by somebody else, on a full disk."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psycopg

from tests.peers.bridge import Bridge
from tests.peers.daemon import scratch
from tests.peers.postgres import Postgres


class Outage(Protocol):
    """Something that takes the store away from a running bridge. Blocking."""

    def begin(self, bridge: Bridge) -> None: ...
    def end(self) -> None: ...


class PostgresKilled:
    """As by a crash; started again at the end."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def begin(self, bridge: Bridge) -> None:
        self._postgres.kill()

    def end(self) -> None:
        if not self._postgres.alive:
            self._postgres.start()


class PostgresFrozen:
    """The bridge's connections are there, and nothing comes from them."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._stopped: list[int] = []

    def begin(self, bridge: Bridge) -> None:
        self._stopped = backends(self._postgres, bridge)
        self._signal(signal.SIGSTOP)

    def end(self) -> None:
        self._signal(signal.SIGCONT)
        self._stopped = []

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def backends(postgres: Postgres, bridge: Bridge, *, terminate: bool = False) -> list[int]:
    """The server's processes that serve the bridge; `terminate` makes the server end them."""
    what = "pg_terminate_backend(pid)::int" if terminate else "pid"
    query = f"SELECT {what} FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with psycopg.connect(postgres.url().replace("+psycopg", ""), autocommit=True) as connection:
        found = connection.execute(query.encode(), (bridge.setup.store_url.rpartition("/")[2],))
        return [int(row[0]) for row in found.fetchall()]


class SqliteLocked:
    """As by a backup program that takes its time."""

    def begin(self, bridge: Bridge) -> None:
        self._other = sqlite3.connect(data_dir(bridge) / "bridge.db", isolation_level=None, timeout=30)
        self._other.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        self._other.close()


class DiskFull:
    """`folder` is a small disk of its own: it is filled with a file."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def begin(self, bridge: Bridge) -> None:
        with self._filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(65536))
        with self._filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(512))

    def end(self) -> None:
        self._filler.unlink(missing_ok=True)


class FileLimit:
    """Where no disk can be mounted: no file of the bridge's may grow, as on a full disk."""

    def begin(self, bridge: Bridge) -> None:
        self._pid = bridge.pid
        self._before = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)
        grown = (data_dir(bridge) / "bridge.db-wal").stat().st_size
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (grown, self._before[1]))

    def end(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._before)


def data_dir(bridge: Bridge) -> Path:
    return bridge.setup.data_dir or bridge.folder


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[tuple[Path, Outage]]:
    """A folder on a disk of that size, and what fills it; an ordinary user gets an ordinary folder, and the
    limit that has the same effect."""
    with scratch("disk") as folder:
        words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(folder)]
        mounted = (
            os.geteuid() == 0 and subprocess.run(words, check=False, capture_output=True).returncode == 0
        )
        try:
            yield folder, DiskFull(folder) if mounted else FileLimit()
        finally:
            if mounted:
                subprocess.run(["umount", "-l", str(folder)], check=True)
