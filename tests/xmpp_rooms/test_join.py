"""Getting into rooms, and being refused (XEP-0045 §7.2)."""

from __future__ import annotations

import pytest

from bridge.api import (
    Content,
    Departure,
    JoinRoom,
    MessageId,
    MessageReceived,
    OccupantId,
    Reason,
    RoomChat,
    RoomId,
    RoomRefused,
)
from tests.xmpp_rooms.stage import (
    ALICE,
    DELAY,
    DOMAIN,
    IN,
    LAPTOP,
    MUC,
    OCCUPANT_ID,
    PHONE,
    ROOM,
    SID,
    Stage,
    codes,
    error,
    every,
    item,
)

C = RoomId("#c")


def said(text: str, by: str = "Bob") -> MessageReceived:
    return MessageReceived(RoomChat(C), OccupantId(by), MessageId(""), Content(text))


async def test_the_whole_sequence(stage: Stage) -> None:
    sequence = await stage.join()
    presences = list(every(sequence, "presence"))
    assert [one.get("from") for one in presences] == [f"{ROOM}/Bob", f"{ROOM}/Carol", f"{ROOM}/Alice"]
    bob, carol, alice = presences
    assert dict(item(bob).attrib) == {
        "affiliation": "admin",
        "role": "moderator",
        "jid": f"bob%x.example@{DOMAIN}/~bob@host.example",
    }
    assert codes(bob) == []
    assert (item(carol).get("affiliation"), item(carol).get("role")) == ("member", "participant")
    assert carol.findtext(IN + "show") == "away"
    assert codes(alice) == ["100", "110", "210"]
    assert (item(alice).get("affiliation"), item(alice).get("role")) == ("member", "moderator")
    assert item(alice).get("jid") == PHONE
    ids = [one.find(OCCUPANT_ID).get("id") for one in presences]  # type: ignore[union-attr]
    assert len(set(ids)) == 3
    assert all(one.find("{http://jabber.org/protocol/caps}c").get("ver") == "occupant" for one in presences)  # type: ignore[union-attr]
    subject = sequence[-1]
    assert subject.findtext(IN + "subject") == "Of bread"
    assert subject.get("from") == f"{ROOM}/Bob"


async def test_no_subject_is_an_empty_one(stage: Stage) -> None:
    stage.village.subject = stage.village.subject_by = ""
    subject = (await stage.join())[-1]
    assert subject.find(IN + "subject") is not None
    assert not subject.findtext(IN + "subject")
    assert subject.get("from") == ROOM


async def test_history_comes_between_presence_and_subject(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(said("first"))
    stage.session.emit(said("second"))
    await stage.next("message", test=lambda one: one.findtext(IN + "body") == "second")
    sequence = await stage.join(LAPTOP)
    names = [one.tag.removeprefix(IN) for one in sequence]
    assert names == ["presence"] * 3 + ["message"] * 3
    first = sequence[3]
    assert first.findtext(IN + "body") == "first"
    assert first.get("type") == "groupchat"
    assert first.get("from") == f"{ROOM}/Bob"
    assert first.find(DELAY).get("from") == ROOM  # type: ignore[union-attr]
    assert first.find(SID + "stanza-id").get("by") == ROOM  # type: ignore[union-attr]
    assert first.find(OCCUPANT_ID) is not None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("", ["one", "two", "three"]),
        ("<history maxstanzas='2'/>", ["two", "three"]),
        ("<history maxstanzas='0'/>", []),
        ("<history maxchars='0'/>", []),
        ("<history maxchars='10'/>", ["one", "two", "three"]),
        ("<history seconds='3600'/>", ["one", "two", "three"]),
        ("<history since='2099-01-01T00:00:00Z'/>", []),
        ("<history since='1970-01-01T00:00:00Z'/>", ["one", "two", "three"]),
    ],
)
async def test_history_limits(stage: Stage, limits: str, expected: list[str]) -> None:
    await stage.join()
    for word in ("one", "two", "three"):
        stage.session.emit(said(word))
    await stage.next("message", test=lambda one: one.findtext(IN + "body") == "three")
    sequence = await stage.join(LAPTOP, inner=limits)
    bodies = [one.findtext(IN + "body") for one in every(sequence, "message")]
    assert [body for body in bodies if body is not None] == expected


async def test_a_second_resource_costs_the_network_nothing(stage: Stage) -> None:
    await stage.join()
    stage.village.commands.clear()
    sequence = await stage.join(LAPTOP, nick="Another")
    own = next(one for one in every(sequence, "presence") if "110" in codes(one))
    assert own.get("from") == f"{ROOM}/Alice"
    assert stage.village.commands == []


async def test_a_client_that_lost_track_gets_it_all_again(stage: Stage) -> None:
    first = await stage.join()
    again = await stage.join(nick="Forgotten")
    assert [one.get("from") for one in every(first, "presence")] == [
        one.get("from") for one in every(again, "presence")
    ]


@pytest.mark.parametrize(
    ("reason", "kind", "condition", "code"),
    [
        (Reason.CONFLICT, "cancel", "conflict", "409"),
        (Reason.NOT_AUTHORIZED, "auth", "not-authorized", "401"),
        (Reason.BANNED, "auth", "forbidden", "403"),
        (Reason.INVITE_ONLY, "auth", "registration-required", "407"),
        (Reason.ROOM_FULL, "wait", "service-unavailable", "503"),
        (Reason.NO_SUCH_NETWORK, "cancel", "item-not-found", "404"),
        (Reason.NETWORK_DOWN, "cancel", "item-not-found", "404"),
        (Reason.NOT_FOUND, "cancel", "item-not-found", "404"),
    ],
)
async def test_refused(stage: Stage, reason: Reason, kind: str, condition: str, code: str) -> None:
    stage.village.lets_in = False
    stage.send(
        f"<presence from='{PHONE}' to='{ROOM}/Alice'><x xmlns='{MUC[1:-1]}'><password>s</password></x>"
        "</presence>"
    )
    asked = await stage.command(JoinRoom)
    assert isinstance(asked, JoinRoom)
    assert asked.password == "s"
    stage.session.emit(RoomRefused(C, reason.value, "No, because."))
    refused = await stage.next("presence")
    assert error(refused) == (kind, condition, "No, because.")
    assert refused.find(IN + "error").get("code") == code  # type: ignore[union-attr]
    assert refused.find(MUC + "x") is not None
    assert refused.get("from") == f"{ROOM}/Alice"


async def test_a_room_needs_a_name_to_enter_by(stage: Stage) -> None:
    stage.send(f"<presence from='{PHONE}' to='{ROOM}' id='p1'><x xmlns='{MUC[1:-1]}'/></presence>")
    refused = await stage.next("presence")
    assert error(refused)[:2] == ("modify", "jid-malformed")
    assert refused.get("id") == "p1"


@pytest.mark.parametrize("to", [f"nonsense@{DOMAIN}/Alice", f"bob%x.example@{DOMAIN}", f"x.example@{DOMAIN}"])
async def test_what_is_no_room_cannot_be_entered(stage: Stage, to: str) -> None:
    stage.send(f"<presence from='{PHONE}' to='{to}'><x xmlns='{MUC[1:-1]}'/></presence>")
    assert error(await stage.next("presence"))[:2] == ("cancel", "item-not-found")


async def test_presence_to_a_room_from_outside(stage: Stage) -> None:
    stage.send(f"<presence from='{PHONE}' to='{ROOM}/Alice'/>")
    refused = await stage.next("presence")
    assert error(refused)[:2] == ("modify", "not-acceptable")


async def test_leaving_a_room_from_outside_is_silence(stage: Stage) -> None:
    stage.send(f"<presence from='{PHONE}' to='{ROOM}/Alice' type='unavailable'/>")
    await stage.settled()
    assert stage.wire.sent == []
    assert Departure.LEFT.value == "left"
    assert stage.gateway.rooms.find(ALICE, ROOM) is None
