"""What is sent without waiting is what would be sent with it."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from backends.irc import create
from backends.irc.session import IrcSession
from bridge.api import Chat, ContactId, Content, DirectChat, Outcome, RoomChat, RoomId, SendMessage, Sent
from tests.irc.recording_host import RecordingHost, account_for, options_for
from tests.irc.still_transport import StillTransport, connected_session
from tests.irc.test_injection import CONTENT

IN_CHANNEL = b":alice!a@h JOIN #c\r\n:s 353 alice = #c :@alice bob\r\n:s 366 alice #c :End\r\n"
CHATS: list[Chat] = [
    RoomChat(RoomId("#c")), RoomChat(RoomId("#elsewhere")),
    DirectChat(ContactId("bob")), DirectChat(ContactId("#no nick")),
]  # fmt: skip
PLAIN = st.builds(Content, st.text(max_size=600), notice=st.booleans())


async def opened() -> tuple[IrcSession, StillTransport]:
    """A session in #c to which all targets are trusted."""
    host, transport = RecordingHost(account_for(), {}), StillTransport()
    session, wire = connected_session(create(options_for(1)).open(host.account, host), transport)
    wire.process_data(IN_CHANNEL)
    session._link.trusted.update(dict.fromkeys(("#c", "bob"), float("inf")))
    wire.flush()
    transport.written = b""
    return session, transport


async def done(
    command: SendMessage, *, at_once: bool
) -> tuple[Outcome | None, bytes, list[tuple[Chat, str]]]:
    """The answer, what was written, and what was said that the server has not shown to have read."""
    session, transport = await opened()
    outcome = session.at_once(command) if at_once else await session.execute(command)
    session._link.wire.flush()
    found = outcome, transport.written, session._link.unheard.take()
    session.lost(None)
    return found


@settings(deadline=None)
@given(st.sampled_from(CHATS), st.one_of(PLAIN, CONTENT))
def test_at_once_or_later_it_is_the_same(chat: Chat, content: Content) -> None:
    command = SendMessage(chat, "key", content)
    now = asyncio.run(done(command, at_once=True))
    later = asyncio.run(done(command, at_once=False))
    assert now == (later if now[0] is not None else (None, b"", []))


async def test_a_plain_line_goes_at_once() -> None:
    """The property above would hold if nothing did."""
    command = SendMessage(CHATS[0], "key", Content("hello <all>"))
    assert await done(command, at_once=True) == (Sent(), b"PRIVMSG #c :hello <all>\r\n", [(CHATS[0], "key")])


async def test_what_has_to_wait_is_not_sent_at_once() -> None:
    session, transport = await opened()
    link, command = session._link, SendMessage(CHATS[0], "key", Content("hello"))
    link.trusted.clear()
    assert session.at_once(command) is None, "nobody knows yet whether the channel takes it"
    link.trusted["#c"] = float("inf")
    link.wire.writable = False
    assert session.at_once(command) is None, "the server does not read"
    link.wire.writable = True
    assert session.at_once(command) == Sent()
    waiting = asyncio.ensure_future(link.outbox.send("PRIVMSG #c :before"))
    link.wire.flush()
    session.lost(None)
    await waiting
    assert session.at_once(command) is None, "the connection is gone"
    assert transport.written.count(b"hello") == 1
