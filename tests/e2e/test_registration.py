"""Registering with an IRC network whose services have accounts: by form, by command, by chat; what it does
there."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.scene import PASSWORD, Scene
from tests.peers.atheme import Atheme
from tests.peers.bridge import DOMAIN
from tests.peers.irc_client import IrcClient
from tests.peers.xmpp_client import XmppClient, message, presence
from tests.xmpp_info.xml import error, fields, payload, submit

REGISTER = "{jabber:iq:register}"
COMMANDS = "{http://jabber.org/protocol/commands}"
NETWORK = f"tls@{DOMAIN}"
WRONG = "not-the-password"


def query(inner: str = "") -> str:
    return f"<query xmlns='jabber:iq:register'>{inner}</query>"


class People:
    """Alice, on XMPP, who has the account `account` with the network's services, password `PASSWORD`; bob, on
    IRC."""

    def __init__(self, alice: XmppClient, bob: IrcClient, account: str) -> None:
        self.alice, self.bob, self.account = alice, bob, account


@pytest.fixture
async def people(scene: Scene, atheme: Atheme) -> People:
    """All at the same time, since InspIRCd lets newcomers in once a second."""
    account = f"acct{scene.n}"
    alice, bob, _ = await asyncio.gather(
        scene.on_xmpp(), scene.on_irc("bob"), atheme.register(account, PASSWORD)
    )
    return People(alice, bob, account)


async def whois(observer: IrcClient, nick: str) -> dict[str, str]:
    """What the network tells about somebody: numeric -> the line."""
    observer.send(f"WHOIS {nick}")
    found: dict[str, str] = {}
    while "318" not in found:
        line = await observer.wait_for(r"^\S+ \d{3} ")
        found[line.split(" ")[1]] = line
    return found


async def logged_in_as(observer: IrcClient, nick: str) -> str:
    """The account that the network knows somebody by; empty: none."""
    line = (await whois(observer, nick)).get("330", "")
    return line.split(" ")[4] if line else ""


async def is_registered(client: XmppClient) -> bool:
    return payload(await client.iq(NETWORK, query())).find(f"{REGISTER}registered") is not None


async def test_registering_changing_and_removing(scene: Scene, people: People) -> None:
    alice, bob, account = people.alice, people.bob, people.account
    asked = payload(await alice.iq(NETWORK, query()))
    assert "NickServ" in (asked.findtext(f"{REGISTER}instructions") or "")
    legacy = {child.tag.removeprefix(REGISTER) for child in asked}
    assert {"nick", "username", "password"} <= legacy
    assert {"nick", "realname", "username", "password", "pass"} <= set(fields(asked))
    assert "key" not in legacy

    standing = f"stand{scene.n}"
    given = f"<nick>{standing}</nick><username>{account}</username><password>{PASSWORD}</password>"
    assert (await alice.iq(NETWORK, query(given), "set"))["type"] == "result"
    await alice.wait(presence(NETWORK, "subscribe"))
    me = await scene.join(alice)
    assert str(me["from"]) == f"{scene.room}/{standing}"
    assert await logged_in_as(bob, standing) == account
    await scene.leave(alice)
    await bob.wait_for(rf"^:{standing}!\S+ QUIT")

    kept = payload(await alice.iq(NETWORK, query()))
    assert fields(kept)["username"] == [account]
    assert PASSWORD not in str(kept.itertext())
    other = f"other{scene.n}"
    changed = submit(nick=other, username=account, realname="Alice of the Bridge", password="")
    assert (await alice.iq(NETWORK, query(changed), "set"))["type"] == "result"
    me = await scene.join(alice)
    assert str(me["from"]) == f"{scene.room}/{other}"
    assert await logged_in_as(bob, other) == account
    assert "Alice of the Bridge" in (await whois(bob, other))["311"]

    assert (await alice.iq(NETWORK, query("<remove/>"), "set"))["type"] == "result"
    assert not await is_registered(alice)
    await scene.leave(alice)
    await bob.wait_for(rf"^:{other}!\S+ QUIT")
    me = await scene.join(alice)
    assert str(me["from"]) == f"{scene.room}/{scene.nick}"
    assert await logged_in_as(bob, scene.nick) == ""


async def test_a_wrong_password_is_refused_in_words(scene: Scene, people: People) -> None:
    alice, account = people.alice, people.account
    given = submit(nick=f"x{scene.n}", username=account, password=WRONG)
    kind, condition, text = error(await alice.iq(NETWORK, query(given), "set"))
    assert (kind, condition) == ("modify", "not-acceptable")
    assert "SASL authentication failed" in text
    assert not await is_registered(alice)


async def test_a_password_that_holds_no_longer_is_told_at_the_join(scene: Scene, people: People) -> None:
    alice, owner, account = people.alice, people.bob, people.account
    given = submit(nick=f"late{scene.n}", username=account, password=PASSWORD)
    assert (await alice.iq(NETWORK, query(given), "set"))["type"] == "result"
    owner.say("NickServ", f"IDENTIFY {account} {PASSWORD}")
    await owner.wait_for(" 900 ")
    owner.say("NickServ", f"SET PASSWORD another-{PASSWORD}")
    await owner.wait_for(r"NOTICE .*password .*changed")
    scene.send_join(alice)
    refused = await alice.wait(presence(scene.room, "error"))
    assert refused["error"]["condition"] == "not-authorized"
    assert "SASL authentication failed" in refused["error"]["text"]
    given = submit(nick=f"late{scene.n}", username=account, password=f"another-{PASSWORD}")
    assert (await alice.iq(NETWORK, query(given), "set"))["type"] == "result"
    await scene.join(alice)
    assert await logged_in_as(owner, f"late{scene.n}") == account


async def test_by_command(scene: Scene, people: People) -> None:
    alice, bob, account = people.alice, people.bob, people.account

    async def step(inner: str = "", **more: str):
        attributes = "".join(f" {name}='{value}'" for name, value in more.items())
        sent = f"<command xmlns='{COMMANDS[1:-1]}'{attributes}>{inner}</command>"
        return payload(await alice.iq(NETWORK, sent, "set", seconds=30))

    asked = await step(node="register")
    assert {"nick", "username", "password"} <= set(fields(asked))
    session = {"node": "register", "sessionid": asked.get("sessionid")}
    wrong = await step(submit(username=account, password=WRONG), **session)
    assert wrong.get("status") == "executing"
    assert "SASL authentication failed" in wrong.findtext(f"{COMMANDS}note")
    done = await step(submit(username=account, password=PASSWORD), **session)
    assert done.get("status") == "completed"
    assert "You are registered with" in done.findtext(f"{COMMANDS}note")
    await scene.join(alice)
    assert await logged_in_as(bob, scene.nick) == account
    asked = await step(node="unregister")
    session = {"node": "unregister", "sessionid": asked.get("sessionid")}
    done = await step(submit(confirm="true"), **session)
    assert "removed" in done.findtext(f"{COMMANDS}note")
    assert not await is_registered(alice)


async def test_by_chat(scene: Scene, people: People) -> None:
    alice, bob, account = people.alice, people.bob, people.account

    async def say(text: str) -> str:
        alice.say(DOMAIN, text)
        return str((await alice.wait(message(DOMAIN), seconds=30))["body"])

    wrong = await say(f"register tls username={account} password={WRONG}")
    assert "SASL authentication failed" in wrong
    done = await say(PASSWORD)
    assert "You are registered with" in done
    assert PASSWORD not in done
    await scene.join(alice)
    assert await logged_in_as(bob, scene.nick) == account
    assert "tls" in await say("status")
    assert "removes your registration" in await say("unregister tls")
    assert "removed" in await say("yes")
    assert not await is_registered(alice)
