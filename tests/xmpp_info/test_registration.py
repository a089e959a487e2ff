"""Registering (XEP-0077) from a real client: the old fields, the form, editing, removing."""

from __future__ import annotations

import pytest

from tests.peers.xmpp_client import XmppClient, presence
from tests.xmpp_info.conftest import DOMAIN, NET, World
from tests.xmpp_info.xml import error, fields, payload, submit

REGISTER = "jabber:iq:register"
NETWORK = f"{NET}@{DOMAIN}"


def query(inner: str = "") -> str:
    return f"<query xmlns='{REGISTER}'>{inner}</query>"


async def registered(client: XmppClient, to: str) -> bool:
    return payload(await client.iq(to, query())).find(f"{{{REGISTER}}}registered") is not None


async def test_the_old_fields(world: World, alice: XmppClient) -> None:
    asked = payload(await alice.iq(DOMAIN, query()))
    names = {child.tag.rpartition("}")[2] for child in asked}
    assert names == {"instructions", "nick", "password", "x"}
    done = await alice.iq(DOMAIN, query("<nick>Ally</nick><password>s3cret</password>"), "set")
    assert done.xml.get("type") == "result"
    assert len(done.xml) == 0
    await alice.wait(presence(DOMAIN, "subscribe"))
    assert world.town.checked == [{"nick": "Ally", "password": "s3cret", "loud": "false"}]
    again = await alice.iq(DOMAIN, query())
    assert payload(again).find(f"{{{REGISTER}}}registered") is not None
    assert payload(again).findtext(f"{{{REGISTER}}}nick") == "Ally"
    assert "s3cret" not in str(again)


async def test_the_form_and_an_edit_that_keeps_the_secret(world: World, alice: XmppClient) -> None:
    asked = fields(payload(await alice.iq(NETWORK, query())))
    assert asked == {
        "FORM_TYPE": [REGISTER], "nick": [], "password": [], "greeting": [], "loud": ["false"], "colour": [],
    }  # fmt: skip
    filled = submit(FORM_TYPE=REGISTER, nick="Ally", password="s3cret", loud="1", colour="r")
    filled = filled.replace("</x>", "<field var='greeting'><value>Hi</value><value>there</value></field></x>")
    assert (await alice.iq(NETWORK, query(filled), "set"))["type"] == "result"
    await alice.wait(presence(NETWORK, "subscribe"))
    assert not await registered(alice, DOMAIN)
    known = await alice.iq(NETWORK, query())
    assert fields(payload(known))["greeting"] == ["Hi", "there"]
    assert fields(payload(known))["loud"] == ["true"]
    assert "s3cret" not in str(known)
    assert (await alice.iq(NETWORK, query(submit(nick="Al", password="")), "set"))["type"] == "result"
    assert world.town.checked[-1]["nick"] == "Al"
    assert world.town.checked[-1]["password"] == "s3cret"


async def test_old_fields_keep_what_they_cannot_say(world: World, alice: XmppClient) -> None:
    await alice.iq(NETWORK, query(submit(nick="Ally", greeting="Hi", loud="true")), "set")
    await alice.iq(NETWORK, query("<nick>Al</nick><password/>"), "set")
    assert world.town.checked[-1] == {"nick": "Al", "password": "", "greeting": "Hi", "loud": "true"}


@pytest.mark.parametrize(
    ("inner", "condition", "named"),
    [
        ("", "not-acceptable", "Name"),
        ("<nick/><password>x</password>", "not-acceptable", "Name"),
        ("<nick>taken</nick>", "not-acceptable", "taken"),
        (submit(nick="a", loud="perhaps"), "bad-request", "Loud"),
        (submit(nick="a", colour="green"), "bad-request", "Colour"),
        (submit(nick="a&#10;b"), "bad-request", "Name"),
    ],
)
async def test_refusals_name_the_field(
    world: World, alice: XmppClient, inner: str, condition: str, named: str
) -> None:
    answer = await alice.iq(NETWORK, query(inner), "set")
    kind, found, text = error(answer)
    assert (kind, found) == ("modify", condition)
    assert named in text
    assert not await registered(alice, NETWORK)


async def test_a_cancelled_form_changes_nothing(world: World, alice: XmppClient) -> None:
    done = await alice.iq(DOMAIN, query("<x xmlns='jabber:x:data' type='cancel'/>"), "set")
    assert done["type"] == "result"
    assert not await registered(alice, DOMAIN)


async def test_removing_one_and_removing_all(world: World, alice: XmppClient, bob: XmppClient) -> None:
    for client in (alice, bob):
        for to in (DOMAIN, NETWORK, f"y.example@{DOMAIN}"):
            await client.iq(to, query(submit(nick="Somebody")), "set")
    assert (await alice.iq(NETWORK, query("<remove/>"), "set"))["type"] == "result"
    assert not await registered(alice, NETWORK)
    assert await registered(alice, DOMAIN)
    assert (await alice.iq(DOMAIN, query("<remove/>"), "set"))["type"] == "result"
    assert not await registered(alice, f"y.example@{DOMAIN}")
    assert await registered(bob, f"y.example@{DOMAIN}")
    answer = await alice.iq(DOMAIN, query("<remove/>"), "set")
    assert error(answer)[1] == "registration-required"
    answer = await bob.iq(DOMAIN, query("<remove/><nick>x</nick>"), "set")
    assert error(answer)[1] == "bad-request"


@pytest.mark.parametrize(
    ("jid", "condition"), [("bob%x.example", "service-unavailable"), ("x", "item-not-found")]
)
async def test_only_the_gateway_and_its_networks_register(
    world: World, alice: XmppClient, jid: str, condition: str
) -> None:
    assert error(await alice.iq(f"{jid}@{DOMAIN}", query()))[1] == condition


async def test_whom_the_gateway_is_not_open_to(world: World, alice: XmppClient, bob: XmppClient) -> None:
    await alice.iq(DOMAIN, query(submit(nick="Ally")), "set")
    world.shut_out()
    no = ("auth", "forbidden", "This gateway is not open to you.")
    for user in (alice, bob):
        for to in (DOMAIN, NETWORK):
            assert error(await user.iq(to, query())) == no
            assert error(await user.iq(to, query(submit(nick="Bob")), "set")) == no
    assert error(await bob.iq(DOMAIN, query("<remove/>"), "set")) == no
    assert (await alice.iq(DOMAIN, query("<remove/>"), "set"))["type"] == "result"
    assert error(await alice.iq(DOMAIN, query("<remove/>"), "set")) == no
