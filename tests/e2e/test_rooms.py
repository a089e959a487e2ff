"""An IRC channel as a room, on both XMPP servers."""

from __future__ import annotations

from tests.e2e.scene import MUC, Scene, is_subject
from tests.peers.xmpp_client import message, presence, statuses

USER = "{http://jabber.org/protocol/muc#user}"


async def test_join_shows_who_is_there_then_oneself_then_the_subject(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    bob.send(f"TOPIC {scene.channel} :what we talk about")
    await bob.sync()
    alice = await scene.on_xmpp()
    scene.send_join(alice)
    other = await alice.wait(presence(f"{scene.room}/{bob.nick}"))
    item = other.xml.find(f"{USER}x/{USER}item")
    assert (item.get("affiliation"), item.get("role")) == ("admin", "moderator")
    assert item.get("jid").startswith(f"{bob.nick}%tls@irc.example.test/")
    me = await alice.wait(presence(f"{scene.room}/{scene.nick}"))
    assert {100, 110, 210} <= statuses(me)
    subject = await alice.wait(is_subject(scene.room))
    assert subject.xml.findtext("{jabber:client}subject") == "what we talk about"
    assert str(subject["from"]) == f"{scene.room}/{bob.nick}"
    await bob.wait_for(rf"^:{scene.nick}!\S+ JOIN :?{scene.channel}")


async def test_messages_both_ways_with_reflection_to_every_resource(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    first, second = await scene.on_xmpp(resource="one"), await scene.on_xmpp(resource="two")
    await scene.join(first)
    await scene.join(second)
    bob.say(scene.channel, "hello <there> & \x02bold\x02")
    for client in (first, second):
        heard = await client.wait(message(f"{scene.room}/{bob.nick}", kind="groupchat"))
        assert heard["body"] == "hello <there> & bold"
        assert heard.xml.find("{urn:xmpp:sid:0}stanza-id").get("by") == scene.room
    sent = first.say(scene.room, "grüße 🌻", "groupchat")
    assert "grüße 🌻" in await bob.wait_for(rf"^:{scene.nick}!\S+ PRIVMSG {scene.channel} ")
    for client in (first, second):
        mine = await client.wait(message(f"{scene.room}/{scene.nick}", "grüße 🌻", "groupchat"))
        assert mine["id"] == sent


async def test_action_both_ways(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    bob.say(scene.channel, "\x01ACTION waves\x01")
    await alice.wait(message(f"{scene.room}/{bob.nick}", "/me waves"))
    alice.say(scene.room, "/me nods", "groupchat")
    await bob.wait_for("PRIVMSG .* :\x01ACTION nods\x01")


async def test_long_and_multi_line_messages_keep_every_character(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    text = "ä€😀" * 200
    alice.say(scene.room, f"first\n{text}\nlast", "groupchat")
    await bob.wait_for(r"PRIVMSG .* :first$")
    got = ""
    while len(got) < len(text):
        got += (await bob.wait_for(r"PRIVMSG ")).split(" :", 1)[1]
    assert got == text
    await bob.wait_for(r"PRIVMSG .* :last$")
    await alice.wait(message(scene.room, "first"))
    await alice.wait(message(scene.room, "last"))


async def test_nothing_typed_becomes_a_second_command(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    alice.say(scene.room, "one\r\nQUIT :injected\rTOPIC x", "groupchat")
    for part in ("one", "QUIT :injected", "TOPIC x"):
        assert (await bob.wait_for("PRIVMSG |QUIT|TOPIC")).endswith(f":{part}")
    alice.send(f"<presence to='{scene.room}/nick with spaces'/>")
    answer = await alice.wait(lambda s: s.name == "presence" and s["type"] == "error")
    assert answer["type"] == "error"


async def test_two_resources_behind_one_nick(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    first, second = await scene.on_xmpp(resource="one"), await scene.on_xmpp(resource="two")
    await scene.join(first)
    await scene.join(second, nick="another")
    gone = await scene.leave(first)
    assert "1 resource" in gone.xml.findtext("{jabber:client}status")
    bob.say(scene.channel, "still there?")
    await second.wait(message(scene.room, "still there?"))
    await scene.leave(second)
    await bob.wait_for(rf"^:{scene.nick}!\S+ (QUIT|PART)")


async def test_change_of_nick_from_either_side(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    bob.send(f"NICK robert{scene.n}")
    went = await alice.wait(presence(f"{scene.room}/{bob.nick}", "unavailable"))
    assert 303 in statuses(went)
    assert went.xml.find(f"{USER}x/{USER}item").get("nick") == f"robert{scene.n}"
    await alice.wait(presence(f"{scene.room}/robert{scene.n}", ""))
    alice.send(f"<presence to='{scene.room}/al{scene.n}'/>")
    went = await alice.wait(presence(f"{scene.room}/{scene.nick}", "unavailable"))
    assert {110, 303} <= statuses(went)
    came = await alice.wait(presence(f"{scene.room}/al{scene.n}", ""))
    assert 110 in statuses(came)
    alice.send(f"<presence to='{scene.room}/robert{scene.n}'/>")
    refused = await alice.wait(presence(f"{scene.room}/robert{scene.n}", "error"))
    assert refused["error"]["condition"] == "conflict"
    scene.nick = f"al{scene.n}"


async def test_kicks_from_either_side(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    carol = await scene.on_irc("carol")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    bob.send(f"MODE {scene.channel} +o {scene.nick}")
    promoted = await alice.wait(
        lambda s: presence(f"{scene.room}/{scene.nick}")(s) and _item(s).get("affiliation") == "admin"
    )
    assert _item(promoted).get("role") == "moderator"
    item = f"<item nick='{carol.nick}' role='none'><reason>bye</reason></item>"
    admin = f"<query xmlns='{MUC}#admin'>{item}</query>"
    assert (await alice.iq(scene.room, admin, "set"))["type"] == "result"
    await carol.wait_for(rf"KICK {scene.channel} {carol.nick} :bye")
    went = await alice.wait(presence(f"{scene.room}/{carol.nick}", "unavailable"))
    assert 307 in statuses(went)
    bob.send(f"KICK {scene.channel} {scene.nick} :your turn")
    mine = await alice.wait(presence(f"{scene.room}/{scene.nick}", "unavailable"))
    assert {110, 307} <= statuses(mine)
    assert mine.xml.findtext(f"{USER}x/{USER}item/{USER}reason") == "your turn"
    assert mine.xml.find(f"{USER}x/{USER}item/{USER}actor").get("nick") == bob.nick


def _item(stanza):
    found = stanza.xml.find(f"{USER}x/{USER}item")
    return found if found is not None else {}


async def test_standing_both_ways(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    bob.send(f"MODE {scene.channel} +v {scene.nick}")
    await alice.wait(message(scene.room, f"Mode {scene.channel} [+v {scene.nick}] by {bob.nick}"))
    await alice.wait(
        lambda s: presence(f"{scene.room}/{scene.nick}")(s) and _item(s).get("affiliation") == "member"
    )
    admin = f"<query xmlns='{MUC}#admin'><item nick='{bob.nick}' affiliation='member'/></query>"
    refused = await alice.iq(scene.room, admin, "set")
    assert refused["type"] == "error"
    bob.send(f"MODE {scene.channel} +o {scene.nick}")
    await alice.wait(
        lambda s: presence(f"{scene.room}/{scene.nick}")(s) and _item(s).get("affiliation") == "admin"
    )
    assert (await alice.iq(scene.room, admin, "set"))["type"] == "result"
    await bob.wait_for(rf"^:{scene.nick}!\S+ MODE {scene.channel} .*[+-][vo]")


async def test_subject_both_ways(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    bob.send(f"TOPIC {scene.channel} :from IRC")
    subject = await alice.wait(is_subject(scene.room))
    assert subject["subject"] == "from IRC"
    bob.send(f"MODE {scene.channel} +o {scene.nick}")
    await bob.sync()
    alice.send(f"<message to='{scene.room}' type='groupchat' id='s1'><subject>from\nXMPP</subject></message>")
    await bob.wait_for(rf"TOPIC {scene.channel} :from XMPP")
    assert (await alice.wait(is_subject(scene.room)))["subject"] == "from XMPP"


async def test_wrong_key_is_refused_and_the_right_one_works(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    bob.send(f"MODE {scene.channel} +k secret")
    await bob.sync()
    alice = await scene.on_xmpp()
    scene.send_join(alice)
    refused = await alice.wait(presence(scene.room, "error"))
    assert refused["error"]["condition"] == "not-authorized"
    await scene.join(alice, inner="<password>secret</password>")


async def test_self_ping(scene: Scene) -> None:
    alice = await scene.on_xmpp()
    ping = "<ping xmlns='urn:xmpp:ping'/>"
    outside = await alice.iq(f"{scene.room}/{scene.nick}", ping)
    assert outside["error"]["condition"] == "not-acceptable"
    await scene.join(alice)
    assert (await alice.iq(f"{scene.room}/{scene.nick}", ping))["type"] == "result"


async def test_message_from_outside_the_room(scene: Scene) -> None:
    inside, outside = await scene.on_xmpp(resource="in"), await scene.on_xmpp(resource="out")
    await scene.join(inside)
    outside.say(scene.room, "hello?", "groupchat")
    refused = await outside.wait(message(scene.room, kind="error"))
    assert refused["error"]["condition"] == "not-acceptable"
    assert refused["error"]["text"] == "You are not a participant in this room."


async def test_private_messages(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    alice.say(scene.puppet(bob.nick), "psst")
    await bob.wait_for(rf"^:{scene.nick}!\S+ PRIVMSG {bob.nick} :psst")
    bob.say(scene.nick, "what?")
    await alice.wait(message(scene.puppet(bob.nick), "what?", "chat"))
    alice.say(f"{scene.room}/{bob.nick}", "from the room")
    await bob.wait_for(rf"PRIVMSG {bob.nick} :from the room")


async def test_message_to_nobody_is_an_error(scene: Scene) -> None:
    alice = await scene.on_xmpp()
    await scene.join(alice)
    sent = alice.say(scene.puppet(f"nobody{scene.n}"), "are you there?")
    failed = await alice.wait(message(scene.puppet(f"nobody{scene.n}"), kind="error"))
    assert failed["id"] == sent
    assert failed["error"]["condition"] == "item-not-found"


async def test_history_and_archive(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    first = await scene.on_xmpp(resource="one")
    await scene.join(first)
    for number in range(25):
        bob.say(scene.channel, f"line {number}")
    live = [await first.wait(message(scene.room, f"line {number}")) for number in range(25)]
    ids = [stanza.xml.find("{urn:xmpp:sid:0}stanza-id").get("id") for stanza in live]
    second = await scene.on_xmpp(resource="two")
    scene.send_join(second, inner="<history maxstanzas='3'/>")
    for number in (22, 23, 24):
        old = await second.wait(message(scene.room, kind="groupchat"))
        assert old["body"] == f"line {number}"
        assert old.xml.find("{urn:xmpp:delay}delay") is not None
    rsm = "<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><before/></set>"
    fin = await second.iq(scene.room, f"<query xmlns='urn:xmpp:mam:2' queryid='q'>{rsm}</query>", "set")
    assert fin["type"] == "result", str(fin)
    got = [
        found.get("id") for stanza in second.stanzas for found in stanza.xml.iter("{urn:xmpp:mam:2}result")
    ]
    assert got == ids[15:]


async def test_a_channel_in_the_roster_is_kept(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await alice.roster()  # RFC 6121 §2.2: from now on the server tells this resource about subscriptions
    await scene.join(alice)
    alice.send(f"<presence to='{scene.room}' type='subscribe' id='sub1'/>")
    await alice.wait(presence(scene.room, "subscribed"))
    await alice.wait(presence(scene.room, ""))
    await scene.leave(alice)
    bob.say(scene.channel, "while she is away")
    await bob.sync()
    again = await scene.on_xmpp(resource="again")
    await again.roster()
    scene.send_join(again)
    await again.wait(message(scene.room, "while she is away"))
    again.send(f"<presence to='{scene.room}' type='unsubscribe'/>")
    await again.wait(presence(scene.room, "unavailable"))
    await scene.leave(again)
    await bob.wait_for(rf"^:{scene.nick}!\S+ (QUIT|PART)")


async def test_what_irc_may_send_and_xml_may_not(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    bob.send(f"PRIVMSG {scene.channel} :".encode() + b"\x02\x03\x1f\x16\x07\xed\xa0\x80\xff\xfe ok")
    assert (await alice.wait(message(f"{scene.room}/{bob.nick}")))["body"].endswith(" ok")
    bob.send(f"PRIVMSG {scene.channel} :".encode() + "naïve".encode("latin-1"))
    await alice.wait(message(f"{scene.room}/{bob.nick}", "naïve"))


async def test_an_unknown_network_says_so(scene: Scene) -> None:
    alice = await scene.on_xmpp()
    room = "#x%nowhere.invalid@irc.example.test"
    scene.send_join(alice, room=room)
    refused = await alice.wait(presence(room, "error"), seconds=25)
    assert refused["error"]["condition"] == "item-not-found"
    assert refused["error"]["text"]


async def test_a_client_that_vanishes_leaves_the_room(scene: Scene) -> None:
    bob = await scene.on_irc("bob")
    alice = await scene.on_xmpp()
    await scene.join(alice)
    await alice.disconnect(abruptly=True)
    await bob.wait_for(rf"^:{scene.nick}!\S+ (QUIT|PART)", seconds=30)  # once it is not back for a while
