"""What happens to people in a room: coming, going, names, ranks, the subject (XEP-0045 §7-§9)."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from bridge.api import (
    ChangeNick,
    Command,
    ConnectionLost,
    Departure,
    LeaveRoom,
    OccupantChanged,
    OccupantId,
    OccupantJoined,
    OccupantLeft,
    OccupantRenamed,
    Outcome,
    Rank,
    Reason,
    Refused,
    RoomChat,
    RoomId,
    RoomLeft,
    RoomNotice,
    Sent,
    SubjectChanged,
    Typing,
    TypingChanged,
)
from tests.xmpp_rooms.stage import (
    ALICE,
    IN,
    LAPTOP,
    OCCUPANT_ID,
    PHONE,
    ROOM,
    USER,
    Stage,
    codes,
    error,
    item,
)
from tests.xmpp_rooms.village import person

C = RoomId("#c")
BOB, ALICE_NICK = OccupantId("Bob"), OccupantId("Alice")


async def test_somebody_comes(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(OccupantJoined(C, person("Dave", away=True)))
    here = await stage.next("presence")
    assert here.get("from") == f"{ROOM}/Dave"
    assert here.get("type") is None
    assert here.findtext(IN + "show") == "away"
    assert codes(here) == []


async def test_somebody_goes(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(OccupantLeft(C, BOB, Departure.QUIT, text="so long"))
    gone = await stage.next("presence")
    assert (gone.get("type"), gone.findtext(IN + "status")) == ("unavailable", "so long")
    assert (item(gone).get("role"), item(gone).get("affiliation")) == ("none", "admin")
    assert codes(gone) == []


async def test_who_has_an_account_is_known_by_it(stage: Stage) -> None:
    def identity(presence: ET.Element) -> str | None:
        found = presence.find(OCCUPANT_ID)
        return None if found is None else found.get("id")

    await stage.join()
    dave = person("Dave", stable="dave's account")
    stage.session.emit(OccupantJoined(C, dave))
    came = identity(await stage.next("presence"))
    stage.session.emit(OccupantLeft(C, dave.name, Departure.QUIT))
    assert identity(await stage.next("presence")) == came
    stage.session.emit(OccupantJoined(C, dave))
    assert identity(await stage.next("presence")) == came
    stage.session.emit(OccupantRenamed(C, dave.name, person("Rob", stable="dave's account")))
    assert identity(await stage.next("presence")) == came
    assert identity(await stage.next("presence")) == came


@pytest.mark.parametrize(
    ("how", "code", "affiliation"), [(Departure.KICKED, "307", "admin"), (Departure.BANNED, "301", "outcast")]
)
async def test_somebody_is_thrown_out(stage: Stage, how: Departure, code: str, affiliation: str) -> None:
    await stage.join()
    stage.session.emit(OccupantLeft(C, BOB, how, actor="Carol", text="enough"))
    gone = await stage.next("presence")
    assert codes(gone) == [code]
    assert (item(gone).get("role"), item(gone).get("affiliation")) == ("none", affiliation)
    assert item(gone).find(USER + "actor").get("nick") == "Carol"  # type: ignore[union-attr]
    assert item(gone).findtext(USER + "reason") == "enough"


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Departure.KICKED, ["110", "307"]),
        (Departure.BANNED, ["110", "301"]),
        (Departure.DISCONNECTED, ["110", "332"]),
        (Departure.DESTROYED, ["110"]),
    ],
)
async def test_oneself_is_out(stage: Stage, how: Departure, expected: list[str]) -> None:
    await stage.join()
    await stage.join(LAPTOP)
    stage.session.emit(RoomLeft(C, how, actor="Bob", text="enough"))
    for resource in (PHONE, LAPTOP):
        gone = await stage.next("presence", resource)
        assert gone.get("from") == f"{ROOM}/Alice"
        assert gone.get("type") == "unavailable"
        assert codes(gone) == expected
        assert item(gone).get("role") == "none"
        assert (gone.find(f"{USER}x/{USER}destroy") is not None) == (how is Departure.DESTROYED)


async def test_the_network_breaks(stage: Stage) -> None:
    await stage.join()
    stage.session.fail(ConnectionLost("the cable"))
    gone = await stage.next("presence")
    assert codes(gone) == ["110", "332"]


async def test_one_of_two_resources_leaves(stage: Stage) -> None:
    await stage.join()
    await stage.join(LAPTOP)
    stage.send(f"<presence from='{PHONE}' to='{ROOM}/Alice' type='unavailable'/>")
    gone = await stage.next("presence")
    assert codes(gone) == ["110"]
    assert gone.findtext(IN + "status") == "xmpp-bridge note: 1 resource is still in this channel."
    await stage.settled()
    assert stage.wire.sent == []
    assert not any(isinstance(one, LeaveRoom) for one in stage.village.commands)


async def test_the_last_resource_leaves(stage: Stage) -> None:
    await stage.join()
    stage.send(
        f"<presence from='{PHONE}' to='{ROOM}/Alice' type='unavailable'><status>tired</status></presence>"
    )
    gone = await stage.next("presence")
    assert codes(gone) == ["110"]
    assert gone.findtext(IN + "status") == "tired"
    assert item(gone).get("role") == "none"


async def test_leaving_a_kept_room_keeps_the_standing(stage: Stage) -> None:
    await stage.join()
    room = stage.gateway.rooms.find(ALICE, ROOM)
    assert room is not None
    stage.gateway.rooms.keep(ALICE, room.address, "Alice")
    stage.send(f"<presence from='{PHONE}' to='{ROOM}/Alice' type='unavailable'/>")
    gone = await stage.next("presence")
    assert (item(gone).get("role"), item(gone).get("affiliation")) == ("moderator", "member")


async def test_another_name_for_somebody(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(OccupantRenamed(C, BOB, person("Rob", Rank.ADMIN)))
    gone = await stage.next("presence")
    assert (gone.get("from"), gone.get("type")) == (f"{ROOM}/Bob", "unavailable")
    assert codes(gone) == ["303"]
    assert item(gone).get("nick") == "Rob"
    assert (item(gone).get("role"), item(gone).get("affiliation")) == ("moderator", "admin")
    here = await stage.next("presence")
    assert (here.get("from"), here.get("type"), codes(here)) == (f"{ROOM}/Rob", None, [])


async def test_another_name_for_oneself(stage: Stage) -> None:
    await stage.join()
    await stage.join(LAPTOP)
    stage.send(f"<presence from='{PHONE}' to='{ROOM}/Alicia'/>")
    asked = await stage.command(ChangeNick)
    assert isinstance(asked, ChangeNick)
    assert asked.nick == "Alicia"
    stage.session.emit(OccupantRenamed(C, ALICE_NICK, person("Alicia")))
    for resource in (PHONE, LAPTOP):
        gone = await stage.next("presence", resource)
        assert (gone.get("from"), codes(gone)) == (f"{ROOM}/Alice", ["110", "303"])
        here = await stage.next("presence", resource)
        assert (here.get("from"), codes(here)) == (f"{ROOM}/Alicia", ["110"])


async def test_the_same_name_again_is_only_a_presence(stage: Stage) -> None:
    await stage.join()
    stage.village.commands.clear()
    stage.send(f"<presence from='{PHONE}' to='{ROOM}/Alice'><show>away</show></presence>")
    await stage.settled()
    assert stage.wire.sent == []
    assert not any(isinstance(one, ChangeNick) for one in stage.village.commands)


async def test_a_name_that_cannot_be_had(stage: Stage) -> None:
    def answer(command: Command) -> Outcome:
        taken = Refused(Reason.CONFLICT, "Nickname is already in use")
        return taken if isinstance(command, ChangeNick) else Sent()

    await stage.join()
    stage.village.answer = answer
    stage.send(f"<presence from='{PHONE}' to='{ROOM}/Bob'/>")
    refused = await stage.next("presence")
    assert refused.get("from") == f"{ROOM}/Bob"
    assert error(refused) == ("cancel", "conflict", "Nickname is already in use")
    assert refused.find(IN + "error").get("code") == "409"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rank", "affiliation", "role"),
    [
        (Rank.NONE, "none", "participant"),
        (Rank.MEMBER, "member", "participant"),
        (Rank.MODERATOR, "member", "moderator"),
        (Rank.ADMIN, "admin", "moderator"),
        (Rank.OWNER, "owner", "moderator"),
    ],
)
async def test_ranks(stage: Stage, rank: Rank, affiliation: str, role: str) -> None:
    await stage.join()
    stage.session.emit(OccupantChanged(C, person("Bob", rank)))
    changed = await stage.next("presence")
    assert (item(changed).get("affiliation"), item(changed).get("role")) == (affiliation, role)
    assert codes(changed) == []
    stage.session.emit(OccupantChanged(C, person("Alice", rank), actor="Bob"))
    changed = await stage.next("presence")
    assert (item(changed).get("affiliation"), item(changed).get("role")) == (affiliation, role)
    assert codes(changed) == ["110"]
    assert item(changed).find(USER + "actor").get("nick") == "Bob"  # type: ignore[union-attr]


async def test_the_subject_changes(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(SubjectChanged(C, "Of <cheese> & wine", "Carol"))
    changed = await stage.next("message")
    assert changed.findtext(IN + "subject") == "Of <cheese> & wine"
    assert changed.find(IN + "body") is None
    assert changed.get("from") == f"{ROOM}/Carol"


async def test_the_room_speaks(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(RoomNotice(C, "Mode #c [+v Bob] by Carol"))
    told = await stage.next("message")
    assert (told.get("from"), told.get("type")) == (ROOM, "groupchat")
    assert told.findtext(IN + "body") == "Mode #c [+v Bob] by Carol"


async def test_somebody_writes(stage: Stage) -> None:
    await stage.join()
    stage.session.emit(TypingChanged(RoomChat(C), BOB, Typing.COMPOSING))
    writing = await stage.next("message")
    assert writing.get("from") == f"{ROOM}/Bob"
    assert writing.find("{http://jabber.org/protocol/chatstates}composing") is not None
    assert writing.find("{urn:xmpp:hints}no-store") is not None


@pytest.mark.parametrize("name", ["presence", "message"])
@pytest.mark.parametrize(("condition", "fatal"), [("recipient-unavailable", True), ("not-acceptable", False)])
async def test_a_client_that_is_gone(stage: Stage, name: str, condition: str, fatal: bool) -> None:
    await stage.join()
    await stage.join(LAPTOP)
    stage.send(
        f"<{name} from='{PHONE}' to='{ROOM}/Bob' type='error'><error type='cancel'>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{name}>"
    )
    room = stage.gateway.rooms.find(ALICE, ROOM)
    assert room is not None
    assert (PHONE not in room.resources) == fatal
    assert LAPTOP in room.resources
    await stage.settled()
    assert stage.wire.sent == []


async def test_a_new_name_is_no_new_person(stage: Stage) -> None:
    """What ends the old name and what begins the new carry the id of before (XEP-0421)."""

    async def identity() -> str:
        found = (await stage.next("presence")).find(OCCUPANT_ID)
        return "" if found is None else found.get("id", "")

    await stage.join()
    stage.session.emit(OccupantJoined(C, person("Dave", real="~dave@host")))
    came = await identity()
    stage.session.emit(OccupantRenamed(C, OccupantId("Dave"), person("Rob", real="~dave@host")))
    assert [await identity(), await identity()] == [came, came]
    stage.session.emit(OccupantJoined(C, person("Dave", real="~dave@host")))
    assert await identity() != came, "Dave is another one now"
    stage.session.emit(OccupantRenamed(C, ALICE_NICK, person("Alys")))
    mine = {await identity(), await identity()}
    assert len(mine) == 1
    stage.session.emit(OccupantRenamed(C, OccupantId("Alys"), person("Alice")))
    assert {await identity(), await identity()} == mine
