"""Fixtures: gateways over a real store, which may be killed and started again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.api import ContactAddress, ContactId, Content, NetworkId, RoomAddress, RoomId
from bridge.core.gateway import Gateway
from bridge.core.ground import CoreSettings
from bridge.core.live import LiveAccount
from bridge.core.room import Room
from bridge.core.values import HistoryRequest, Outgoing
from bridge.store import migrate
from bridge.store.engine import Store
from bridge.store.vault import Vault, generate_key
from tests.core.face import DOMAIN, RecordingFace, until
from tests.core.network import Network

ALICE = "alice@example.test"
PHONE = f"{ALICE}/phone"
LAPTOP = f"{ALICE}/laptop"
NET = NetworkId("net")
ROOM = RoomAddress(NET, RoomId("#room"))
ROOM_JID = f"#room%net@{DOMAIN}"
BOB = ContactAddress(NET, ContactId("bob"))
BOB_JID = f"bob%net@{DOMAIN}"


class World:
    """One gateway at a time, on one store. `face` and `network` are the newest gateway's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._vault = Vault([generate_key()])
        self.store: Store
        self.gateway: Gateway
        self.face = RecordingFace()
        self.network = Network()
        self.now = 1000.0
        self._begun = False

    async def start(
        self, network: Network | None = None, link: bool = True, chance: float = -0.99, **settings: Any
    ) -> Gateway:
        """A gateway; with `chance` as it is here, back-off is no longer than some milliseconds."""
        if not self._begun:
            self.store = await Store.open(self._url, self._vault)
            self._begun = True
        settings.setdefault("linger_seconds", 0.0)
        self.network = network or self.network
        self.face = RecordingFace()
        self.gateway = Gateway(DOMAIN, self.network, self.store, CoreSettings(**settings))
        self.gateway.face = self.face
        ground = self.gateway._ground
        ground.clock, ground.chance = lambda: self.now, lambda: chance
        await self.gateway.start()
        if link:
            self.gateway.link_up()
        return self.gateway

    async def at_rest(self) -> None:
        """Return when all that was begun in the background is done, and stored."""
        for_ever = {"housekeeping", "serving"}
        await until(lambda: {task.get_name() for task in self.gateway._tasks._running} <= for_ever)
        await self.store.writer.flush()

    async def kill(self) -> None:
        """All that a process does ends in the middle, without a word; what is committed is there."""
        victims = asyncio.all_tasks() - {asyncio.current_task()}
        for task in victims:
            task.cancel()
        await asyncio.gather(*victims, return_exceptions=True)
        await self.store.writer.flush()

    async def close(self) -> None:
        if self._begun:
            await self.gateway.stop("over")
            await self.store.close()

    def live(self, user: str = ALICE, network: NetworkId = NET) -> LiveAccount:
        return self.gateway._pool.live(user, network)

    def join(
        self,
        resource: str = PHONE,
        address: RoomAddress = ROOM,
        history: HistoryRequest | None = None,
        nick: str = "al",
    ) -> None:
        user = resource.partition("/")[0]
        self.gateway.rooms.join(user, resource, address, nick, "", history or HistoryRequest())

    async def joined(self, resource: str = PHONE, address: RoomAddress = ROOM) -> Room:
        """Enter a room, and wait until that has been shown."""
        jid = self.face.jid(address)
        before = len(self.face.of("room_entered", jid, resource))
        self.join(resource, address)
        await self.face.wait("room_entered", jid, resource, count=before + 1)
        room = self.gateway.rooms.find(resource.partition("/")[0], jid)
        assert room is not None
        return room

    def write(self, text: str, id_: str = "s1", resource: str = PHONE, address: ContactAddress = BOB) -> None:
        """A direct message to a contact."""
        message = Outgoing(resource, id_, Content(text))
        self.gateway.outbound.to_contact(resource.partition("/")[0], address, message)

    async def until_online(self, user: str = ALICE, network: NetworkId = NET) -> None:
        await until(lambda: self.live(user, network).session)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("core") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
async def world(empty_store: Path, tmp_path: Path) -> AsyncIterator[World]:
    shutil.copy(empty_store, tmp_path / "bridge.db")
    world = World(f"sqlite:///{tmp_path}/bridge.db")
    yield world
    await world.close()
