"""Servers of these tests' own, since they are killed: Prosody as it comes, ejabberd on SQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.ejabberd import Ejabberd, EjabberdSetup, running_ejabberd
from tests.peers.prosody import Prosody, ProsodySetup, running_prosody

USERS = {name: f"{name}-pw" for name in ("alice", "bob", "dave", "erin")}


@pytest.fixture
def prosody() -> Iterator[Prosody]:
    with running_prosody(ProsodySetup(users=USERS)) as server:
        yield server


@pytest.fixture
def ejabberd() -> Iterator[Ejabberd]:
    """It keeps everything in SQLite."""
    with running_ejabberd(EjabberdSetup(users=USERS, sql=True)) as server:
        yield server


@pytest.fixture(params=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest) -> Prosody | Ejabberd:
    return request.getfixturevalue(request.param)
