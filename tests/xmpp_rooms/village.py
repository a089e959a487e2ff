"""Knows a made-up network whose every word a test decides: `#ROOM%NET`, `PERSON%NET` and `NET`, any NET with
a dot.

Unless told otherwise it lets everybody into every room and says yes to all commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from bridge.api import (
    Account,
    Address,
    Answer,
    AskPing,
    BackendError,
    BackendInfo,
    BadAddress,
    Capabilities,
    Chat,
    Command,
    Connected,
    ContactAddress,
    ContactId,
    Departure,
    Form,
    Host,
    JoinRoom,
    LeaveRoom,
    NetworkAddress,
    NetworkId,
    Occupant,
    OccupantId,
    Outcome,
    Query,
    QueryFailed,
    Rank,
    Reason,
    Resolver,
    RoomAddress,
    RoomId,
    RoomJoined,
    RoomLeft,
    Sent,
    Session,
    Support,
)

NET = "x.example"

FEATURES = Capabilities(
    receipt=Support.NATIVE,
    marker=Support.NATIVE,
    typing=Support.NATIVE,
    retraction=Support.NATIVE,
    reaction=Support.NATIVE,
    max_body=1000,
)
INFO = BackendInfo(
    name="village",
    type="irc",
    title="Village",
    description="People of made-up villages",
    category="conference",
    rooms=True,
    on_demand=True,
    room_features=FEATURES,
    contact_features=FEATURES,
)


def person(name: str, rank: Rank = Rank.NONE, **more: object) -> Occupant:
    """Somebody with a contact of the same name, as IRC has them."""
    known = {"contact": ContactId(name.lower()), "real": f"~{name.lower()}@host.example"}
    return Occupant(OccupantId(name), rank, **{**known, **more})  # type: ignore[arg-type]


class Village:
    """The backend. `people` are in every room; `answer` says how commands end; `sessions` are by user."""

    def __init__(self) -> None:
        self.info = INFO
        self.people = [person("Bob", Rank.ADMIN), person("Carol", Rank.MEMBER, away=True)]
        self.subject, self.subject_by = "Of bread", "Bob"
        self.commands: list[Command] = []
        self.news = asyncio.Event()
        self.answer: Callable[[Command], Outcome] = lambda command: Sent()
        self.lets_in = True
        self.sessions: dict[str, VillageSession] = {}

    def parse_address(self, local: str) -> Address:
        name, mark, network = local.partition("%")
        if not mark:
            name, network = "", local
        if "." not in network or "@" in network:
            raise BadAddress(f"{local} is in no village")
        if not name:
            return NetworkAddress(NetworkId(network))
        if name.startswith("#"):
            return RoomAddress(NetworkId(network), RoomId(name))
        return ContactAddress(NetworkId(network), ContactId(name))

    def format_address(self, address: Address) -> str:
        if isinstance(address, NetworkAddress):
            return address.network
        name = address.room if isinstance(address, RoomAddress) else address.contact
        return f"{name}%{address.network}"

    def contact_from_prompt(self, text: str, settings: Mapping[str, str]) -> Address:
        return self.parse_address(text.lower())

    def display_name(self, address: Address) -> str:
        return self.format_address(address)

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        return Form("Register", "", ())

    async def check_registration(
        self, network: NetworkId, values: Mapping[str, str], resolver: Resolver
    ) -> Mapping[str, str]:
        return values

    def open(self, account: Account, host: Host) -> Session:
        session = VillageSession(self, account, host)
        self.sessions[account.user] = session
        return session


class VillageSession:
    """One account. `emit` is what the network says."""

    def __init__(self, village: Village, account: Account, host: Host) -> None:
        self._village = village
        self.emit = host.emit
        self.nick = account.nick or "somebody"
        self._closed = asyncio.Event()
        self._failure: BackendError | None = None

    def fail(self, failure: BackendError) -> None:
        """The link to the network ends like this."""
        self._failure = failure
        self._closed.set()

    async def run(self) -> None:
        self.emit(Connected(self.nick))
        await self._closed.wait()
        if self._failure is not None:
            raise self._failure

    async def execute(self, command: Command) -> Outcome:
        village = self._village
        village.commands.append(command)
        village.news.set()
        if isinstance(command, JoinRoom) and village.lets_in:
            self.let_in(command.room)
        if isinstance(command, LeaveRoom):
            self.emit(RoomLeft(command.room, Departure.LEFT))
            return Sent()
        return village.answer(command)

    def let_in(self, room: RoomId) -> None:
        """The account is in, with everybody else."""
        village = self._village
        me = person(self.nick, Rank.MODERATOR)
        people = (*village.people, me)
        self.emit(RoomJoined(room, me.name, people, village.subject, village.subject_by, room))

    async def query(self, query: Query) -> Answer:
        if isinstance(query, AskPing) and query.contact == "bob":
            return Answer()
        raise QueryFailed(Reason.NOT_FOUND, "There is nobody of that name.")

    def capabilities(self, chat: Chat) -> Capabilities:
        return FEATURES

    async def close(self, reason: str) -> None:
        self._closed.set()


def plain(features: Capabilities) -> Capabilities:
    """The same without anything but text."""
    return msgspec.structs.replace(features, receipt=Support.DROP, marker=Support.DROP)
