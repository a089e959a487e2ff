"""Settings that only an admin gives."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bridge.api import Field, FieldKind, Form, NetworkId, RegistrationRefused
from tests.core.conftest import ALICE, World
from tests.core.test_serving import NOWHERE, Listening, started


class Numbered(Listening):
    """Accounts have a number, which only the admin gives, and a key that goes with it."""

    needed = False

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        fields = (
            Field("nick", "Nick", default=known.get("nick", "")),
            Field("number", "Number", required=self.needed, default=known.get("number", "0"), admin=True),
            Field("key", "Key", FieldKind.SECRET, admin=True),
        )
        return Form("Register", "", fields)


async def register(world: World, by_admin: bool = False, **values: str) -> dict[str, str]:
    await world.gateway.accounts.register(ALICE, NOWHERE, values, by_admin=by_admin)
    found = await world.store.registrations.get("gw.test", ALICE, "")
    assert found is not None
    return {**found.settings, **found.secrets}


async def test_users_neither_see_nor_say_it(world: World) -> None:
    await world.start(Numbered())
    assert await register(world, nick="al", number="7", key="k") == {"nick": "al", "number": "0"}
    assert await register(world, by_admin=True, nick="al", number="1", key="k") == {
        "nick": "al", "number": "1", "key": "k",
    }  # fmt: skip
    assert await register(world, nick="ally", number="7", key="x") == {
        "nick": "ally", "number": "1", "key": "k",
    }  # fmt: skip
    form = await world.gateway.accounts.form(ALICE, NOWHERE)
    assert [field.name for field in form.fields] == ["nick"]
    form = await world.gateway.accounts.form(ALICE, NOWHERE, by_admin=True)
    assert [field.default for field in form.fields] == ["ally", "1", ""]


async def test_what_only_an_admin_can_fill_in_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Numbered, "needed", True)
    await world.start(Numbered())
    assert (await register(world, nick="al"))["number"] == "0", "what the form has as default"
    with pytest.raises(RegistrationRefused, match=r"Number is missing\.$"):
        await register(world, by_admin=True, nick="al")
    monkeypatch.setattr(Numbered, "registration", without_default)
    await world.gateway.accounts.unregister(ALICE, NOWHERE)
    with pytest.raises(RegistrationRefused, match="only an admin can fill that in"):
        await register(world, nick="al")


def without_default(self: Numbered, network: NetworkId, known: Mapping[str, str]) -> Form:
    return Form("Register", "", (Field("number", "Number", required=True, admin=True),))


async def test_what_the_configuration_says_stays(world: World) -> None:
    network = Numbered()
    await world.start(network)
    await world.gateway._serving.enrol(ALICE, NOWHERE, {"number": "5"})
    assert await register(world, nick="al") == {"nick": "al", "number": "5"}


async def test_a_claim_of_an_admins_field(world: World) -> None:
    network = await started(world)
    await world.gateway.accounts.register(ALICE, NOWHERE, {"nick": "ally"}, by_admin=True)
    assert network.host is not None
    assert await network.host.holder("ally") is not None
