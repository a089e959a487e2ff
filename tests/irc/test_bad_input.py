"""What a hostile or broken server sends costs a line, never the connection, and is never an exception."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.irc import create
from backends.irc.wire import LONGEST_IN
from bridge.api import ContactId, DirectChat, Event, MessageReceived, OccupantLeft, RoomChat, RoomId
from tests.irc.recording_host import Driven, RecordingHost, account_for, options_for
from tests.irc.scripted_server import ScriptedServer
from tests.irc.still_transport import StillTransport, connected_session

JOINED = (
    ":alice!~a@host JOIN #c",
    ":irc.example.org 353 alice = #c :@alice bob",
    ":irc.example.org 366 alice #c :End",
)
AFTER = ":bob!~b@host PRIVMSG #c :still here"


async def still_here(me: Driven) -> MessageReceived:
    return await me.host.wait(MessageReceived, lambda event: event.content.text == "still here")


@pytest.mark.parametrize(
    "data",
    [
        b":bob!~b@host QUIT\r\n",
        b"PING\r\n",
        b":bob!~b@host PRIVMSG\r\n",
        b":bob!~b@host PRIVMSG #c\r\n",
        b":bob!~b@host PRIVMSG #c :\r\n",
        b":bob!~b@host NOTICE\r\n",
        b":irc.example.org 005 alice TARGMAX=A:x PREFIX=( CHANTYPES= :are\r\n",
        b":irc.example.org 005\r\n",
        b":irc.example.org 353 alice\r\n:irc.example.org 366\r\n",
        b":irc.example.org 332\r\n:irc.example.org 333\r\n:irc.example.org 401\r\n:irc.example.org 433\r\n",
        b":bob!~b@host MODE #c +ooo\r\n:bob!~b@host MODE #c\r\n:bob!~b@host MODE\r\n",
        b":bob!~b@host KICK #c\r\n:bob!~b@host PART\r\n:bob!~b@host JOIN\r\n:bob!~b@host NICK\r\n",
        b"JOIN #c\r\nPART #c\r\nQUIT\r\nNICK x\r\nKICK #c bob\r\nPRIVMSG #c :nobody said this\r\n",
        b":\r\n: \r\n@\r\n@ :\r\n@a=b\r\n \r\n\r\n\n\n\x00\r\n",
        b":bob!~b@host TOPIC #c\r\n:bob!~b@host INVITE\r\n:bob BATCH\r\n:bob CAP\r\n:bob AWAY\r\n",
        b":irc.example.org 301 alice\r\n:irc.example.org 396\r\n:irc.example.org 900\r\n:s 372\r\n:s 376\r\n",
    ],
)
async def test_a_bad_line_costs_only_itself(me: Driven, server: ScriptedServer, data: bytes) -> None:
    server.say(*JOINED)
    server.raw(data)
    server.say(AFTER)
    await still_here(me)
    assert not me.running.done()


async def test_no_bad_line_is_a_bug_of_ours(
    me: Driven, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines without what they should have are understood as such; none ends in the catch-all."""
    server.say(*JOINED)
    numerics = [
        f":s {number:03}{tail}" for number in range(1000) for tail in ("", " alice", " alice #c", " :")
    ]
    words = (
        "PRIVMSG NOTICE JOIN PART QUIT NICK KICK MODE TOPIC INVITE PING PONG CAP AWAY ACCOUNT BATCH".split()
    )
    server.say(*(line for line in numerics if line[3:6] != "465"))
    server.say(
        *(f"{source}{word}{tail}" for word in words for source in ("", ":", ":x ") for tail in ("", " :"))
    )
    server.say(AFTER)
    await still_here(me)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_line_in_another_encoding(me: Driven, server: ScriptedServer) -> None:
    server.say(*JOINED)
    server.raw(
        ":bob!~b@host PRIVMSG #c :grün\r\n".encode("latin-1") + ":bob!b@h PRIVMSG #c :grün\r\n".encode()
    )
    for _ in range(2):
        assert (await me.host.wait(MessageReceived)).content.text == "grün"


async def test_control_characters_do_not_become_lines(me: Driven, server: ScriptedServer) -> None:
    server.say(*JOINED)
    server.raw(b":bob!~b@host PRIVMSG #c :a\x10nb\x00c\rd\x02e\r\n")
    assert (await me.host.wait(MessageReceived)).content.text == "anbcde"


async def test_a_quit_without_a_reason(me: Driven, server: ScriptedServer) -> None:
    server.say(*JOINED, ":bob!~b@host QUIT")
    assert (await me.host.wait(OccupantLeft)).text == ""


@pytest.mark.parametrize("pieces", [1, 10])
async def test_an_endless_line_is_left_out(me: Driven, server: ScriptedServer, pieces: int) -> None:
    server.say(*JOINED)
    for _ in range(pieces):
        server.raw(b":bob!~b@host PRIVMSG #c :" + b"x" * (100_000 // pieces))
        await asyncio.sleep(0)
    server.raw(b"\r\n")
    server.say(AFTER)
    await still_here(me)
    texts = [event.content.text for event in me.host.events if isinstance(event, MessageReceived)]
    assert texts == ["still here"]


async def test_lines_may_come_in_any_pieces(me: Driven, server: ScriptedServer) -> None:
    server.say(*JOINED)
    for each in f":bob!~b@host PRIVMSG #c :grün\n{AFTER}\r\n".encode():
        server.raw(bytes([each]))
        await asyncio.sleep(0)
    await still_here(me)
    texts = [event.content.text for event in me.host.events if isinstance(event, MessageReceived)]
    assert texts == ["grün", "still here"]


def session_events(data: bytes, sizes: list[int]) -> list[Event]:
    """What a session tells when these bytes come in, cut into pieces of these sizes."""

    async def feed() -> list[Event]:
        host = RecordingHost(account_for(), {})
        backend = create(options_for(1))
        session, wire = connected_session(backend.open(host.account, host), StillTransport())
        wire.process_data("\r\n".join([*JOINED, ""]).encode())
        start = len(host.events)
        rest = data
        for size in sizes:
            wire.process_data(rest[:size])
            rest = rest[size:]
        wire.process_data(rest)
        session.lost(None)
        return host.events[start:]

    return asyncio.run(feed())


LINE = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda source, verb, rest: b" ".join([source, verb, rest]),
        st.sampled_from(
            [b":bob!~b@host", b":alice!~a@host", b":irc.example.org", b":", b"", b"@time=x;a :bob"]
        ),
        st.sampled_from(
            b"PRIVMSG NOTICE JOIN PART QUIT NICK KICK MODE TOPIC INVITE PING ERROR CAP BATCH AWAY ACCOUNT "
            b"CHGHOST 005 301 332 333 353 366 372 376 396 401 404 433 471 482 437 221".split()
        ),
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from(
                [b"#c :x", b"#c bob :x", b"alice :\x01VERSION\x01", b"#c +ov-o bob bob", b"alice #c :x"]
            ),
        ),
    ),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)
@given(st.lists(LINE, max_size=12), st.lists(st.integers(0, 40), max_size=8))
def test_any_bytes_raise_nothing(lines: list[bytes], sizes: list[int]) -> None:
    data = b"\r\n".join([*lines, b""])
    logger = logging.getLogger("backends.irc.wire")
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        session_events(data, sizes)
    finally:
        logger.removeHandler(handler)
    assert errors == []


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 200), max_size=10), st.sampled_from([b"\r\n", b"\n"]))
def test_the_pieces_do_not_matter(sizes: list[int], end: bytes) -> None:
    data = end.join(
        [b"x" * (LONGEST_IN + 1), b":bob!~b@h PRIVMSG #c :one", b":bob!~b@h PRIVMSG alice :tw\xf6", b""]
    )
    events = session_events(data, [LONGEST_IN - 50, *sizes])
    assert [event.content.text for event in events if isinstance(event, MessageReceived)] == ["one", "twö"]
    assert [event.chat for event in events if isinstance(event, MessageReceived)] == [
        RoomChat(RoomId("#c")),
        DirectChat(ContactId("bob")),
    ]
