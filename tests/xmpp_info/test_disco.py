"""Service discovery as a real client sees it through Prosody."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from bridge.api import Capabilities, Support
from tests.peers.xmpp_client import XmppClient
from tests.xmpp_info.conftest import DOMAIN, NET, World
from tests.xmpp_info.xml import error, fields, payload

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
COMMANDS = "http://jabber.org/protocol/commands"
MUC = "http://jabber.org/protocol/muc"
RSM = "{http://jabber.org/protocol/rsm}"
NETWORK = f"{NET}@{DOMAIN}"
ROOM = f"#bread%{NET}@{DOMAIN}"


async def info(client: XmppClient, to: str, node: str = "") -> Element:
    at = f" node='{node}'" if node else ""
    return payload(await client.iq(to, f"<query xmlns='{INFO}'{at}/>"))


async def items(client: XmppClient, to: str, node: str = "") -> list[tuple[str, str]]:
    at = f" node='{node}'" if node else ""
    found = payload(await client.iq(to, f"<query xmlns='{ITEMS}'{at}/>"))
    return [(item.get("jid", ""), item.get("name", "")) for item in found.iterfind(f"{{{ITEMS}}}item")]


def features(found: Element) -> set[str]:
    return {feature.get("var", "") for feature in found.iterfind(f"{{{INFO}}}feature")}


def identities(found: Element) -> list[tuple[str, str, str]]:
    return [
        (one.get("category", ""), one.get("type", ""), one.get("name", ""))
        for one in found.iterfind(f"{{{INFO}}}identity")
    ]


async def test_the_gateway_is_seen_by_muc_clients_and_by_gateway_dialogues(
    world: World, alice: XmppClient
) -> None:
    found = await info(alice, DOMAIN)
    assert identities(found) == [("conference", "irc", "Town"), ("gateway", "irc", "Town")]
    wanted = {INFO, ITEMS, MUC, COMMANDS, "jabber:iq:register", "jabber:iq:gateway", "jabber:iq:version"}
    assert wanted <= features(found)
    assert "urn:xmpp:mam:2" not in features(found)


async def test_a_network(world: World, alice: XmppClient) -> None:
    found = await info(alice, NETWORK)
    assert identities(found) == [("conference", "irc", f"Town {NET} over xmpp-bridge")]
    assert "jabber:iq:gateway" not in features(found)


async def test_a_room_tells_more_once_it_is_joined(world: World, alice: XmppClient) -> None:
    found = await info(alice, ROOM)
    name = f"#bread on {NET}"
    assert identities(found) == [("conference", "irc", name), ("conference", "text", name)]
    wanted = {"muc_nonanonymous", "urn:xmpp:sid:0", "urn:xmpp:mam:2", "urn:xmpp:occupant-id:0"}
    assert wanted <= features(found)
    assert "muc#roominfo_occupants" not in fields(found)
    assert await items(alice, ROOM) == []
    jid = await world.join(alice, "#bread")
    joined = fields(await info(alice, jid))
    assert joined["FORM_TYPE"] == [MUC + "#roominfo"]
    assert joined["muc#roominfo_occupants"] == ["2"]
    assert joined["muc#roominfo_subject"] == ["Of bread"]
    assert await items(alice, jid) == [(f"{jid}/Alice", ""), (f"{jid}/Bob", "")]


async def test_nodes_of_a_room(world: World, alice: XmppClient) -> None:
    jid = await world.join(alice, "#bread")
    assert features(await info(alice, jid, MUC + "#traffic")) == {"http://jabber.org/protocol/chatstates"}
    nick = await info(alice, jid, "x-roomuser-item")
    assert identities(nick) == [("conference", "text", "Alice")]
    answer = await alice.iq(jid, f"<query xmlns='{INFO}' node='what'/>")
    assert error(answer)[:2] == ("cancel", "item-not-found")


async def test_occupants(world: World, alice: XmppClient, bob: XmppClient) -> None:
    jid = await world.join(alice, "#bread")
    found = await info(alice, f"{jid}/Bob")
    assert identities(found) == [("client", "pc", "Bob")]
    assert await items(alice, f"{jid}/Bob", MUC + "#rooms") == [(jid, "#bread")]
    assert error(await alice.iq(f"{jid}/Carol", f"<query xmlns='{INFO}'/>"))[1] == "item-not-found"
    assert error(await bob.iq(f"{jid}/Bob", f"<query xmlns='{INFO}'/>"))[1] == "bad-request"
    answer = await alice.iq(f"{jid}/Bob", f"<query xmlns='{ITEMS}' node='{COMMANDS}'/>")
    assert error(answer)[1] == "feature-not-implemented"


async def test_a_contacts_features_follow_its_session(world: World, alice: XmppClient) -> None:
    jid = f"bob%{NET}@{DOMAIN}"
    assert "http://jabber.org/protocol/chatstates" not in features(await info(alice, jid))
    await world.online(alice.bare)
    world.town.live_contact_features = Capabilities(typing=Support.NATIVE)
    assert "http://jabber.org/protocol/chatstates" in features(await info(alice, jid))


@pytest.mark.parametrize("jid", [f"nowhere@{DOMAIN}", f"a%b@{DOMAIN}"])
async def test_what_stands_for_nothing_is_not_found(world: World, alice: XmppClient, jid: str) -> None:
    for namespace in (INFO, ITEMS):
        kind, condition, text = error(await alice.iq(jid, f"<query xmlns='{namespace}'/>"))
        assert (kind, condition) == ("cancel", "item-not-found")
        assert "is in no town" in text


async def test_the_gateway_lists_the_users_own_networks(
    world: World, alice: XmppClient, bob: XmppClient
) -> None:
    assert await items(alice, DOMAIN) == []
    await world.online(alice.bare)
    assert await items(alice, DOMAIN) == [(NETWORK, f"Town {NET}")]
    assert await items(bob, DOMAIN) == []


async def test_caps_can_be_asked_for(world: World, alice: XmppClient) -> None:
    ver = world.information.caps.for_kind("room")
    found = await info(alice, ROOM, f"https://example.test/bridge#{ver}")
    assert found.get("node") == f"https://example.test/bridge#{ver}"
    assert "muc_nonanonymous" in features(found)


# -- the room list


async def page(client: XmppClient, request: str = "") -> tuple[list[str], str, str, str]:
    """The names, index, last and count of one page."""
    asked = f"<set xmlns='{RSM[1:-1]}'>{request}</set>" if request else ""
    found = payload(await client.iq(NETWORK, f"<query xmlns='{ITEMS}'>{asked}</query>"))
    names = [item.get("name", "").split(" ")[0] for item in found.iterfind(f"{{{ITEMS}}}item")]
    rsm = found.find(RSM + "set")
    assert rsm is not None
    first = rsm.find(RSM + "first")
    index = first.get("index", "") if first is not None else ""
    return names, index, rsm.findtext(RSM + "last") or "", rsm.findtext(RSM + "count") or ""


async def test_the_room_list_needs_a_connection(world: World, alice: XmppClient) -> None:
    answer = await alice.iq(NETWORK, f"<query xmlns='{ITEMS}'/>")
    assert error(answer)[:2] == ("wait", "recipient-unavailable")


async def test_the_room_list_in_pages(world: World, alice: XmppClient) -> None:
    world.town.rooms = 120
    await world.online(alice.bare)
    names, index, last, count = await page(alice)
    assert (len(names), names[0], index, count) == (100, "#r000", "0", "120")
    names, index, last, count = await page(alice, f"<max>30</max><after>{last}</after>")
    assert (names[0], names[-1], index, count) == ("#r100", "#r119", "100", "120")
    names, index, _, _ = await page(alice, f"<max>2</max><before>{last}</before>")
    assert (names, index) == (["#r117", "#r118"], "117")
    names, index, _, _ = await page(alice, "<max>2</max><before/>")
    assert (names, index) == (["#r118", "#r119"], "118")
    assert world.town.listed == 1
    assert (await page(alice, "<max>0</max>"))[0] == []
    world.town.rooms = 2
    assert (await page(alice))[3] == "2"
    assert world.town.listed == 2


@pytest.mark.parametrize(
    ("request_", "condition"), [("<max>x</max>", "bad-request"), ("<after>gone</after>", "item-not-found")]
)
async def test_a_bad_page(world: World, alice: XmppClient, request_: str, condition: str) -> None:
    await world.online(alice.bare)
    asked = f"<query xmlns='{ITEMS}'><set xmlns='{RSM[1:-1]}'>{request_}</set></query>"
    assert error(await alice.iq(NETWORK, asked))[1] == condition


async def test_a_listed_room_is_public(world: World, alice: XmppClient) -> None:
    await world.online(alice.bare)
    await page(alice)
    assert "muc_public" in features(await info(alice, f"#r001%{NET}@{DOMAIN}"))
    assert "muc_public" not in features(await info(alice, ROOM))
