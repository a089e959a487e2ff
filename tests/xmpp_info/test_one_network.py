"""A gateway to a single network without rooms: nobody is asked which."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from bridge.api import Address, BadAddress, ContactAddress, ContactId, NetworkId
from bridge.store.engine import Store
from bridge.xmpp.features import Kind
from bridge.xmpp.information import Information
from tests.xmpp_info.offline import information_of
from tests.xmpp_info.town import Town, without_rooms

USER = "u@example.test/r"


class Village(Town):
    """Only people, by number."""

    def __init__(self) -> None:
        super().__init__()
        self.info = without_rooms()

    def parse_address(self, local: str) -> Address:
        if not local.isdecimal():
            raise BadAddress("That is not a number.")
        return ContactAddress(NetworkId(""), ContactId(local))

    def format_address(self, address: Address) -> str:
        return address.contact if isinstance(address, ContactAddress) else ""


@pytest_asyncio.fixture
async def village(store: Store) -> AsyncIterator[tuple[Village, Information]]:
    village = Village()
    gateway, information = information_of(village, store)
    yield village, information
    await information.stop()
    await gateway.stop("")


async def test_nobody_is_asked_for_a_network(village: tuple[Village, Information]) -> None:
    backend, information = village
    assert "You are registered" in await information.commands.answer(USER, "register Ally")
    assert backend.checked[-1]["nick"] == "Ally"
    assert "Connecting" in await information.commands.answer(USER, "connect")
    assert "removes your registration" in await information.commands.answer(USER, "unregister")
    assert "was removed" in await information.commands.answer(USER, "yes")


async def test_what_it_has_not_is_not_offered(village: tuple[Village, Information]) -> None:
    helped = await village[1].commands.answer(USER, "help")
    assert "rooms" not in helped
    assert "add" not in helped
    assert village[1].caps.for_kind(Kind.GATEWAY)
