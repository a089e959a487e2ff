"""The whole way: a real client, a real XMPP server, the bridge as a process, a real IRC server."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.scene import Scene
from tests.peers.bridge import Bridge, BridgeSetup, network, running_bridge
from tests.peers.ejabberd import Ejabberd
from tests.peers.inspircd import Inspircd
from tests.peers.prosody import Prosody

_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest) -> Prosody | Ejabberd:
    """Everything that takes it runs on both XMPP servers."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def bridge(server: Prosody | Ejabberd, inspircd: Inspircd) -> Iterator[Bridge]:
    """A bridge with the IRC networks `tls` (TLS verified against its CA) and `plain`."""
    networks = network("tls", inspircd.tls_port, tls="required", ca_file=inspircd.ca_file)
    networks += network("plain", inspircd.port)
    with running_bridge(server, BridgeSetup(networks=networks)) as process:
        yield process


@pytest.fixture
async def scene(bridge: Bridge, server: Prosody | Ejabberd, inspircd: Inspircd) -> AsyncIterator[Scene]:
    """Names of its own for each test, so that tests share servers and nothing else."""
    scene = Scene(server, bridge, inspircd, next(_numbers))
    try:
        yield scene
    finally:
        await scene.close()
