"""The life of a session, and the lines that real servers in a test do not say, against a scripted server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from backends.irc import Options, create
from backends.irc.options import NetworkOptions
from bridge.api import (
    AskPing,
    AskRooms,
    AskVersion,
    AuthFailed,
    ChangeNick,
    ConnectionLost,
    ContactId,
    ContactRenamed,
    Content,
    DirectChat,
    Invited,
    JoinRoom,
    KickOccupant,
    Later,
    MessageLost,
    MessageReceived,
    NameChanged,
    NetworkNotice,
    OccupantChanged,
    OccupantId,
    OccupantRenamed,
    QueryFailed,
    Reason,
    Refused,
    RoomChat,
    RoomId,
    RoomJoined,
    RoomRefused,
    RunCommand,
    SendMessage,
    Sent,
    SetSubject,
    Span,
    Style,
    SubjectChanged,
    Unknown,
)
from tests.irc.recording_host import Driven, account_for, driven, open_session, options_for
from tests.irc.scripted_server import ScriptedServer

ROOM = RoomId("#c")


async def joined(me: Driven, server: ScriptedServer, *extra: str) -> None:
    server.say(
        ":alice!~al@my.host JOIN #c",
        *extra,
        ":irc.example.org 353 alice = #c :@alice +bob carol",
        ":irc.example.org 366 alice #c :End",
    )
    await me.host.wait(RoomJoined)


def say(text: str, chat: RoomChat | DirectChat | None = None, **more: bool) -> SendMessage:
    return SendMessage(chat or RoomChat(ROOM), "key", Content(text, **more))  # type: ignore[arg-type]


async def test_a_nick_in_use_is_a_conflict(server: ScriptedServer) -> None:
    server.welcomes = False
    async with driven(options_for(server.port)) as me:
        await server.heard("USER")
        server.say(":irc.example.org 433 * alice :Nickname is already in use.")
        error = await me.ended()
    assert isinstance(error, ConnectionLost)
    assert error.reason is Reason.CONFLICT
    assert "irc.example.org: alice: Nickname is already in use." in me.host.notices


async def test_a_registered_nick_is_got_back(server: ScriptedServer) -> None:
    server.welcomes = False
    async with driven(options_for(server.port), account_for(settings={"nick": "alice"})) as me:
        await server.heard("USER")
        server.say(":irc.example.org 433 * alice :Nickname is already in use.")
        assert await server.heard("NICK alice_") == "NICK alice_"
        server.welcome("alice_")
        assert await me.connected() == "alice_"
        server.say(":alice!~x@y QUIT :Ping timeout")
        await server.heard("NICK alice")
        server.say(":alice_!~al@my.host NICK alice")
        assert (await me.host.wait(NameChanged)).name == "alice"


OVERRULED = (
    ":alice!0AAAAAAAC@127.0.0.1 NICK :0AAAAAAAC",
    ":irc.example.org 433 alice alice :Nickname overruled.",
)
"""What InspIRCd says to one of two who register with the same nick."""


async def test_overruled_while_registering(server: ScriptedServer) -> None:
    server.welcomes = False
    async with driven(options_for(server.port), account_for(settings={"nick": "alice"})) as me:
        await server.heard("USER")
        server.say(*OVERRULED)
        await server.heard("NICK alice_")
        server.welcome("alice_")
        assert await me.connected() == "alice_"
        assert [line for line in server.lines if line.startswith("NICK")] == ["NICK alice", "NICK alice_"]
        assert not any(isinstance(event, NameChanged) for event in me.host.events)


async def test_overruled_is_a_conflict(server: ScriptedServer) -> None:
    server.welcomes = False
    async with driven(options_for(server.port)) as me:
        await server.heard("USER")
        server.say(*OVERRULED)
        error = await me.ended()
    assert isinstance(error, ConnectionLost)
    assert (error.reason, str(error)) == (Reason.CONFLICT, "alice: Nickname is already in use")
    assert not any(isinstance(event, NameChanged) for event in me.host.events)


async def test_a_nick_that_the_server_took_away_is_got_back(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    server.say(":alice!~al@my.host NICK 0AAAAAAAC")
    assert (await me.host.wait(OccupantRenamed)).occupant.name == "0AAAAAAAC"
    await server.heard("NICK alice")
    await server.heard("NICK alice")
    server.say(":0AAAAAAAC!~al@my.host NICK alice")
    assert (await me.host.wait(NameChanged)).name == "alice"


async def test_the_nick_of_a_broken_connection_is_worth_waiting_for(server: ScriptedServer) -> None:
    backend = create(options_for(server.port))
    first = open_session(backend, account_for())
    await first.connected()
    server.hang_up()
    assert isinstance(await first.ended(), ConnectionLost)
    server.welcomes = False
    second = open_session(backend, account_for())
    await server.heard("USER")
    await server.heard("USER")
    server.say(":irc.example.org 433 * alice :Nickname is already in use.")
    await server.heard("NICK alice_")
    second.running.cancel()
    await asyncio.gather(second.running, return_exceptions=True)


async def test_an_error_of_the_server(me: Driven, server: ScriptedServer) -> None:
    server.say("ERROR :Closing link: too much")
    server.hang_up()
    error = await me.ended()
    assert isinstance(error, ConnectionLost)
    assert str(error) == "Closing link: too much"


async def test_an_error_before_the_welcome(server: ScriptedServer) -> None:
    server.welcomes = False
    async with driven(options_for(server.port)) as me:
        await server.heard("USER")
        server.say(":irc.example.org 465 alice :You are banned", "ERROR :Closing link: banned")
        server.hang_up()
        error = await me.ended()
    assert isinstance(error, ConnectionLost)
    assert str(error) == "Closing link: banned"
    assert me.host.notices[-2:] == [
        "irc.example.org: You are banned: Unspecified error",
        "ERROR: Closing link: banned",
    ]


async def test_a_dead_server_is_noticed(server: ScriptedServer) -> None:
    server.answers_ping = False
    async with driven(options_for(server.port, ping_interval=0.05, ping_timeout=0.05)) as me:
        await me.connected()
        error = await me.ended()
    assert isinstance(error, ConnectionLost)
    assert "ping timeout" in str(error)


async def test_what_a_dead_server_was_not_seen_to_read_is_told(server: ScriptedServer) -> None:
    async with driven(options_for(server.port, ping_interval=0.05, ping_timeout=0.5)) as me:
        await me.connected()
        await joined(me, server)
        assert await me.session.execute(say("asked about")) == Sent()
        assert await me.session.execute(SendMessage(RoomChat(ROOM), "heard", Content("heard"))) == Sent()
        heard = len([line for line in server.lines if line.startswith("PING :alive")])
        for number in (1, 2):
            await server.heard(f"PING :alive-{heard + number}")
        server.answers_ping = False
        for key in ("first", "second"):
            assert await me.session.execute(SendMessage(RoomChat(ROOM), key, Content(key))) == Sent()
        assert isinstance(await me.ended(), ConnectionLost)
    lost = [event for event in me.host.events if isinstance(event, MessageLost)]
    assert [(event.chat, event.key) for event in lost] == [
        (RoomChat(ROOM), "first"),
        (RoomChat(ROOM), "second"),
    ]
    assert "may not have arrived" in lost[0].text


async def test_what_was_said_before_leaving_is_not_doubted(server: ScriptedServer) -> None:
    async with driven(options_for(server.port)) as me:
        await me.connected()
        await joined(me, server)
        assert await me.session.execute(say("last words")) == Sent()
        await me.session.close("bye")
        assert await me.ended() is None
    assert not [event for event in me.host.events if isinstance(event, MessageLost)]


async def test_last_words_to_a_server_that_is_dead(server: ScriptedServer) -> None:
    server.closes = False
    async with driven(options_for(server.port)) as me:
        await me.connected()
        await joined(me, server)
        assert await me.session.execute(say("last words")) == Sent()
        await me.session.close("bye")
        assert await me.ended() is None
    lost = await me.host.wait(MessageLost)
    assert (lost.chat, lost.key) == (RoomChat(ROOM), "key")


async def test_an_answer_that_was_not_read_for_the_bridges_sake(server: ScriptedServer) -> None:
    """The PING's answer waits in the socket while we rest; the server is not dead for that."""
    async with driven(options_for(server.port, ping_interval=0.05, ping_timeout=0.3)) as me:
        await me.connected()
        await joined(me, server)
        me.host.fills = True
        server.say(":bob!b@h PRIVMSG #c :one")
        await me.host.wait(MessageReceived)
        me.host.fills = me.host.congested = False
        for _ in range(3):
            await server.heard("PING :alive")
        me.host.room_again.set()
        for _ in range(3):
            await server.heard("PING :alive")
        assert not me.running.done()


async def test_a_server_that_answers_is_alive(server: ScriptedServer) -> None:
    async with driven(options_for(server.port, ping_interval=0.01, ping_timeout=5.0)) as me:
        await me.connected()
        for number in range(1, 4):
            await server.heard(f"PING :alive-{number}")
        assert not me.running.done()


async def test_a_server_that_never_welcomes(server: ScriptedServer) -> None:
    server.welcomes = False
    async with driven(options_for(server.port, login_timeout=0.1)) as me:
        assert isinstance(await me.ended(), ConnectionLost)


async def test_a_server_password_that_is_wrong(server: ScriptedServer) -> None:
    server.welcomes = False
    async with driven(options_for(server.port), account_for(secrets={"pass": "x"})) as me:
        await server.heard("PASS :x")
        server.say(":irc.example.org 464 * :Password incorrect")
        assert isinstance(await me.ended(), AuthFailed)


async def test_closing(me: Driven, server: ScriptedServer) -> None:
    await me.session.close("see you")
    assert await me.ended() is None
    assert await server.heard("QUIT") == "QUIT :see you"
    assert isinstance(await me.session.execute(say("late")), Later)
    with pytest.raises(QueryFailed):
        await me.session.query(AskRooms())


async def test_leaving_without_a_word(me: Driven, server: ScriptedServer) -> None:
    await me.session.close("")
    assert await me.ended() is None
    assert await server.heard("QUIT") == "QUIT :Leaving"


async def test_closing_before_the_connection_is_there(server: ScriptedServer) -> None:
    server.welcomes = False
    async with driven(options_for(server.port)) as me:
        await server.heard("USER")
        await me.session.close("never mind")
        assert await me.ended() is None


async def test_quitting_in_the_networks_own_words(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    assert await me.session.execute(RunCommand("quit bye")) == Sent()
    assert await server.heard("QUIT") == "QUIT bye"
    assert await me.ended() is None


async def test_quitting_a_server_that_does_not_close(me: Driven, server: ScriptedServer) -> None:
    server.closes = False
    assert await me.session.execute(RunCommand("QUIT")) == Sent()
    assert await me.ended() is None


async def test_nobody_listens() -> None:
    probe = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    async with driven(options_for(port)) as me:
        error = await me.ended()
    assert str(error) == "Connection failed: Connection refused"
    assert me.host.notices == [
        f"Connecting to irc.example.org:{port} (not encrypted)",
        "Connection failed: Connection refused",
    ]


async def test_a_name_that_does_not_exist() -> None:
    options = Options(networks={"irc.example.org": NetworkOptions(host="nowhere.example")})
    async with driven(options) as me:
        error = await me.ended()
    assert isinstance(error, ConnectionLost)
    assert error.reason is Reason.NO_SUCH_NETWORK
    assert me.host.notices == [
        "Connecting to nowhere.example:6697 (encrypted)",
        "Connection failed: Domain name not found",
    ]


async def test_no_tls_where_tls_is_required(server: ScriptedServer) -> None:
    """The plain port of a server that speaks first: nothing is said to it in the clear."""
    network = NetworkOptions(port=server.port, tls="required")
    async with driven(Options(networks={"irc.example.org": network}, connect_timeout=2.0)) as me:
        task = asyncio.ensure_future(me.ended())
        while not server.connections:
            await asyncio.sleep(0.01)
        server.say(":irc.example.org NOTICE * :hello")
        error = await task
    assert isinstance(error, ConnectionLost)
    assert "does not speak TLS" in str(error)
    assert not any("NICK" in line for line in server.lines)


async def test_all_tls_ports_are_tried(server: ScriptedServer) -> None:
    """A port that does not speak TLS says more than the next one that refuses."""
    probe = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    closed = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    options = Options(tls_ports=(closed, server.port, closed), connect_timeout=2.0)
    async with driven(options) as me:
        task = asyncio.ensure_future(me.ended())
        while not server.connections:
            await asyncio.sleep(0.01)
        server.say(":irc.example.org NOTICE * :hello")
        error = await task
    assert "does not speak TLS" in str(error)
    tried = [text for text in me.host.notices if text.startswith("Connecting")]
    ports = (closed, server.port, closed)
    assert tried == [f"Connecting to irc.example.org:{port} (encrypted)" for port in ports]


async def test_tls_if_possible_says_what_it_does(server: ScriptedServer) -> None:
    network = NetworkOptions(port=server.port, tls="optional")
    async with driven(Options(networks={"irc.example.org": network}, connect_timeout=0.3)) as me:
        assert await me.connected() == "alice"
    assert me.host.notices[0].endswith("(encrypted)")
    assert me.host.notices[1].startswith("Connection failed: ")
    assert me.host.notices[2:4] == [
        f"Connecting to irc.example.org:{server.port} (not encrypted)",
        "Connected to IRC server.",
    ]


async def test_what_the_server_says(me: Driven, server: ScriptedServer) -> None:
    server.say(
        ":irc.example.org NOTICE * :*** Looking up your hostname",
        ":irc.example.org 002 alice :Your host is here",
        ":irc.example.org 375 alice :- Message of the day",
        ":irc.example.org 372 alice :- one",
        ":irc.example.org 372 alice :- \x02two",
        ":irc.example.org 376 alice :End",
        ":irc.example.org 001 alice :silent",
        ":irc.example.org 004 alice silent",
        ":irc.example.org 396 alice cloak.example :is now your hidden host",
        ":irc.example.org 345 alice a b :and c",
        ":irc.example.org 421 alice FOO :Unknown command",
        ":alice!~a@h MODE alice :+i",
        ":irc.example.org 221 alice +ix",
        ":nick!~u@h NOTICE alice :hello",
    )
    await me.host.notice("nick: hello")
    assert me.host.notices[2:] == [
        "irc.example.org: No MOTD: Unspecified error",
        "irc.example.org: *** Looking up your hostname",
        "irc.example.org: Your host is here",
        "irc.example.org: - one\n- two",
        "irc.example.org: cloak.example is now your hidden host",
        "irc.example.org: a b and c",
        "irc.example.org: FOO: Unknown command",
        "User mode for alice is [+i]",
        "User mode for alice is [+ix]",
        "nick: hello",
    ]


@pytest.mark.parametrize(
    ("numeric", "reason"),
    [("403", "not-found"), ("405", "rate-limited"), ("471", "room-full"), ("473", "invite-only"),
     ("474", "banned"), ("475", "not-authorized"), ("476", "bad-request"), ("477", "registration-required"),
     ("437", "conflict"), ("489", "forbidden"), ("470", "forbidden")],
)  # fmt: skip
async def test_a_join_that_is_refused(me: Driven, server: ScriptedServer, numeric: str, reason: str) -> None:
    assert isinstance(await me.session.execute(JoinRoom(RoomId("#no"), "x")), Sent)
    await server.heard("JOIN #no")
    server.say(f":irc.example.org {numeric} alice #NO :Cannot join")
    assert await me.host.wait(RoomRefused) == RoomRefused(RoomId("#no"), reason, "Cannot join")


async def test_a_join_that_is_not_answered(server: ScriptedServer) -> None:
    async with driven(options_for(server.port, answer_timeout=0.05)) as me:
        await me.connected()
        await me.session.execute(JoinRoom(RoomId("#no"), "x"))
        assert (await me.host.wait(RoomRefused)).reason == "timeout"


async def test_a_room_is_the_same_however_it_is_written(me: Driven, server: ScriptedServer) -> None:
    await me.session.execute(JoinRoom(RoomId("#foo{}"), "x"))
    server.say(":alice!a@h JOIN #Foo[]", ":s 366 alice #FOO{} :End", ":bob!b@h PRIVMSG #fOO[} :hi")
    event = await me.host.wait(RoomJoined)
    assert (event.room, event.display) == ("#foo{}", "#Foo[]")
    assert (await me.host.wait(MessageReceived)).chat == RoomChat(RoomId("#foo{}"))
    await me.session.execute(JoinRoom(RoomId("#foo[]"), "x"))
    assert (await me.host.wait(RoomJoined)).room == "#foo{}"


async def test_a_name_that_is_no_channel(me: Driven) -> None:
    for room in ("c", "#a b", "#a,#b", ""):
        assert isinstance(await me.session.execute(JoinRoom(RoomId(room), "x")), Refused)


async def test_topics(me: Driven, server: ScriptedServer) -> None:
    await joined(
        me,
        server,
        ":s 332 alice #c :the \x02topic",
        ":s 333 alice #c bob!b@h 1700000000",
        ":s 331 alice #d :No",
    )
    event = next(each for each in me.host.events if isinstance(each, RoomJoined))
    assert (event.subject, event.subject_by) == ("the topic", "bob")
    server.say(":carol!c@h TOPIC #c :other")
    assert await me.host.wait(SubjectChanged) == SubjectChanged(ROOM, "other", "carol")


async def test_notices_find_their_place(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    server.say(
        ":bob!b@h NOTICE #c :to the room",
        ":ChanServ!s@h NOTICE alice :[#c] welcome",
        ":ChanServ!s@h NOTICE alice :[#other] welcome",
        ":irc.example.org NOTICE #c :the server says",
        ":bob!b@h NOTICE alice :\x01VERSION irssi\x01",
    )
    events = [await me.host.wait(MessageReceived) for _ in range(3)]
    assert [(event.sender, event.content) for event in events] == [
        ("bob", Content("to the room", notice=True)),
        ("ChanServ", Content("[#c] welcome", notice=True)),
        ("irc.example.org", Content("the server says", notice=True)),
    ]
    assert me.host.notices[-1] == "ChanServ: [#other] welcome"
    await me.session.execute(say("hi", DirectChat(ContactId("chanserv"))))
    server.say(":ChanServ!s@h NOTICE alice :hello again")
    event = await me.host.wait(MessageReceived)
    assert (event.chat, event.sender) == (DirectChat(ContactId("chanserv")), "")


async def test_private_messages(me: Driven, server: ScriptedServer) -> None:
    server.say(":Bob!b@h PRIVMSG alice :hi", ":Bob!b@h PRIVMSG ALICE :\x01ACTION waves\x01")
    first, second = [await me.host.wait(MessageReceived) for _ in range(2)]
    assert (first.chat, first.content) == (DirectChat(ContactId("bob")), Content("hi"))
    assert second.content == Content("waves", action=True)
    server.say(":Bob!b@h NICK Robert", ":Robert!b@h PRIVMSG alice :still me")
    assert await me.host.wait(ContactRenamed) == ContactRenamed(ContactId("bob"), ContactId("robert"))
    assert (await me.host.wait(MessageReceived)).chat == DirectChat(ContactId("robert"))


async def test_what_we_said_elsewhere(me: Driven, server: ScriptedServer) -> None:
    """A bouncer's word of what another client of ours said."""
    server.say(":alice!a@h PRIVMSG bob :from my phone")
    event = await me.host.wait(MessageReceived)
    assert (event.chat, event.own) == (DirectChat(ContactId("bob")), True)


async def test_ids_and_times(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    server.say(
        f"@time={now};msgid=one :bob!b@h PRIVMSG #c :now",
        "@msgid=two;time=2020-01-02T03:04:05.678Z :bob!b@h PRIVMSG #c :then",
        "BATCH +1 chathistory #c",
        f"@batch=1;time={now} :bob!b@h PRIVMSG #c :history",
        "BATCH -1",
        f"@batch=1;time={now} :bob!b@h PRIVMSG #c :after",
    )
    events = [await me.host.wait(MessageReceived) for _ in range(4)]
    assert [event.id for event in events] == ["one", "two", "", ""]
    then = datetime(2020, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert [event.sent_at for event in events] == [None, then, datetime.fromisoformat(now), None]


async def test_others_change(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    server.say(
        ":bob!b@old AWAY :lunch", ":bob!b@old ACCOUNT bobby", ":bob!b@old CHGHOST b new", ":bob!b@new AWAY",
        ":bob!b@new ACCOUNT *",
    )  # fmt: skip
    changes = [(await me.host.wait(OccupantChanged)).occupant for _ in range(5)]
    seen = [(each.away, each.stable, each.real) for each in changes]
    assert seen == [
        (True, "", ""), (True, "bobby", ""), (True, "bobby", "b@new"), (False, "bobby", "b@new"),
        (False, "", "b@new"),
    ]  # fmt: skip


async def test_an_invitation(me: Driven, server: ScriptedServer) -> None:
    server.say(":bob!b@h INVITE alice #D", ":bob!b@h INVITE carol #D")
    assert await me.host.wait(Invited) == Invited(RoomId("#d"), "bob")


async def test_ctcp_questions(me: Driven, server: ScriptedServer) -> None:
    server.say(":bob!b@h PRIVMSG alice :\x01VERSION\x01")
    assert (
        await server.heard("VERSION") == "NOTICE bob :\x01VERSION Client (through xmpp-bridge) 1.0 Linux\x01"
    )
    server.say(":bob!b@h PRIVMSG alice :\x01PING 12 34\x01")
    assert await server.heard("PING 12") == "NOTICE bob :\x01PING 12 34\x01"
    me.host.version = None
    server.say(
        *[":bob!b@h PRIVMSG alice :\x01VERSION\x01"] * 20, ":bob!b@h PRIVMSG alice :\x01DCC SEND x\x01"
    )
    server.say("PING :done")
    await server.heard("PONG :done")
    assert 1 <= sum("VERSION" in line for line in server.lines) <= 5
    assert not any(isinstance(event, MessageReceived) for event in me.host.events)


async def test_ctcp_queries(me: Driven, server: ScriptedServer) -> None:
    asking = asyncio.ensure_future(me.session.query(AskVersion(ContactId("bob"))))
    await server.heard("PRIVMSG bob :\x01VERSION\x01")
    server.say(
        ":eve!e@h NOTICE alice :\x01VERSION fake\x01", ":Bob!b@h NOTICE alice :\x01VERSION irssi 1\x01"
    )
    assert (await asking).fields == {"name": "irssi 1"}
    asking = asyncio.ensure_future(me.session.query(AskPing(ContactId("bob"))))
    await server.heard("PING")
    server.say(":s 401 alice bob :No such nick")
    with pytest.raises(QueryFailed) as caught:
        await asking
    assert caught.value.reason is Reason.NOT_FOUND
    assert not any("No such nick" in text for text in me.host.notices)


async def test_the_list_of_rooms_is_asked_for_once(me: Driven, server: ScriptedServer) -> None:
    asking = [asyncio.ensure_future(me.session.query(AskRooms())) for _ in range(2)]
    await server.heard("LIST")
    server.say(
        ":s 321 alice Channel :Users",
        ":s 322 alice #A 3 :[+nt] topic",
        ":s 322 alice #b x :",
        ":s 323 alice :E",
    )
    rooms = [(await each).rooms for each in asking]
    assert rooms[0] == rooms[1]
    assert [(each.room, each.name, each.occupants) for each in rooms[0]] == [
        ("#a", "#A", 3),
        ("#b", "#b", -1),
    ]
    assert server.lines.count("LIST") == 1


async def test_a_message_that_does_not_arrive(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    server.answers_ping = False
    sending = asyncio.ensure_future(me.session.execute(say("hi", DirectChat(ContactId("nobody")))))
    await server.heard("PRIVMSG nobody :hi")
    server.say(":s 401 alice nobody :No such nick")
    assert await sending == Refused(Reason.NOT_FOUND, "nobody: No such nick")
    sending = asyncio.ensure_future(me.session.execute(say("hi")))
    await server.heard("PRIVMSG #c :hi")
    server.say(":s 404 alice #c :Cannot send to channel")
    assert await sending == Refused(Reason.FORBIDDEN, "#c: Cannot send to channel")


async def test_a_target_that_took_a_message_is_trusted_for_a_while(
    me: Driven, server: ScriptedServer
) -> None:
    await joined(me, server)
    for number in range(3):
        assert await me.session.execute(say(f"message {number}")) == Sent()
        await server.heard(f"message {number}")
    assert sum(line.startswith("PING :sent") for line in server.lines) == 1
    server.say(":s 404 alice #c :Cannot send to channel (+m)")
    await me.host.notice("Cannot send")
    assert await me.session.execute(say("message 3")) == Sent()
    assert sum(line.startswith("PING :sent") for line in server.lines) == 2


async def test_long_and_many_lines(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    text = "word " * 200 + "\n\nlast line"
    outcome = await me.session.execute(say(text, action=True))
    assert isinstance(outcome, Sent)
    await server.heard("last line")
    sent = [line for line in server.lines if line.startswith("PRIVMSG")]
    assert len(sent) == len(outcome.parts) > 2
    for line, part in zip(sent, outcome.parts, strict=True):
        assert line == f"PRIVMSG #c :\x01ACTION {part.content.text}\x01"
        assert part.content.action
        assert len(f":alice!~al@my.host {line}\r\n".encode()) <= 512


async def test_a_link_keeps_its_target(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    spans = (Span(0, 4, Style.LINK, "https://a.example/"), Span(5, 9, Style.BOLD))
    content = Content("here bold", spans)
    assert isinstance(await me.session.execute(SendMessage(RoomChat(ROOM), "k", content)), Sent)
    assert await server.heard("here") == "PRIVMSG #c :here (https://a.example/) \x02bold"


async def test_a_server_that_does_not_read_gets_no_more_answers(me: Driven, server: ScriptedServer) -> None:
    wire = me.session._wire  # type: ignore[attr-defined]
    wire.writable = False
    server.say("PING :lost", ":bob!b@h PRIVMSG alice :seen")
    await me.host.wait(MessageReceived)
    sending = asyncio.ensure_future(me.session.execute(say("later", DirectChat(ContactId("bob")))))
    await asyncio.sleep(0)
    wire.can_write()
    assert await sending == Sent()
    assert not any("lost" in line for line in server.lines)


async def test_the_pace(server: ScriptedServer) -> None:
    options = options_for(server.port, throttle_burst=2, throttle_per_second=20.0)
    async with driven(options) as me:
        await me.connected()
        await joined(me, server)
        start = asyncio.get_running_loop().time()
        outcome = await me.session.execute(say("\n".join(map(str, range(6)))))
        taken = asyncio.get_running_loop().time() - start
        assert isinstance(outcome, Sent)
        assert len(outcome.parts) == 6
        assert taken >= 0.19
        await server.heard("PRIVMSG #c :5")


async def test_a_link_that_breaks_while_a_command_waits(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    kicking = asyncio.ensure_future(me.session.execute(KickOccupant(ROOM, OccupantId("bob"))))
    await server.heard("KICK")
    server.hang_up()
    assert isinstance(await kicking, Unknown)
    assert isinstance(await me.session.execute(say("hi")), Later)


async def test_nothing_is_said_where_we_are_not(me: Driven) -> None:
    for command in (say("hi"), SetSubject(ROOM, "x"), KickOccupant(ROOM, OccupantId("bob"))):
        outcome = await me.session.execute(command)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.NOT_IN_ROOM
    outcome = await me.session.execute(say("\n \n", DirectChat(ContactId("bob"))))
    assert outcome == Refused(Reason.BAD_REQUEST, "The message is empty")


async def test_a_nick_change_that_is_refused(me: Driven, server: ScriptedServer) -> None:
    changing = asyncio.ensure_future(me.session.execute(ChangeNick(None, "bob")))
    await server.heard("NICK bob")
    server.say(":s 433 alice bob :Nickname is already in use.")
    assert await changing == Refused(Reason.CONFLICT, "Nickname is already in use.")
    assert "s: bob: Nickname is already in use." in me.host.notices


async def test_a_bridge_that_cannot_keep_up_is_not_read_to(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    me.host.fills = True
    server.say(":bob!b@h PRIVMSG #c :first")
    await me.host.wait(MessageReceived)
    server.say(":bob!b@h PRIVMSG #c :second")
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert me.host.events[-1].content.text == "first"  # type: ignore[union-attr]
    me.host.fills = me.host.congested = False
    me.host.room_again.set()
    assert (await me.host.wait(MessageReceived)).content.text == "second"


async def test_channel_types_are_learned(server: ScriptedServer) -> None:
    server.welcomes = False
    backend = create(options_for(server.port))
    me = open_session(backend, account_for())
    await server.heard("USER")
    server.welcome("alice", "CHANTYPES=#!")
    await me.connected()
    assert isinstance(await me.session.execute(JoinRoom(RoomId("!c"), "x")), Sent)
    assert type(backend.parse_address("!c%irc.example.org")).__name__ == "RoomAddress"
    await me.session.close("")
    assert await me.ended() is None
    assert [each for each in me.host.events if isinstance(each, NetworkNotice)]


async def test_what_others_do_settles_nothing(me: Driven, server: ScriptedServer) -> None:
    await joined(me, server)
    kicking = asyncio.ensure_future(me.session.execute(KickOccupant(ROOM, OccupantId("bob"))))
    await server.heard("KICK")
    server.say(
        ":eve!e@h KICK #c dave :by somebody else",
        ":alice!a@h KICK #d bob :in another room",
        ":alice!a@h KICK #c dave :somebody else",
        ":s 482 alice #d :You're not channel operator",
        ":s 482 alice #c :You're not channel operator",
    )
    assert await kicking == Refused(Reason.FORBIDDEN, "You're not channel operator")
