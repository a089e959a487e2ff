"""Kept rooms in the store: the rooms that an account stays in while no resource is there."""

from __future__ import annotations

from bridge.core.ground import Ground
from bridge.core.room import Room


class RoomKeeper:
    """Writes what is kept; the writer's group commit makes it durable."""

    def __init__(self, ground: Ground) -> None:
        self._domain = ground.domain
        self._kept = ground.store.kept_rooms

    def put(self, room: Room) -> None:
        """Keep it from now on."""
        self._kept.put(self._domain, room.user, room.address.network, room.address.room, room.nick, room.password)

    def remove(self, room: Room) -> None:
        """Keep it no longer."""
        self._kept.remove(self._domain, room.user, room.address.network, room.address.room)
