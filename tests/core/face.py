"""A face that writes down what the core asks of it, in order, and delivers direct messages as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bridge.api import (
    Address,
    Attachment,
    Departure,
    NetworkAddress,
    Occupant,
    OccupantId,
    Reason,
    RoomAddress,
    SoftwareVersion,
    Typing,
)
from bridge.core.room import Room
from bridge.core.values import DirectMessage, RoomMessage

DOMAIN = "gw.test"


class Call(NamedTuple):
    """One call: the method's name and its arguments; of a room its JID, and who was in it then."""

    name: str
    args: tuple[Any, ...]
    resources: tuple[str, ...] = ()
    names: tuple[OccupantId, ...] = ()
    me: str = ""


async def until(fact: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for a fact, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := fact()):
            await asyncio.sleep(0.001)
        return found


class RecordingFace:
    """`delivered` has (message, future) of direct messages; `fence` answers them at once, unless None."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.delivered: list[tuple[DirectMessage, asyncio.Future[str]]] = []
        self.fence: str | None = "fenced"
        self.congested = False
        self.breaks: set[str] = set()

    # -- for tests

    def of(self, name: str, *first: object) -> list[Call]:
        """The calls of one method so far, that begin with these arguments."""
        return [c for c in self.calls if c.name == name and c.args[: len(first)] == first]

    async def wait(self, name: str, *first: object, count: int = 1) -> Call:
        """The `count`-th such call."""
        await until(lambda: len(self.of(name, *first)) >= count)
        return self.of(name, *first)[count - 1]

    def names(self) -> list[str]:
        """The methods called, in order."""
        return [call.name for call in self.calls]

    def _note(self, name: str, *args: Any) -> None:
        self.calls.append(Call(name, args))
        if name in self.breaks:
            raise RuntimeError(f"{name} is broken")

    def _room(self, name: str, room: Room, *args: Any) -> None:
        call = Call(name, (room.jid, *args), tuple(room.resources), tuple(room.occupants), room.me)
        self.calls.append(call)
        if name in self.breaks:
            raise RuntimeError(f"{name} is broken")

    # -- bridge.core.ports.Face

    def jid(self, address: Address) -> str:
        if isinstance(address, NetworkAddress):
            return f"{address.network}@{DOMAIN}" if address.network else DOMAIN
        name = address.room if isinstance(address, RoomAddress) else address.contact
        return f"{name}%{address.network}@{DOMAIN}"

    async def drain(self) -> None:
        await until(lambda: not self.congested)

    def room_entered(self, room: Room, resource: str, history: Sequence[RoomMessage]) -> None:
        self._room("room_entered", room, resource, tuple(history))

    def room_refused(self, room: Room, resource: str, reason: Reason, text: str) -> None:
        self._room("room_refused", room, resource, reason, text)

    def room_left(
        self, room: Room, resources: Iterable[str], how: Departure, actor: str, text: str, remaining: int = 0
    ) -> None:
        self._room("room_left", room, tuple(resources), how, actor, text, remaining)

    def occupant_joined(self, room: Room, occupant: Occupant) -> None:
        self._room("occupant_joined", room, occupant.name)

    def occupant_left(self, room: Room, occupant: Occupant, how: Departure, actor: str, text: str) -> None:
        self._room("occupant_left", room, occupant.name, how, actor, text)

    def occupant_renamed(self, room: Room, old: Occupant, new: Occupant) -> None:
        self._room("occupant_renamed", room, old.name, new.name)

    def occupant_changed(self, room: Room, occupant: Occupant, actor: str) -> None:
        self._room("occupant_changed", room, occupant.name, actor)

    def room_message(self, room: Room, message: RoomMessage) -> None:
        self._room("room_message", room, message)

    def room_subject(self, room: Room) -> None:
        self._room("room_subject", room, room.subject, room.subject_by)

    def room_notice(self, room: Room, text: str) -> None:
        self._room("room_notice", room, text)

    def room_typing(self, room: Room, occupant: Occupant, state: Typing) -> None:
        self._room("room_typing", room, occupant.name, state)

    def nick_refused(self, room: Room, resource: str, nick: str, reason: Reason, text: str) -> None:
        self._room("nick_refused", room, resource, nick, reason, text)

    def invitation(self, user: str, room: str, by: str, reason: str, resources: Iterable[str]) -> None:
        self._note("invitation", user, room, by, reason, tuple(resources))

    def direct_message(self, user: str, contact: str, message: DirectMessage) -> Awaitable[str]:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._note("direct_message", user, contact, message)
        self.delivered.append((message, future))
        if self.fence is not None:
            future.set_result(self.fence)
        return future

    def direct_typing(self, user: str, contact: str, state: Typing) -> None:
        self._note("direct_typing", user, contact, state)

    def direct_receipt(self, user: str, contact: str, stanza_id: str) -> None:
        self._note("direct_receipt", user, contact, stanza_id)

    def direct_displayed(self, user: str, contact: str, stanza_id: str) -> None:
        self._note("direct_displayed", user, contact, stanza_id)

    def message_failed(
        self, resource: str, sender: str, stanza_id: str, reason: Reason, text: str, groupchat: bool = False
    ) -> None:
        self._note("message_failed", resource, sender, stanza_id, reason, text, groupchat)

    def network_text(self, to: str, network: str, text: str) -> None:
        self._note("network_text", to, network, text)

    def puppet_presence(self, to: str, puppet: str, online: bool, away: bool = False, text: str = "") -> None:
        self._note("puppet_presence", to, puppet, online)

    def subscription(self, to: str, puppet: str, kind: str, stanza_id: str = "") -> None:
        self._note("subscription", to, puppet, kind)

    async def upload(self, user: str, file: Path, name: str, media_type: str) -> Attachment:
        self._note("upload", user, name, media_type)
        return Attachment(f"https://files.test/{name}", name, media_type)

    def keeps_files(self, url: str) -> bool:
        return False

    async def ask_version(self, resource: str, puppet: str) -> SoftwareVersion | None:
        self._note("ask_version", resource, puppet)
        return SoftwareVersion("Client")

    async def caught_up(self) -> None:
        """At once."""

    async def ask_ping(self, resource: str, puppet: str) -> bool:
        self._note("ask_ping", resource, puppet)
        return True
