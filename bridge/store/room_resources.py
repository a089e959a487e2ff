"""Which of the users' clients are in which room, to bring them back after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select
from sqlalchemy.engine import Engine

from bridge.store.database import Reader
from bridge.store.statements import Statement, insert_or_replace
from bridge.store.tables import room_resources
from bridge.store.writer import Writer

_KEYS = ("gateway", "user", "network", "room", "resource")


class RoomResource(NamedTuple):
    """A client (full JID) in a room. `nick` is the name to enter with, `joined_at` microseconds."""

    gateway: str
    user: str
    network: str
    room: str
    resource: str
    nick: str
    joined_at: int


class RoomResources:
    """Clients in rooms. Changes are on disk some milliseconds later, in order; nobody waits for them."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader
        self._put = insert_or_replace(engine, room_resources)
        columns = room_resources.c
        is_row = [columns[name] == bindparam(name) for name in _KEYS]
        self._gone = Statement(engine, delete(room_resources).where(*is_row))

    def put(self, resource: RoomResource) -> None:
        """It is in the room, instead of an older entry for it. Raises StoreError if the store is closed."""
        self._writer.add(self._put, resource._asdict())

    def remove(self, gateway: str, user: str, network: str, room: str, resource: str) -> None:
        """It is out; one that is unknown is fine. Raises StoreError if the store is closed."""
        key = (gateway, user, network, room, resource)
        self._writer.add(self._gone, dict(zip(_KEYS, key, strict=True)))

    async def list(self, gateway: str) -> Sequence[RoomResource]:
        """All of a gateway, in the order in which they joined."""
        table = room_resources.c
        query = select(room_resources).where(table.gateway == gateway)
        query = query.order_by(table.joined_at, *(table[name] for name in _KEYS))
        rows = await self._reader.run(lambda connection: connection.execute(query).all())
        return [RoomResource(*row) for row in rows]
