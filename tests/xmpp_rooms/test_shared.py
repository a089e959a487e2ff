"""Many users in one room, each with a connection of their own: what all are told is made and rendered once,
and nobody notices. Everybody gets every line once, in order, with ids that only grow, and finds it so in the
archive."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slixmpp import Message

from bridge.api import (
    ConnectionLost,
    ContactId,
    Content,
    Departure,
    MessageId,
    MessageReceived,
    Occupant,
    OccupantId,
    OccupantJoined,
    OccupantLeft,
    OccupantRenamed,
    Rank,
    RoomChat,
    RoomId,
    RoomLeft,
)
from bridge.core.values import RoomMessage
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.muc_messages import RoomMessages
from bridge.xmpp.muc_presences import RoomPresences
from tests.xmpp_rooms.stage import IN, MAM, OCCUPANT_ID, ROOM, SID, Stage, is_subject, parsed
from tests.xmpp_rooms.test_render import make_room, messages, slixmpp_reads
from tests.xmpp_rooms.village import Village, person

USERS = [f"user{number}@example.test" for number in range(4)]
ROOM_ID = RoomId("#c")
WORDS = ("yes", "no", "yes & <no>")


def line(text: str, sender: str = "Bob", id_: str = "", *, own: bool = False) -> MessageReceived:
    """What a network says; each time a value of its own."""
    return MessageReceived(RoomChat(ROOM_ID), OccupantId(sender), MessageId(id_), Content(text), own=own)


def client(user: str) -> str:
    return f"{user}/one"


async def enter_again(stage: Stage, user: str) -> None:
    """As a client that was put out; what was sent before stays to be looked at."""

    def entered() -> int:
        return sum(1 for one in stage.wire.sent if is_subject(one) and one.get("to") == client(user))

    before = entered()
    muc = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
    stage.send(f"<presence from='{client(user)}' to='{ROOM}/{user.partition('@')[0]}'>{muc}</presence>")
    await stage.until(lambda: entered() > before)


async def enter(stage: Stage, users: Sequence[str] = USERS) -> None:
    for user in users:
        await stage.join(client(user), user.partition("@")[0], "<history maxstanzas='0'/>")


def said_to(stage: Stage, user: str) -> list[ET.Element]:
    """The messages with a body that were sent to a user."""
    return [
        one
        for one in stage.wire.sent
        if one.tag == IN + "message"
        and one.get("type") == "groupchat"
        and one.get("to") == client(user)
        and one.find(IN + "body") is not None
    ]


def texts(elements: Sequence[ET.Element]) -> list[tuple[str, str]]:
    return [(one.get("from", "").partition("/")[2], one.findtext(IN + "body") or "") for one in elements]


def ids(elements: Sequence[ET.Element]) -> list[int]:
    return [int(one.find(SID + "stanza-id").get("id", "")) for one in elements]  # type: ignore[union-attr]


def identities(elements: Sequence[ET.Element]) -> list[str]:
    return [one.find(OCCUPANT_ID).get("id", "") for one in elements]  # type: ignore[union-attr]


async def archived(stage: Stage, user: str) -> list[tuple[int, str]]:
    """The end of a user's archive of the room: id and text of up to 50 messages."""
    page = "<set xmlns='http://jabber.org/protocol/rsm'><max>50</max><before/></set>"
    stage.send(
        f"<iq type='set' id='mam-{user}' from='{client(user)}' to='{ROOM}'>"
        f"<query xmlns='{MAM[1:-1]}'>{page}</query></iq>"
    )
    found: list[tuple[int, str]] = []
    await stage.next("iq", client(user), lambda one: one.get("id") == f"mam-{user}")
    for one in stage.wire.sent:
        result = one.find(MAM + "result")
        if one.get("to") == client(user) and result is not None:
            body = result.find(".//{jabber:client}body")
            found.append((int(result.get("id", "")), body.text if body is not None and body.text else ""))
    return found


async def test_all_are_told_the_same(stage: Stage) -> None:
    await enter(stage)
    for text in ("one", "two", "two", "three"):
        for user in USERS:
            stage.village.sessions[user].emit(line(text))
    told = [said_to(stage, user) for user in USERS]
    assert [texts(each) for each in told] == [[("Bob", t) for t in ("one", "two", "two", "three")]] * 4
    assert ids(told[0]) == sorted(set(ids(told[0])))
    assert all(ids(each) == ids(told[0]) for each in told)
    assert all(identities(each) == identities(told[0]) for each in told)
    assert len({one.get("id") for one in told[0]}) == 4
    for user, each in zip(USERS, told, strict=True):
        assert await archived(stage, user) == list(
            zip(ids(each), ("one", "two", "two", "three"), strict=True)
        )


async def test_behind_and_ahead_of_the_others(stage: Stage) -> None:
    await enter(stage)
    said = [line(text) for text in ("a", "b", "a", "a", "c")]
    for user, upto in zip(USERS, (5, 4, 1, 0), strict=True):
        for event in said[:upto]:
            stage.village.sessions[user].emit(event)
    for user, since in zip(USERS, (5, 4, 1, 0), strict=True):
        for event in said[since:]:
            stage.village.sessions[user].emit(event)
    told = [said_to(stage, user) for user in USERS]
    assert all(ids(each) == ids(told[0]) for each in told)
    assert [text for _, text in texts(told[3])] == ["a", "b", "a", "a", "c"]


async def test_ids_of_the_network_tell_like_lines_apart(stage: Stage) -> None:
    await enter(stage, USERS[:2])
    first, second = (stage.village.sessions[user] for user in USERS[:2])
    first.emit(line("yes", id_="m1"))
    first.emit(line("yes", id_="m2"))
    second.emit(line("yes", id_="m2"))
    assert ids(said_to(stage, USERS[1])) == ids(said_to(stage, USERS[0]))[1:]


async def test_ones_own_words_are_ones_own(stage: Stage) -> None:
    await enter(stage, USERS[:3])
    stage.village.sessions[USERS[0]].emit(OccupantJoined(ROOM_ID, person("user1")))
    stage.village.sessions[USERS[2]].emit(OccupantJoined(ROOM_ID, person("user1")))
    for user in USERS[:3]:
        stage.village.sessions[user].emit(line("me", "user1", own=user == USERS[1]))
    others, mine, third = (said_to(stage, user) for user in USERS[:3])
    assert texts(others) == texts(mine) == texts(third) == [("user1", "me")]
    assert identities(others) == identities(third) != identities(mine)
    (room,) = stage.gateway.rooms.of(USERS[1])
    assert identities(mine) == [stage.gateway.rooms.occupant_id(room, room.me)]


async def test_whoever_comes_in_between_is_told_what_comes_then(stage: Stage) -> None:
    await enter(stage, USERS[:2])
    for user in USERS[:2]:
        stage.village.sessions[user].emit(line("before"))
    await stage.join(client(USERS[2]), "late", "<history maxstanzas='0'/>")
    for user in USERS[:3]:
        stage.village.sessions[user].emit(line("before"))
        stage.village.sessions[user].emit(line("after"))
    told = said_to(stage, USERS[2])
    assert [text for _, text in texts(told)] == ["before", "after"]
    assert ids(told) == ids(said_to(stage, USERS[0]))
    assert [text for _, text in await archived(stage, USERS[2])] == ["before", "after"]


async def test_a_lost_connection_and_the_way_back(stage: Stage) -> None:
    stage.gateway._ground.chance = lambda: -0.99  # connect again at once
    await enter(stage, USERS[:2])
    lost = stage.village.sessions[USERS[1]]
    for user in USERS[:2]:
        stage.village.sessions[user].emit(line("yes"))
    stage.village.sessions[USERS[0]].emit(line("yes"))
    lost.fail(ConnectionLost("split"))
    await stage.until(lambda: stage.village.sessions[USERS[1]] is not lost and any(
        is_subject(one) and one.get("to") == client(USERS[1]) for one in stage.wire.sent
    ))  # fmt: skip
    for user in USERS[:2]:
        stage.village.sessions[user].emit(line("yes"))
    stayed, back = (ids(said_to(stage, user)) for user in USERS[:2])
    assert len(stayed) == 3
    assert back == [stayed[0], stayed[2]], "what was said meanwhile is not what was said then"
    assert [id_ for id_, _ in await archived(stage, USERS[1])] == back


async def test_the_server_away_what_is_told_late_is_not_from_before(stage: Stage) -> None:
    """A user who is behind hears, while the XMPP server is away, what others heard before it went: shown when
    it is back, since it is not older than that to them."""
    await enter(stage, USERS[:2])
    first, behind = (stage.village.sessions[user] for user in USERS[:2])
    first.emit(line("news"))
    stage.gateway.link_down("gone")
    behind.emit(line("news"))
    stage.wire.sent.clear()
    stage.gateway.link_up()
    await stage.until(lambda: said_to(stage, USERS[1]))
    assert texts(said_to(stage, USERS[1])) == [("Bob", "news")]


async def test_names_alone_make_one_id_for_all_who_see_them(stage: Stage) -> None:
    stage.village.people.append(person("Dan", real=""))
    await enter(stage, USERS[:3])
    sessions = [stage.village.sessions[user] for user in USERS[:3]]

    def say(text: str, sender: str, to: slice = slice(None)) -> list[str]:
        for session in sessions[to]:
            session.emit(line(text, sender))
        return [identities(said_to(stage, user))[-1] for user in USERS[:3][to]]

    dan = say("hi", "Dan")
    assert len(set(dan)) == 1
    # two of three have seen Dan go, and somebody else come by that name
    for session in sessions[:2]:
        session.emit(OccupantLeft(ROOM_ID, OccupantId("Dan"), Departure.QUIT))
        session.emit(OccupantJoined(ROOM_ID, person("Dan", real="")))
    other = say("hello", "Dan", slice(0, 2))
    assert len(set(other)) == 1
    assert other[0] != dan[0]
    assert say("bye", "Dan", slice(2, 3)) == [dan[0]]
    sessions[2].emit(OccupantLeft(ROOM_ID, OccupantId("Dan"), Departure.QUIT))
    sessions[2].emit(OccupantJoined(ROOM_ID, person("Dan", real="")))
    assert say("back", "Dan", slice(2, 3)) == [other[0]]
    for session in sessions:
        session.emit(OccupantRenamed(ROOM_ID, OccupantId("Dan"), person("Ned", real="")))
    assert set(say("me", "Ned")) == set(other)
    # with the last user goes what nobody can watch
    for session in sessions:
        session.emit(RoomLeft(ROOM_ID, Departure.KICKED))
    await enter(stage, USERS[:1])
    sessions = [stage.village.sessions[USERS[0]]]
    sessions[0].emit(OccupantJoined(ROOM_ID, person("Ned", real="")))
    assert say("who", "Ned", slice(0, 1)) != other[:1]


schedules = st.lists(
    st.one_of(
        st.sampled_from(WORDS),  # somebody says that
        st.integers(0, len(USERS) - 1),  # this user's connection brings what it has not brought yet
        st.tuples(st.integers(0, len(USERS) - 1)),  # ... only the next line
        st.sampled_from([(number, "again") for number in range(len(USERS))]),  # leaves, and joins again
    ),
    max_size=40,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(schedule=schedules)
async def test_any_order(stage: Stage, schedule: list[str | int | tuple[int] | tuple[int, str]]) -> None:
    stage.village.people = [person("Bob")]
    stage.wire.sent.clear()
    await enter(stage)
    log: list[str] = []
    places = [0] * len(USERS)
    expected: list[list[str]] = [[] for _ in USERS]

    def bring(number: int, upto: int) -> None:
        for text in log[places[number] : upto]:
            stage.village.sessions[USERS[number]].emit(line(text))
            expected[number].append(text)
        places[number] = max(upto, places[number])

    for step in schedule:
        if isinstance(step, str):
            log.append(step)
        elif isinstance(step, int):
            bring(step, len(log))
        elif len(step) == 1:
            bring(step[0], min(places[step[0]] + 1, len(log)))
        else:
            places[step[0]] = len(log)
            stage.village.sessions[USERS[step[0]]].emit(RoomLeft(ROOM_ID, Departure.KICKED))
            await enter_again(stage, USERS[step[0]])
    for number in range(len(USERS)):
        bring(number, len(log))
    for number, user in enumerate(USERS):
        told = said_to(stage, user)
        assert [text for _, text in texts(told)] == expected[number]
        assert ids(told) == sorted(set(ids(told)))
        assert len(set(identities(told))) <= 1
        kept = await archived(stage, user)
        assert kept[-len(told) or len(kept) :] == list(zip(ids(told), expected[number], strict=True))
    for user in USERS:
        stage.village.sessions[user].emit(RoomLeft(ROOM_ID, Departure.KICKED))


@given(st.lists(messages, min_size=1, max_size=5, unique_by=lambda message: message.archive_id))
async def test_rendered_once_is_rendered_for_each(said: list[RoomMessage]) -> None:
    """The same bytes as without sharing, and slixmpp reads them."""
    plain: list[str] = []
    shared: list[str] = []
    for many, out in ((False, plain), (True, shared)):
        face = RoomMessages(out.append, lambda: "id", lambda room, name: name)
        rooms = []
        for user in USERS:
            room = make_room()
            room.user, room.resources = user, {client(user): None, f"{user}/two": None}
            if rooms and many:
                room.commons = rooms[0].commons
            room.commons.enter(user)
            rooms.append(room)
        assert rooms[-1].commons.shared == many
        for room in rooms:
            for message in said:
                face.said(room, message)
    assert shared == plain
    assert len(parsed("".join(shared))) == 2 * len(USERS) * len(said)
    assert len(slixmpp_reads("".join(shared[: len(said)]), Message)) == 2 * len(said)


NAMES = ("ann", "bob", "eve", "user0@example.test")
PEOPLE = st.builds(
    Occupant,
    st.sampled_from(NAMES).map(OccupantId),
    st.sampled_from(list(Rank)),
    st.sampled_from(["", "u@host", "u@<other>"]),
    contact=st.sampled_from([None, ContactId("ann")]),
    away=st.booleans(),
)
VIEWS = st.lists(st.lists(PEOPLE, unique_by=lambda one: one.name), min_size=1, max_size=4)
IDS = st.dictionaries(st.sampled_from(NAMES).map(OccupantId), st.sampled_from(["id1", "id2"]))


@given(VIEWS, st.lists(IDS, min_size=4, max_size=4))
async def test_who_is_there_is_rendered_once_and_for_each(
    views: list[list[Occupant]], ids: list[dict[OccupantId, str]]
) -> None:
    """The same bytes as without sharing, whatever each of the users knows of the others by then."""
    plain: list[str] = []
    shared: list[str] = []
    for many, out in ((False, plain), (True, shared)):
        addresses = Addresses("irc.example.test", Village())
        face = RoomPresences(out.append, addresses, lambda room, name: f"new {name}", lambda kind: "")
        commons = make_room().commons
        for user, occupants, known in zip(USERS, views, ids, strict=False):
            room = make_room()
            if many:
                room.commons = commons
                commons.enter("somebody else")
            room.user = user
            room.entered(OccupantId(NAMES[-1]), tuple(occupants), "", "", "")
            room.occupant_ids = known
            assert room.commons.shared == many
            out += face.entering(room, client(user))
            for occupant in occupants:
                face.joined(room, occupant)
    assert "".join(shared) == "".join(plain)
    parsed("".join(shared))
