"""What comes while the bridge has no room is kept, in order, and told when there is room again."""

from __future__ import annotations

import asyncio

import pytest

from backends.irc import create
from backends.irc.wire import Wire
from bridge.api import MessageReceived
from tests.irc.recording_host import RecordingHost, account_for, options_for
from tests.irc.still_transport import StillTransport, connected_session

ENTERED = b":alice!~a@h JOIN #c\r\n:s 353 alice = #c :alice dan\r\n:s 366 alice #c :End\r\n"


def said(host: RecordingHost) -> list[str]:
    return [event.content.text for event in host.events if isinstance(event, MessageReceived)]


@pytest.fixture
async def connection() -> tuple[Wire, RecordingHost]:
    """In #c, with a bridge behind it that other connections have filled."""
    host = RecordingHost(account_for(), {})
    _session, wire = connected_session(create(options_for(1)).open(host.account, host), StillTransport())
    wire.process_data(ENTERED)
    host.congested = True
    wire.process_data(b":dan!~d@h PRIVMSG #c :one\r\n:dan!~d@h PRIVMSG #c :t")
    wire.process_data(b"wo\r\n")
    assert said(host) == []
    return wire, host


async def test_it_is_told_when_there_is_room(connection: tuple[Wire, RecordingHost]) -> None:
    wire, host = connection
    host.congested = False
    host.room_again.set()
    async with asyncio.timeout(5):
        while len(said(host)) < 2:
            await asyncio.sleep(0)
    wire.process_data(b":dan!~d@h PRIVMSG #c :three\r\n")
    assert said(host) == ["one", "two", "three"]


async def test_it_is_told_when_the_connection_ends(connection: tuple[Wire, RecordingHost]) -> None:
    wire, host = connection
    wire.ended(None)
    assert said(host) == ["one", "two"]
