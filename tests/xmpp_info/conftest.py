"""Fixtures: a whole gateway to the made-up network on a real Prosody, and real clients of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from bridge.api import NetworkId, RoomAddress, SoftwareVersion
from bridge.core.gateway import Gateway
from bridge.core.values import HistoryRequest, SessionState
from bridge.store import migrate
from bridge.store.engine import Store
from bridge.store.vault import Vault, generate_key
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.component import Component
from bridge.xmpp.fence import Fence
from bridge.xmpp.information import Information
from bridge.xmpp.link import ComponentLink, LinkConfig
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import XmppClient, presence, xmpp_client
from tests.xmpp_info.town import Town

DOMAIN = "irc.example.test"
NET = "x.example"


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """A running gateway: what a test may look into or change behind its back."""

    town: Town
    gateway: Gateway
    information: Information
    clock: Clock

    async def online(self, user: str, network: str = NET) -> None:
        """Connect a user's account."""
        self.gateway.accounts.connect(user, NetworkId(network))
        async with asyncio.timeout(5):
            while not any(one.state is SessionState.ONLINE for one in self.gateway.accounts.status(user)):
                await asyncio.sleep(0.005)

    def shut_out(self) -> None:
        """From now on the gateway is open to nobody."""
        admission = self.gateway._admission
        admission._settings = msgspec.structs.replace(admission._settings, allowed_users=())

    async def join(self, client: XmppClient, room: str) -> str:
        """Have a client in a room; returns the room's JID."""
        address = self.town.parse_address(f"{room}%{NET}")
        assert isinstance(address, RoomAddress)
        self.gateway.rooms.join(client.bare, client.jid, address, "Alice", "", HistoryRequest())
        jid = self.gateway.face.jid(address)
        await client.wait(presence(f"{jid}/Alice"))
        return jid


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest_asyncio.fixture
async def store(empty_database: Path, tmp_path: Path) -> AsyncIterator[Store]:
    shutil.copy(empty_database, tmp_path / "bridge.db")
    store = await Store.open(f"sqlite:///{tmp_path}/bridge.db", Vault([generate_key()]))
    yield store
    await store.close()


@pytest_asyncio.fixture
async def world(prosody: Prosody, store: Store) -> AsyncIterator[World]:
    """The gateway is up and connected to Prosody; bob@example.test is its admin."""
    town, clock = Town(), Clock()
    gateway = Gateway(DOMAIN, town, store)
    config = LinkConfig(
        domain=DOMAIN,
        secret="sekrit",
        server=prosody.host,
        host="127.0.0.1",
        port=prosody.component_port,
    )
    link = ComponentLink(config)
    addresses = Addresses(DOMAIN, town)
    information = Information(
        gateway,
        addresses,
        software=SoftwareVersion("xmpp-bridge", "1.2"),
        node="https://example.test/bridge",
        capabilities=gateway.capabilities,
        users=gateway.users,
        admins=[prosody.jid("bob")],
        clock=clock,
    )
    fence = Fence(link, DOMAIN, prosody.host)
    component = Component(
        gateway,
        link,
        fence,
        addresses=addresses,
        caps=information.caps.element,
        commands=information.commands.take,
    )
    component.answer(*information.parts(component.pings.ping))
    up = asyncio.Event()
    gateway_up = link.on_up
    link.on_up = lambda: (gateway_up(), up.set())  # type: ignore[func-returns-value,assignment]
    await gateway.start()
    running = asyncio.create_task(link.run())
    async with asyncio.timeout(10):
        await up.wait()
    yield World(town, gateway, information, clock)
    await information.stop()
    await gateway.stop("test over")
    await component.stop()
    await link.stop()
    await asyncio.wait({running})


@pytest_asyncio.fixture
async def alice(world: World, prosody: Prosody) -> AsyncIterator[XmppClient]:
    async with xmpp_client(prosody, "alice") as client:
        yield client


@pytest_asyncio.fixture
async def bob(world: World, prosody: Prosody) -> AsyncIterator[XmppClient]:
    async with xmpp_client(prosody, "bob") as client:
        yield client
