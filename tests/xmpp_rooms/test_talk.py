"""What is said in rooms, both ways (XEP-0045 §7.4, XEP-0359, XEP-0444, XEP-0085), and invitations."""

from __future__ import annotations

import pytest

from bridge.api import (
    Attachment,
    Command,
    Content,
    InviteContact,
    Invited,
    MarkDisplayed,
    MessageId,
    MessageReceived,
    OccupantId,
    Outcome,
    Reason,
    Refused,
    RoomChat,
    RoomId,
    RunCommand,
    SendMessage,
    Sent,
    SetReactions,
    SetSubject,
    SetTyping,
    Span,
    Style,
    Typing,
)
from tests.xmpp_rooms.stage import (
    DELAY,
    DOMAIN,
    IN,
    LAPTOP,
    OCCUPANT_ID,
    PHONE,
    ROOM,
    SID,
    USER,
    Stage,
    error,
)

C = RoomId("#c")
OUTSIDE = "You are not a participant in this room."


def says(inner: str, resource: str = PHONE, id_: str = "m1", to: str = ROOM) -> str:
    return f"<message from='{resource}' to='{to}' type='groupchat' id='{id_}'>{inner}</message>"


async def test_reflected_to_all_own_resources(stage: Stage) -> None:
    await stage.join()
    await stage.join(LAPTOP)
    stage.send(
        says(
            "<body>hello</body><origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"
            "<stanza-id xmlns='urn:xmpp:sid:0' by='example.test' id='s1'/>"
            f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='forged'/>"
        )
    )
    sent = await stage.command(SendMessage)
    assert isinstance(sent, SendMessage)
    assert (sent.chat, sent.content) == (RoomChat(C), Content("hello"))
    for resource in (PHONE, LAPTOP):
        seen = await stage.next("message", resource)
        assert (seen.get("id"), seen.get("type"), seen.get("from")) == ("m1", "groupchat", f"{ROOM}/Alice")
        assert seen.findtext(IN + "body") == "hello"
        assert seen.find(SID + "origin-id").get("id") == "o1"  # type: ignore[union-attr]
        ids = {one.get("by"): one.get("id") for one in seen.iterfind(SID + "stanza-id")}
        assert ids["example.test"] == "s1"
        assert ids[ROOM] != "forged"
        assert len(seen.findall(SID + "stanza-id")) == 2
        assert seen.find(OCCUPANT_ID) is not None
        assert seen.find(DELAY) is None


async def test_others_speak(stage: Stage) -> None:
    await stage.join()
    red = Span(0, 3, Style.COLOUR, "#ff0000")
    for content in (
        Content("hi\nthere"),
        Content("waves", action=True),
        Content("beep", notice=True),
        Content("red & bold", spans=(red, Span(6, 10, Style.BOLD))),
        Content("look", attachments=(Attachment("https://x.example/a?b&c"),)),
    ):
        stage.session.emit(MessageReceived(RoomChat(C), OccupantId("Bob"), MessageId(""), content))
    seen = [await stage.next("message") for _ in range(5)]
    assert [one.findtext(IN + "body") for one in seen] == [
        "hi\nthere",
        "/me waves",
        "[notice] beep",
        "red & bold",
        "look\nhttps://x.example/a?b&c",
    ]
    assert len({one.get("id") for one in seen}) == 5
    html = seen[3].find("{http://jabber.org/protocol/xhtml-im}html")
    assert html is not None
    assert "".join(html.itertext()) == "red & bold"
    assert seen[4].findtext("{jabber:x:oob}x/{jabber:x:oob}url") == "https://x.example/a?b&c"


async def test_an_emote(stage: Stage) -> None:
    await stage.join()
    stage.send(says("<body>/me waves</body>"))
    sent = await stage.command(SendMessage)
    assert isinstance(sent, SendMessage)
    assert sent.content == Content("waves", action=True)
    assert (await stage.next("message")).findtext(IN + "body") == "/me waves"


async def test_a_command_for_the_room(stage: Stage) -> None:
    await stage.join()
    stage.send(says("<body>/mode +v Bob</body>"))
    assert await stage.command(RunCommand) == RunCommand("mode +v Bob", C)


async def test_a_slash_is_no_command_by_itself(stage: Stage) -> None:
    await stage.join()
    stage.send(says("<body>/usr/bin/mode is a path</body>"))
    sent = await stage.command(SendMessage)
    assert isinstance(sent, SendMessage)
    assert sent.content.text == "/usr/bin/mode is a path"


async def test_the_subject(stage: Stage) -> None:
    await stage.join()
    stage.send(says("<subject>Of cheese</subject>"))
    assert await stage.command(SetSubject) == SetSubject(C, "Of cheese")


async def test_the_subject_may_not_be_set(stage: Stage) -> None:
    def answer(command: Command) -> Outcome:
        return Refused(Reason.FORBIDDEN, "Only for ops") if isinstance(command, SetSubject) else Sent()

    await stage.join()
    stage.village.answer = answer
    stage.send(says("<subject>Of cheese</subject>", id_="s7"))
    refused = await stage.next("message")
    assert error(refused) == ("auth", "forbidden", "Only for ops")
    assert (refused.get("id"), refused.get("from")) == ("s7", ROOM)


async def test_the_network_does_not_take_it(stage: Stage) -> None:
    await stage.join()
    stage.village.answer = lambda command: Refused(Reason.FORBIDDEN, "Moderated")
    stage.send(says("<body>hello</body>"))
    refused = await stage.next("message")
    assert error(refused) == ("auth", "forbidden", "Moderated")
    assert (refused.get("id"), refused.get("from")) == ("m1", ROOM)


async def test_an_attachment(stage: Stage) -> None:
    await stage.join()
    url = "https://x.example/cat.png"
    stage.send(says(f"<body>{url}</body><x xmlns='jabber:x:oob'><url>{url}</url></x>"))
    sent = await stage.command(SendMessage)
    assert isinstance(sent, SendMessage)
    assert sent.content.text == url
    assert (await stage.next("message")).findtext(IN + "body") == url


async def test_reactions_states_and_markers(stage: Stage) -> None:
    await stage.join()
    stage.send(says("<reactions xmlns='urn:xmpp:reactions:0' id='123'><reaction>👍</reaction></reactions>"))
    assert await stage.command(SetReactions) == SetReactions(RoomChat(C), MessageId("123"), ("👍",))
    stage.send(says("<composing xmlns='http://jabber.org/protocol/chatstates'/>"))
    assert await stage.command(SetTyping) == SetTyping(RoomChat(C), Typing.COMPOSING)
    stage.send(says("<displayed xmlns='urn:xmpp:chat-markers:0' id='123'/>"))
    assert await stage.command(MarkDisplayed) == MarkDisplayed(RoomChat(C), MessageId("123"))


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (says("<body>x</body>", LAPTOP), ("modify", "not-acceptable", OUTSIDE)),
        (
            says("<body>x</body>", to=f"#other%x.example@{DOMAIN}"),
            ("modify", "not-acceptable", OUTSIDE),
        ),
        (
            says("<body>x</body>", to=f"#c@{DOMAIN}"),
            ("cancel", "remote-server-not-found", "#c is in no village"),
        ),
        (
            says("<body>x</body>", to=f"bob%x.example@{DOMAIN}"),
            ("modify", "not-acceptable", "This address is not a room."),
        ),
        (
            says("<body>x</body>", to=f"{ROOM}/Bob"),
            ("modify", "bad-request", "A private message is not of the type groupchat."),
        ),
        (
            says(f"<body>{'ä' * 501}</body>"),
            ("modify", "policy-violation", "A message may have at most 1000 bytes here."),
        ),
        (
            says("<body>Encrypted</body><encrypted xmlns='eu.siacs.conversations.axolotl'/>"),
            (
                "modify",
                "not-acceptable",
                "This contact is on another network: messages to it can't be end-to-end encrypted.",
            ),
        ),
        (
            f"<message from='{PHONE}' to='{ROOM}' type='chat' id='m1'><body>x</body></message>",
            ("modify", "bad-request", "Enter the room to talk in it."),
        ),
    ],
)
async def test_refusals(stage: Stage, xml: str, expected: tuple[str, str, str]) -> None:
    await stage.join()
    stage.send(xml)
    refused = await stage.next("message", LAPTOP if LAPTOP in xml else PHONE)
    assert error(refused) == expected
    assert refused.get("id") == "m1"
    assert refused.find(IN + "body") is None
    assert not any(isinstance(one, SendMessage) for one in stage.village.commands)


@pytest.mark.parametrize(
    "xml",
    [
        says(""),
        says("<x xmlns='urn:unknown'/>"),
        says("<active xmlns='http://jabber.org/protocol/chatstates'/>", LAPTOP),
        says("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", LAPTOP),
        f"<message from='{PHONE}' to='{ROOM}' type='error' id='m1'><body>x</body></message>",
        f"<message from='{PHONE}' to='{ROOM}' type='headline' id='m1'><body>x</body></message>",
        f"<message from='{PHONE}' to='nonsense@{DOMAIN}' type='error'><error type='cancel'><gone xmlns="
        "'urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
    ],
)
async def test_silence(stage: Stage, xml: str) -> None:
    await stage.join()
    stage.send(xml)
    await stage.settled()
    assert stage.wire.sent == []
    assert not any(isinstance(one, SendMessage) for one in stage.village.commands)


# -- invitations


def invites(to: str, resource: str = PHONE) -> str:
    return (
        f"<message from='{resource}' to='{ROOM}' id='i1'><x xmlns='{USER[1:-1]}'>"
        f"<invite to='{to}'><reason>come</reason></invite></x></message>"
    )


@pytest.mark.parametrize("to", ["dave", f"dave%x.example@{DOMAIN}", f"{ROOM}/Dave"])
async def test_somebody_on_the_network_is_invited(stage: Stage, to: str) -> None:
    await stage.join()
    stage.send(invites(to))
    assert await stage.command(InviteContact) == InviteContact(C, "dave", "come")  # type: ignore[arg-type]


async def test_somebody_on_xmpp_is_invited(stage: Stage) -> None:
    await stage.join()
    stage.send(invites("bob@example.test"))
    invitation = await stage.next("message", "bob@example.test")
    invite = invitation.find(f"{USER}x/{USER}invite")
    assert invite is not None
    assert (invitation.get("from"), invite.get("from")) == (ROOM, PHONE)
    assert invite.findtext(USER + "reason") == "come"


async def test_an_invitation_that_the_network_refuses(stage: Stage) -> None:
    await stage.join()
    stage.village.answer = lambda command: Refused(Reason.FORBIDDEN, "Only for ops")
    stage.send(invites("dave"))
    assert error(await stage.next("message")) == ("auth", "forbidden", "Only for ops")


@pytest.mark.parametrize(
    ("xml", "condition"),
    [
        (invites("dave", LAPTOP), "not-acceptable"),
        (invites(f"dave%y.example@{DOMAIN}"), "item-not-found"),
        (invites(f"nonsense@{DOMAIN}"), "item-not-found"),
        (invites(""), "bad-request"),
    ],
)
async def test_invitations_that_cannot_be(stage: Stage, xml: str, condition: str) -> None:
    await stage.join()
    stage.send(xml)
    assert error(await stage.next("message", LAPTOP if LAPTOP in xml else PHONE))[1] == condition


async def test_a_direct_invitation(stage: Stage) -> None:
    await stage.join()
    stage.send(
        f"<message from='{PHONE}' to='dave%x.example@{DOMAIN}' id='i1'>"
        f"<x xmlns='jabber:x:conference' jid='{ROOM}' reason='come'/></message>"
    )
    assert await stage.command(InviteContact) == InviteContact(C, "dave", "come")  # type: ignore[arg-type]


async def test_the_network_invites(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(Invited(RoomId("#tea"), "Bob", "now"))
    invitation = await stage.next("message")
    tea = f"#tea%x.example@{DOMAIN}"
    invite = invitation.find(f"{USER}x/{USER}invite")
    assert invite is not None
    assert (invitation.get("from"), invite.get("from")) == (tea, f"{tea}/Bob")
    direct = invitation.find("{jabber:x:conference}x")
    assert direct is not None
    assert (direct.get("jid"), direct.get("reason")) == (tea, "now")
