"""Users whom the admin's configuration names: registered by their backend, whatever they did or may do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from bridge.api import ConnectionLost, GatewayHost, NetworkId
from bridge.store.errors import StoreDown
from bridge.store.vault import Vault, generate_key
from tests.core.conftest import ALICE, World
from tests.core.face import DOMAIN, until
from tests.core.test_serving import CAROL, NOWHERE, Listening, started

ASKED = (ALICE, DOMAIN, "subscribe")


async def host_of(world: World, **settings: Any) -> GatewayHost:
    """What the backend is given, on a gateway with these settings."""
    network = Listening()
    await world.start(network, **settings)
    await until(lambda: network.host)
    assert network.host is not None
    return network.host


async def holds(host: GatewayHost, claim: str) -> str | None:
    holder = await host.holder(claim)
    return holder and holder.account.user


async def registered(world: World, user: str = ALICE) -> dict[str, str]:
    (one,) = await world.gateway.accounts.registrations(user)
    return one.settings


def asked(world: World) -> list[tuple[str, ...]]:
    return [call.args for call in world.face.of("subscription") if call.args[2] == "subscribe"]


async def test_somebody_who_was_never_here(world: World) -> None:
    host = await host_of(world, allowed_users=(), registration_open=False)
    await host.enrol("Alice@Example.Test", NOWHERE, {"nick": "ally", "line": "1"})
    assert await registered(world) == {"nick": "ally", "line": "1"}
    assert await holds(host, "ally") == ALICE
    assert asked(world) == [ASKED]
    await world.until_online(network=NOWHERE)
    assert world.network.session.account.settings["line"] == "1"


async def test_the_same_again_changes_nothing(world: World) -> None:
    host = await host_of(world)
    await host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    await world.until_online(network=NOWHERE)
    await world.at_rest()
    written = world.store.writer.submitted
    await host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    await host.enrol(ALICE, NOWHERE, {"nick": "ally"}, ["ally"])
    assert world.store.writer.submitted == written
    assert len(world.network.sessions) == 1
    assert asked(world) == [ASKED]
    await world.kill()
    host = await host_of(world)
    await host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    assert asked(world) == [], "they were asked before the restart"


async def test_what_the_user_registered_stays(world: World) -> None:
    host = await host_of(world)
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "al", "password": "pw"})
    await host.enrol(ALICE, NOWHERE, {"line": "1"})
    assert await registered(world) == {"nick": "al", "line": "1"}
    await host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    assert await registered(world) == {"nick": "ally", "line": "1"}
    assert (await holds(host, "ally"), await holds(host, "al")) == (ALICE, None)
    await until(lambda: len(world.network.sessions) == 3)
    assert world.network.session.account.secrets == {"password": "pw"}
    holder = await host.holder("ally")
    assert holder is not None
    assert holder.account.settings["line"] == "1"


async def test_secrets_that_cannot_be_read_stay_for_when_they_can(world: World) -> None:
    host = await host_of(world)
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "al", "password": "pw"})
    right = world.store.registrations._vault
    world.store.registrations._vault = Vault([generate_key()])
    await host.enrol(ALICE, NOWHERE, {"line": "1"})
    world.store.registrations._vault = right
    found = await world.store.registrations.get(DOMAIN, ALICE, "")
    assert found is not None
    assert (found.settings, found.secrets) == ({"nick": "al", "line": "1"}, {"password": "pw"})


async def test_a_claim_is_taken_from_another(world: World, caplog: pytest.LogCaptureFixture) -> None:
    host = await host_of(world)
    await world.gateway.accounts.register(CAROL, NOWHERE, {"nick": "ally"})
    assert await holds(host, "ally") == CAROL
    await host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    assert await holds(host, "ally") == ALICE
    assert f"ally was {CAROL}'s, and is {ALICE}'s now" in caplog.text
    await world.gateway.accounts.unregister(CAROL, NOWHERE)
    assert await holds(host, "ally") == ALICE


async def test_claims_of_their_own(world: World) -> None:
    host = await host_of(world)
    await host.enrol(ALICE, NOWHERE, {"nick": "ally"}, ["one", "two"])
    assert [await holds(host, claim) for claim in ("one", "two", "ally")] == [ALICE, ALICE, None]
    await host.enrol(ALICE, NOWHERE, {}, ["two"])
    assert [await holds(host, claim) for claim in ("one", "two")] == [None, ALICE]
    assert len(world.network.sessions) == 1, "the settings are the same"


async def test_they_are_asked_when_the_link_is_up(world: World) -> None:
    network = Listening()
    await world.start(network, link=False)
    await until(lambda: network.host)
    assert network.host is not None
    await network.host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    assert asked(world) == []
    await world.kill()
    again = Listening()
    await world.start(again, link=False)
    await until(lambda: again.host)
    assert again.host is not None
    await again.host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    world.gateway.link_up()
    world.gateway.link_down("gone")
    world.gateway.link_up()
    assert asked(world) == [ASKED]


async def test_who_said_no_is_not_asked_again(world: World) -> None:
    host = await host_of(world)
    await host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    world.gateway.roster.unsubscribed(ALICE, DOMAIN)
    await host.enrol(ALICE, NOWHERE, {"nick": "al"})
    assert asked(world) == [ASKED]


async def test_who_says_yes_sees_the_gateway(world: World) -> None:
    host = await host_of(world)
    await host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    world.gateway.roster.subscribed(ALICE, DOMAIN)
    assert world.face.of("puppet_presence", ALICE, DOMAIN)[-1].args == (ALICE, DOMAIN, True)


@pytest.mark.parametrize("user", ["alice", "alice@example.test/phone", ""])
async def test_not_a_user(world: World, user: str) -> None:
    host = await host_of(world)
    with pytest.raises(ValueError, match="bare JID"):
        await host.enrol(user, NOWHERE, {})


async def test_no_secrets(world: World) -> None:
    host = await host_of(world)
    with pytest.raises(ValueError, match="password: a secret"):
        await host.enrol(ALICE, NOWHERE, {"password": "pw"})


async def test_a_store_that_is_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def out(*given: object) -> None:
        raise StoreDown("out")

    host = await host_of(world)
    monkeypatch.setattr(world.store.registrations, "amend", out)
    with pytest.raises(ConnectionLost, match="database"):
        await host.enrol(ALICE, NOWHERE, {"nick": "ally"})
    assert not world.gateway.accounts.is_registered(ALICE)


async def test_a_registration_that_is_being_tried_does_not_undo_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = await started(world)
    assert network.host is not None
    judging, go_on = asyncio.Event(), asyncio.Event()

    async def slow(of: NetworkId, values: Mapping[str, str], resolver: object) -> Mapping[str, str]:
        judging.set()
        await go_on.wait()
        return values

    monkeypatch.setattr(network, "check_registration", slow)
    trying = asyncio.create_task(world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "al"}))
    await judging.wait()
    enrolling = asyncio.create_task(network.host.enrol(ALICE, NOWHERE, {"line": "1"}))
    await asyncio.sleep(0)
    assert not enrolling.done()
    go_on.set()
    assert await trying is True
    await enrolling
    assert await registered(world) == {"nick": "al", "line": "1"}
