"""Knows a made-up network for tests of the XMPP side: `NET`, `PERSON%NET`, `#ROOM%NET`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from bridge.api import (
    Account,
    Address,
    Answer,
    AskPing,
    AskProfile,
    AskRooms,
    AskVersion,
    BackendInfo,
    BadAddress,
    Capabilities,
    Chat,
    Command,
    Connected,
    ContactAddress,
    ContactId,
    Field,
    FieldKind,
    Form,
    Host,
    JoinRoom,
    NetworkAddress,
    NetworkId,
    Occupant,
    OccupantId,
    Outcome,
    Query,
    QueryFailed,
    Reason,
    RegistrationRefused,
    Resolver,
    RoomAddress,
    RoomId,
    RoomJoined,
    RoomListing,
    Sent,
    Session,
    Support,
)

INFO = BackendInfo(
    name="town",
    type="irc",
    title="Town",
    description="People of made-up towns",
    category="conference",
    rooms=True,
    on_demand=True,
    many_networks=True,
    contact_prompt="Who in which town (somebody%town.example)?",
    room_features=Capabilities(typing=Support.NATIVE),
    contact_features=Capabilities(receipt=Support.NATIVE, reaction=Support.REFUSE),
)


class Town:
    """The backend. `rooms` is how many rooms a network lists, `checked` what registrations came in; who
    registers as `slow` waits for `ready`. `ranks`: admins give people a rank. Every name with a dot is a
    network."""

    def __init__(self) -> None:
        self.info = INFO
        self.rooms = 3
        self.ranks = False
        self.listed = 0
        self.checked: list[dict[str, str]] = []
        self.live_contact_features: Capabilities | None = None
        self.ready = asyncio.Event()

    def parse_address(self, local: str) -> Address:
        name, _, network = local.rpartition("%")
        if "." not in network or "@" in local:
            raise BadAddress(f"{local} is in no town")
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
        address = self.parse_address(text.lower())
        if isinstance(address, NetworkAddress):
            raise BadAddress("Who in that town?")
        return address

    def display_name(self, address: Address) -> str:
        if isinstance(address, NetworkAddress):
            return f"Town {address.network}"
        return address.room if isinstance(address, RoomAddress) else address.contact

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        fields: tuple[Field, ...] = (
            Field("nick", "Name", required=True, default=known.get("nick", "")),
            Field("password", "Password", FieldKind.SECRET),
            Field("greeting", "Greeting", FieldKind.LINES, default=known.get("greeting", "")),
            Field("loud", "Loud", FieldKind.FLAG, default=known.get("loud", "false")),
            Field("colour", "Colour", FieldKind.CHOICE, choices=(("r", "Red"), ("b", "Blue"))),
        )
        if self.ranks:
            fields = (*fields, Field("rank", "Rank", default=known.get("rank", ""), admin=True))
        return Form("Register", "Who are you?", fields)

    async def check_registration(
        self, network: NetworkId, values: Mapping[str, str], resolver: Resolver
    ) -> Mapping[str, str]:
        self.checked.append(dict(values))
        if values.get("nick") == "slow":
            await self.ready.wait()
        if values.get("nick") == "taken":
            raise RegistrationRefused("That name is taken.", "nick")
        return values

    def open(self, account: Account, host: Host) -> Session:
        return TownSession(self, account, host)


class TownSession:
    """Always connects; `#empty` has nobody else in it."""

    def __init__(self, town: Town, account: Account, host: Host) -> None:
        self._town = town
        self._host = host
        self._nick = account.settings.get("nick") or account.nick or "somebody"
        self._closed = asyncio.Event()

    async def run(self) -> None:
        self._host.emit(Connected(self._nick))
        await self._closed.wait()

    async def execute(self, command: Command) -> Outcome:
        if isinstance(command, JoinRoom):
            me, bob = OccupantId(self._nick), OccupantId("Bob")
            people = (Occupant(me), Occupant(bob, contact=ContactId("bob")))
            self._host.emit(RoomJoined(command.room, me, people, subject="Of bread", display=command.room))
        return Sent()

    async def query(self, query: Query) -> Answer:
        if isinstance(query, AskRooms):
            self._town.listed += 1
            rooms = (
                RoomListing(RoomId(f"#r{n:03}"), f"#r{n:03}", n, "talk") for n in range(self._town.rooms)
            )
            return Answer(rooms=tuple(rooms))
        if query.contact != "bob":
            raise QueryFailed(Reason.NOT_FOUND, "There is nobody of that name.")
        if isinstance(query, AskPing):
            return Answer()
        if isinstance(query, AskVersion):
            return Answer({"name": "Pen", "version": "2"})
        if isinstance(query, AskProfile):
            return Answer({"name": "Bob <Baker>", "email": "bob@town.example"})
        raise AssertionError(query)

    def capabilities(self, chat: Chat) -> Capabilities:
        if hasattr(chat, "room"):
            return INFO.room_features
        return self._town.live_contact_features or INFO.contact_features

    async def close(self, reason: str) -> None:
        self._closed.set()


def without_rooms() -> BackendInfo:
    """The same network, if it had no rooms, no question for contacts and no networks to tell apart."""
    return msgspec.structs.replace(
        INFO, rooms=False, many_networks=False, contact_prompt="", category="gateway", type="sms"
    )
