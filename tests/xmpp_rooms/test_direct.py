"""One-to-one chats and rosters: contacts, the network itself, the gateway itself."""

from __future__ import annotations

import asyncio

import pytest

from bridge.api import (
    ContactId,
    Content,
    DirectChat,
    MarkDisplayed,
    MessageId,
    MessageReceived,
    OccupantId,
    Reason,
    Refused,
    RetractMessage,
    RunCommand,
    SendMessage,
    SendReceipt,
    Sent,
    SentPart,
    SetTyping,
    SoftwareVersion,
    Typing,
    TypingChanged,
)
from bridge.core.values import DirectMessage
from tests.xmpp_rooms.stage import ALICE, DOMAIN, IN, PHONE, ROOM, SID, Stage, error

BOB = f"bob%x.example@{DOMAIN}"
NETWORK = f"x.example@{DOMAIN}"
CHAT = DirectChat(ContactId("bob"))


def says(inner: str, to: str = BOB, id_: str = "m1", kind: str = "chat") -> str:
    return f"<message from='{PHONE}' to='{to}' type='{kind}' id='{id_}'>{inner}</message>"


@pytest.mark.parametrize("to", [BOB, f"{BOB}/anything", f"{ROOM}/Bob", f"#unknown%x.example@{DOMAIN}/Bob"])
@pytest.mark.parametrize("kind", ["chat", "normal"])
async def test_to_a_contact(stage: Stage, to: str, kind: str) -> None:
    await stage.join()
    stage.send(says("<body>hello</body>", to, kind=kind))
    sent = await stage.command(SendMessage)
    assert isinstance(sent, SendMessage)
    assert (sent.chat, sent.content) == (CHAT, Content("hello"))


async def test_to_nobody_in_a_room_that_is_joined(stage: Stage) -> None:
    await stage.join()
    stage.send(says("<body>hello</body>", f"{ROOM}/Dave"))
    sent = await stage.command(SendMessage)
    assert isinstance(sent, SendMessage)
    assert sent.chat == DirectChat(ContactId("dave"))


async def test_from_a_contact(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(MessageReceived(CHAT, OccupantId(""), MessageId("n1"), Content("hi <you>")))
    heard = await stage.next("message", ALICE)
    assert (heard.get("from"), heard.get("type")) == (BOB, "chat")
    assert heard.findtext(IN + "body") == "hi <you>"
    assert heard.find(SID + "origin-id").get("id") == heard.get("id")  # type: ignore[union-attr]
    assert heard.find("{urn:xmpp:receipts}request") is not None
    assert heard.find("{urn:xmpp:chat-markers:0}markable") is not None
    assert heard.find("{http://jabber.org/protocol/chatstates}active") is not None
    assert heard.find("{urn:xmpp:delay}delay") is None


async def test_what_the_fence_says(stage: Stage) -> None:
    face = stage.gateway.face
    assert await face.direct_message(ALICE, BOB, DirectMessage("d1", Content("x"))) == "fenced"
    theirs = asyncio.ensure_future(
        face.direct_message("carol@example.test", BOB, DirectMessage("d3", Content("x")))
    )
    outcome = asyncio.ensure_future(face.direct_message(ALICE, BOB, DirectMessage("d2", Content("x"))))
    await stage.next("message", ALICE, lambda one: one.get("id") == "d2")
    stage.send(
        f"<message type='error' from='{ALICE}' to='{BOB}' id='d2'><error type='cancel'><item-not-found "
        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>"
        "No such user</text></error></message>"
    )
    stage.send(
        f"<message type='error' from='{ALICE}' to='{BOB}' id='d3'><error type='cancel'><item-not-found "
        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    )
    assert await outcome == "bounced: item-not-found No such user"
    assert await theirs == "fenced"


async def test_old_and_own_messages_say_so(stage: Stage) -> None:
    face = stage.gateway.face
    message = DirectMessage(
        "d1", Content("x"), sent_at=1_000_000_000_500_000, own=True, reply_to="r1", replaces="e1"
    )
    await face.direct_message(ALICE, BOB, message)
    seen = await stage.next("message", ALICE)
    assert seen.find("{urn:xmpp:delay}delay").get("stamp") == "2001-09-09T01:46:40.500000Z"  # type: ignore[union-attr]
    assert seen.findtext(IN + "body") == "[me] x"
    assert seen.find("{urn:xmpp:receipts}request") is None
    assert seen.find("{urn:xmpp:reply:0}reply").get("id") == "r1"  # type: ignore[union-attr]
    assert seen.find("{urn:xmpp:message-correct:0}replace").get("id") == "e1"  # type: ignore[union-attr]


async def test_signs_of_life_to_a_contact(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(MessageReceived(CHAT, OccupantId(""), MessageId("n1"), Content("hi")))
    heard = await stage.next("message", ALICE)
    id_ = heard.get("id")
    stage.send(says(f"<received xmlns='urn:xmpp:receipts' id='{id_}'/>"))
    receipt = await stage.command(SendReceipt)
    assert isinstance(receipt, SendReceipt)
    assert receipt.chat == CHAT
    stage.send(says(f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{id_}'/>"))
    assert isinstance(await stage.command(MarkDisplayed), MarkDisplayed)
    stage.send(says("<paused xmlns='http://jabber.org/protocol/chatstates'/>"))
    assert await stage.command(SetTyping) == SetTyping(CHAT, Typing.PAUSED)


async def test_taking_back(stage: Stage) -> None:
    await stage.join()
    stage.village.answer = lambda command: Sent((SentPart(MessageId("n-1"), Content("")),))
    stage.send(says("<body>oops</body>"))
    await stage.command(SendMessage)
    stage.send(says("<retract xmlns='urn:xmpp:message-retract:1' id='m1'/><body>fallback</body>"))
    taken = await stage.command(RetractMessage)
    assert taken == RetractMessage(CHAT, MessageId("n-1"))
    assert not any(isinstance(one, SendMessage) for one in stage.village.commands)


async def test_signs_of_life_from_a_contact(stage: Stage) -> None:
    await stage.join()
    face = stage.gateway.face
    stage.session.emit(TypingChanged(CHAT, OccupantId(""), Typing.COMPOSING))
    writing = await stage.next("message", ALICE)
    assert writing.find("{http://jabber.org/protocol/chatstates}composing") is not None
    face.direct_receipt(ALICE, BOB, "m1")
    receipt = await stage.next("message", ALICE)
    assert receipt.find("{urn:xmpp:receipts}received").get("id") == "m1"  # type: ignore[union-attr]
    face.direct_displayed(ALICE, BOB, "m1")
    shown = await stage.next("message", ALICE)
    assert shown.find("{urn:xmpp:chat-markers:0}displayed").get("id") == "m1"  # type: ignore[union-attr]


async def test_a_contact_cannot_be_reached(stage: Stage) -> None:
    await stage.join()
    stage.village.answer = lambda command: Refused(Reason.NOT_FOUND, "No such nick")
    stage.send(says("<body>hello</body>"))
    failed = await stage.next("message")
    assert error(failed) == ("cancel", "item-not-found", "No such nick")
    assert (failed.get("from"), failed.get("id")) == (BOB, "m1")


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (
            says("<body>x</body>", f"nonsense@{DOMAIN}"),
            ("cancel", "item-not-found", "nonsense is in no village"),
        ),
        (
            says(f"<body>{'x' * 1001}</body>"),
            ("modify", "policy-violation", "A message may have at most 1000 bytes here."),
        ),
        (
            says("<body>?OTRv23?</body>"),
            (
                "modify",
                "not-acceptable",
                "This contact is on another network: messages to it can't be end-to-end encrypted.",
            ),
        ),
        (
            says("<x xmlns='jabber:x:conference' jid='r@muc.example.test'/>"),
            ("cancel", "feature-not-implemented", "This contact's network has no way to that room."),
        ),
    ],
)
async def test_refusals(stage: Stage, xml: str, expected: tuple[str, str, str]) -> None:
    stage.send(xml)
    assert error(await stage.next("message")) == expected


async def test_the_network_itself(stage: Stage) -> None:
    await stage.join()
    stage.send(says("<body>WHOIS bob</body>", NETWORK))
    assert await stage.command(RunCommand) == RunCommand("WHOIS bob")
    stage.gateway.face.network_text(PHONE, NETWORK, "bob is <there>")
    told = await stage.next("message")
    assert (told.get("from"), told.get("type")) == (NETWORK, "chat")
    assert told.findtext(IN + "body") == "bob is <there>"
    assert told.find("{urn:xmpp:carbons:2}private") is not None
    assert told.find("{urn:xmpp:hints}no-copy") is not None


async def test_too_long_a_command(stage: Stage) -> None:
    stage.send(says(f"<body>{'x' * 1001}</body>", NETWORK))
    assert error(await stage.next("message"))[1] == "policy-violation"


async def test_the_gateway_itself(stage: Stage) -> None:
    stage.send(says("<body>help</body>", DOMAIN))
    (taken,) = stage.to_gateway
    assert taken.body == "help"


# -- asking clients


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            "<query xmlns='jabber:iq:version'><name>Pen</name><version>2</version></query>",
            SoftwareVersion("Pen", "2"),
        ),
        ("<query xmlns='jabber:iq:version'/>", None),
        ("", None),
        (None, None),
    ],
)
async def test_asking_for_a_version(
    stage: Stage, payload: str | None, expected: SoftwareVersion | None
) -> None:
    answer = asyncio.ensure_future(stage.gateway.face.ask_version(PHONE, BOB))
    await answered(stage, payload)
    assert await answer == expected


@pytest.mark.parametrize(
    ("payload", "condition", "expected"),
    [("", "", True), (None, "feature-not-implemented", True), (None, "service-unavailable", False)],
)
async def test_asking_for_life(stage: Stage, payload: str | None, condition: str, expected: bool) -> None:
    answer = asyncio.ensure_future(stage.gateway.face.ask_ping(PHONE, BOB))
    await answered(stage, payload, condition)
    assert await answer is expected


async def answered(stage: Stage, payload: str | None, condition: str = "service-unavailable") -> None:
    """Answer the next question to the phone; None: with an error."""
    asked = await stage.next("iq")
    head = f"<iq from='{PHONE}' to='{BOB}' id='{asked.get('id')}' type"
    if payload is not None:
        stage.send(f"{head}='result'>{payload}</iq>")
        return
    namespace = "urn:ietf:params:xml:ns:xmpp-stanzas"
    stage.send(f"{head}='error'><error type='cancel'><{condition} xmlns='{namespace}'/></error></iq>")


async def test_asking_nobody(stage: Stage) -> None:
    assert await stage.gateway.face.ask_version("@@", BOB) is None
    assert await stage.gateway.face.ask_ping("@@", BOB) is False


# -- rosters


@pytest.mark.parametrize("puppet", [DOMAIN, NETWORK, BOB, ROOM])
async def test_a_subscription(stage: Stage, puppet: str) -> None:
    stage.send(f"<presence from='{ALICE}' to='{puppet}' type='subscribe' id='s1'/>")
    granted = await stage.next("presence", ALICE, lambda one: one.get("type") == "subscribed")
    assert (granted.get("from"), granted.get("id")) == (puppet, "s1")


async def test_a_subscription_to_nothing(stage: Stage) -> None:
    stage.send(f"<presence from='{ALICE}' to='nonsense@{DOMAIN}' type='subscribe' id='s1'/>")
    assert error(await stage.next("presence", ALICE)) == (
        "cancel",
        "item-not-found",
        "nonsense is in no village",
    )


@pytest.mark.parametrize(
    ("puppet", "kind"), [(DOMAIN, "gateway"), (NETWORK, "network"), (BOB, "contact"), (ROOM, "room")]
)
async def test_a_puppets_presence(stage: Stage, puppet: str, kind: str) -> None:
    face = stage.gateway.face
    face.puppet_presence(ALICE, puppet, True, True, "<busy>")
    here = await stage.next("presence", ALICE)
    assert (here.findtext(IN + "show"), here.findtext(IN + "status")) == ("away", "<busy>")
    assert here.find("{http://jabber.org/protocol/caps}c").get("ver") == kind  # type: ignore[union-attr]
    face.puppet_presence(ALICE, puppet, False)
    assert (await stage.next("presence", ALICE)).get("type") == "unavailable"


@pytest.mark.parametrize("kind", ["probe", "unavailable", "available", "unsubscribed", "odd"])
async def test_presence_to_nothing_is_silence(stage: Stage, kind: str) -> None:
    mark = "" if kind == "available" else f" type='{kind}'"
    stage.send(f"<presence from='{PHONE}' to='nonsense@{DOMAIN}'{mark}/>")
    await stage.settled()
    assert stage.wire.sent == []
