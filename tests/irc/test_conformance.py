"""The suite that every backend passes, with InspIRCd as the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from backends.irc import create
from bridge.api import (
    Account,
    AccountId,
    AskPing,
    AskProfile,
    AskRooms,
    Backend,
    ChangeNick,
    ContactAddress,
    ContactId,
    Content,
    DirectChat,
    InviteContact,
    JoinRoom,
    KickOccupant,
    LeaveRoom,
    NetworkAddress,
    NetworkId,
    OccupantId,
    Rank,
    RoomAddress,
    RoomChat,
    RoomId,
    RunCommand,
    SendMessage,
    SetAvailability,
    SetRank,
    SetSubject,
)
from bridge.testing.conformance import BackendConformance
from bridge.testing.scenario import Scenario
from tests.irc.recording_host import options_for
from tests.peers.inspircd import Inspircd, running_inspircd
from tests.peers.irc_client import IrcClient, connect

NETWORK = NetworkId("127.0.0.1")
ROOM = RoomId("#c")
NOBODY = OccupantId("nobody")
EVIL = "x\r\nPRIVMSG #watched :evil\r\n\0"


class IrcScenario(Scenario):
    """InspIRCd, with somebody in it who sees what is smuggled."""

    account = Account(AccountId("test"), user="user@example.org", network=NETWORK, nick="user")
    addresses = (
        NetworkAddress(NETWORK),
        RoomAddress(NETWORK, ROOM),
        ContactAddress(NETWORK, ContactId("nick[a]")),
    )
    bad_addresses = ("#c", "%irc.example.org", "#c%", "a b%irc.example.org", "a%no_host")
    room = ROOM
    commands = (
        SendMessage(RoomChat(ROOM), "1", Content("hello")),
        SendMessage(RoomChat(ROOM), "2", Content("two\nlines", action=True)),
        SendMessage(DirectChat(ContactId("nobody")), "3", Content("hello")),
        SetSubject(ROOM, "about"),
        SetRank(ROOM, OccupantId("user"), Rank.MEMBER),
        KickOccupant(ROOM, NOBODY),
        InviteContact(ROOM, ContactId("nobody")),
        SetAvailability(True, "out"),
        SetAvailability(False),
        RunCommand("whois user"),
        ChangeNick(ROOM, "user2"),
        LeaveRoom(ROOM, "bye"),
    )
    queries = (AskPing(ContactId("nobody")), AskProfile(ContactId("user")), AskRooms())
    injections = (
        JoinRoom(RoomId("#c"), EVIL, EVIL),
        JoinRoom(RoomId(f"#{EVIL}"), "x"),
        SendMessage(RoomChat(ROOM), EVIL, Content(EVIL)),
        SendMessage(DirectChat(ContactId(EVIL)), "k", Content(EVIL, notice=True)),
        SetSubject(ROOM, EVIL),
        KickOccupant(ROOM, OccupantId(EVIL), EVIL),
        KickOccupant(ROOM, NOBODY, EVIL),
        InviteContact(ROOM, ContactId(EVIL), EVIL),
        SetAvailability(True, EVIL),
        ChangeNick(ROOM, EVIL),
        RunCommand(EVIL),
        LeaveRoom(ROOM, EVIL),
    )

    def __init__(self) -> None:
        self._server: Inspircd | None = None
        self._watcher: IrcClient | None = None

    def backend(self) -> Backend:
        """TLS with the server's own CA; without a server, nothing that would connect."""
        if self._server is None:
            return create(options_for(1))
        known = options_for(self._server.tls_port, ca_file=str(self._server.ca_file), answer_timeout=5.0)
        return create(type(known)(networks={NETWORK: known.networks["irc.example.org"]}, throttle_burst=-1))

    @asynccontextmanager
    async def network(self) -> AsyncIterator[None]:
        """A server of its own for each test, since some tests end it."""
        with running_inspircd() as server:
            self._server = server
            self._watcher = await connect(server.port, "watcher")
            await self._watcher.join("#watched")
            await self._watcher.join("#c")
            try:
                yield
            finally:
                await self._watcher.close()

    def smuggled(self) -> Sequence[str]:
        """What came to a channel that nothing was to be said in."""
        lines = self._watcher.lines if self._watcher else []
        return [line for line in lines if "PRIVMSG #watched" in line and " PRIVMSG #c " not in line]

    async def break_link(self) -> None:
        """The server crashes."""
        if self._server is not None:
            await asyncio.to_thread(self._server.kill)


class TestIrc(BackendConformance):
    """The suite."""

    scenario_class = IrcScenario
