"""What only an admin may do: register others, and fill in what users' own forms do not have."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import msgspec
import pytest

from tests.peers.xmpp_client import XmppClient, presence
from tests.xmpp_info.conftest import DOMAIN, NET, World
from tests.xmpp_info.test_adhoc import note, run
from tests.xmpp_info.test_chat import say
from tests.xmpp_info.xml import fields, payload, submit

ALICE = "alice@example.test"
NETWORK = f"{NET}@{DOMAIN}"


async def begun(bob: XmppClient, **whom: str) -> tuple[Element, str]:
    """The form for a user, and the dialogue's id."""
    session = (await run(bob, DOMAIN, "register-user")).get("sessionid", "")
    return await run(bob, DOMAIN, "register-user", submit(**whom), sessionid=session), session


async def by_form(bob: XmppClient, values: dict[str, str], **whom: str) -> str:
    _, session = await begun(bob, **whom)
    return note(await run(bob, DOMAIN, "register-user", submit(**values), sessionid=session))


async def settings(world: World, network: str = "") -> dict[str, str]:
    known = await world.gateway.accounts.registrations(ALICE)
    return next((one.settings for one in known if one.network == network), {})


async def test_an_admin_registers_a_user(world: World, alice: XmppClient, bob: XmppClient) -> None:
    world.town.ranks = True
    asked, session = await begun(bob, jid="Alice@Example.Test/phone", network="")
    assert "rank" in fields(asked)
    filled = submit(nick="Ally", password="s3cret", rank="mayor")
    done = await run(bob, DOMAIN, "register-user", filled, sessionid=session)
    assert note(done) == f"{ALICE} is registered with {DOMAIN}."
    await alice.wait(presence(DOMAIN, "subscribe"))
    assert world.town.checked == [{"nick": "Ally", "password": "s3cret", "rank": "mayor"}]
    assert await settings(world) == {"nick": "Ally", "rank": "mayor"}


async def test_a_users_own_registration_keeps_what_the_admin_said(
    world: World, alice: XmppClient, bob: XmppClient
) -> None:
    world.town.ranks = True
    await by_form(bob, {"nick": "Ally", "rank": "mayor"}, jid=ALICE, network=NET)
    asked = payload(await alice.iq(NETWORK, "<query xmlns='jabber:iq:register'/>"))
    assert "rank" not in fields(asked)
    assert fields(asked)["nick"] == ["Ally"]
    mine = f"<query xmlns='jabber:iq:register'>{submit(nick='Al', rank='king')}</query>"
    assert (await alice.iq(NETWORK, mine, "set"))["type"] == "result"
    assert world.town.checked[-1]["rank"] == "mayor"
    assert await settings(world, NET) == {"nick": "Al", "rank": "mayor"}
    again, _ = await begun(bob, jid=ALICE, network=NET)
    assert (fields(again)["rank"], fields(again)["nick"]) == (["mayor"], ["Al"])
    changed = await by_form(bob, {"nick": "Al", "rank": "baker"}, jid=ALICE, network=NET)
    assert changed == f"The registration of {ALICE} was changed: Town {NET}"
    assert await settings(world, NET) == {"nick": "Al", "rank": "baker"}


async def test_who_could_not_register_is_registered(world: World, alice: XmppClient, bob: XmppClient) -> None:
    world.shut_out()
    ground = world.gateway._ground
    ground.settings = msgspec.structs.replace(ground.settings, registration_open=False)
    assert await by_form(bob, {"nick": "Ally"}, jid=ALICE) == f"{ALICE} is registered with {DOMAIN}."
    await alice.wait(presence(DOMAIN, "subscribe"))


async def test_it_is_tried_as_usual(world: World, bob: XmppClient) -> None:
    _, session = await begun(bob, jid=ALICE)
    taken = await run(bob, DOMAIN, "register-user", submit(nick="taken"), sessionid=session)
    assert (taken.get("status"), note(taken)) == ("executing", "That name is taken.")
    done = await run(bob, DOMAIN, "register-user", submit(nick="free"), sessionid=session)
    assert done.get("status") == "completed"


@pytest.mark.parametrize(
    ("whom", "why"),
    [
        ({"jid": "@@"}, "That is not a JID."),
        ({"jid": "example.test"}, "Only people can be registered."),
        ({"jid": ALICE, "network": "nowhere"}, "nowhere is in no town"),
    ],
)
async def test_nobody(world: World, bob: XmppClient, whom: dict[str, str], why: str) -> None:
    refused, _ = await begun(bob, **whom)
    assert (refused.get("status"), note(refused)) == ("executing", why)


async def unregister(bob: XmppClient, **whom: str) -> str:
    session = (await run(bob, DOMAIN, "unregister-user")).get("sessionid", "")
    return note(await run(bob, DOMAIN, "unregister-user", submit(**whom), sessionid=session))


async def test_unregistering_a_user(world: World, alice: XmppClient, bob: XmppClient) -> None:
    await by_form(bob, {"nick": "Ally"}, jid=ALICE, network=NET)
    await alice.wait(presence(NETWORK, "subscribe"))
    assert await unregister(bob, jid=ALICE, network="y.example") == f"{ALICE} is not registered there."
    assert await unregister(bob, jid=ALICE) == f"The registration of {ALICE} was removed."
    assert not world.gateway.accounts.is_registered(ALICE)
    assert world.gateway.roster._known == {}
    assert await unregister(bob, jid=ALICE) == f"{ALICE} is not registered there."


async def test_by_chat(world: World, alice: XmppClient, bob: XmppClient) -> None:
    world.town.ranks = True
    assert "for the gateway's admins" in await say(alice, f"register-user {ALICE}")
    assert (await say(bob, f"register-user {ALICE} {NET}")).endswith("Name (required)?")
    assert await say(bob, "Ally") == "Password?"
    assert "Greeting" in await say(bob, "-")
    done = await say(bob, f"register-user {ALICE} {NET} nick=Ally rank=mayor")
    assert done.endswith(f"{ALICE} is registered with Town {NET}.")
    assert await settings(world, NET) == {"nick": "Ally", "loud": "false", "rank": "mayor"}
    assert await say(bob, f"unregister-user {ALICE}") == f"The registration of {ALICE} was removed."
    assert await say(bob, f"unregister-user {ALICE}") == f"{ALICE} is not registered there."
