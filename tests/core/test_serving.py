"""Backends that are reached from outside: claims, and events for accounts whose session is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from bridge.api import (
    ConnectionLost,
    ContactId,
    Content,
    DirectChat,
    Field,
    FieldKind,
    Form,
    GatewayHost,
    MessageId,
    MessageReceived,
    NetworkId,
    OccupantId,
    RegistrationRefused,
)
from bridge.core import serving
from bridge.store.claims import Holder
from tests.core.conftest import ALICE, World
from tests.core.face import until
from tests.core.network import Network

CAROL = "carol@example.test"
NOWHERE = NetworkId("")


class Listening(Network):
    """A network that is reached from outside; a nick is one account's alone."""

    def __init__(self, fails: int = 0) -> None:
        super().__init__(on_demand=False)
        self.fails = fails
        self.host: GatewayHost | None = None
        self.ended = False

    def claims(self, network: NetworkId, settings: Mapping[str, str]) -> tuple[str, ...]:
        return (settings["nick"],) if settings.get("nick") else ()

    async def serve(self, host: GatewayHost) -> None:
        if self.fails:
            self.fails -= 1
            raise ConnectionLost("port 25 is taken")
        self.host = host
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


async def started(world: World, fails: int = 0) -> Listening:
    network = Listening(fails)
    await world.start(network)
    await until(lambda: network.host)
    return network


def message(text: str) -> MessageReceived:
    return MessageReceived(DirectChat(ContactId("bob")), OccupantId(""), MessageId(text), Content(text))


async def test_what_comes_for_a_claim_reaches_its_holder(world: World) -> None:
    network = await started(world)
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "ally"})
    assert network.host is not None
    host = await network.host.holder("ally")
    assert host is not None
    assert (host.account.user, host.account.settings["nick"]) == (ALICE, "ally")
    await host.emit(message("hello"))
    assert (await world.face.wait("direct_message")).args[0] == ALICE
    assert await network.host.holder("nobody") is None


async def test_a_holder_is_known_from_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection for all users asks for each message."""
    network = await started(world)
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "ally", "password": "pw"})
    assert network.host is not None
    first = await network.host.holder("ally")
    with monkeypatch.context() as patched:
        patched.setattr(world.store._reader, "run", None)
        again = await network.host.holder("ally")
    assert first is not None
    assert again is not None
    assert again.account is first.account
    await again.emit(message("hello"))
    assert (await world.face.wait("direct_message")).args[0] == ALICE


async def test_what_is_known_of_a_holder_changes_with_the_registration(world: World) -> None:
    network = await started(world)
    host, accounts = network.host, world.gateway.accounts
    assert host is not None

    async def known(claim: str = "ally") -> str | None:
        holder = await host.holder(claim)
        return holder and holder.account.secrets.get("password", "")

    assert await known() is None
    await accounts.register(ALICE, NOWHERE, {"nick": "ally", "password": "one"})
    assert await known() == "one"
    await accounts.register(ALICE, NOWHERE, {"nick": "ally", "password": "two"})
    assert await known() == "two"
    await accounts.register(ALICE, NOWHERE, {"nick": "al"})
    assert await known() is None
    assert await known("al") == "two"
    await accounts.unregister(ALICE, NOWHERE)
    assert await known("al") is None


async def test_what_was_read_before_a_change_is_not_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = await started(world)
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "ally", "password": "one"})
    assert network.host is not None
    read, held, go_on = world.store.registrations.get, asyncio.Event(), asyncio.Event()

    async def slow(*key: str) -> Any:
        found = await read(*key)
        held.set()
        await go_on.wait()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(world.store.registrations, "get", slow)
        early = asyncio.create_task(network.host.holder("ally"))
        await held.wait()
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "ally", "password": "two"})
    go_on.set()
    await early
    holder = await network.host.holder("ally")
    assert holder is not None
    assert holder.account.secrets == {"password": "two"}


async def test_a_claim_is_refused_to_the_second(world: World) -> None:
    await started(world)
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "ally"})
    with pytest.raises(RegistrationRefused, match="ally is taken"):
        await world.gateway.accounts.register(CAROL, NOWHERE, {"nick": "ally"})
    assert not world.gateway.accounts.is_registered(CAROL)


async def test_a_claim_that_was_given_up_is_nobodys_for_a_while(world: World) -> None:
    await started(world)
    accounts = world.gateway.accounts
    await accounts.register(ALICE, NOWHERE, {"nick": "ally"})
    await accounts.unregister(ALICE, NOWHERE)
    with pytest.raises(RegistrationRefused, match="ally is taken"):
        await accounts.register(CAROL, NOWHERE, {"nick": "ally"})
    await accounts.register(ALICE, NOWHERE, {"nick": "ally"})
    await accounts.unregister(ALICE, NOWHERE)
    await accounts.register(CAROL, NOWHERE, {"nick": "ally"}, by_admin=True)


async def test_a_claim_that_was_given_up_is_anybodys_where_the_admin_says_so(world: World) -> None:
    await world.start(Listening(), claim_days=0)
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "ally"})
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "al"})
    await world.gateway.accounts.register(CAROL, NOWHERE, {"nick": "ally"})
    await world.gateway._prune()
    assert await world.store.claims.of("gw.test", Holder(CAROL, "")) == {"ally"}


async def test_unregistering_forgets_how_far_the_network_was_read(world: World) -> None:
    network = await started(world)
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "ally"})
    await world.until_online(network=NOWHERE)
    await network.session.host.save("inbox", "7")
    account = network.session.account.id
    assert await world.store.cursors.get(account, "inbox") == "7"
    await world.gateway.accounts.unregister(ALICE, NOWHERE)
    assert network.session.over
    assert await world.store.cursors.get(account, "inbox") is None


async def test_it_is_tried_again_and_told_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serving, "AGAIN_SECONDS", 0.001)
    await started(world, fails=3)
    assert caplog.text.count("port 25 is taken") == 1


async def test_it_ends_with_the_gateway(world: World) -> None:
    network = await started(world)
    await world.gateway.stop("over")
    assert network.ended


async def test_one_registration_is_tried_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial may take a minute, and goes out to servers that the user names."""
    network = await started(world)
    accounts = world.gateway.accounts
    going_on = asyncio.Event()

    async def slow(*given: Any) -> Mapping[str, str]:
        await going_on.wait()
        values: Mapping[str, str] = given[1]
        return values

    monkeypatch.setattr(network, "check_registration", slow)
    first = asyncio.create_task(accounts.register(ALICE, NOWHERE, {"nick": "ally"}))
    await until(lambda: world.gateway._registering._turns)
    with pytest.raises(RegistrationRefused, match="still being tried"):
        await accounts.register(ALICE, NOWHERE, {"nick": "al"})
    other = asyncio.create_task(accounts.register(CAROL, NOWHERE, {"nick": "caro"}))
    going_on.set()
    await asyncio.gather(first, other)
    await accounts.register(ALICE, NOWHERE, {"nick": "al"})


async def test_a_stored_secret_is_not_given_to_another_server(world: World) -> None:
    network = Guarded()
    await world.start(network)
    register = world.gateway.accounts.register
    await register(ALICE, NOWHERE, {"server": "one.example", "password": "s3cret"})
    await register(ALICE, NOWHERE, {"server": "One.example ", "password": ""})
    await register(ALICE, NOWHERE, {"server": "two.example", "password": ""})
    assert [each.get("password") for each in network.judged] == ["s3cret", "s3cret", ""]


class Guarded(Network):
    """A network whose form says where its password goes."""

    def __init__(self) -> None:
        super().__init__()
        self.judged: list[dict[str, str]] = []

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        fields = (Field("server", "Server", guarded=True), Field("password", "Password", FieldKind.SECRET))
        return Form("Register", "", fields)

    async def check_registration(
        self, network: NetworkId, values: Mapping[str, str], resolver: object
    ) -> Mapping[str, str]:
        self.judged.append(dict(values))
        return values
