"""Kept rooms in the store: the rooms that an account stays in while no resource is there."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.core.ground import Ground
from bridge.core.room import Room
from bridge.core.tasks import Tasks
from bridge.store.kept_rooms import KeptRoom


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
