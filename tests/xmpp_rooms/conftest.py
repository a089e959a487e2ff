"""Fixtures: a gateway to the made-up village, with the test in the XMPP server's place."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.core.gateway import Gateway
from bridge.store import migrate
from bridge.store.engine import Store
from bridge.store.vault import Vault, generate_key
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.component import Component
from bridge.xmpp.fence import Fence
from bridge.xmpp.received import InMessage
from tests.xmpp_rooms.stage import DOMAIN, Stage, Wire
from tests.xmpp_rooms.village import Village


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rooms") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
async def stage(empty_store: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    shutil.copy(empty_store, tmp_path / "bridge.db")
    store = await Store.open(f"sqlite:///{tmp_path}/bridge.db", Vault([generate_key()]))
    village = Village()
    gateway = Gateway(DOMAIN, village, store)
    wire = Wire()
    fence = Fence(wire, DOMAIN, "example.test")
    to_gateway: list[InMessage] = []
    component = Component(
        gateway,
        wire,
        fence,
        addresses=Addresses(DOMAIN, village),
        caps=lambda kind: f"<c xmlns='http://jabber.org/protocol/caps' ver='{kind}'/>",
        commands=to_gateway.append,
        software="Prosody",
    )
    wire.iqs.register("get", "{urn:xmpp:ping}ping", component.pings.ping)
    await gateway.start()
    wire.on_up()
    yield Stage(village, gateway, wire, to_gateway)
    await gateway.stop("the test is over")
    await component.stop()
    await wire.iqs.close()
    await store.close()
