"""Rooms in the store: those that an account stays in while no resource is there, and which resources are in
which room, so that a restart puts nobody out."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bridge.core.ground import Ground
from bridge.core.room import Room
from bridge.core.tasks import Tasks
from bridge.store.kept_rooms import KeptRoom
from bridge.store.room_resources import RoomResource

AWAY_SECONDS = 86_400
"""A gateway that was down for longer than this brings nobody back."""

_ALIVE = "alive"


class RoomKeeper:
    """Writes and reads what is kept."""

    def __init__(self, ground: Ground, tasks: Tasks) -> None:
        self._domain = ground.domain
        self._kept = ground.store.kept_rooms
        self._tasks = tasks

    def put(self, room: Room) -> None:
        """Keep it from now on."""
        address = room.address
        kept = KeptRoom(self._domain, room.user, address.network, address.room, room.nick, room.password)
        self._tasks.start(self._kept.put(kept), "keep room")

    def remove(self, room: Room) -> None:
        """Keep it no longer."""
        address = room.address
        self._tasks.start(
            self._kept.remove(self._domain, room.user, address.network, address.room), "unkeep room"
        )

    async def list(self) -> Sequence[KeptRoom]:
        """All rooms that are kept on this gateway."""
        return await self._kept.list(self._domain)


class Residents:
    """Writes down who is in which room or asked to be, and reads it at the next start. `follow` is called
    after each change; it writes only what is different, and waits for nothing.

    A gateway that stops leaves the rows as they are: whoever was in a room then is brought back."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._rows = ground.store.room_resources
        self._cursors = ground.store.cursors
        self._stored: dict[Room, tuple[str, tuple[str, ...]]] = {}

    def follow(self, room: Room, nick: str) -> None:
        """Store who is in a room now, and by which name to enter it again."""
        if self._ground.stopping:
            return
        old_nick, old = self._stored.get(room, ("", ()))
        here = {**room.resources, **room.remembered, **room.waiting}
        for resource in old:
            if resource not in here:
                self._rows.remove(*self._key(room), resource)
        now = tuple(here)
        for resource in now:
            if resource not in old or nick != old_nick:
                self._put(room, resource, nick)
        if now:
            self._stored[room] = nick, now
        else:
            self._stored.pop(room, None)

    def adopt(self, room: Room, resource: str, nick: str) -> None:
        """A resource of a room is stored already, since before this start."""
        self._stored[room] = nick, (*self._stored.get(room, ("", ()))[1], resource)

    async def load(self) -> Sequence[RoomResource]:
        """Who was in a room when the gateway ended. What is too old for anybody to expect it is forgotten."""
        rows = await self._rows.list(self._ground.domain)
        alive = int(await self._cursors.get(self._ground.domain, _ALIVE) or 0)
        oldest = _now() - AWAY_SECONDS * 1_000_000
        fresh = [row for row in rows if max(alive, row.joined_at) > oldest]
        for row in set(rows).difference(fresh):
            self._rows.remove(*row[:5])
        await self.mark_alive()
        return fresh

    async def mark_alive(self) -> None:
        """Store that the gateway runs, and the rows are as good as new. Called now and then."""
        await self._cursors.put_soon(self._ground.domain, _ALIVE, str(_now()))

    def _put(self, room: Room, resource: str, nick: str) -> None:
        self._rows.put(RoomResource(*self._key(room), resource, nick, _now()))

    def _key(self, room: Room) -> tuple[str, str, str, str]:
        return self._ground.domain, room.user, room.address.network, room.address.room


def _now() -> int:
    return int(time.time() * 1_000_000)
