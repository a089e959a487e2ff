"""Which stanza a network's own message id stands for, and the other way round: replies, reports of delivery
and markers refer to messages by ids, also days later."""

from __future__ import annotations

import enum
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, select, text, tuple_, update
from sqlalchemy.engine import Connection, Engine, Row

from bridge.store.batches import Place
from bridge.store.database import Reader
from bridge.store.statements import PRUNE_ROWS, Statement, delete_in_steps, insert_new, insert_or_replace
from bridge.store.tables import message_ids
from bridge.store.writer import Writer


class KnownMessage(NamedTuple):
    """A message: who sent it (a full JID of the user's; empty: the contact) with which stanza id, in the chat
    with whom. Of a message that went out in `parts` it is the `part`-th (both 0: it went out whole).
    `written_to` is the bare JID that it was sent to, where that is not the contact's own."""

    resource: str
    stanza_id: str
    chat: str
    part: int = 0
    parts: int = 0
    written_to: str = ""

    def of_parts(self, part: int, parts: int) -> KnownMessage:
        """The same as one of so many parts."""
        return self if parts < 2 else self._replace(part=part, parts=parts)


class Fate(enum.IntEnum):
    """What was reported of a part."""

    ARRIVED = 1
    FAILED = 2


_TOLD = 4
"""Added to what was reported of each part, once the user knows how the whole message fared."""


class Whole(NamedTuple):
    """How a message in parts stands. `put_at` tells it from others with the same stanza id. `fate`: all parts
    have arrived, or one has failed; None: nothing is certain yet. `told`: the user knows."""

    put_at: int
    fate: Fate | None
    told: bool


_RARE = ("part", "parts", "reported", "written_to")
"""Columns that are as a new row has them for nearly every message."""


class MessageIds:
    """(account, the network's id) <-> stanza id. What came stays as it is: a network that gives a message
    again gives the same one. Of what was sent the newest counts: some networks begin to count anew, and what
    they report is not to be taken for a message's of last year."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader
        place = Place("message_ids")
        self._put = insert_new(engine, message_ids, without=_RARE, place=place)
        self._put_sent = insert_or_replace(engine, message_ids, place=place)
        self._report, self._parts, self._mark_told = _about_parts(engine)

    def put(self, account: str, network_id: str, chat: str, stanza_id: str, resource: str) -> None:
        """Remember a message, with the next group commit. Lost while the database is out and too much waits:
        then nothing can refer to it later."""
        if resource:
            self.put_sent(account, (network_id,), KnownMessage(resource, stanza_id, chat))
            return
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

    def put_sent(self, account: str, network_ids: Sequence[str], sent: KnownMessage) -> None:
        """As `put`, for a message of the user's: its ids, in the order of its parts."""
        if self._writer.full:
            return
        now = time.time_ns() // 1000
        for part, network_id in enumerate(network_ids, 1):
            known = sent.of_parts(part, len(network_ids))
            row = {"account": account, "network_id": network_id, "put_at": now, "reported": 0}
            self._writer.add(self._put_sent, row | known._asdict())

    async def report(self, account: str, network_id: str, fate: Fate) -> Whole | None:
        """Write down what was reported of a part; what was reported first stays. Returns how its message
        stands then (several may hear of the same change, where they ask at once); None: it is not known.
        Raises StoreDown."""
        row = {"of": account, "id": network_id, "fate": int(fate)}
        whole: Whole | None = await self._writer.submit_soon(self._write_reports, row)
        return whole

    async def mark_told(self, account: str, stanza_id: str, put_at: int) -> None:
        """The user knows how a message in parts fared. Raises StoreDown."""
        row = {"of": account, "stanza": stanza_id, "at": put_at}
        await self._writer.submit_soon(self._mark_told, row)

    async def stanza(self, account: str, network_id: str) -> KnownMessage | None:
        """The stanza for a network's id; None: not known. Raises StoreDown."""
        table = message_ids.c
        query = select(*(table[name] for name in KnownMessage._fields)).where(
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
        query = query.order_by(table.put_at, table.part, table.network_id).limit(1)
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

    def _write_reports(self, connection: Connection, rows: list[dict[str, Any]]) -> list[Whole | None]:
        self._report(connection, rows)
        return [_whole(self._parts.found(connection, {"of": row["of"], "id": row["id"]})) for row in rows]


def _about_parts(engine: Engine) -> tuple[Statement, Statement, Statement]:
    """Write what was reported of a part, find all parts of its message, mark all parts as told."""
    table, one = message_ids.c, message_ids.alias("one")
    part = (table.account == bindparam("of"), table.network_id == bindparam("id"))
    report = update(message_ids).where(*part, text(f"reported IN (0, {_TOLD})"))
    same = (table.account == one.c.account, table.stanza_id == one.c.stanza_id, table.put_at == one.c.put_at)
    parts = select(table.put_at, table.reported).join(one, and_(*same))
    parts = parts.where(one.c.account == bindparam("of"), one.c.network_id == bindparam("id"))
    whole = (table.account == bindparam("of"), table.stanza_id == bindparam("stanza"))
    told = update(message_ids).where(*whole, table.put_at == bindparam("at"), text(f"reported < {_TOLD}"))
    return (
        Statement(engine, report.values(reported=table.reported + bindparam("fate"))),
        Statement(engine, parts),
        Statement(engine, told.values(reported=text(f"reported + {_TOLD}"))),
    )


def _whole(parts: Sequence[Row[Any]]) -> Whole | None:
    if not parts:
        return None
    fates = [each.reported % _TOLD for each in parts]
    fate = None
    if Fate.FAILED in fates:
        fate = Fate.FAILED
    elif all(each == Fate.ARRIVED for each in fates):
        fate = Fate.ARRIVED
    return Whole(parts[0].put_at, fate, any(each.reported >= _TOLD for each in parts))
