"""The same commands as chat messages, for clients that show nothing else."""

from __future__ import annotations

import asyncio

import pytest

from bridge.xmpp.chatcommands import DIALOGUE_SECONDS
from tests.peers.xmpp_client import Predicate, XmppClient, message, presence
from tests.xmpp_info.conftest import DOMAIN, NET, World


async def say(client: XmppClient, text: str) -> str:
    """The gateway's answer to a message."""
    client.say(DOMAIN, text)
    answer = await client.wait(message(DOMAIN))
    assert answer["type"] == "chat", str(answer)
    return str(answer["body"])


def came(client: XmppClient, wanted: Predicate) -> bool:
    """Whether it came before the last answer."""
    return any(wanted(stanza) for stanza in client.stanzas)


async def test_help_lists_what_one_may_do(world: World, alice: XmppClient, bob: XmppClient) -> None:
    helped = await say(alice, "help")
    assert "register [NETWORK]: " in helped
    assert "disconnect-user" not in helped
    assert "disconnect-user" in await say(bob, "/HELP")


@pytest.mark.parametrize(
    ("typed", "answered"),
    [
        ("ping", "Pong"),
        ("pnig", "Did you mean “ping”?"),
        ("tell me a joke", "Say “help”"),
        ("users", "is for the gateway's admins"),
        ("unregister", "say “register” first"),
        ("cancel", "nothing to cancel"),
        ("disconnect", "You are not connected."),
        ("rooms", "You are in no rooms."),
        ("status", "You are not registered.\nYou are not connected."),
    ],
)
async def test_single_messages(world: World, alice: XmppClient, typed: str, answered: str) -> None:
    assert answered in await say(alice, typed)


async def test_registering_one_field_at_a_time(world: World, alice: XmppClient) -> None:
    asked = await say(alice, f"register {NET}")
    assert "Better use your client's registration form" in asked
    assert asked.endswith("Name (required)?")
    assert "required" in await say(alice, "-")
    assert await say(alice, "Ally") == "Password?"
    assert await say(alice, "s3cret") == "Greeting?"
    assert await say(alice, "Hi\nthere") == "Loud (yes or no; now: false)?"
    assert "true or false" in await say(alice, "perhaps")
    assert await say(alice, "yes") == "Colour (one of r, b)?"
    done = await say(alice, "blue")
    assert "You are registered with" in done
    assert "stands in this chat's history" in done
    assert "s3cret" not in done
    assert came(alice, presence(f"{NET}@{DOMAIN}", "subscribe"))
    assert world.town.checked == [
        {"nick": "Ally", "password": "s3cret", "greeting": "Hi\nthere", "loud": "true", "colour": "b"}
    ]
    known = await say(alice, f"register {NET}")
    assert "now: Ally" in known
    assert await say(alice, "Al") == "Password?"
    assert "changed" in await say(alice, "done")
    assert world.town.checked[-1]["nick"] == "Al"
    assert world.town.checked[-1]["password"] == "s3cret"


async def test_registering_on_one_line(world: World, alice: XmppClient) -> None:
    done = await say(alice, f"register {NET} nick=Ally password=a=b")
    assert "You are registered" in done
    assert "stands in this chat's history" in done
    assert world.town.checked[-1]["password"] == "a=b"


async def test_a_refused_answer_is_asked_again(world: World, alice: XmppClient) -> None:
    answer = await say(alice, f"register {NET} taken")
    assert answer == "That name is taken.\nName (required)?"
    assert "required" in await say(alice, "-")
    assert "You are registered" in await say(alice, "free")


async def test_leaving_a_dialogue(world: World, alice: XmppClient) -> None:
    assert "Network" in await say(alice, "register")
    assert await say(alice, "Cancel") == "Cancelled."
    assert await say(alice, "ping") == "Pong"


@pytest.mark.parametrize("typed", ["ping", "/Ping", "ping please"])
async def test_a_command_leaves_a_dialogue(world: World, alice: XmppClient, typed: str) -> None:
    await say(alice, f"register {NET}")
    assert await say(alice, typed) == "“Register” was left unfinished.\nPong"
    assert "nothing to cancel" in await say(alice, "cancel")
    assert world.town.checked == []


async def test_help_explains_the_dialogue_and_stays_in_it(world: World, alice: XmppClient) -> None:
    await say(alice, f"register {NET}")
    helped = await say(alice, "help")
    assert helped.startswith("Register: Who are you?\n")
    assert "“cancel” stops" in helped
    assert "after 5 minutes" in helped
    assert helped.endswith("Name (required)?")
    assert await say(alice, '"status"') == "Password?"
    assert "You are registered" in await say(alice, "done")
    assert world.town.checked[-1]["nick"] == "status"


async def test_a_secret_keeps_its_quotes(world: World, alice: XmppClient) -> None:
    await say(alice, f"register {NET}")
    await say(alice, "Ally")
    await say(alice, '"quoted"')
    await say(alice, "done")
    assert world.town.checked[-1]["password"] == '"quoted"'


async def test_a_dialogue_ends_after_five_minutes(world: World, alice: XmppClient) -> None:
    assert DIALOGUE_SECONDS == 300
    await say(alice, "register")
    world.clock.now += DIALOGUE_SECONDS - 1
    assert await say(alice, "cancel") == "Cancelled."
    await say(alice, "register")
    world.clock.now += DIALOGUE_SECONDS + 1
    assert await say(alice, "ping") == "Pong"
    await say(alice, "register")
    world.clock.now += DIALOGUE_SECONDS + 1
    assert "expired" in await say(alice, NET)
    assert "I do not know" in await say(alice, NET)


async def test_a_network_that_is_none(world: World, alice: XmppClient) -> None:
    answer = await say(alice, "connect nowhere")
    assert answer.startswith("nowhere is in no town")
    assert await say(alice, NET) == f"Connecting to Town {NET}."
    await alice.wait(presence(f"{NET}@{DOMAIN}", ""))
    assert "#r002" in (await say(alice, f"list {NET}")).split("\n")[0]
    assert await say(alice, f"list {NET} r001") == f"#r001%{NET}@{DOMAIN} (1) talk"
    assert await say(alice, "disconnect Good night all") == f"Disconnected from Town {NET}."


async def test_adding_somebody_and_a_room(world: World, alice: XmppClient) -> None:
    assert f"bob%{NET}@{DOMAIN} was added" in await say(alice, f"add bob%{NET}")
    assert came(alice, presence(f"bob%{NET}@{DOMAIN}", "subscribe"))
    alice.say(DOMAIN, f"add #bread%{NET}")
    invitation = await alice.wait(message(f"#bread%{NET}@{DOMAIN}"))
    invite = invitation.xml.find(".//{http://jabber.org/protocol/muc#user}invite")
    assert invite.get("from") == f"#bread%{NET}@{DOMAIN}"
    answer = await alice.wait(message(DOMAIN))
    assert answer["body"].startswith(f"#bread%{NET}@{DOMAIN} is a room. To join it, accept")
    assert f"(xmpp:%23bread%25{NET}@{DOMAIN}?join)" in answer["body"]


async def test_dialogues_of_two_clients_do_not_mix(world: World, alice: XmppClient, bob: XmppClient) -> None:
    await say(alice, f"register {NET}")
    assert await say(bob, "ping") == "Pong"
    assert await say(alice, "Ally") == "Password?"


async def test_whom_the_gateway_is_not_open_to(world: World, alice: XmppClient, bob: XmppClient) -> None:
    world.shut_out()
    alice.say(DOMAIN, "help")
    refused = await alice.wait(message(DOMAIN, kind="error"))
    assert refused["error"]["condition"] == "forbidden"
    assert refused["error"]["text"] == "This gateway is not open to you."
    assert "disconnect-user" in await say(bob, "help")  # an admin sees to it all the same


async def test_a_flood_is_told_to_wait(world: World, alice: XmppClient) -> None:
    for _ in range(30):
        alice.say(DOMAIN, "ping")
    pong = message(DOMAIN, body="Pong")
    refused = await alice.wait(message(DOMAIN, kind="error"))
    assert refused["error"]["type"] == "wait"
    assert refused.xml.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}policy-violation") is not None
    async with asyncio.timeout(10):
        while sum(pong(stanza) for stanza in alice.stanzas) < 20:
            await alice.sync()
    world.clock.now += 60
    alice.say(DOMAIN, "version")
    await alice.wait(message(DOMAIN, body="xmpp-bridge 1.2"))
