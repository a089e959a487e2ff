"""Secrets whose key is gone: how many there are, and marking them as lost, which their owners are told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from bridge.store.database import WRITING, connect, describe, parse_url
from bridge.store.errors import StoreError
from bridge.store.migrate import revision
from bridge.store.tables import kept_rooms, registrations
from bridge.store.vault import LOST, Vault

_COLUMNS: tuple[Column[Any], ...] = (registrations.c.secrets, kept_rooms.c.password)


def unreadable(url: str, vault: Vault | None) -> int:
    """How many rows hold secrets under a key that the vault does not have (None: has no key at all).

    Rows marked as lost do not count. Raises StoreError for a database that can't be read."""
    engine = connect(parse_url(url))
    try:
        if revision(engine) is None:
            return 0
        with engine.connect() as connection:
            counts = [
                select(func.count()).select_from(column.table).where(_foreign(column, vault))
                for column in _COLUMNS
            ]
            return sum(connection.execute(count).scalar() or 0 for count in counts)
    except SQLAlchemyError as error:
        raise StoreError(f"the database can't be used: {describe(error)}") from None
    finally:
        engine.dispose()


def give_up(url: str, vault: Vault) -> int:
    """Mark as lost what `unreadable` counts: it is never asked for again. Returns how many rows.

    Raises StoreError."""
    engine = connect(parse_url(url))
    try:
        with engine.execution_options(**{WRITING: True}).begin() as connection:
            changes = [
                update(column.table).where(_foreign(column, vault)).values({column: LOST})
                for column in _COLUMNS
            ]
            return sum(connection.execute(change).rowcount for change in changes)
    except SQLAlchemyError as error:
        raise StoreError(f"the database can't be used: {describe(error)}") from None
    finally:
        engine.dispose()


def _foreign(column: Column[Any], vault: Vault | None) -> ColumnElement[bool]:
    known: Collection[bytes] = vault.prefixes if vault is not None else ()
    unlike = [func.substr(column, 1, len(prefix)) != prefix for prefix in known]
    return and_(func.length(column) > 0, column != LOST, *unlike)
