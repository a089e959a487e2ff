"""Who is registered where, with what settings, and (in the vault) with what secrets."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.engine import Connection, Engine, Row
from sqlalchemy.sql import ColumnElement

from bridge.store.claims import Claims, Holder, Taken, force_claims, set_claims
from bridge.store.database import Reader
from bridge.store.errors import VaultError
from bridge.store.rotation import Column, rotate
from bridge.store.statements import insert_or_replace
from bridge.store.tables import registrations
from bridge.store.vault import Vault, context
from bridge.store.writer import Writer

log = logging.getLogger(__name__)


class Registration(NamedTuple):
    """A user (bare JID) at a network behind a gateway; network "" is the gateway itself.

    `locked`: the vault could not read the secrets (wrong key file, damage): they are empty here, and `put`
    refuses such a registration so that nothing is overwritten by accident.
    """

    gateway: str
    user: str
    network: str
    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    locked: bool = False

    def __repr__(self) -> str:
        return f"Registration({self.gateway!r}, {self.user!r}, {self.network!r})"


class Registrations:
    """Registrations. Changes return when they are on disk; they raise StoreDown when that takes too long."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader, vault: Vault, claims: Claims) -> None:
        self._writer = writer
        self._claims = claims
        self._reader = reader
        self._vault = vault
        self._put = insert_or_replace(engine, registrations)
        self._amend = insert_or_replace(engine, registrations, only=("settings",))

    async def put(
        self, registration: Registration, claims: Sequence[str] = (), reserved_since: int | None = None
    ) -> None:
        """Keep a registration with its claims, instead of an older one. Raises VaultError for a locked one,
        ClaimTaken where another account holds a claim, or gave it up after `reserved_since` (microseconds;
        None: nothing is reserved): then nothing is changed."""
        if registration.locked:
            raise VaultError("the registration's secrets could not be read; enter them again")
        gateway, user, network = key = registration[:3]
        row = {
            "gateway": gateway,
            "user": user,
            "network": network,
            "settings": _encoded(registration.settings),
            "secrets": self._vault.encrypt(_context(key), registration.secrets),
        }

        def write(connection: Connection) -> None:
            set_claims(connection, gateway, Holder(user, network), claims, reserved_since=reserved_since)
            self._put(connection, [row])

        await self._claims.change(self._writer.submit_unit_soon(write))

    async def amend(
        self, gateway: str, holder: Holder, settings: Mapping[str, str], claims: Sequence[str]
    ) -> Sequence[Taken]:
        """Keep these settings, and leave the secrets as they are, also those that cannot be read. Whoever
        else has a claim loses it: returned. What the account no longer holds is anybody's."""
        row = {
            "gateway": gateway,
            "user": holder.user,
            "network": holder.network,
            "settings": _encoded(settings),
            "secrets": b"",
        }

        def write(connection: Connection) -> Sequence[Taken]:
            taken = force_claims(connection, gateway, holder, claims)
            self._amend(connection, [row])
            return taken

        return await self._claims.change(self._writer.submit_unit_soon(write))

    async def remove(self, gateway: str, user: str, network: str) -> bool:
        """Forget a registration. Returns whether there was one."""
        gone = delete(registrations).where(*_is(gateway, user, network))

        def remove(connection: Connection) -> bool:
            set_claims(connection, gateway, Holder(user, network), (), reserved_since=None)
            return bool(connection.execute(gone).rowcount)

        return await self._claims.change(self._writer.submit_unit_soon(remove))

    async def get(self, gateway: str, user: str, network: str) -> Registration | None:
        """None: not registered."""
        found = await self._find(*_is(gateway, user, network))
        return found[0] if found else None

    async def list(self, gateway: str) -> Sequence[Registration]:
        """All registrations at a gateway and behind it."""
        return await self._find(registrations.c.gateway == gateway)

    async def list_for(self, gateway: str, user: str) -> Sequence[Registration]:
        """One user's registrations at a gateway and behind it."""
        return await self._find(registrations.c.gateway == gateway, registrations.c.user == user)

    async def rotate(self) -> int:
        """Encrypt with the first key what is encrypted with another. Returns how many rows."""
        table = registrations.c
        column = Column(registrations, (table.gateway, table.user, table.network), table.secrets, _context)
        return await rotate(column, self._vault, self._writer, self._reader)

    async def _find(self, *condition: ColumnElement[bool]) -> Sequence[Registration]:
        table = registrations.c
        query = select(registrations).where(*condition).order_by(table.gateway, table.user, table.network)
        rows = await self._reader.run(lambda connection: connection.execute(query).all())
        return [self._read(row) for row in rows]

    def _read(self, row: Row[Any]) -> Registration:
        key = (row.gateway, row.user, row.network)
        settings = msgspec.json.decode(row.settings, type=dict[str, str])
        try:
            return Registration(*key, settings, self._vault.decrypt(_context(key), row.secrets))
        except VaultError as error:
            log.error("registration of %s at %s, network %r, is locked: %s", *key[1::-1], key[2], error)
            return Registration(*key, settings, {}, locked=True)


def _is(gateway: str, user: str, network: str) -> tuple[ColumnElement[bool], ...]:
    table = registrations.c
    return table.gateway == gateway, table.user == user, table.network == network


def _encoded(settings: Mapping[str, str]) -> str:
    return msgspec.json.encode(dict(settings)).decode()


def _context(key: tuple[str, ...]) -> str:
    return context("registration", *key)
