"""Rooms that a user stays in while no client of theirs is there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.engine import Engine, Row

from bridge.store.database import Reader
from bridge.store.errors import VaultError
from bridge.store.rotation import Column, rotate
from bridge.store.statements import insert_or_replace
from bridge.store.tables import kept_rooms
from bridge.store.vault import Vault, context
from bridge.store.writer import Writer

log = logging.getLogger(__name__)


class KeptRoom(NamedTuple):
    """A room to join again at start-up. `locked`: the vault can't read its password."""

    gateway: str
    user: str
    network: str
    room: str
    nick: str
    password: str = ""
    locked: bool = False

    def __repr__(self) -> str:
        return f"KeptRoom({self.gateway!r}, {self.user!r}, {self.network!r}, {self.room!r}, {self.nick!r})"


class KeptRooms:
    """Kept rooms. Changes return when they are on disk."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader, vault: Vault) -> None:
        self._writer = writer
        self._reader = reader
        self._vault = vault
        self._put = insert_or_replace(engine, kept_rooms)

    async def put(self, room: KeptRoom) -> None:
        """Keep a room, instead of an older entry for it. Raises VaultError for a locked one."""
        if room.locked:
            raise VaultError("the room's password could not be read; enter it again")
        row = room._asdict()
        del row["locked"]
        values = {"password": room.password} if room.password else {}
        row["password"] = self._vault.encrypt(_context(room[:4]), values)
        await self._writer.submit(self._put, row)

    async def remove(self, gateway: str, user: str, network: str, room: str) -> None:
        """Forget a room; one that is unknown is fine."""
        table = kept_rooms.c
        gone = delete(kept_rooms).where(
            table.gateway == gateway, table.user == user, table.network == network, table.room == room
        )
        await self._writer.submit_unit(lambda connection: connection.execute(gone).rowcount)

    async def list(self, gateway: str) -> Sequence[KeptRoom]:
        """All rooms that are kept through a gateway."""
        table = kept_rooms.c
        query = select(kept_rooms).where(table.gateway == gateway)
        query = query.order_by(table.user, table.network, table.room)
        rows = await self._reader.run(lambda connection: connection.execute(query).all())
        return [self._read(row) for row in rows]

    async def rotate(self) -> int:
        """Encrypt with the first key what is encrypted with another. Returns how many rows."""
        table = kept_rooms.c
        keys = (table.gateway, table.user, table.network, table.room)
        column = Column(kept_rooms, keys, table.password, _context)
        return await rotate(column, self._vault, self._writer, self._reader)

    def _read(self, row: Row[Any]) -> KeptRoom:
        key = (row.gateway, row.user, row.network, row.room)
        try:
            password = self._vault.decrypt(_context(key), row.password).get("password", "")
        except VaultError as error:
            log.error("kept room %s of %s at %s is locked: %s", row.room, row.user, row.gateway, error)
            return KeptRoom(*key, row.nick, locked=True)
        return KeptRoom(*key, row.nick, password)


def _context(key: tuple[str, ...]) -> str:
    return context("kept room", *key)
