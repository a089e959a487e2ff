"""Which stanza a network's own message id stands for, and the other way round: replies, reports of delivery
and markers refer to messages by ids, also days later."""

from __future__ import annotations

import time
from typing import NamedTuple

from sqlalchemy import and_, delete, select, tuple_
from sqlalchemy.engine import Engine

from bridge.store.database import Reader
from bridge.store.statements import PRUNE_ROWS, delete_in_steps, insert_new
from bridge.store.tables import message_ids
from bridge.store.writer import Writer


class KnownMessage(NamedTuple):
    """A message: who sent it (a full JID of the user's; empty: the contact) with which stanza id, in the chat
    with whom."""

    resource: str
    stanza_id: str
    chat: str


class MessageIds:
    """(account, the network's id) <-> stanza id. What is there stays as it is: a network that gives a message
    again gives the same one."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader
        self._put = insert_new(engine, message_ids)

    def put(self, account: str, network_id: str, chat: str, stanza_id: str, resource: str) -> None:
        """Remember a message, with the next group commit. Lost while the database is out and too much waits:
        then nothing can refer to it later."""
        if self._writer.full:
            return
        row = {
            "account": account,
            "network_id": network_id,
            "chat": chat,
            "stanza_id": stanza_id,
            "resource": resource,
            "put_at": time.time_ns() // 1000,
        }
        self._writer.add(self._put, row)

    async def stanza(self, account: str, network_id: str) -> KnownMessage | None:
        """The stanza for a network's id; None: not known. Raises StoreDown."""
        table = message_ids.c
        query = select(table.resource, table.stanza_id, table.chat).where(
            table.account == account, table.network_id == network_id
        )
        await self._writer.flush()
        row = await self._reader.run(lambda connection: connection.execute(query).first())
        return KnownMessage(*row) if row else None

    async def network_id(self, account: str, chat: str, stanza_id: str) -> str | None:
        """The network's id for a stanza in a chat, of several parts the first; None: not known. Raises
        StoreDown."""
        table = message_ids.c
        query = select(table.network_id).where(
            and_(table.account == account, table.stanza_id == stanza_id, table.chat == chat)
        )
        query = query.order_by(table.put_at, table.network_id).limit(1)
        await self._writer.flush()
        return await self._reader.run(lambda connection: connection.execute(query).scalar())

    async def forget(self, account: str) -> None:
        """Forget all messages of an account. Raises StoreDown."""
        gone = delete(message_ids).where(message_ids.c.account == account)
        await self._writer.submit_unit_soon(lambda connection: connection.execute(gone).rowcount)

    async def prune(self, before: int) -> int:
        """Forget what was remembered before a time (microseconds). Returns how many."""
        key = (message_ids.c.account, message_ids.c.network_id)
        some = select(*key).where(message_ids.c.put_at < before).limit(PRUNE_ROWS)
        return await delete_in_steps(self._writer, delete(message_ids).where(tuple_(*key).in_(some)))
