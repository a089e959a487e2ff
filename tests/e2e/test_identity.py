"""Who is who in a room (XEP-0421), and on which connection a user comes back after being put out."""

from __future__ import annotations

from slixmpp.xmlstream import StanzaBase

from tests.e2e.scene import Scene
from tests.peers.irc_client import IrcClient
from tests.peers.xmpp_client import message, presence, statuses


def identity(stanza: StanzaBase) -> str:
    return str(stanza.xml.find("{urn:xmpp:occupant-id:0}occupant-id").get("id"))


async def test_an_occupant_id_goes_with_the_person_and_not_with_the_name(scene: Scene) -> None:
    alice = await scene.on_xmpp()
    me = identity(await scene.join(alice))
    bob = await scene.on_irc("bob")
    name, new = f"{scene.room}/{bob.nick}", f"robert{scene.n}"
    his = identity(await alice.wait(presence(name, "")))
    bob.send(f"NICK {new}")
    assert identity(await alice.wait(presence(name, "unavailable"))) == his
    assert identity(await alice.wait(presence(f"{scene.room}/{new}", ""))) == his
    other = await scene.on_irc("bob")
    assert other.nick == bob.nick
    theirs = identity(await alice.wait(presence(name, "")))
    assert theirs not in (his, me)
    bob.say(scene.channel, "still me")
    other.say(scene.channel, "not me")
    assert identity(await alice.wait(message(f"{scene.room}/{new}", "still me"))) == his
    assert identity(await alice.wait(message(name, "not me"))) == theirs
    alice.send(f"<presence to='{scene.room}/al{scene.n}'/>")
    went = await alice.wait(presence(f"{scene.room}/{scene.nick}", "unavailable"))
    came = await alice.wait(presence(f"{scene.room}/al{scene.n}", ""))
    assert {identity(went), identity(came)} == {me}


async def test_put_out_and_back_on_the_same_connection(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    bob.send(f"MODE {scene.channel} +k secret")
    await bob.sync()
    scene.send_join(alice)
    refused = await alice.wait(presence(scene.room, "error"))
    assert refused["error"]["condition"] == "not-authorized"
    # another user of the bridge takes as long to connect as a reconnect would take
    await scene.join(await scene.on_xmpp("carol"), f"carol{scene.n}", f"#other{scene.n}%tls@irc.example.test")
    bob.send(f"MONITOR + {scene.nick}")
    assert " 730 " in await bob.wait_for(r" 73[01] "), "still there after the refusal"
    await scene.join(alice, inner="<password>secret</password>")
    bob.send(f"KICK {scene.channel} {scene.nick} :out")
    out = await alice.wait(presence(f"{scene.room}/{scene.nick}", "unavailable"))
    assert {110, 307} <= statuses(out)
    await scene.join(alice, inner="<password>secret</password>")
    await scene.leave(alice)
    await until_offline(bob, scene.nick)


async def until_offline(watcher: IrcClient, nick: str) -> None:
    """The first that a watcher hears since: nothing came between."""
    line = await watcher.wait_for(lambda line: " 730 " in line or " 731 " in line)
    assert " 731 " in line, line
