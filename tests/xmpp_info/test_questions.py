"""Prompt, vCards, version, ping, last activity and time, asked by a real client."""

from __future__ import annotations

import pytest

from tests.peers.xmpp_client import XmppClient
from tests.xmpp_info.conftest import DOMAIN, NET, World
from tests.xmpp_info.xml import error, payload

PROMPT = "jabber:iq:gateway"
VCARD = "vcard-temp"
VCARD4 = "urn:ietf:params:xml:ns:vcard-4.0"
VERSION = "<query xmlns='jabber:iq:version'/>"
PING = "<ping xmlns='urn:xmpp:ping'/>"
LAST = "<query xmlns='jabber:iq:last'/>"
TIME = "<time xmlns='urn:xmpp:time'/>"
NETWORK = f"{NET}@{DOMAIN}"
BOB = f"bob%{NET}@{DOMAIN}"
CAROL = f"carol%{NET}@{DOMAIN}"


async def test_the_prompt(world: World, alice: XmppClient) -> None:
    asked = payload(await alice.iq(DOMAIN, f"<query xmlns='{PROMPT}'/>"))
    assert (asked.findtext(f"{{{PROMPT}}}prompt") or "").startswith("Who in which town")
    typed = f"<query xmlns='{PROMPT}'><prompt> Bob%{NET} </prompt></query>"
    answer = payload(await alice.iq(DOMAIN, typed, "set"))
    assert answer.findtext(f"{{{PROMPT}}}jid") == BOB
    assert answer.findtext(f"{{{PROMPT}}}prompt") == BOB


@pytest.mark.parametrize(
    ("inner", "condition"),
    [
        ("<prompt>bob</prompt>", "not-acceptable"),
        ("<prompt/>", "not-acceptable"),
        ("", "bad-request"),
        (f"<prompt>{'x' * 5000}%{NET}</prompt>", "not-acceptable"),
    ],
)
async def test_a_prompt_that_means_nothing(
    world: World, alice: XmppClient, inner: str, condition: str
) -> None:
    answer = await alice.iq(DOMAIN, f"<query xmlns='{PROMPT}'>{inner}</query>", "set")
    assert error(answer)[:2] == ("modify", condition)
    assert error(answer)[2]


async def test_a_contacts_card(world: World, alice: XmppClient) -> None:
    asked = f"<vCard xmlns='{VCARD}'/>"
    offline = payload(await alice.iq(BOB, asked))
    assert offline.findtext(f"{{{VCARD}}}FN") == "bob"
    assert offline.find(f"{{{VCARD}}}EMAIL") is None
    await world.online(alice.bare)
    online = payload(await alice.iq(BOB, asked))
    assert online.findtext(f"{{{VCARD}}}FN") == "Bob <Baker>"
    assert online.findtext(f"{{{VCARD}}}EMAIL/{{{VCARD}}}USERID") == "bob@town.example"
    four = payload(await alice.iq(BOB, f"<vcard xmlns='{VCARD4}'/>"))
    assert four.findtext(f"{{{VCARD4}}}fn/{{{VCARD4}}}text") == "Bob <Baker>"
    unknown = payload(await alice.iq(CAROL, asked))
    assert unknown.findtext(f"{{{VCARD}}}FN") == "carol"


async def test_other_cards(world: World, alice: XmppClient) -> None:
    asked = f"<vCard xmlns='{VCARD}'/>"
    names = {}
    for jid in (DOMAIN, NETWORK, f"#bread%{NET}@{DOMAIN}"):
        names[jid] = payload(await alice.iq(jid, asked)).findtext(f"{{{VCARD}}}FN")
    assert list(names.values()) == ["Town", f"Town {NET}", "#bread"]
    assert error(await alice.iq(DOMAIN, asked, "set"))[1] == "forbidden"


async def test_version(world: World, alice: XmppClient) -> None:
    for jid in (DOMAIN, NETWORK):
        found = payload(await alice.iq(jid, VERSION))
        assert found.findtext("{jabber:iq:version}name") == "xmpp-bridge"
        assert found.findtext("{jabber:iq:version}version") == "1.2"
        assert found.find("{jabber:iq:version}os") is None
    assert error(await alice.iq(BOB, VERSION))[1] == "recipient-unavailable"
    await world.online(alice.bare)
    assert payload(await alice.iq(BOB, VERSION)).findtext("{jabber:iq:version}name") == "Pen"
    assert error(await alice.iq(CAROL, VERSION))[1] == "item-not-found"


async def test_ping(world: World, alice: XmppClient) -> None:
    assert (await alice.iq(DOMAIN, PING))["type"] == "result"
    assert error(await alice.iq(NETWORK, PING))[1] == "service-unavailable"
    assert error(await alice.iq(BOB, PING))[1] == "recipient-unavailable"
    await world.online(alice.bare)
    assert (await alice.iq(NETWORK, PING))["type"] == "result"
    assert (await alice.iq(BOB, PING))["type"] == "result"
    assert error(await alice.iq(CAROL, PING))[1] == "item-not-found"
    assert error(await alice.iq(f"nowhere@{DOMAIN}", PING))[1] == "item-not-found"
    assert error(await alice.iq(f"#bread%{NET}@{DOMAIN}/Alice", PING))[1] == "not-acceptable"


async def test_last_activity_and_time(world: World, alice: XmppClient) -> None:
    world.clock.now += 62
    assert payload(await alice.iq(DOMAIN, LAST)).get("seconds") == "62"
    assert (payload(await alice.iq(DOMAIN, TIME)).findtext("{urn:xmpp:time}utc") or "").endswith("Z")
    for asked in (LAST, TIME):
        assert error(await alice.iq(BOB, asked))[1] == "feature-not-implemented"


async def test_what_nobody_answers_is_not_implemented(world: World, alice: XmppClient) -> None:
    assert error(await alice.iq(DOMAIN, "<query xmlns='jabber:iq:private'/>"))[1] == "feature-not-implemented"
