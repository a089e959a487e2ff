"""Names that one account holds alone on a gateway: an address, a number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, delete, insert, select, tuple_, update
from sqlalchemy.engine import Connection, Row

from bridge.store.database import Reader
from bridge.store.errors import StoreError
from bridge.store.statements import PRUNE_ROWS, delete_in_steps
from bridge.store.tables import claims
from bridge.store.writer import Writer

T = TypeVar("T")

KNOWN_SECONDS = 5.0
MOST_KNOWN = 10_000

MOST_RESERVED = 20
"""So many of the claims that an account has given up are kept for it: nobody hoards them by holding one after
the other."""


class Holder(NamedTuple):
    """Who holds a claim: a user (bare JID) and their network."""

    user: str
    network: str


class ClaimTaken(StoreError):
    """Another account holds that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} belongs to another account")
        self.name = name


class Taken(NamedTuple):
    """A claim that was taken away from an account."""

    name: str
    holder: Holder


def set_claims(
    connection: Connection, gateway: str, holder: Holder, names: Sequence[str], *, reserved_since: int | None
) -> None:
    """Give an account these claims instead of those it has, which it can have back. Raises ClaimTaken where
    another has one, or has given it up after `reserved_since` (microseconds; None: nothing is reserved)."""
    table = claims.c
    for row in _of_others(connection, gateway, holder, names):
        reserved = reserved_since is not None and row.freed_at > reserved_since and row.user != holder.user
        if not row.freed_at or reserved:
            raise ClaimTaken(row.name)
    own = _own(gateway, holder)
    left = (*own, table.name.not_in(names), table.freed_at == 0)
    connection.execute(update(claims).where(*left).values(freed_at=time.time_ns() // 1000))
    newest = select(table.name).where(*own, table.freed_at > 0).order_by(table.freed_at.desc(), table.name)
    too_many = connection.execute(newest.offset(MOST_RESERVED).limit(PRUNE_ROWS)).scalars().all()
    if too_many:
        connection.execute(delete(claims).where(*own, table.name.in_(too_many)))
    _hold(connection, gateway, holder, names)


def force_claims(
    connection: Connection, gateway: str, holder: Holder, names: Sequence[str]
) -> Sequence[Taken]:
    """As `set_claims`, but who has one loses it: returned. What the account has now, it does not keep."""
    others = _of_others(connection, gateway, holder, names)
    connection.execute(delete(claims).where(*_own(gateway, holder)))
    _hold(connection, gateway, holder, names)
    return [Taken(row.name, Holder(row.user, row.network)) for row in others if not row.freed_at]


def _own(gateway: str, holder: Holder) -> tuple[ColumnElement[bool], ...]:
    table = claims.c
    return table.gateway == gateway, table.user == holder.user, table.network == holder.network


def _of_others(
    connection: Connection, gateway: str, holder: Holder, names: Sequence[str]
) -> Sequence[Row[Any]]:
    table = claims.c
    query = select(claims).where(
        table.gateway == gateway,
        table.name.in_(names),
        (table.user != holder.user) | (table.network != holder.network),
    )
    return connection.execute(query).all() if names else ()


def _hold(connection: Connection, gateway: str, holder: Holder, names: Sequence[str]) -> None:
    """Whosever they were."""
    connection.execute(delete(claims).where(claims.c.gateway == gateway, claims.c.name.in_(names)))
    for name in dict.fromkeys(names):
        row = {"gateway": gateway, "name": name, "user": holder.user, "network": holder.network}
        connection.execute(insert(claims).values(row))


class Claims:
    """Who holds what. Claims are set with a registration (`Registrations.put`), and go with it.

    Of those that were asked for, `MOST_KNOWN` are in memory. That is exact for what changes through this
    store; what another process changes is seen after `KNOWN_SECONDS`."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader
        self._known: dict[tuple[str, str], tuple[Holder | None, float]] = {}
        self._changes = 0
        self._changing = 0

    async def holder(self, gateway: str, name: str) -> Holder | None:
        """Who holds a name; None: nobody. Raises StoreDown. Hot."""
        known = self._known.get((gateway, name))
        if known is not None and known[1] > time.monotonic():
            return known[0]
        query = select(claims.c.user, claims.c.network).where(
            claims.c.gateway == gateway, claims.c.name == name, claims.c.freed_at == 0
        )
        changes = self._changes
        await self._writer.flush()
        row = await self._reader.run(lambda connection: connection.execute(query).first())
        holder = Holder(*row) if row else None
        if changes == self._changes and not self._changing:
            self._remember((gateway, name), holder)
        return holder

    async def of(self, gateway: str, holder: Holder) -> frozenset[str]:
        """What an account holds. Raises StoreDown."""
        query = select(claims.c.name).where(*_own(gateway, holder), claims.c.freed_at == 0)
        await self._writer.flush()
        return frozenset(await self._reader.run(lambda connection: connection.execute(query).scalars().all()))

    async def prune(self, before: int) -> int:
        """Forget what was given up before a time (microseconds). Returns how many."""
        key = (claims.c.gateway, claims.c.name)
        old = (claims.c.freed_at > 0, claims.c.freed_at < before)
        some = select(*key).where(*old).limit(PRUNE_ROWS)
        return await delete_in_steps(self._writer, delete(claims).where(tuple_(*key).in_(some), *old))

    def change(self, written: asyncio.Future[T]) -> asyncio.Future[T]:
        """Claims change with what this future stands for. It goes on, whoever is cancelled meanwhile."""
        self._changing += 1
        self._forget()
        written.add_done_callback(self._changed)
        return asyncio.shield(written)

    def _changed(self, _written: object) -> None:
        self._changing -= 1
        self._forget()

    def _forget(self) -> None:
        self._changes += 1
        self._known.clear()

    def _remember(self, key: tuple[str, str], holder: Holder | None) -> None:
        self._known.pop(key, None)
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = holder, time.monotonic() + KNOWN_SECONDS
