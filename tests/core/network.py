"""A network whose every word a test decides. Rooms are `#NAME`, everything else is a contact."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from bridge.api import (
    Account,
    Address,
    Answer,
    BackendError,
    BackendInfo,
    Capabilities,
    Chat,
    Command,
    Connected,
    ConnectionLost,
    ContactAddress,
    ContactId,
    Content,
    Departure,
    DirectChat,
    Event,
    Field,
    FieldKind,
    Form,
    Host,
    JoinRoom,
    LeaveRoom,
    MessageId,
    MessageReceived,
    NetworkAddress,
    NetworkId,
    Occupant,
    OccupantId,
    Outcome,
    Query,
    Resolver,
    RoomAddress,
    RoomChat,
    RoomId,
    RoomJoined,
    RoomLeft,
    Sent,
    Session,
)
from tests.core.face import until

INFO = BackendInfo(
    name="scripted", type="irc", title="Scripted", description="Scripted", rooms=True, on_demand=True
)

Answering = Callable[["ScriptedSession", Command], Awaitable[Outcome]]


class Network:
    """The backend. `answer` decides how a command ends; `connect` what a session does first; `lets_in`:
    rooms are entered when that is asked for; `people` are in all of them."""

    def __init__(self, **info: Any) -> None:
        self.info = msgspec.structs.replace(INFO, **info)
        self.features = Capabilities()
        self.sessions: list[ScriptedSession] = []
        self.commands: list[Command] = []
        self.people: list[Occupant] = [Occupant(OccupantId("bob"), contact=ContactId("bob"))]
        self.lets_in = True
        self.answer: Answering = _yes
        self.connect: Callable[[ScriptedSession], Awaitable[None]] = _connect

    @property
    def session(self) -> ScriptedSession:
        """The newest."""
        return self.sessions[-1]

    def of(self, kind: type) -> list[Any]:
        """The commands of one kind so far."""
        return [command for command in self.commands if isinstance(command, kind)]

    async def asked(self, kind: type, count: int = 1) -> Any:
        """The `count`-th command of a kind."""
        await until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    def parse_address(self, local: str) -> Address:
        name, _, network = local.rpartition("%")
        if not name:
            return NetworkAddress(NetworkId(network))
        if name.startswith("#"):
            return RoomAddress(NetworkId(network), RoomId(name))
        return ContactAddress(NetworkId(network), ContactId(name))

    def format_address(self, address: Address) -> str:
        return str(address)

    def contact_from_prompt(self, text: str, settings: Mapping[str, str]) -> Address:
        return self.parse_address(text)

    def display_name(self, address: Address) -> str:
        return str(address)

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        fields = (
            Field("nick", "Nick", default=known.get("nick", "")),
            Field("password", "Password", FieldKind.SECRET, default=known.get("password", "")),
        )
        return Form("Register", "", fields)

    async def check_registration(
        self, network: NetworkId, values: Mapping[str, str], resolver: Resolver
    ) -> Mapping[str, str]:
        return values

    def open(self, account: Account, host: Host) -> Session:
        session = ScriptedSession(self, account, host)
        self.sessions.append(session)
        return session


class ScriptedSession:
    """One session. `emit` is what the network says; `fail` and `quit` end it; `stubborn`: it does
    not close."""

    def __init__(self, network: Network, account: Account, host: Host) -> None:
        self.network = network
        self.account = account
        self.host = host
        self.nick = account.settings.get("nick") or account.nick or "me"
        self.stubborn = False
        self.closed_with: str | None = None
        self.cut_off = False
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def emit(self, event: Event, cursor: tuple[str, str] | None = None) -> Awaitable[None]:
        return self.host.emit(event, cursor=cursor)

    def fail(self, error: BaseException | None = None) -> None:
        """The link to the network ends like this."""
        self._end.set_exception(error or ConnectionLost("cable cut"))

    def quit(self) -> None:
        """The user ends it in the network's own way."""
        self._end.set_result(None)

    @property
    def over(self) -> bool:
        return self._end.done() or self.cut_off

    async def run(self) -> None:
        try:
            await self.network.connect(self)
            await self._end
        except asyncio.CancelledError:
            self.cut_off = True
            raise

    async def execute(self, command: Command) -> Outcome:
        self.network.commands.append(command)
        return await self.network.answer(self, command)

    async def query(self, query: Query) -> Answer:
        return Answer()

    def capabilities(self, chat: Chat) -> Capabilities:
        return self.network.features

    async def close(self, reason: str) -> None:
        self.closed_with = reason
        if not self.stubborn and not self._end.done():
            self._end.set_result(None)

    # -- what networks say

    def let_in(self, room: str, me: str = "", people: list[Occupant] | None = None) -> None:
        name = OccupantId(me or self.nick)
        others = self.network.people if people is None else people
        self.emit(RoomJoined(RoomId(room), name, (*others, Occupant(name)), subject="", display=room))

    def let_out(self, room: str, how: Departure = Departure.LEFT, actor: str = "", text: str = "") -> None:
        self.emit(RoomLeft(RoomId(room), how, actor, text))

    def say(self, room: str, text: str, sender: str = "bob", own: bool = False) -> None:
        chat = RoomChat(RoomId(room))
        content = Content(text)
        self.emit(MessageReceived(chat, OccupantId(sender), MessageId(""), content, own=own))

    def tell(
        self, contact: str, text: str, id_: str = "", cursor: tuple[str, str] | None = None
    ) -> Awaitable[None]:
        chat = DirectChat(ContactId(contact))
        return self.emit(MessageReceived(chat, OccupantId(""), MessageId(id_), Content(text)), cursor)


async def _connect(session: ScriptedSession) -> None:
    session.emit(Connected(session.nick))


async def _yes(session: ScriptedSession, command: Command) -> Outcome:
    if isinstance(command, JoinRoom) and session.network.lets_in:
        session.let_in(command.room)
    if isinstance(command, LeaveRoom):
        session.let_out(command.room, text=command.text)
    return Sent()


def refusing(error: BackendError) -> Callable[[ScriptedSession], Awaitable[None]]:
    """A `Network.connect` that does not get through."""

    async def connect(session: ScriptedSession) -> None:
        raise error

    return connect
