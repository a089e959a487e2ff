"""Names that one account holds alone on a gateway: an address, a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from bridge.store.database import Reader
from bridge.store.errors import StoreError
from bridge.store.tables import claims
from bridge.store.writer import Writer


class Holder(NamedTuple):
    """Who holds a claim: a user (bare JID) and their network."""

    user: str
    network: str


class ClaimTaken(StoreError):
    """Another account holds that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} belongs to another account")
        self.name = name


def set_claims(connection: Connection, gateway: str, holder: Holder, names: Sequence[str]) -> None:
    """Give an account these claims instead of those it has. Raises ClaimTaken."""
    table = claims.c
    taken = select(table.name).where(
        table.gateway == gateway,
        table.name.in_(names),
        (table.user != holder.user) | (table.network != holder.network),
    )
    if names and (name := connection.execute(taken.limit(1)).scalar()) is not None:
        raise ClaimTaken(name)
    own = (table.gateway == gateway, table.user == holder.user, table.network == holder.network)
    connection.execute(delete(claims).where(*own))
    for name in dict.fromkeys(names):
        row = {"gateway": gateway, "name": name, "user": holder.user, "network": holder.network}
        connection.execute(insert(claims).values(row))


class Claims:
    """Who holds what. Claims are set with a registration (`Registrations.put`), and go with it."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def holder(self, gateway: str, name: str) -> Holder | None:
        """Who holds a name; None: nobody. Raises StoreDown."""
        query = select(claims.c.user, claims.c.network).where(
            claims.c.gateway == gateway, claims.c.name == name
        )
        await self._writer.flush()
        row = await self._reader.run(lambda connection: connection.execute(query).first())
        return Holder(*row) if row else None
