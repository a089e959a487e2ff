"""Names that one account holds alone on a gateway: an address, a number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from bridge.store.database import Reader
from bridge.store.errors import StoreError
from bridge.store.tables import claims
from bridge.store.writer import Writer

T = TypeVar("T")

KNOWN_SECONDS = 5.0
MOST_KNOWN = 10_000


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
    connection: Connection, gateway: str, holder: Holder, names: Sequence[str], *, force: bool = False
) -> list[Taken]:
    """Give an account these claims instead of those it has. Raises ClaimTaken where another has one of them;
    with `force` it is taken away from that one."""
    table = claims.c
    others = (
        table.gateway == gateway,
        table.name.in_(names),
        (table.user != holder.user) | (table.network != holder.network),
    )
    found = connection.execute(select(table.name, table.user, table.network).where(*others)).all()
    taken = [Taken(row.name, Holder(row.user, row.network)) for row in found]
    if taken and not force:
        raise ClaimTaken(taken[0].name)
    if taken:
        connection.execute(delete(claims).where(*others))
    own = (table.gateway == gateway, table.user == holder.user, table.network == holder.network)
    connection.execute(delete(claims).where(*own))
    for name in dict.fromkeys(names):
        row = {"gateway": gateway, "name": name, "user": holder.user, "network": holder.network}
        connection.execute(insert(claims).values(row))
    return taken


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
            claims.c.gateway == gateway, claims.c.name == name
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
        query = select(claims.c.name).where(
            claims.c.gateway == gateway, claims.c.user == holder.user, claims.c.network == holder.network
        )
        await self._writer.flush()
        return frozenset(await self._reader.run(lambda connection: connection.execute(query).scalars().all()))

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
