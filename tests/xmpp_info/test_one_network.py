"""A gateway to a single network without rooms: nobody is asked which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import msgspec
import pytest
import pytest_asyncio

from bridge.api import (
    Address,
    BadAddress,
    Command,
    ContactAddress,
    ContactId,
    NetworkId,
    Outcome,
    Reason,
    Refused,
)
from bridge.core.gateway import Gateway
from bridge.store.engine import Store
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.chatcommands import DIALOGUE_SECONDS, STALE
from bridge.xmpp.features import Kind
from bridge.xmpp.information import Information
from bridge.xmpp.iqs import InIq, StanzaError
from bridge.xmpp.prompt import Prompt
from tests.xmpp_info.conftest import DOMAIN
from tests.xmpp_info.offline import information_of
from tests.xmpp_info.town import Town, TownSession, without_rooms

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


async def said_to(information: Information, gateway: Gateway, text: str) -> str:
    """What the gateway says to a message that it does not answer at once."""
    said: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    gateway.face.network_text = lambda to, network, text: said.set_result(text)  # type: ignore[method-assign]
    assert await information.commands.answer(USER, text) == ""
    async with asyncio.timeout(5):
        return await said


class Terse(TownSession):
    """Takes no commands."""

    async def execute(self, command: Command) -> Outcome:
        return Refused(Reason.UNSUPPORTED, "What?")


async def test_what_no_network_understands_is_unknown(store: Store) -> None:
    village = Village()
    village.open = lambda account, host: Terse(village, account, host)  # type: ignore[method-assign]
    gateway, information = information_of(village, store)
    assert "I do not know “hlep”. Did you mean “help”?" in await said_to(information, gateway, "hlep me")
    await information.stop()
    await gateway.stop("")


async def test_a_network_that_is_not_connected_by_a_command_hears_none(store: Store) -> None:
    village = Village()
    village.info = msgspec.structs.replace(village.info, on_demand=False)
    gateway, information = information_of(village, store)
    assert "I do not know" in await information.commands.answer(USER, "whois zoe")
    assert gateway.accounts.status(USER.partition("/")[0]) == []
    await information.stop()
    await gateway.stop("")


async def test_a_late_answer_does_not_go_to_the_network(store: Store) -> None:
    village = Village()
    gateway, information = information_of(village, store)
    now = [0.0]
    commands = information.commands
    commands._clock = lambda: now[0]
    await commands.answer(USER, "register")
    now[0] = DIALOGUE_SECONDS + 1
    assert await commands.answer(USER, "s3cret") == STALE
    assert gateway.accounts.status(USER.partition("/")[0]) == []
    await information.stop()
    await gateway.stop("")


async def test_help_names_no_network(village: tuple[Village, Information]) -> None:
    helped = (await village[1].commands.answer(USER, "help")).split("\n")
    assert "register: register, or change what is registered" in helped
    assert "disconnect [MESSAGE]: leave a network" in helped


async def test_a_gateway_without_a_question_for_addresses_says_so(
    village: tuple[Village, Information],
) -> None:
    asked = ET.fromstring("<query xmlns='jabber:iq:gateway'/>")
    prompt = Prompt(village[0], Addresses(DOMAIN, village[0]), dict)
    for local, said in (("", "This gateway looks up no addresses."), ("15", "Ask the gateway itself")):
        to = f"{local}@{DOMAIN}" if local else DOMAIN
        with pytest.raises(StanzaError, match=said) as refused:
            await prompt.get(InIq(USER, to, local, DOMAIN, "", "1", "get", "", asked, asked))
        assert refused.value.condition == "feature-not-implemented"
