"""Ad-hoc commands (XEP-0050): the life of a dialogue, whose it is, who may."""

from __future__ import annotations

import asyncio
from xml.etree.ElementTree import Element

import pytest

from bridge.xmpp.adhoc import SESSION_SECONDS, SESSIONS_PER_USER
from tests.peers.xmpp_client import XmppClient, presence, xmpp_client
from tests.xmpp_info.conftest import DOMAIN, NET, World
from tests.xmpp_info.xml import error, fields, payload, submit

NS = "http://jabber.org/protocol/commands"
NETWORK = f"{NET}@{DOMAIN}"
ALL = {"help", "register", "status", "connect", "disconnect", "add", "rooms", "list", "ping", "version"}


def command(node: str, inner: str = "", **more: str) -> str:
    attributes = "".join(f" {name}='{value}'" for name, value in more.items())
    return f"<command xmlns='{NS}' node='{node}'{attributes}>{inner}</command>"


async def run(client: XmppClient, to: str, node: str, inner: str = "", **more: str) -> Element:
    return payload(await client.iq(to, command(node, inner, **more), "set"))


def note(found: Element) -> str:
    return found.findtext(f"{{{NS}}}note") or ""


def actions(found: Element) -> set[str]:
    return {action.tag.rpartition("}")[2] for action in found.iterfind(f"{{{NS}}}actions/*")}


async def listed(client: XmppClient, to: str) -> set[str]:
    asked = f"<query xmlns='http://jabber.org/protocol/disco#items' node='{NS}'/>"
    return {item.get("node", "") for item in payload(await client.iq(to, asked))}


async def test_the_list_depends_on_who_asks_and_where(
    world: World, alice: XmppClient, bob: XmppClient
) -> None:
    assert await listed(alice, DOMAIN) == ALL
    assert await listed(bob, DOMAIN) == ALL | {"users", "disconnect-user", "register-user", "unregister-user"}
    network = {"help", "register", "status", "connect", "disconnect", "rooms", "list"}
    assert await listed(alice, NETWORK) == network
    await alice.iq(NETWORK, f"<query xmlns='jabber:iq:register'>{submit(nick='A')}</query>", "set")
    assert await listed(alice, NETWORK) == network | {"unregister"}


async def test_a_commands_own_info(world: World, alice: XmppClient) -> None:
    asked = "<query xmlns='http://jabber.org/protocol/disco#info' node='{}'/>"
    found = payload(await alice.iq(DOMAIN, asked.format("ping")))
    assert found[0].attrib == {"category": "automation", "type": "command-node", "name": "Ping"}
    found = payload(await alice.iq(DOMAIN, asked.format(NS)))
    assert found[0].get("type") == "command-list"


async def test_a_command_without_questions(world: World, alice: XmppClient) -> None:
    found = await run(alice, DOMAIN, "ping", action="execute")
    assert (found.get("status"), note(found)) == ("completed", "Pong")
    assert note(await run(alice, DOMAIN, "version")) == "xmpp-bridge 1.2"
    assert "register [NETWORK]" in note(await run(alice, DOMAIN, "help"))


@pytest.mark.parametrize("action", ["execute", "next", "complete"])
async def test_registering_in_two_steps(world: World, alice: XmppClient, action: str) -> None:
    first = await run(alice, DOMAIN, "register")
    assert first.get("status") == "executing"
    assert actions(first) == {"next"}
    going_on = {"sessionid": first.get("sessionid", ""), "action": action}
    second = await run(alice, DOMAIN, "register", submit(network=NET), **going_on)
    assert actions(second) == {"prev", "complete"}
    assert "nick" in fields(second)
    filled = submit(nick="Ally", password="s3cret")
    done = await run(alice, DOMAIN, "register", filled, **going_on)
    assert done.get("status") == "completed"
    assert "s3cret" not in note(done)
    assert world.town.checked[-1]["password"] == "s3cret"
    await alice.wait(presence(NETWORK, "subscribe"))
    answer = await alice.iq(DOMAIN, command("register", filled, **going_on), "set")
    assert error(answer)[:2] == ("modify", "bad-request")
    assert answer.xml.find(f".//{{{NS}}}bad-sessionid") is not None


async def test_back_and_cancel(world: World, alice: XmppClient) -> None:
    first = await run(alice, DOMAIN, "register")
    session = first.get("sessionid", "")
    await run(alice, DOMAIN, "register", submit(network=NET), sessionid=session)
    back = await run(alice, DOMAIN, "register", action="prev", sessionid=session)
    assert set(fields(back)) == {"network"}
    answer = await alice.iq(DOMAIN, command("register", action="prev", sessionid=session), "set")
    assert answer.xml.find(f".//{{{NS}}}bad-action") is not None
    cancelled = await run(alice, DOMAIN, "register", action="cancel", sessionid=session)
    assert cancelled.get("status") == "canceled"
    assert len(cancelled) == 0
    answer = await alice.iq(DOMAIN, command("register", sessionid=session), "set")
    assert error(answer)[1] == "bad-request"


async def test_wrong_answers_can_be_mended(world: World, alice: XmppClient) -> None:
    first = await run(alice, NETWORK, "register")
    session = first.get("sessionid", "")
    answer = await alice.iq(NETWORK, command("register", submit(nick=""), sessionid=session), "set")
    assert error(answer)[:2] == ("modify", "bad-request")
    assert "Name" in error(answer)[2]
    assert answer.xml.find(f".//{{{NS}}}bad-payload") is not None
    refused = await run(alice, NETWORK, "register", submit(nick="taken"), sessionid=session)
    assert (refused.get("status"), note(refused)) == ("executing", "That name is taken.")
    done = await run(alice, NETWORK, "register", submit(nick="free"), sessionid=session)
    assert done.get("status") == "completed"


async def test_somebody_elses_session_is_refused(
    world: World, prosody: object, alice: XmppClient, bob: XmppClient
) -> None:
    session = (await run(alice, DOMAIN, "register")).get("sessionid", "")
    async with xmpp_client(prosody, "alice", "second") as second:  # type: ignore[arg-type]
        for thief in (bob, second):
            answer = await thief.iq(DOMAIN, command("register", sessionid=session, action="cancel"), "set")
            assert error(answer)[1] == "bad-request"
    answer = await alice.iq(NETWORK, command("register", sessionid=session), "set")
    assert error(answer)[1] == "bad-request"
    answer = await alice.iq(DOMAIN, command("status", sessionid=session), "set")
    assert error(answer)[1] == "bad-request"
    found = await run(alice, DOMAIN, "register", submit(network=NET), sessionid=session)
    assert found.get("status") == "executing"


async def test_a_session_expires(world: World, alice: XmppClient) -> None:
    session = (await run(alice, DOMAIN, "register")).get("sessionid", "")
    world.clock.now += SESSION_SECONDS + 1
    answer = await alice.iq(DOMAIN, command("register", sessionid=session), "set")
    assert error(answer)[:2] == ("cancel", "not-allowed")
    assert answer.xml.find(f".//{{{NS}}}session-expired") is not None


async def test_a_user_has_so_many_sessions(world: World, alice: XmppClient) -> None:
    first = (await run(alice, DOMAIN, "register")).get("sessionid", "")
    for _ in range(SESSIONS_PER_USER):
        latest = (await run(alice, DOMAIN, "register")).get("sessionid", "")
    assert error(await alice.iq(DOMAIN, command("register", sessionid=first), "set"))[1] == "bad-request"
    assert (await run(alice, DOMAIN, "register", action="cancel", sessionid=latest)).get("status")


@pytest.mark.parametrize(
    ("to", "asked", "expected"),
    [
        (DOMAIN, command("nothing"), ("cancel", "item-not-found")),
        (NETWORK, command("ping"), ("cancel", "item-not-found")),
        (DOMAIN, command("users"), ("auth", "forbidden")),
        (DOMAIN, command("register-user"), ("auth", "forbidden")),
        (DOMAIN, command("unregister"), ("auth", "registration-required")),
        (DOMAIN, command("register", action="dance"), ("modify", "bad-request")),
        (DOMAIN, command("register", action="prev"), ("modify", "bad-request")),
        (DOMAIN, command("register", sessionid="guess"), ("modify", "bad-request")),
        (f"bob%{NET}@{DOMAIN}", command("ping"), ("cancel", "feature-not-implemented")),
        (f"#bread%{NET}@{DOMAIN}/bob", command("ping"), ("cancel", "feature-not-implemented")),
        (f"nowhere@{DOMAIN}", command("ping"), ("cancel", "item-not-found")),
    ],
)
async def test_refusals(
    world: World, alice: XmppClient, to: str, asked: str, expected: tuple[str, str]
) -> None:
    assert error(await alice.iq(to, asked, "set"))[:2] == expected


async def test_connecting_and_disconnecting(world: World, alice: XmppClient, bob: XmppClient) -> None:
    found = await run(alice, NETWORK, "disconnect")
    assert (found.get("status"), note(found)) == ("completed", "You are not connected.")
    assert note(await run(alice, NETWORK, "connect")) == f"Connecting to Town {NET}."
    await alice.wait(presence(NETWORK, ""))
    assert f"Town {NET}: connected as" in note(await run(alice, DOMAIN, "status"))
    listing = note(await run(bob, DOMAIN, "users"))
    assert listing.startswith(f"alice@example.test: Town {NET}: connected")
    asked = await run(bob, DOMAIN, "disconnect-user")
    filled = submit(jid="alice@example.test", message="Go")
    done = await run(bob, DOMAIN, "disconnect-user", filled, sessionid=asked.get("sessionid", ""))
    assert note(done) == "alice@example.test was disconnected from 1 network."
    await alice.wait(presence(NETWORK, "unavailable"))


async def test_adding_somebody(world: World, alice: XmppClient) -> None:
    asked = await run(alice, DOMAIN, "add")
    session = asked.get("sessionid", "")
    wrong = await run(alice, DOMAIN, "add", submit(address="bob"), sessionid=session)
    assert (wrong.get("status"), note(wrong)) == ("executing", "bob is in no town")
    done = await run(alice, DOMAIN, "add", submit(address=f"bob%{NET}"), sessionid=session)
    assert note(done).startswith(f"bob%{NET}@{DOMAIN} was added")
    await alice.wait(presence(f"bob%{NET}@{DOMAIN}", "subscribe"))


async def test_unregistering(world: World, alice: XmppClient) -> None:
    await alice.iq(NETWORK, f"<query xmlns='jabber:iq:register'>{submit(nick='A')}</query>", "set")
    asked = await run(alice, DOMAIN, "unregister")
    session = asked.get("sessionid", "")
    sure = await run(alice, DOMAIN, "unregister", submit(network=NET), sessionid=session)
    assert fields(sure) == {"confirm": ["false"]}
    done = await run(alice, DOMAIN, "unregister", submit(confirm="true"), sessionid=session)
    assert note(done) == "Your registration was removed."
    assert await world.gateway.accounts.registrations(alice.bare) == []


async def test_a_step_under_way_is_not_taken_twice(world: World, alice: XmppClient) -> None:
    session = (await run(alice, NETWORK, "register")).get("sessionid", "")
    slow = asyncio.create_task(run(alice, NETWORK, "register", submit(nick="slow"), sessionid=session))
    while not world.town.checked:
        await alice.sync()
    answer = await alice.iq(NETWORK, command("register", submit(nick="slow"), sessionid=session), "set")
    assert error(answer)[:2] == ("wait", "unexpected-request")
    world.town.ready.set()
    assert (await slow).get("status") == "completed"
    assert len(world.town.checked) == 1


async def test_whom_the_gateway_is_not_open_to(world: World, alice: XmppClient, bob: XmppClient) -> None:
    world.shut_out()
    no = ("auth", "forbidden", "This gateway is not open to you.")
    asked = f"<query xmlns='http://jabber.org/protocol/disco#items' node='{NS}'/>"
    for to in (DOMAIN, NETWORK):
        assert error(await alice.iq(to, asked)) == no
        assert error(await alice.iq(to, command("register"), "set")) == no
    assert "users" in await listed(bob, DOMAIN)
