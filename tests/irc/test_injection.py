"""Whatever a user types, one command is at most the lines it should be: nothing can smuggle in another."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from backends.irc import create
from backends.irc.parser import parse_line
from bridge.api import (
    AskPing,
    AskProfile,
    AskVersion,
    ChangeNick,
    Command,
    ContactId,
    Content,
    DirectChat,
    InviteContact,
    JoinRoom,
    KickOccupant,
    LeaveRoom,
    OccupantId,
    Query,
    QueryFailed,
    Rank,
    RoomChat,
    RoomId,
    RunCommand,
    SendMessage,
    SetAvailability,
    SetRank,
    SetSubject,
    Span,
    Style,
)
from tests.irc.recording_host import RecordingHost, account_for, options_for
from tests.irc.still_transport import StillTransport, connected_session

EVIL = st.one_of(
    st.text(max_size=30),
    st.text("\r\n\0\x01 :,#QUITa", max_size=30),
    st.sampled_from(
        ["x\r\nQUIT :evil", "x\nQUIT", "x\0QUIT", "x QUIT", "#c,0", ":x", "", "a\u2028b", "\ud800"]
    ),
)
ROOM = st.one_of(st.just("#c"), EVIL).map(RoomId)
NICK = st.one_of(st.just("bob"), EVIL)
CONTACT = NICK.map(ContactId)
SPAN = st.builds(Span, st.integers(0, 9), st.integers(0, 9), st.sampled_from(Style), EVIL)
CONTENT = st.builds(
    Content, EVIL, st.lists(SPAN, max_size=2).map(tuple), action=st.booleans(), notice=st.booleans(),
)  # fmt: skip
CHAT = st.one_of(ROOM.map(RoomChat), CONTACT.map(DirectChat))

COMMANDS = st.one_of(
    st.builds(JoinRoom, ROOM, EVIL, EVIL),
    st.builds(LeaveRoom, ROOM, EVIL),
    st.builds(ChangeNick, ROOM, EVIL),
    st.builds(SendMessage, CHAT, EVIL, CONTENT),
    st.builds(SetSubject, ROOM, EVIL),
    st.builds(KickOccupant, ROOM, NICK.map(OccupantId), EVIL),
    st.builds(SetRank, ROOM, NICK.map(OccupantId), st.sampled_from(Rank)),
    st.builds(InviteContact, ROOM, CONTACT, EVIL),
    st.builds(SetAvailability, st.booleans(), EVIL),
    st.builds(RunCommand, st.builds("whois {}".format, EVIL), st.one_of(st.none(), ROOM)),
)
QUERIES = st.one_of(
    st.builds(AskPing, CONTACT), st.builds(AskVersion, CONTACT), st.builds(AskProfile, CONTACT)
)

ALLOWED = {
    JoinRoom: {"JOIN"}, LeaveRoom: {"PART"}, ChangeNick: {"NICK"}, SendMessage: {"PRIVMSG", "NOTICE", "PING"},
    SetSubject: {"TOPIC"}, KickOccupant: {"KICK"}, SetRank: {"MODE"}, InviteContact: {"INVITE"},
    SetAvailability: {"AWAY"}, RunCommand: {"WHOIS"}, AskPing: {"PRIVMSG"}, AskVersion: {"PRIVMSG"},
    AskProfile: {"WHOIS", "PING"},
}  # fmt: skip


def on_the_wire(command: Command | Query) -> bytes:
    """The bytes that one command or query writes before any answer comes."""

    async def carry_out() -> bytes:
        host, transport = RecordingHost(account_for(), {}), StillTransport()
        opened = create(options_for(1)).open(host.account, host)
        session, wire = connected_session(opened, transport)
        wire.process_data(b":alice!a@h JOIN #c\r\n:s 353 alice = #c :@alice bob\r\n:s 366 alice #c :End\r\n")
        asking = isinstance(command, AskPing | AskVersion | AskProfile)
        work = session.query(command) if asking else session.execute(command)  # type: ignore[arg-type]
        task = asyncio.ensure_future(work)
        for _ in range(3):
            await asyncio.sleep(0)
        wire.flush()
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        assert [
            each for each in results if isinstance(each, Exception) and type(each) is not QueryFailed
        ] == []
        session.lost(None)
        return transport.written

    return asyncio.run(carry_out())


@settings(deadline=None, max_examples=400)
@given(st.one_of(COMMANDS, QUERIES))
def test_no_command_becomes_another(command: Command | Query) -> None:
    written = on_the_wire(command)
    assert written == b"" or written.endswith(b"\r\n")
    assert b"\0" not in written
    for raw in written.split(b"\r\n")[:-1]:
        assert b"\r" not in raw
        assert b"\n" not in raw
        assert len(raw) <= 510
        line = parse_line(raw.decode())
        assert line is not None
        assert line.command in ALLOWED[type(command)]
        if line.command in ("PRIVMSG", "NOTICE", "TOPIC"):
            assert len(line.params) == 2


def test_what_a_plain_command_writes() -> None:
    """The property above would hold for silence, too."""
    room, bob = RoomId("#c"), OccupantId("bob")
    written = [
        on_the_wire(command)
        for command in (
            JoinRoom(RoomId("#d"), "x", "key"), LeaveRoom(room, "bye now"), ChangeNick(None, "alice2"),
            SendMessage(RoomChat(room), "k", Content("hi you")), SetSubject(room, "a\nb"),
            KickOccupant(room, bob, "go away"), SetRank(room, bob, Rank.MEMBER),
            InviteContact(room, ContactId("carol")), SetAvailability(True, "out"), SetAvailability(False),
            RunCommand("mode +i", room),
        )
    ]  # fmt: skip
    expected = [
        "JOIN #d key", "PART #c :bye now", "NICK alice2", "PRIVMSG #c :hi you\r\nPING :sent-1",
        "TOPIC #c :a b",
        "KICK #c bob :go away", "MODE #c +v bob", "INVITE carol #c", "AWAY :out", "AWAY", "MODE #c +i",
    ]  # fmt: skip
    pairs = itertools.zip_longest(written, expected)
    assert all(got == f"{want}\r\n".encode() for got, want in pairs), written


@given(st.text())
def test_the_wire_itself_writes_one_line(text: str) -> None:
    """The last defence, should a part above it forget."""

    async def write() -> bytes:
        host, transport = RecordingHost(account_for(), {}), StillTransport()
        _session, wire = connected_session(create(options_for(1)).open(host.account, host), transport)
        wire.send_raw(text * 100)
        wire.flush()
        return transport.written

    written = asyncio.run(write())
    assert written.endswith(b"\r\n")
    assert len(written) <= 512
    assert not set(written[:-2]) & set(b"\r\n\0")
    written.decode()
