"""The two durable queues: Inbox (network to XMPP) and Outbox (XMPP to network), without duplicates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Table, bindparam, delete, literal_column, select, update
from sqlalchemy.engine import Connection, Engine

from bridge.store.batches import Place
from bridge.store.database import Reader
from bridge.store.errors import StoreDown
from bridge.store.statements import (
    PRUNE_ROWS,
    Statement,
    delete_in_steps,
    insert_new,
    insert_or_replace,
)
from bridge.store.tables import QUEUE_OPEN, cursors, inbox, outbox
from bridge.store.writer import Writer

Settled = Literal["sent", "failed", "unknown"]
NewId = Callable[[], int]

EVENTS = Place("inbox", 0)
"""New events, and cursors, which move with them: in the order given."""
_SETTLED_EVENTS = Place("inbox", 1)

_COMMANDS, _ATTEMPTS, _SENT = (Place("outbox", turn) for turn in range(3))
"""What is written of a row in one transaction is given in this order, too. What puts a row off may be
followed by another attempt, and what lets a dedupe key be used again by a row that needs that: these have no
place."""


class InboxRow(NamedTuple):
    """An event that the XMPP server may not have yet. `stanza_id` is the id that it is always sent with."""

    id: int
    account: str
    chat: str
    stanza_id: str
    payload: bytes


class OutboxRow(NamedTuple):
    """A command that the network may not have yet.

    `trying`: an attempt was begun, and its end is not known. `not_before`: microseconds since the epoch.
    """

    id: int
    account: str
    chat: str
    stanza_id: str
    payload: bytes
    reply_to: str
    trying: bool
    attempts: int
    not_before: int


class _Put:
    """Inserts queue rows and tells which were new: the row's id, or None if its dedupe key was there.

    Ids are made in memory, so a batch can be repeated after a commit whose answer was lost. Two processes on
    one database may make the same id: then the row, which belongs to another account, gets a new one.
    """

    def __init__(self, engine: Engine, table: Table, new_id: NewId, place: Place) -> None:
        self.place = place
        self._insert = insert_new(engine, table)
        self._stored = select(table.c.id, table.c.gateway, table.c.account).where(
            table.c.id.in_(bindparam("ids", expanding=True))
        )
        self._new_id = new_id

    def __call__(self, connection: Connection, rows: list[dict[str, Any]]) -> list[int | None]:
        if self._insert.count(connection, rows) == len(rows):
            return [row["id"] for row in rows]
        owners = self._owners(connection, rows)
        taken = [row for row in rows if owners.get(row["id"], _owner(row)) != _owner(row)]
        if taken:
            for row in taken:
                row["id"] = self._new_id()
            return self(connection, rows)
        return [row["id"] if row["id"] in owners else None for row in rows]

    def _owners(self, connection: Connection, rows: list[dict[str, Any]]) -> dict[int, tuple[str, str]]:
        found = connection.execute(self._stored, {"ids": [row["id"] for row in rows]})
        return {row_id: (gateway, account) for row_id, gateway, account in found}


def _owner(row: dict[str, Any]) -> tuple[str, str]:
    return row["gateway"], row["account"]


class _PutEvent(_Put):
    """Also moves cursors, those of duplicates too: the network has shown that it sends them again."""

    def __init__(self, engine: Engine, new_id: NewId) -> None:
        super().__init__(engine, inbox, new_id, EVENTS)
        self._move = insert_or_replace(engine, cursors)

    def __call__(self, connection: Connection, rows: list[dict[str, Any]]) -> list[int | None]:
        results = super().__call__(connection, rows)
        moved = {(row["account"], row["cursor"][0]): row["cursor"][1] for row in rows if row["cursor"]}
        if moved:
            self._move(
                connection, [{"account": a, "name": n, "value": value} for (a, n), value in moved.items()]
            )
        return results


class _Queue:
    """What both queues do the same way."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader, table: Table) -> None:
        self._writer = writer
        self._reader = reader
        self._table = table

    async def prune(self, before: int) -> int:
        """Delete what was settled and put before a time (microseconds): it is no longer known as a duplicate.

        Returns how many rows.
        """
        table = self._table
        is_settled = table.c.state.not_in(QUEUE_OPEN)
        some = select(table.c.id).where(table.c.id < before, is_settled).limit(PRUNE_ROWS)
        return await delete_in_steps(self._writer, delete(table).where(table.c.id.in_(some)))


class Inbox(_Queue):
    """Events from the networks, kept until the XMPP server surely has them."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader, new_id: NewId) -> None:
        super().__init__(engine, writer, reader, inbox)
        self._new_id = new_id
        self._put = _PutEvent(engine, new_id)
        end = update(inbox).where(inbox.c.id == bindparam("row"))
        end = end.values(state=bindparam("to_state"), payload=bindparam("to_payload"))
        self._end = Statement(engine, end, _SETTLED_EVENTS)

    def put(
        self,
        gateway: str,
        account: str,
        chat: str,
        dedupe: str,
        stanza_id: str,
        payload: bytes,
        cursor: tuple[str, str] | None = None,
    ) -> asyncio.Future[int | None]:
        """Keep an event and, in the same transaction, move the account's cursor (name, value).

        The future completes when both are on disk: with the row's id, or with None when `dedupe` was there
        already (then only the cursor moves). An empty `dedupe` is never a duplicate. It waits as long as the
        database is out. Raises StoreDown while the database is out and too many rows wait.
        """
        if self._writer.full:
            raise StoreDown("the database takes no rows, and as many wait as may")
        row = {
            "id": self._new_id(),
            "gateway": gateway,
            "account": account,
            "chat": chat,
            "dedupe": dedupe,
            "stanza_id": stanza_id,
            "state": "new",
            "payload": payload,
            "cursor": cursor,
        }
        return self._writer.submit(self._put, row)

    def settle(self, ids: Iterable[int]) -> None:
        """The server has these: forget the payload, keep the row so that a duplicate is known.

        Lost in a crash, it only means that the same stanza ids are sent once more.
        """
        for row_id in ids:
            self._writer.add(self._end, {"row": row_id, "to_state": "done", "to_payload": b""})

    def fail(self, row_id: int) -> asyncio.Future[None]:
        """Nobody will ever take this event: forget the payload, never deliver it."""
        return self._writer.submit(self._end, {"row": row_id, "to_state": "failed", "to_payload": b""})

    async def pending(
        self, gateway: str, after: int = 0, limit: int | None = None, account: str = ""
    ) -> list[InboxRow]:
        """What the XMPP server may not have, in the order of `put`: the next `limit` rows behind the id
        `after`, of one account or of all. Raises StoreDown."""
        columns = (inbox.c[name] for name in InboxRow._fields)
        query = select(*columns).where(
            inbox.c.gateway == gateway, inbox.c.state.in_(QUEUE_OPEN), inbox.c.id > after
        )
        if account:
            query = query.where(inbox.c.account == account)
        query = query.order_by(inbox.c.id).limit(limit)
        await self._writer.flush()
        rows = await self._reader.run(lambda connection: connection.execute(query).all())
        return [InboxRow(*row) for row in rows]


class Outbox(_Queue):
    """Commands of our users, kept until their network answered."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader, new_id: NewId) -> None:
        super().__init__(engine, writer, reader, outbox)
        self._new_id = new_id
        self._put = _Put(engine, outbox, new_id, _COMMANDS)
        change = update(outbox).where(outbox.c.id == bindparam("row"))
        attempts = outbox.c.attempts + bindparam("more")
        self._try = Statement(
            engine, change.values(state=bindparam("to_state"), attempts=attempts), _ATTEMPTS
        )
        self._later = Statement(
            engine, change.values(state=bindparam("to_state"), not_before=bindparam("to_time"))
        )  # fmt: skip
        settled: dict[str, Any] = {"state": bindparam("to_state"), "payload": bindparam("to_payload")}
        self._sent = Statement(engine, change.values(**settled, legacy_ids=bindparam("to_ids")), _SENT)
        # A sender who was told that it failed may send it again, with the same id.
        self._not_sent = Statement(engine, change.values(**settled, dedupe=literal_column("''")))

    def put(
        self,
        gateway: str,
        account: str,
        chat: str,
        dedupe: str,
        payload: bytes,
        reply_to: str,
        stanza_id: str,
        attempt: bool = False,
    ) -> asyncio.Future[int | None]:
        """Keep a command. `dedupe` comes from the sender's stanza; `reply_to` is who hears of the outcome.
        `attempt`: it goes out as soon as it is kept, and this counts as its first `attempt`.

        The future completes on disk: with the row's id, or None when `dedupe` was there already (and did not
        fail). It fails with StoreDown when the database does not take the row in time: then it is not kept.
        Raises StoreDown at once while the database is out and too many wait.
        """
        row: dict[str, Any] = {
            "id": self._new_id(),
            "gateway": gateway,
            "account": account,
            "chat": chat,
            "dedupe": dedupe,
            "stanza_id": stanza_id,
            "state": "trying" if attempt else "new",
            "payload": payload,
            "reply_to": reply_to,
            "attempts": int(attempt),
            "not_before": 0,
            "legacy_ids": "",
        }
        return self._writer.submit_soon(self._put, row, lambda: self._give_up(row["id"]))

    def attempt(self, row_id: int, ahead: Iterable[int] = ()) -> asyncio.Future[None]:
        """Await this before the I/O: from then on a crash leaves the row as one of unknown outcome, and those
        `ahead`, too."""
        for other in ahead:
            self._writer.add(self._try, {"row": other, "to_state": "trying", "more": 1})
        return self._writer.submit(self._try, {"row": row_id, "to_state": "trying", "more": 1})

    def put_back(self, ids: Iterable[int]) -> None:
        """Nothing was attempted of these, after all."""
        for row_id in ids:
            self._writer.add(self._try, {"row": row_id, "to_state": "new", "more": -1})

    def settle(self, row_id: int, state: Settled, legacy_ids: Sequence[str] = ()) -> asyncio.Future[None]:
        """The end of a command: the payload is forgotten, the network's ids of the message are kept."""
        row: dict[str, Any] = {"row": row_id, "to_state": state, "to_payload": b""}
        if state != "sent":
            return self._writer.submit(self._not_sent, row)
        row["to_ids"] = msgspec.json.encode(list(legacy_ids)).decode() if legacy_ids else ""
        return self._writer.submit(self._sent, row)

    def _give_up(self, row_id: int) -> None:
        """A row that may be there although its sender was told that it is not."""
        self._writer.add(self._not_sent, {"row": row_id, "to_state": "failed", "to_payload": b""})

    def later(self, row_id: int, not_before: int) -> asyncio.Future[None]:
        """The network did not take it; try again, not before a time (microseconds since the epoch)."""
        return self._writer.submit(self._later, {"row": row_id, "to_state": "new", "to_time": not_before})

    async def pending(self, gateway: str) -> list[OutboxRow]:
        """What is not settled, in the order of `put`. At start-up, `trying` means: a crash came midway."""
        columns = [outbox.c[name] for name in OutboxRow._fields if name != "trying"]
        query = select(*columns, outbox.c.state).where(
            outbox.c.gateway == gateway, outbox.c.state.in_(QUEUE_OPEN)
        )
        await self._writer.flush()
        rows = await self._reader.run(
            lambda connection: connection.execute(query.order_by(outbox.c.id)).mappings().all()
        )
        return [
            OutboxRow(
                *(row["state"] == "trying" if name == "trying" else row[name] for name in OutboxRow._fields)
            )
            for row in rows
        ]

    async def legacy_ids(self, row_id: int) -> list[str]:
        """The network's own ids of a settled message; empty when there are none, or the row was pruned."""
        query = select(outbox.c.legacy_ids).where(outbox.c.id == row_id)
        found = await self._reader.run(lambda connection: connection.execute(query).scalar())
        return msgspec.json.decode(found, type=list[str]) if found else []
