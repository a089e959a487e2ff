"""A gateway to one IRC server: its own JID stands for that server, too."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.scene import Scene
from tests.peers.bridge import DOMAIN, Bridge, BridgeSetup, network, running_bridge
from tests.peers.ejabberd import Ejabberd
from tests.peers.inspircd import Inspircd
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import message, presence

ITEMS = "http://jabber.org/protocol/disco#items"
RSM = "http://jabber.org/protocol/rsm"
PING = "<ping xmlns='urn:xmpp:ping'/>"

_numbers = itertools.count(9001)


@pytest.fixture(scope="module")
def bridge(server: Prosody | Ejabberd, inspircd: Inspircd) -> Iterator[Bridge]:
    """A bridge with one network, which nobody names."""
    options = 'fixed_server = "irc.fixed.test"\n'
    networks = network("irc.fixed.test", inspircd.port)
    with running_bridge(server, BridgeSetup(networks=networks, options=options)) as process:
        yield process


class OneNetwork(Scene):
    """Addresses without a network in them."""

    def room_jid(self, channel: str | None = None, network: str = "") -> str:
        return f"{channel or self.channel}@{DOMAIN}"

    def puppet(self, nick: str, network: str = "") -> str:
        return f"{nick}@{DOMAIN}"


@pytest.fixture
async def scene(bridge: Bridge, server: Prosody | Ejabberd, inspircd: Inspircd) -> AsyncIterator[OneNetwork]:
    scene = OneNetwork(server, bridge, inspircd, next(_numbers))
    try:
        yield scene
    finally:
        await scene.close()


async def test_what_is_no_command_goes_to_the_network(scene: OneNetwork) -> None:
    zoe = await scene.on_irc("zoe")
    alice = await scene.on_xmpp()
    alice.say(DOMAIN, f"whois {zoe.nick}")  # which connects
    told = await alice.wait(lambda s: message(DOMAIN)(s) and f"{zoe.nick}" in s["body"])
    assert str(told["from"]) == DOMAIN
    await alice.wait(lambda s: message(DOMAIN)(s) and "End of /WHOIS list" in s["body"])
    alice.say(DOMAIN, "ping")
    await alice.wait(message(DOMAIN, body="Pong"))
    alice.say(DOMAIN, "status")
    await alice.wait(lambda s: message(DOMAIN)(s) and "connected as" in s["body"])


async def test_a_command_of_ours_stays_here(scene: OneNetwork) -> None:
    alice = await scene.on_xmpp()
    alice.say(DOMAIN, "unregister")
    await alice.wait(lambda s: message(DOMAIN)(s) and "say “register” first" in s["body"])
    alice.say(DOMAIN, "status")
    await alice.wait(lambda s: message(DOMAIN)(s) and "You are not connected." in s["body"])


async def test_no_chat_states_come_from_where_nobody_sends_any(scene: OneNetwork) -> None:
    zoe = await scene.on_irc("zoe")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    zoe.say(scene.nick, "psst")
    heard = await alice.wait(message(scene.puppet(zoe.nick), body="psst"))
    assert "http://jabber.org/protocol/chatstates" not in str(heard)


async def test_the_gateway_lists_the_rooms(scene: OneNetwork) -> None:
    channels = [f"{scene.channel}-{letter}" for letter in "abc"]
    for letter, channel in zip("abc", channels, strict=True):
        await scene.on_irc(f"owner{letter}", channel)
    alice = await scene.on_xmpp()
    query = "<query xmlns='{}'><set xmlns='{}'><max>2</max>{}</set></query>"
    offline = await alice.iq(DOMAIN, query.format(ITEMS, RSM, ""))
    assert offline["error"]["condition"] == "recipient-unavailable"
    assert (await alice.iq(DOMAIN, PING))["type"] == "result"
    await scene.join(alice)
    found: list[str] = []
    after = ""
    while True:
        page = await alice.iq(DOMAIN, query.format(ITEMS, RSM, after))
        items = [item.get("jid", "") for item in page.xml.iter(f"{{{ITEMS}}}item")]
        if not items:
            break
        assert len(items) <= 2
        found += items
        after = f"<after>{page.xml.findtext(f'.//{{{RSM}}}last')}</after>"
    assert {scene.room, *map(scene.room_jid, channels)} <= set(found)


async def test_the_gateway_stays_in_the_roster_without_its_network(scene: OneNetwork) -> None:
    alice = await scene.on_xmpp()
    await alice.roster()
    alice.send(f"<presence to='{DOMAIN}' type='subscribe'/>")
    await alice.wait(presence(DOMAIN, "subscribed"))
    await alice.wait(presence(DOMAIN, ""))
    await scene.join(alice)
    alice.say(DOMAIN, "disconnect")
    await alice.wait(lambda s: message(DOMAIN)(s) and "Disconnected from" in s["body"])
    await alice.sync()
    assert not any(presence(DOMAIN, "unavailable")(stanza) for stanza in alice.stanzas)
