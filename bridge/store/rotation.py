"""Key rotation: encrypts a column's blobs again, those that are not under the vault's first key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Column as TableColumn
from sqlalchemy import ColumnElement, Table, func, select, tuple_, update
from sqlalchemy.engine import Connection, Row

from bridge.store.database import Reader
from bridge.store.vault import LOST, Vault
from bridge.store.writer import Writer

_BATCH_ROWS = 200


class Column(NamedTuple):
    """A column of blobs, its table's key, and how the vault names a row with such a key."""

    table: Table
    key: tuple[TableColumn[Any], ...]
    blob: TableColumn[bytes]
    context: Callable[[tuple[str, ...]], str]


async def rotate(column: Column, vault: Vault, writer: Writer, reader: Reader) -> int:
    """Returns how many rows changed. Doing it twice, or after a crash again, is harmless.

    Raises VaultError for the first row that no key opens; rows before it are done.
    """
    done = 0
    last: tuple[str, ...] | None = None
    while True:
        query = select(*column.key, column.blob).where(*_old(column, vault), *_beyond(column, last))
        query = query.order_by(*column.key).limit(_BATCH_ROWS)
        rows = await reader.run(lambda connection, query=query: connection.execute(query).all())  # type: ignore[misc]
        if not rows:
            return done
        done += await writer.submit_unit(_renewing(column, vault, list(rows)))
        last = tuple(rows[-1][:-1])


def _old(column: Column, vault: Vault) -> list[ColumnElement[bool]]:
    begin = func.substr(column.blob, 1, len(vault.prefix))
    return [func.length(column.blob) > 0, begin != vault.prefix, column.blob != LOST]


def _beyond(column: Column, last: tuple[str, ...] | None) -> list[ColumnElement[bool]]:
    return [] if last is None else [tuple_(*column.key) > last]


def _renewing(column: Column, vault: Vault, rows: list[Row[Any]]) -> Callable[[Connection], int]:
    """Decrypts and encrypts now; the unit writes a row only if nobody changed it meanwhile."""
    changes = []
    for row in rows:
        key: tuple[str, ...] = tuple(row[:-1])
        blob = row[-1]
        name = column.context(key)
        fresh = vault.encrypt(name, vault.decrypt(name, blob))
        is_row = [part == value for part, value in zip(column.key, key, strict=True)]
        changes.append(update(column.table).where(*is_row, column.blob == blob).values({column.blob: fresh}))
    return lambda connection: sum(connection.execute(change).rowcount for change in changes)
