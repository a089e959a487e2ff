"""Contacts that users write in a way of their own: a number without its country."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bridge.api import (
    ContactId,
    Content,
    Delivered,
    DeliveryFailed,
    DirectChat,
    MarkDisplayed,
    MessageId,
    MessageReceived,
    OccupantId,
    Reason,
    Refused,
    SendMessage,
    Sent,
    SentPart,
    SetTyping,
    SoftwareVersion,
)
from bridge.core.gateway import Gateway
from bridge.store.engine import Store
from bridge.store.vault import Vault, generate_key
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.component import Component
from bridge.xmpp.fence import Fence
from bridge.xmpp.information import Information
from tests.xmpp_rooms.phones import NOWHERE, SHORT, Phones
from tests.xmpp_rooms.stage import ALICE, DOMAIN, IN, PHONE, STANZAS, Stage, Wire, error

OWN = f"5551@{DOMAIN}"
BOB = f"+15551@{DOMAIN}"
CHAT = DirectChat(ContactId("+15551"))
CARD = "<vCard xmlns='vcard-temp'/>"
COUNTRY = "Say which country: +1 and so on."


@pytest.fixture
async def stage(empty_store: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    """A whole gateway to the network of numbers; alice is registered in country 1."""
    shutil.copy(empty_store, tmp_path / "bridge.db")
    store = await Store.open(f"sqlite:///{tmp_path}/bridge.db", Vault([generate_key()]))
    phones, wire = Phones(), Wire()
    gateway = Gateway(DOMAIN, phones, store)
    addresses = Addresses(DOMAIN, phones, gateway.accounts.known_settings)
    information = Information(
        gateway,
        addresses,
        software=SoftwareVersion("bridge"),
        node="urn:x",
        capabilities=gateway.capabilities,
        users=gateway.users,
        clock=time.monotonic,
    )
    component = Component(
        gateway,
        wire,
        Fence(wire, DOMAIN, "example.test"),
        addresses=addresses,
        caps=information.caps.element,
        commands=information.commands.take,
        software="Prosody",
    )
    component.answer(*information.parts(component.pings.ping))
    await gateway.start()
    wire.on_up()
    await gateway.accounts.register(ALICE, NOWHERE, {"country": "1"})
    wire.sent.clear()
    yield Stage(phones, gateway, wire, [])
    await information.stop()
    await gateway.stop("the test is over")
    await component.stop()
    await wire.iqs.close()
    await store.close()


def says(inner: str, to: str = OWN, id_: str = "m1", sender: str = PHONE) -> str:
    return f"<message from='{sender}' to='{to}' type='chat' id='{id_}'>{inner}</message>"


async def online(stage: Stage) -> None:
    stage.gateway.accounts.connect(ALICE, NOWHERE)
    await stage.until(lambda: stage.village.sessions and stage.gateway._pool.live(ALICE, NOWHERE).session)


# -- messages


@pytest.mark.parametrize("to", [OWN, f"{OWN}/anything", BOB])
async def test_a_message_goes_to_who_is_meant(stage: Stage, to: str) -> None:
    stage.send(says("<body>hello</body>", to))
    sent = await stage.command(SendMessage)
    assert isinstance(sent, SendMessage)
    assert (sent.chat, sent.content) == (CHAT, Content("hello"))
    stage.session.emit(MessageReceived(CHAT, OccupantId(""), MessageId("n1"), Content("hi")))
    heard = await stage.next("message", ALICE)
    assert (heard.get("from"), heard.findtext(IN + "body")) == (BOB, "hi")


async def test_what_becomes_of_it_is_told_where_it_was_written(stage: Stage) -> None:
    """Clients look for the message in the chat with whom a receipt or an error is from."""
    stage.village.answer = lambda command: Sent((SentPart(MessageId("n-1"), Content("")),))
    stage.send(says("<body>hello</body>"))
    await stage.command(SendMessage)
    await stage.gateway._ground.store.writer.flush()
    stage.session.emit(Delivered(CHAT, MessageId("n-1")))
    receipt = await stage.next("message", ALICE)
    assert receipt.get("from") == OWN
    ids = stage.gateway._ground.message_ids
    ids.newest._found.clear()
    stage.session.emit(DeliveryFailed(CHAT, MessageId("n-1"), "Off."))
    failed = await stage.next("message")
    assert (failed.get("from"), failed.get("id"), error(failed)[2]) == (OWN, "m1", "Off.")


async def test_a_refusal_is_told_where_it_was_written(stage: Stage) -> None:
    stage.village.answer = lambda command: Refused(Reason.NOT_FOUND, "No such number")
    stage.send(says("<body>hello</body>"))
    failed = await stage.next("message")
    assert (failed.get("from"), error(failed)) == (OWN, ("cancel", "item-not-found", "No such number"))
    admission = stage.gateway._admission
    admission._settings = msgspec.structs.replace(admission._settings, allowed_users=())
    stage.send(says("<body>hello</body>", id_="m2"))
    failed = await stage.next("message")
    assert (failed.get("from"), error(failed)[1]) == (OWN, "forbidden")


async def test_signs_of_life_go_to_who_is_meant(stage: Stage) -> None:
    await online(stage)
    stage.send(says("<composing xmlns='http://jabber.org/protocol/chatstates'/>"))
    typing = await stage.command(SetTyping)
    assert isinstance(typing, SetTyping)
    assert typing.chat == CHAT
    stage.session.emit(MessageReceived(CHAT, OccupantId(""), MessageId("n1"), Content("hi")))
    id_ = (await stage.next("message", ALICE)).get("id")
    stage.send(says(f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{id_}'/>"))
    assert await stage.command(MarkDisplayed) == MarkDisplayed(CHAT, MessageId("n1"))


@pytest.mark.parametrize(
    ("to", "sender", "why"),
    [
        (f"55@{DOMAIN}", PHONE, SHORT),
        (OWN, "carol@example.test/phone", COUNTRY),
        (f"bob@{DOMAIN}", PHONE, "bob is no number"),
    ],
)
async def test_a_message_to_nobody(stage: Stage, to: str, sender: str, why: str) -> None:
    stage.send(says("<active xmlns='http://jabber.org/protocol/chatstates'/>", to, sender=sender))
    stage.send(says("<body>hello</body>", to, sender=sender))
    failed = await stage.next("message", sender)
    assert (failed.get("from"), error(failed)) == (to, ("cancel", "item-not-found", why))
    assert stage.wire.sent == []


async def test_the_settings_are_those_of_now(stage: Stage) -> None:
    accounts = stage.gateway.accounts
    await accounts.register(ALICE, NOWHERE, {"country": "49"})
    assert accounts.known_settings(ALICE, NOWHERE) == {"country": "49"}
    stage.send(says("<body>hello</body>"))
    sent = await stage.command(SendMessage)
    assert isinstance(sent, SendMessage)
    assert sent.chat == DirectChat(ContactId("+495551"))
    await accounts.unregister(ALICE, NOWHERE)
    stage.send(says("<body>again</body>", id_="m2"))
    assert error(await stage.next("message"))[2] == COUNTRY


async def test_they_are_known_after_a_restart(stage: Stage) -> None:
    ground = stage.gateway._ground
    again = Gateway(DOMAIN, stage.village, ground.store)
    again.face = stage.gateway.face
    await again.start()
    assert again.accounts.known_settings(ALICE, NOWHERE) == {"country": "1"}
    assert again.accounts.known_settings("carol@example.test", NOWHERE) == {}
    await again.stop("")


# -- rosters


async def test_another_address_than_the_contacts_own_is_not_for_rosters(stage: Stage) -> None:
    stage.send(f"<presence from='{ALICE}' to='{OWN}' type='subscribe' id='s1'/>")
    refused = await stage.next("presence", ALICE)
    assert (refused.get("from"), refused.get("id")) == (OWN, "s1")
    said = f"Add {BOB} instead: that is the address of this contact."
    assert error(refused) == ("cancel", "gone", said)
    assert refused.findtext(f"{IN}error/{STANZAS}gone") == f"xmpp:{BOB}"
    assert stage.gateway.roster._known.keys() == {(ALICE, DOMAIN)}
    stage.send(f"<presence from='{ALICE}' to='{BOB}' type='subscribe' id='s2'/>")
    granted = await stage.next("presence", ALICE, lambda one: one.get("type") == "subscribed")
    assert (granted.get("from"), granted.get("id")) == (BOB, "s2")


@pytest.mark.parametrize(
    ("to", "sender", "why"), [(f"55@{DOMAIN}", ALICE, SHORT), (OWN, "carol@example.test", COUNTRY)]
)
async def test_a_subscription_to_nobody(stage: Stage, to: str, sender: str, why: str) -> None:
    stage.send(f"<presence from='{sender}' to='{to}' type='subscribe' id='s1'/>")
    assert error(await stage.next("presence", sender)) == ("cancel", "item-not-found", why)


async def test_a_probe_of_what_is_in_no_roster(stage: Stage) -> None:
    stage.send(f"<presence from='{PHONE}' to='{OWN}' type='probe'/>")
    assert (await stage.next("presence")).get("type") == "unsubscribed"


# -- questions


async def test_questions_are_about_who_is_meant(stage: Stage) -> None:
    await online(stage)
    card = await stage.ask(CARD, "get", OWN)
    assert card.findtext("{vcard-temp}vCard/{vcard-temp}FN") == "The phone +15551"
    version = await stage.ask("<query xmlns='jabber:iq:version'/>", "get", OWN)
    assert version.findtext("{jabber:iq:version}query/{jabber:iq:version}name") == "The phone +15551"
    assert (await stage.ask("<ping xmlns='urn:xmpp:ping'/>", "get", OWN)).get("type") == "result"
    info = "{http://jabber.org/protocol/disco#info}"
    found = await stage.ask(f"<query xmlns='{info[1:-1]}'/>", "get", OWN)
    identity = found.find(f"{info}query/{info}identity")
    assert identity is not None
    assert identity.get("name") == "+15551"


async def test_questions_about_nobody(stage: Stage) -> None:
    for to, sender, why in ((f"55@{DOMAIN}", PHONE, SHORT), (OWN, "carol@example.test/phone", COUNTRY)):
        assert error(await stage.ask(CARD, "get", to, sender)) == ("cancel", "item-not-found", why)


async def test_the_prompt_knows_who_asks(stage: Stage) -> None:
    asked = "<query xmlns='jabber:iq:gateway'><prompt>55 51</prompt></query>"
    found = await stage.ask(asked, "set", DOMAIN)
    assert found.findtext("{jabber:iq:gateway}query/{jabber:iq:gateway}jid") == BOB
    refused = await stage.ask(asked, "set", DOMAIN, "carol@example.test/phone")
    assert error(refused) == ("modify", "not-acceptable", COUNTRY)


async def test_the_add_command_knows_who_asks(stage: Stage) -> None:
    stage.send(says("<body>add 5551</body>", DOMAIN))
    assert (await stage.next("presence", ALICE)).get("from") == BOB
    assert f"{BOB} was added" in ((await stage.next("message")).findtext(IN + "body") or "")
