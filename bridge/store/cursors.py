"""How far each account has read its network."""

from __future__ import annotations

import asyncio

from sqlalchemy import delete, select
from sqlalchemy.engine import Engine

from bridge.store.database import Reader
from bridge.store.queues import EVENTS
from bridge.store.statements import insert_or_replace
from bridge.store.tables import cursors
from bridge.store.writer import Writer


class Cursors:
    """(account, name) -> value, an opaque text of the backend's. Inbox.put moves one along with an event."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader
        self._put = insert_or_replace(engine, cursors, place=EVENTS)

    async def get(self, account: str, name: str) -> str | None:
        """The value; None before the first `put`."""
        query = select(cursors.c.value).where(cursors.c.account == account, cursors.c.name == name)
        await self._writer.flush()
        return await self._reader.run(lambda connection: connection.execute(query).scalar())

    def put(self, account: str, name: str, value: str) -> asyncio.Future[None]:
        """Move a cursor without an event; the future completes on disk, however long that takes."""
        return self._writer.submit(self._put, {"account": account, "name": name, "value": value})

    def put_soon(self, account: str, name: str, value: str) -> asyncio.Future[None]:
        """As `put`, but the future fails with StoreDown when it takes too long."""
        return self._writer.submit_soon(self._put, {"account": account, "name": name, "value": value})

    async def forget(self, account: str) -> None:
        """Forget all of an account's. Raises StoreDown."""
        gone = delete(cursors).where(cursors.c.account == account)
        await self._writer.submit_unit_soon(lambda connection: connection.execute(gone).rowcount)
