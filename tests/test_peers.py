"""The real peers do what the other tests rely on."""

from __future__ import annotations

import base64

import pytest

from tests.peers.atheme import Atheme
from tests.peers.ejabberd import Ejabberd
from tests.peers.inspircd import Inspircd
from tests.peers.irc_client import connect, irc_client
from tests.peers.ngircd import Ngircd
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import XmppClient, message, presence, xmpp_client


@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
async def test_two_clients_talk_and_ask(kind: str, request: pytest.FixtureRequest) -> None:
    server: Prosody | Ejabberd = request.getfixturevalue(kind)
    async with xmpp_client(server, "alice", "home") as alice, xmpp_client(server, "bob") as bob:
        assert alice.jid == "alice@example.test/home"
        alice.say(bob.jid, "hello <bob> & all")
        came = await bob.wait(message(from_="alice@example.test", body="hello <bob> & all"))
        assert str(came["from"]) == alice.jid
        bob.send(f"<presence type='subscribe' to='{alice.bare}'/>")
        await alice.wait(presence(from_=bob.bare, kind="subscribe"))
        alice.send(f"<presence type='subscribed' to='{bob.bare}'/>")
        await bob.wait(presence(from_=alice.jid, kind=""))
        assert (await bob.roster())[alice.bare] == "to"
        assert (await alice.iq("nobody.example.test", "<query xmlns='x:y'/>"))["type"] == "error"
        await alice.sync()


@pytest.mark.parametrize("crash", [False, True])
async def test_a_restarted_server_keeps_accounts_and_ports(prosody: Prosody, crash: bool) -> None:
    async with xmpp_client(prosody):
        await prosody.restart(crash=crash)
    async with xmpp_client(prosody) as again:
        await again.sync()


async def test_waiting_in_vain_tells_what_came(prosody: Prosody) -> None:
    async with xmpp_client(prosody) as alice:
        alice.say(alice.jid, "only this")
        with pytest.raises(AssertionError, match=r"(?s)waited for a message .*only this") as failed:
            await alice.wait(message(body="something else"), seconds=0.3)
        assert "0.3 s are over" in str(failed.value)


async def test_a_wrong_password_is_told(prosody: Prosody) -> None:
    client = XmppClient(prosody.jid("alice"), "wrong", prosody.c2s_port)
    with pytest.raises(AssertionError, match="alice@example"):
        await client.connect()
    await client.disconnect()


async def test_irc_over_tls_with_services(inspircd: Inspircd, atheme: Atheme) -> None:
    await atheme.register("carol", "carol-pw")
    client = await connect(inspircd.tls_port, "carol2", ca_file=inspircd.ca_file, register=False)
    client.send("CAP REQ :sasl")
    client.send("NICK carol2")
    client.send("USER carol2 0 * :Carol")
    await client.wait_for("ACK :?sasl")
    client.send("AUTHENTICATE PLAIN")
    await client.wait_for(r"AUTHENTICATE :?\+")
    client.send(b"AUTHENTICATE " + base64.b64encode(b"carol\0carol\0carol-pw"))
    await client.wait_for(" 903 ")
    client.send("CAP END")
    await client.wait_for(" 376 | 422 ")
    async with irc_client(inspircd.port, "dave") as dave:
        await dave.join("#room")
        await client.join("#room")
        await dave.wait_for("carol2!.* JOIN")
        client.say("#room", "hello")
        await dave.wait_for("carol2!.* PRIVMSG #room :hello")
    await client.wait_for("dave!.* QUIT")
    await client.close()


async def test_the_bare_irc_server(ngircd: Ngircd) -> None:
    async with irc_client(ngircd.tls_port, "eve", ca_file=ngircd.ca_file) as eve:
        await eve.join("#room")
        await eve.sync()
