"""Knows how a throw-away PostgreSQL is made: own cluster, loopback, trust, no fsync."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from glob import glob
from pathlib import Path

from tests.peers.daemon import Daemon, as_user, find_program, free_port, own, running, scratch


def _program(name: str) -> str:
    return find_program(name, *sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True))


class Postgres(Daemon):
    """A running PostgreSQL cluster; `url()` names a database in it for SQLAlchemy."""

    name = "postgres"
    user = "postgres"  # it refuses to run as root
    stop_signal = signal.SIGINT  # "fast shutdown": does not wait for clients

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        super().__init__(folder, [self.port])

    def create_cluster(self) -> None:
        """Make the data folder (about 0.7 s)."""
        words = ["-D", str(self.folder / "data"), "-A", "trust", "-U", "postgres", "-N", "--no-instructions"]
        subprocess.run(
            [*as_user(self.user), _program("initdb"), *words, "--encoding=UTF8", "--locale=C.UTF-8"],
            cwd=self.folder, check=True, capture_output=True,
        )  # fmt: skip

    def command(self) -> list[str]:
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder), "-F"]
        return [_program("postgres"), "-D", str(self.folder / "data"), *options]

    def ready(self) -> bool:
        done = subprocess.run(
            [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        )
        return done.returncode == 0

    def url(self, database: str = "postgres") -> str:
        """For SQLAlchemy; the driver is psycopg 3, which its sync and async engines both take."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL, so that each test can have its own."""
        words = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name]
        subprocess.run([_program("createdb"), *words], check=True, capture_output=True)
        return self.url(name)


@contextlib.contextmanager
def running_cluster(folder: Path | None = None) -> Iterator[Postgres]:
    """A fresh PostgreSQL server; `create_database` gives each test its own database.

    A `folder` that is given must be one that the user `postgres` can enter.
    """
    with contextlib.ExitStack() as stack:
        where = folder or stack.enter_context(scratch("postgres", Postgres.user))
        own(where, Postgres.user)
        postgres = Postgres(where)
        postgres.create_cluster()
        yield stack.enter_context(running(postgres))


@contextlib.contextmanager
def running_postgres(folder: Path | None = None) -> Iterator[str]:
    """A fresh PostgreSQL server's URL (database `postgres`), gone after the `with`."""
    with running_cluster(folder) as postgres:
        yield postgres.url()
