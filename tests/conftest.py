"""Fixtures: each real server starts at its first use, and a failing test shows what the servers logged."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests.peers import daemon
from tests.peers.atheme import Atheme, running_atheme
from tests.peers.dovecot import Dovecot, running_dovecot
from tests.peers.ejabberd import Ejabberd, running_ejabberd
from tests.peers.inspircd import Inspircd, running_inspircd
from tests.peers.ngircd import Ngircd, running_ngircd
from tests.peers.postgres import Postgres, running_cluster
from tests.peers.prosody import Prosody, running_prosody

# A slow moment of a shared machine is no failure; the properties are about values.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; `create_database(name)` returns the URL of an empty database in it."""
    with running_cluster() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """One database shared by the whole run; take `postgres` for one of your own."""
    return postgres.url()


@pytest.fixture(scope="module")
def prosody() -> Iterator[Prosody]:
    """A Prosody with the accounts alice and bob and the component `irc.example.test`."""
    with running_prosody() as server:
        yield server


@pytest.fixture(scope="module")
def ejabberd() -> Iterator[Ejabberd]:
    """An ejabberd with the accounts alice and bob and the component `irc.example.test`."""
    with running_ejabberd() as server:
        yield server


@pytest.fixture(scope="session")
def inspircd() -> Iterator[Inspircd]:
    """An InspIRCd with TLS. A test that restarts it should run its own (`running_inspircd`)."""
    with running_inspircd() as server:
        yield server


@pytest.fixture(scope="session")
def atheme(inspircd: Inspircd) -> Iterator[Atheme]:
    """Services on `inspircd`: `await atheme.register(account, password)`, then SASL PLAIN."""
    with running_atheme(inspircd) as services:
        yield services


@pytest.fixture(scope="session")
def ngircd() -> Iterator[Ngircd]:
    """A ngIRCd with TLS: hardly any IRCv3."""
    with running_ngircd() as server:
        yield server


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """A Dovecot without accounts: each test adds its own. A test that restarts it should run its own."""
    with running_dovecot() as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += [(f"{server.name} log", server.log_tail()) for server in daemon.RUNNING]
    return report
