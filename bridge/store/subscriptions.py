"""Who is subscribed to whose presence, between users and puppets (RFC 6121 §3), over restarts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.engine import Engine
from sqlalchemy.sql import ColumnElement

from bridge.store.database import Reader
from bridge.store.statements import insert_or_replace
from bridge.store.tables import subscriptions
from bridge.store.writer import Writer


class Subscription(NamedTuple):
    """What holds between a user (bare JID) and the puppet `local@gateway`.

    `user_subscribed`: the user gets the puppet's presence; `puppet_subscribed`: the other way round.
    `name` is the puppet's name in the roster.
    """

    gateway: str
    user: str
    local: str
    user_subscribed: bool
    puppet_subscribed: bool
    name: str = ""


class Subscriptions:
    """Presence subscription state. Changes return when they are on disk."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader
        self._put = insert_or_replace(engine, subscriptions)

    async def put(self, subscription: Subscription) -> None:
        """Keep a state, instead of an older one of the same pair."""
        await self._writer.submit(self._put, subscription._asdict())

    async def remove(self, gateway: str, user: str, local: str) -> None:
        """Forget a pair; one that is unknown is fine."""
        table = subscriptions.c
        gone = delete(subscriptions).where(table.gateway == gateway, table.user == user, table.local == local)
        await self._writer.submit_unit(lambda connection: connection.execute(gone).rowcount)

    async def get(self, gateway: str, user: str, local: str) -> Subscription | None:
        """None: neither is subscribed to the other."""
        table = subscriptions.c
        found = await self._find(table.gateway == gateway, table.user == user, table.local == local)
        return found[0] if found else None

    async def list(self, gateway: str) -> Sequence[Subscription]:
        """All pairs of a gateway."""
        return await self._find(subscriptions.c.gateway == gateway)

    async def list_for(self, gateway: str, user: str) -> Sequence[Subscription]:
        """One user's pairs."""
        return await self._find(subscriptions.c.gateway == gateway, subscriptions.c.user == user)

    async def _find(self, *condition: ColumnElement[bool]) -> Sequence[Subscription]:
        table = subscriptions.c
        query = select(subscriptions).where(*condition).order_by(table.gateway, table.user, table.local)
        rows = await self._reader.run(lambda connection: connection.execute(query).all())
        return [Subscription(row[0], row[1], row[2], bool(row[3]), bool(row[4]), row[5]) for row in rows]
