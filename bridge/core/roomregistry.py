"""Which rooms there are: by (user, room JID), by user, and by account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from weakref import WeakValueDictionary

from bridge.api import RoomAddress
from bridge.core.commons import Commons
from bridge.core.ground import Ground
from bridge.core.keeping import Residents
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.room import Room


class RoomRegistry:
    """All rooms of one gateway's users. A room exists while somebody wants it."""

    def __init__(self, ground: Ground, pool: SessionPool, residents: Residents) -> None:
        self._ground = ground
        self._pool = pool
        self._residents = residents
        self._by_jid: dict[tuple[str, str], Room] = {}
        self.by_jid: Mapping[tuple[str, str], Room] = self._by_jid
        """all rooms by user and room JID, for those who look often"""
        self._of_user: dict[str, dict[str, Room]] = {}
        self._commons: WeakValueDictionary[str, Commons] = WeakValueDictionary()

    def find(self, user: str, room_jid: str) -> Room | None:
        """The user's room with that bare JID, if there is one."""
        return self._by_jid.get((user, room_jid))

    def of(self, user: str) -> tuple[Room, ...]:
        """All rooms of a user."""
        return tuple(self._of_user.get(user, {}).values())

    def has(self, room: Room) -> bool:
        """Whether this is a room of now, and not one that was left."""
        return self._by_jid.get((room.user, room.jid)) is room

    def all(self) -> Iterable[Room]:
        """Every room."""
        return tuple(self._by_jid.values())

    def live(self, room: Room) -> LiveAccount:
        """The account that a room belongs to."""
        return self._pool.live(room.user, room.address.network)

    def open(self, live: LiveAccount, address: RoomAddress) -> Room:
        """The room, made if it does not exist."""
        jid = self._ground.face.jid(address)
        room = self._by_jid.get((live.user, jid))
        if room is None:
            commons = self._commons.get(jid)
            if commons is None:
                commons = self._commons[jid] = Commons(jid)
            room = Room(live.user, commons.jid, address, commons)
            live.rooms[address.room] = room
            self._by_jid[live.user, jid] = room
            self._of_user.setdefault(live.user, {})[jid] = room
        return room

    def follow(self, room: Room) -> None:
        """Somebody has come into a room or gone out of it: store who is in it."""
        if self.has(room):
            self._residents.follow(room, self.live(room).nick or room.nick)

    def adopt(self, room: Room, resource: str, nick: str) -> None:
        """A resource is stored as being in a room since before this start."""
        self._residents.adopt(room, resource, nick)

    def remove(self, room: Room) -> None:
        """Forget a room."""
        if not self.has(room):
            return
        self.follow(room)
        room.commons.leave(room.user)
        live = self.live(room)
        if live.rooms.get(room.address.room) is room:
            del live.rooms[room.address.room]
        del self._by_jid[room.user, room.jid]
        rooms = self._of_user[room.user]
        del rooms[room.jid]
        if not rooms:
            del self._of_user[room.user]
