"""The end of a session's wire: a transport that keeps the bytes, for properties over very many inputs."""

from __future__ import annotations

import asyncio

from backends.irc.session import IrcSession
from backends.irc.wire import Wire
from bridge.api import Session


class StillTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def close(self) -> None:
        """Nothing is open."""


def connected_session(session: Session, transport: asyncio.Transport) -> tuple[IrcSession, Wire]:
    """The session as it is after the greeting, on that transport."""
    assert isinstance(session, IrcSession)
    wire = session._new_wire()
    wire.transport, wire.connected = transport, True
    session._wire, session._connected = wire, True
    session.at_once = session._outbound.talk.at_once
    session._link.nick = session._link.wanted_nick = "alice"
    session._registration.done = True
    session._ready()
    return session, wire
