"""Knows that the users of an XMPP server that restarts will be back: their accounts stay in their rooms.

A server that stops says for each client that it is gone, just before it is gone itself; one that crashed does
not know them when it is back. Neither is a wish to leave a room, which the other network would see."""

from __future__ import annotations

import asyncio
import contextlib

from bridge.core.entrance import Entrance
from bridge.core.ground import Ground
from bridge.core.room import Room
from bridge.core.roomregistry import RoomRegistry
from bridge.core.tasks import Tasks


class Absence:
    """Who is away for a moment is among a room's `away`, which keeps the account in it."""

    def __init__(self, ground: Ground, registry: RoomRegistry, entrance: Entrance, tasks: Tasks) -> None:
        self._ground = ground
        self._registry = registry
        self._entrance = entrance
        self._tasks = tasks
        self._times_down = 0
        self._returning_until = 0.0

    def left(self, room: Room, resource: str, text: str) -> None:
        """The last resource goes. One that answers a ping means it; one that is offline may be so because
        its server stops, and lingers."""
        if not self._lingers(room):
            self._entrance.leave_network(room, text)
            return
        room.away[resource] = None
        self._tasks.start(self._leave(room, resource, text, self._times_down), "leave")

    def bounced(self, room: Room, resource: str) -> None:
        """The server does not know the last resource: it was restarted, or stops, or the client is gone."""
        if room.joined and self._ground.clock() < self._returning_until:
            room.away[resource] = None
        elif self._lingers(room):
            room.away[resource] = None
            self._tasks.start(self._linger(room, resource, "", self._times_down), "leave")
        else:
            self._entrance.leave_network(room, "")

    def link_down(self) -> None:
        """The XMPP server is gone, and with it who is away now."""
        self._times_down += 1

    def link_up(self) -> None:
        """The XMPP server is back: so will be its users, or not, within a time."""
        if self._times_down:
            self._returning_until = self._ground.clock() + self._ground.settings.return_seconds
            self._tasks.start(self._wait_for_all(), "return")

    def _lingers(self, room: Room) -> bool:
        return room.joined and self._ground.settings.linger_seconds > 0

    async def _leave(self, room: Room, resource: str, text: str, before: int) -> None:
        """Ping who leaves. A server that stops has ended the session first, so no client answers any more."""
        online = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._ground.settings.linger_seconds):
                online = await self._ground.face.ask_ping(resource, room.jid)
        if self._times_down != before:
            return
        if online:
            self._give_up(room, resource, text)
        else:
            await self._linger(room, resource, text, before)

    async def _linger(self, room: Room, resource: str, text: str, before: int) -> None:
        """A server that stops while much is said takes longer: it has all that to read first."""
        await asyncio.sleep(self._ground.settings.linger_seconds)
        await self._ground.face.caught_up()
        if self._times_down == before:
            self._give_up(room, resource, text)

    async def _wait_for_all(self) -> None:
        before = self._times_down
        await asyncio.sleep(self._ground.settings.return_seconds)
        if self._times_down != before:
            return
        for room in self._registry.all():
            for resource in tuple(room.away):
                self._give_up(room, resource, "")

    def _give_up(self, room: Room, resource: str, text: str) -> None:
        if resource not in room.away:
            return
        del room.away[resource]
        if self._registry.has(room) and not room.wanted:
            self._entrance.leave_network(room, text)
