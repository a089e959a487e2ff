"""What is in memory of registrations: settings, for backends that need them at each message."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.api import ContactAddress, NetworkId
from tests.core.conftest import ALICE, NET, World
from tests.core.network import Network
from tests.core.test_serving import CAROL, NOWHERE


class Own(Network):
    """Everybody has names of their own for people."""

    def normalise(self, address: ContactAddress, settings: Mapping[str, str]) -> ContactAddress:
        return address


async def test_settings_of_the_gateway_and_of_the_network(world: World) -> None:
    await world.start(Own())
    accounts = world.gateway.accounts
    known = accounts.known_settings
    await accounts.register(ALICE, NOWHERE, {"nick": "al", "password": "pw"})
    assert known(ALICE, NET) is known(ALICE, NOWHERE), "nothing is made for each message"
    await world.gateway._serving.enrol(ALICE, NET, {"nick": "", "line": "1"})
    for _ in range(2):
        known = world.gateway.accounts.known_settings
        assert known(ALICE, NOWHERE) == {"nick": "al"}
        assert known(ALICE, NET) == {"nick": "al", "line": "1"}
        assert known(ALICE, NetworkId("other")) == {"nick": "al"}
        assert known(CAROL, NET) == {}
        await world.kill()
        await world.start(Own())
    account = await world.gateway._pool._register.account(world.live())
    assert account.settings == world.gateway.accounts.known_settings(ALICE, NET)
    await world.gateway.accounts.unregister(ALICE, NET)
    assert world.gateway.accounts.known_settings(ALICE, NET) == {"nick": "al"}
    await world.gateway.accounts.unregister(ALICE, NOWHERE)
    assert world.gateway.accounts.known_settings(ALICE, NET) == {}


async def test_nobody_else_pays_for_it(world: World) -> None:
    await world.start()
    await world.gateway.accounts.register(ALICE, NET, {"nick": "al"})
    assert world.gateway._pool._register._settings == {}


async def test_what_the_prompt_is_told(world: World) -> None:
    await world.start()
    assert await world.gateway.accounts.settings(ALICE) == {}
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "al", "password": "pw"})
    await world.gateway.accounts.register(ALICE, NET, {"nick": "ally"})
    assert await world.gateway.accounts.settings(ALICE) == {"nick": "al"}
