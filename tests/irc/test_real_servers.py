"""The backend against InspIRCd with services (TLS, SASL) and ngIRCd (plain RFC 1459 with one capability)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from backends.irc import Options, create
from backends.irc.options import NetworkOptions
from bridge.api import (
    AskPing,
    AskProfile,
    AskRooms,
    AskVersion,
    AuthFailed,
    ChangeNick,
    ConnectionLost,
    ContactId,
    Content,
    Departure,
    DirectChat,
    InviteContact,
    JoinRoom,
    KickOccupant,
    LeaveRoom,
    MessageReceived,
    NameChanged,
    NetworkId,
    OccupantChanged,
    OccupantId,
    OccupantJoined,
    OccupantLeft,
    OccupantRenamed,
    QueryFailed,
    Rank,
    Reason,
    Refused,
    RegistrationRefused,
    RoomChat,
    RoomId,
    RoomJoined,
    RoomLeft,
    RoomNotice,
    RoomRefused,
    RunCommand,
    SendMessage,
    Sent,
    SetAvailability,
    SetRank,
    SetSubject,
    SubjectChanged,
)
from bridge.core.netguard import NetworkGuard
from tests.irc.recording_host import Driven, account_for, driven, options_for
from tests.peers.atheme import Atheme, running_atheme
from tests.peers.inspircd import Inspircd, running_inspircd
from tests.peers.irc_client import IrcClient, irc_client
from tests.peers.ngircd import Ngircd, running_ngircd

ROOM = RoomId("#c")
BOB = OccupantId("Bob")
SERVERS = ["inspircd", "ngircd"]


@pytest.fixture(scope="module")
def inspircd() -> Iterator[Inspircd]:
    """A modern server, shared by this module."""
    with running_inspircd() as server:
        yield server


@pytest.fixture(scope="module")
def ngircd() -> Iterator[Ngircd]:
    """A plain server, shared by this module."""
    with running_ngircd() as server:
        yield server


@pytest.fixture(scope="module")
def services(inspircd: Inspircd) -> Iterator[Atheme]:
    """Services of the first, with the account `acct`."""
    with running_atheme(inspircd) as atheme:
        asyncio.run(atheme.register("acct", "right"))
        yield atheme


@pytest.fixture(params=SERVERS)
async def there(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Driven, IrcClient]]:
    """Alice, who is us, and Bob, both in #c; Alice is its operator. Once on each server."""
    server: Inspircd | Ngircd = request.getfixturevalue(request.param)
    async with (
        driven(options(server)) as me,
        irc_client(server.port, "Bob") as bob,
    ):
        await me.connected()
        await me.join("#c")
        await bob.join("#c")
        await me.host.wait(OccupantJoined)
        yield me, bob


def options(server: Inspircd | Ngircd, *, tls: bool = True) -> Options:
    if not tls:
        return options_for(server.port)
    return options_for(server.tls_port, host=server.server, ca_file=str(server.ca_file))


def say(text: str, **more: bool) -> SendMessage:
    return SendMessage(RoomChat(ROOM), "key", Content(text, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("server_name", SERVERS)
async def test_joining_a_room_that_has_people(request: pytest.FixtureRequest, server_name: str) -> None:
    server: Inspircd | Ngircd = request.getfixturevalue(server_name)
    async with irc_client(server.port, "Bob") as bob, driven(options(server)) as me:
        await bob.join("#Full")
        bob.send("TOPIC #Full :what it is about")
        await bob.sync()
        assert await me.connected() == "alice"
        event = await me.join("#full")
    ranks = {each.name: (each.rank, each.contact) for each in event.occupants}
    assert ranks == {"alice": (Rank.NONE, "alice"), "Bob": (Rank.ADMIN, "bob")}
    assert (event.me, event.subject, event.subject_by) == ("alice", "what it is about", "Bob")
    assert event.display.lower() == "#full"
    assert "Connected to IRC server (encrypted)." in me.host.notices


async def test_talk_in_both_directions(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    bob.say("#c", "grüße \x02fett\x02")
    event = await me.host.wait(MessageReceived)
    assert (event.chat, event.sender, event.content.text) == (RoomChat(ROOM), "Bob", "grüße fett")
    assert event.sent_at is None
    bob.send("PRIVMSG #c :\x01ACTION waves\x01")
    assert (await me.host.wait(MessageReceived)).content == Content("waves", action=True)
    assert await me.session.execute(say("hello")) == Sent()
    await bob.wait_for(r"^:alice!\S+ PRIVMSG #c :hello$")
    await me.session.execute(say("dances", action=True))
    await bob.wait_for("PRIVMSG #c :\x01ACTION dances\x01$")
    await me.session.execute(say("an automat speaks", notice=True))
    await bob.wait_for("NOTICE #c :an automat speaks$")


async def test_long_text_arrives_whole(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    text = "Übergröße 👍🏽 " * 120
    outcome = await me.session.execute(say(text + "\nend"))
    assert isinstance(outcome, Sent)
    await bob.wait_for("PRIVMSG #c :end$")
    said = [line.partition(" :")[2] for line in bob.lines if " PRIVMSG #c :" in line]
    # ngIRCd takes a blank at the end away.
    assert [each.rstrip() for each in said] == [part.content.text.rstrip() for part in outcome.parts]
    assert "".join(said[:-1]).replace(" ", "") == text.replace(" ", "")


async def test_private_talk(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    bob.say("alice", "psst")
    event = await me.host.wait(MessageReceived)
    assert (event.chat, event.sender) == (DirectChat(ContactId("bob")), "")
    assert await me.session.execute(SendMessage(event.chat, "k", Content("what?"))) == Sent()
    await bob.wait_for("PRIVMSG [Bb]ob :what\\?$")
    outcome = await me.session.execute(SendMessage(DirectChat(ContactId("nobody")), "k", Content("x")))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.NOT_FOUND


async def test_people_come_and_go(there: tuple[Driven, IrcClient], request: pytest.FixtureRequest) -> None:
    me, bob = there
    bob.send("PART #c :have to go")
    left = await me.host.wait(OccupantLeft)
    assert (left.name, left.how, left.text.strip('"')) == ("Bob", Departure.LEFT, "have to go")
    await bob.join("#c")
    back = (await me.host.wait(OccupantJoined)).occupant
    assert back.real.lower().endswith("bob@127.0.0.1") or "@" in back.real
    bob.send("NICK Robert")
    renamed = await me.host.wait(OccupantRenamed)
    assert (renamed.old, renamed.occupant.name) == ("Bob", "Robert")
    bob.send("QUIT :bye")
    assert (await me.host.wait(OccupantLeft)).how is Departure.QUIT


async def test_ranks_and_modes(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    assert await me.session.execute(SetRank(ROOM, BOB, Rank.MEMBER)) == Sent()
    changed = await me.host.wait(OccupantChanged)
    assert (changed.occupant.name, changed.occupant.rank, changed.actor) == ("Bob", Rank.MEMBER, "alice")
    assert (await me.host.wait(RoomNotice)).text == "Mode #c [+v Bob] by alice"
    assert await me.session.execute(SetRank(ROOM, BOB, Rank.ADMIN)) == Sent()
    assert (await me.host.wait(OccupantChanged)).occupant.rank is Rank.ADMIN
    bob.send("MODE #c -o alice")
    mine = await me.host.wait(OccupantChanged, lambda event: event.occupant.name == "alice")
    assert mine.occupant.rank is Rank.NONE
    outcome = await me.session.execute(SetRank(ROOM, BOB, Rank.NONE))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.FORBIDDEN
    outcome = await me.session.execute(SetRank(ROOM, OccupantId("nobody"), Rank.MEMBER))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.NOT_FOUND


async def test_kicks(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    assert await me.session.execute(KickOccupant(ROOM, BOB, "out with you")) == Sent()
    await bob.wait_for(":out with you$")
    kicked = await me.host.wait(OccupantLeft)
    assert (kicked.name, kicked.how, kicked.actor, kicked.text) == (
        "Bob", Departure.KICKED, "alice", "out with you",
    )  # fmt: skip
    assert isinstance(await me.session.execute(KickOccupant(ROOM, BOB)), Refused)
    await bob.join("#c")
    await me.host.wait(OccupantJoined)
    await me.session.execute(SetRank(ROOM, BOB, Rank.ADMIN))
    bob.send("KICK #c alice :you first")
    left = await me.host.wait(RoomLeft)
    assert (left.how, left.actor, left.text) == (Departure.KICKED, "Bob", "you first")


async def test_topics(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    assert await me.session.execute(SetSubject(ROOM, "two\nlines")) == Sent()
    await bob.wait_for("TOPIC #c :two lines$")
    assert await me.host.wait(SubjectChanged) == SubjectChanged(ROOM, "two lines", "alice")
    bob.send("MODE #c")
    await me.session.execute(RunCommand("mode +t-o alice", ROOM))
    await me.host.wait(RoomNotice, lambda event: "-o" in event.text)
    outcome = await me.session.execute(SetSubject(ROOM, "not allowed"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.FORBIDDEN


async def test_our_own_name(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    assert await me.session.execute(ChangeNick(None, "Alicia")) == Sent()
    assert (await me.host.wait(NameChanged)).name == "Alicia"
    renamed = await me.host.wait(OccupantRenamed)
    assert (renamed.old, renamed.occupant.name) == ("alice", "Alicia")
    outcome = await me.session.execute(ChangeNick(None, "bob"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.CONFLICT
    await me.session.execute(say("it is me"))
    await bob.wait_for(r"^:Alicia!\S+ PRIVMSG #c :it is me$")


async def test_leaving(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    await me.session.execute(LeaveRoom(ROOM, "good night"))
    left = await me.host.wait(RoomLeft)
    assert (left.how, left.actor) == (Departure.LEFT, "")
    await bob.wait_for("PART #c.*good night")
    await me.session.close("gone home")
    assert await me.ended() is None


async def test_rooms_that_do_not_let_us_in(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    await bob.join("#keyed")
    await bob.join("#mine")
    bob.send("MODE #keyed +k sesame")
    bob.send("MODE #mine +i")
    await bob.sync()
    await me.session.execute(JoinRoom(RoomId("#keyed"), "x", "wrong"))
    assert (await me.host.wait(RoomRefused)).reason == Reason.NOT_AUTHORIZED.value
    await me.session.execute(JoinRoom(RoomId("#mine"), "x"))
    assert (await me.host.wait(RoomRefused)).reason == Reason.INVITE_ONLY.value
    await me.session.execute(JoinRoom(RoomId("#keyed"), "x", "sesame"))
    await me.host.wait(RoomJoined, lambda event: event.room == "#keyed")


async def test_invitations_and_availability(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there
    await me.join("#party")
    assert await me.session.execute(InviteContact(RoomId("#party"), ContactId("bob"))) == Sent()
    await bob.wait_for("INVITE [Bb]ob :?#party")
    await me.host.notice("has been invited to #party")
    outcome = await me.session.execute(InviteContact(RoomId("#party"), ContactId("nobody")))
    assert isinstance(outcome, Refused)
    await me.session.execute(SetAvailability(True, "at lunch"))
    await me.host.notice("marked as being away")
    bob.say("alice", "there?")
    await bob.wait_for(" 301 Bob alice :at lunch")
    await me.session.execute(SetAvailability(False))
    await me.host.notice("no longer marked as being away")


async def test_questions(there: tuple[Driven, IrcClient]) -> None:
    me, bob = there

    async def answer(kind: str, text: str) -> None:
        asked = await bob.wait_for(f"PRIVMSG \\S+ :\x01{kind}")
        token = asked.partition(kind)[2].strip(" \x01")
        bob.send(f"NOTICE alice :\x01{kind} {text or token}\x01")

    asking = asyncio.ensure_future(me.session.query(AskVersion(ContactId("bob"))))
    await answer("VERSION", "irssi 1.4")
    assert (await asking).fields == {"name": "irssi 1.4"}
    asking = asyncio.ensure_future(me.session.query(AskPing(ContactId("bob"))))
    await answer("PING", "")
    assert (await asking).fields == {}
    profile = (await me.session.query(AskProfile(ContactId("bob")))).fields
    assert (profile["nick"], profile["name"]) == ("Bob", "Bob")
    assert "@" in profile["note"]
    with pytest.raises(QueryFailed) as caught:
        await me.session.query(AskProfile(ContactId("nobody")))
    assert caught.value.reason is Reason.NOT_FOUND
    rooms = (await me.session.query(AskRooms())).rooms
    assert ("#c", 2) in [(each.room, each.occupants) for each in rooms]
    bob.send("PRIVMSG alice :\x01VERSION\x01")
    await bob.wait_for("NOTICE Bob :\x01VERSION Client \\(through xmpp-bridge\\) 1.0 Linux\x01")
    assert not any("End of /WHOIS" in text for text in me.host.notices)


async def test_a_line_in_the_networks_own_words(there: tuple[Driven, IrcClient]) -> None:
    me, _bob = there
    assert isinstance(await me.session.execute(RunCommand("whois bob")), Sent)
    await me.host.notice("127.0.0.1")
    assert isinstance(await me.session.execute(RunCommand("nonsense")), Sent)
    await me.host.notice("Unknown command")


@contextlib.asynccontextmanager
async def logging_in(server: Inspircd, password: str) -> AsyncIterator[Driven]:
    account = account_for("alice", settings={"username": "acct"}, secrets={"password": password})
    async with driven(options(server), account) as me:
        yield me


async def test_login(inspircd: Inspircd, services: Atheme) -> None:
    async with logging_in(inspircd, "right") as me:
        assert await me.connected() == "alice"
        await me.host.notice("You are now logged in as acct")
        event = await me.join("#logged-in")
        assert [each.name for each in event.occupants] == ["alice"]


async def test_a_wrong_password(inspircd: Inspircd, services: Atheme) -> None:
    async with logging_in(inspircd, "wrong") as me:
        error = await me.ended()
    assert isinstance(error, AuthFailed)
    assert "SASL" in str(error)


async def test_a_login_is_tried_when_it_is_registered(inspircd: Inspircd, services: Atheme) -> None:
    network = NetworkId("irc.example.org")
    known = NetworkOptions(
        host="localhost", port=inspircd.tls_port, tls="required", ca_file=str(inspircd.ca_file)
    )
    backend = create(Options(networks={network: known}))
    loopback = NetworkGuard(private=True)
    values = {"username": "acct", "password": "right", "nick": "tester"}
    assert await backend.check_registration(network, values, loopback) == values
    with pytest.raises(RegistrationRefused) as caught:
        await backend.check_registration(network, values | {"password": "wrong"}, loopback)
    assert caught.value.field == "password"
    with pytest.raises(RegistrationRefused, match="private networks"):
        await backend.check_registration(network, values, NetworkGuard(private=False))


async def test_accounts_are_seen(inspircd: Inspircd, services: Atheme) -> None:
    async with driven(options(inspircd), account_for("first")) as me, logging_in(inspircd, "right") as other:
        await me.connected()
        await me.join("#accounts")
        await other.connected()
        await other.session.execute(JoinRoom(RoomId("#accounts"), "x"))
        occupant = (await me.host.wait(OccupantJoined)).occupant
        assert (occupant.stable, "@" in occupant.real) == ("acct", True)


async def test_a_certificate_that_nobody_vouches_for(inspircd: Inspircd) -> None:
    network = NetworkOptions(port=inspircd.tls_port, tls="required")
    async with driven(Options(networks={"irc.example.org": network})) as me:
        error = await me.ended()
    assert isinstance(error, ConnectionLost)
    assert "cannot be trusted" in str(error)
    assert "ca_file" in str(error)
    assert not any("not encrypted" in text for text in me.host.notices)


async def test_a_certificate_for_somebody_else(inspircd: Inspircd) -> None:
    network = NetworkOptions(host="other.example.org", port=inspircd.tls_port, ca_file=str(inspircd.ca_file))
    me_options = Options(networks={"irc.example.org": network})
    async with driven(me_options) as me:
        error = await me.ended()
    assert "cannot be trusted" in str(error)


async def test_any_certificate_where_the_admin_says_so(inspircd: Inspircd) -> None:
    network = NetworkOptions(port=inspircd.tls_port, verify=False)
    async with driven(Options(networks={"irc.example.org": network})) as me:
        assert await me.connected() == "alice"


async def test_without_encryption(ngircd: Ngircd) -> None:
    async with driven(options(ngircd, tls=False)) as me:
        await me.connected()
        assert "Connected to IRC server." in me.host.notices


async def test_history_of_a_room(inspircd: Inspircd) -> None:
    async with irc_client(inspircd.port, "Bob") as bob, driven(options(inspircd)) as me:
        await bob.join("#past")
        bob.send("MODE #past +H 10:1h")
        bob.say("#past", "said before")
        await bob.sync()
        await me.connected()
        await me.join("#past")
        event = await me.host.wait(MessageReceived)
        assert (event.content.text, event.sender) == ("said before", "Bob")
        assert event.sent_at is not None


async def test_a_nick_in_use(there: tuple[Driven, IrcClient], request: pytest.FixtureRequest) -> None:
    server: Inspircd | Ngircd = request.getfixturevalue(request.node.callspec.params["there"])
    async with driven(options(server), account_for("bob")) as other:
        error = await other.ended()
    assert isinstance(error, ConnectionLost)
    assert error.reason is Reason.CONFLICT
    async with driven(options(server), account_for("x", settings={"nick": "bob"})) as other:
        assert await other.connected() == "bob_"
        await other.join("#c")  # now the holder of the nick is in sight
        _me, bob = there
        bob.send("NICK Robert")
        assert (await other.host.wait(NameChanged)).name == "bob"


async def test_a_server_that_dies() -> None:
    with running_inspircd() as server:
        async with driven(options(server)) as me:
            await me.connected()
            await me.join("#c")
            await asyncio.to_thread(server.kill)
            error = await me.ended()
            assert isinstance(error, ConnectionLost)
            assert error.reason is Reason.NETWORK_DOWN


async def test_being_killed(inspircd: Inspircd) -> None:
    async with irc_client(inspircd.port, "Bob") as bob, driven(options(inspircd)) as me:
        await me.connected()
        bob.send("OPER root root")
        await bob.wait_for(" 381 ")
        bob.send("KILL alice :not here")
        error = await me.ended()
    assert isinstance(error, ConnectionLost)
    assert "not here" in str(error)
