"""People on IRC as contacts: what their clients and ours tell each other, and the roster."""

from __future__ import annotations

import asyncio

from tests.e2e.scene import Scene
from tests.peers.bridge import DOMAIN
from tests.peers.xmpp_client import message, presence

VERSION = "jabber:iq:version"


async def test_versions_are_asked_across(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    alice.client.register_plugin("xep_0092", {"software_name": "TestClient", "version": "7", "os": "Plan 9"})
    await scene.join(alice)
    bob.say(scene.nick, "\x01VERSION\x01")
    told = await bob.wait_for(rf"^:{scene.nick}!\S+ NOTICE {bob.nick} ")
    assert told.split(" :", 1)[1] == "\x01VERSION TestClient (through xmpp-bridge) 7 Plan 9\x01"
    asking = asyncio.ensure_future(alice.iq(scene.puppet(bob.nick), f"<query xmlns='{VERSION}'/>"))
    await bob.wait_for(rf"^:{scene.nick}!\S+ PRIVMSG {bob.nick} :\x01VERSION\x01")
    bob.send(f"NOTICE {scene.nick} :\x01VERSION irssi 1.4\x01")
    answer = await asking
    assert answer.xml.findtext(f"{{{VERSION}}}query/{{{VERSION}}}name") == "irssi 1.4"


async def test_pings_are_passed_across(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    bob.say(scene.nick, "\x01PING 12345\x01")
    await bob.wait_for(rf"^:{scene.nick}!\S+ NOTICE {bob.nick} :\x01PING 12345\x01")
    asking = asyncio.ensure_future(alice.iq(scene.puppet(bob.nick), "<ping xmlns='urn:xmpp:ping'/>"))
    asked = await bob.wait_for(rf"^:{scene.nick}!\S+ PRIVMSG {bob.nick} :\x01PING ")
    bob.send(f"NOTICE {scene.nick} :{asked.split(' :', 1)[1]}")
    assert (await asking)["type"] == "result"


async def test_a_person_in_the_roster_shows_while_a_room_is_shared(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await alice.roster()
    await scene.join(alice)
    puppet = scene.puppet(bob.nick)
    alice.send(f"<presence to='{puppet}' type='subscribe'/>")
    await alice.wait(presence(puppet, "subscribed"))
    await alice.wait(presence(puppet, ""))
    bob.send(f"PART {scene.channel}")
    await alice.wait(presence(puppet, "unavailable"))
    bob.send(f"JOIN {scene.channel}")
    await alice.wait(presence(puppet, ""))
    assert (await alice.roster())[puppet] == "to"


async def test_the_gateway_in_the_roster_tells_when_it_is_there(scene: Scene) -> None:
    alice = await scene.on_xmpp()
    await alice.roster()
    alice.send(f"<presence to='{DOMAIN}' type='subscribe'/>")
    await alice.wait(presence(DOMAIN, "subscribed"))
    await alice.wait(presence(DOMAIN, ""))
    await alice.wait(presence(DOMAIN, "subscribe"))


async def test_a_line_for_the_server_is_a_command(scene: Scene) -> None:
    alice = await scene.on_xmpp()
    await scene.join(alice)
    alice.say(f"tls@{DOMAIN}", "version")
    told = await alice.wait(lambda s: message(f"tls@{DOMAIN}")(s) and "InspIRCd-3. " in s["body"])
    assert told["type"] == "chat"


async def test_quitting_by_hand_leaves_the_rooms(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    alice.say(f"tls@{DOMAIN}", "QUIT :enough")
    await alice.wait(presence(f"{scene.room}/{scene.nick}", "unavailable"))
    await bob.wait_for(rf"^:{scene.nick}!\S+ QUIT :.*enough")
    assert not any(s["body"].startswith("ERROR") for s in alice.stanzas if s.name == "message")


async def test_quitting_by_hand_is_for_good(scene: Scene) -> None:
    """A kept room does not bring the account back; asking for it does."""
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    await alice.roster()
    alice.send(f"<presence to='{scene.room}' type='subscribe'/>")
    await alice.wait(presence(scene.room, "subscribed"))
    alice.say(f"tls@{DOMAIN}", "QUIT :enough")
    await bob.wait_for(rf"^:{scene.nick}!\S+ QUIT :.*enough")
    await alice.wait(
        lambda s: message(f"tls@{DOMAIN}")(s) and "To come back" in s["body"], what="the way back"
    )
    await alice.wait(presence(f"{scene.room}/{scene.nick}", "unavailable"))
    alice.say(DOMAIN, "status")
    await alice.wait(lambda s: message(DOMAIN)(s) and "tls: not connected" in s["body"], what="the status")
    await scene.join(alice)


async def test_who_leaves_does_not_shut_the_gateway_down(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    await scene.leave(alice)
    await bob.wait_for(rf"^:{scene.nick}!\S+ QUIT :(Quit: )?Leaving$")
