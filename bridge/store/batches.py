"""How the rows of one transaction are written: those of an operation at once where that is possible, each by
itself where one is at fault."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from bridge.store.database import describe, is_outage, transaction_lost
from bridge.store.errors import StoreError

Operation = Callable[[Connection, list[Any]], Sequence[object] | None]
"""Writes some rows; returns one result a row, or None when rows have none. It may be called again with rows
that were written already (a commit whose answer was lost), so it must come to the same end when repeated.

It may have a `place`. Without one, what was given before it is written before it, and what was given after it
afterwards."""

Item = tuple[Operation, Any, "asyncio.Future[Any] | None"]


class Place(NamedTuple):
    """Which rows may be written in another order than they were given, so that those of an operation are
    written together: of different `books` in any, in one book those with a lower `turn` first."""

    book: str
    turn: int = 0


class Failed(NamedTuple):
    """The result of a row that met an error of its own."""

    error: Exception


def write_grouped(connection: Connection, batch: Sequence[Item]) -> list[object]:
    """Write all rows; returns their results, in the order of the rows. Raises the first error."""
    results: list[object] = [None] * len(batch)
    for operation, numbers in _groups(batch):
        outcome = operation(connection, [batch[number][1] for number in numbers])
        if outcome:
            for number, result in zip(numbers, outcome, strict=True):
                results[number] = result
    return results


def write_singly(connection: Connection, batch: Sequence[Item]) -> list[object]:
    """The slow way, after a batch failed for the fault of one of its rows: only the culprits fail."""
    return [_in_savepoint(connection, _alone, item) for item in batch]


def run_units(connection: Connection, units: list[Callable[[Connection], object]]) -> list[object]:
    """An operation whose rows are functions; each has a savepoint of its own."""
    return [_in_savepoint(connection, _unit, unit) for unit in units]


def _groups(batch: Sequence[Item]) -> Iterator[tuple[Operation, list[int]]]:
    """Which rows, by number, are written by one call, and in which order."""
    places: dict[Operation, Any] = {
        operation: getattr(operation, "place", None) for operation in {item[0] for item in batch}
    }
    order: list[int] = []
    for stays, span in itertools.groupby(range(len(batch)), lambda at: places[batch[at][0]] is None):
        some = list(span)
        if not stays:
            some.sort(key=lambda at: places[batch[at][0]])
        order += some
    for operation, numbers in itertools.groupby(order, lambda at: batch[at][0]):
        yield operation, list(numbers)


def _alone(connection: Connection, item: Item) -> object:
    operation, row, _ = item
    outcome = operation(connection, [row])
    return outcome[0] if outcome else None


def _unit(connection: Connection, unit: Callable[[Connection], object]) -> object:
    return unit(connection)


def _in_savepoint(connection: Connection, work: Callable[[Connection, Any], object], what: Any) -> object:
    """The work's result, or Failed for an error of its own; a fault of the database is raised."""
    try:
        with connection.begin_nested():
            return work(connection, what)
    except Exception as error:
        if is_outage(error) or transaction_lost(connection):
            raise
        return _failed(error)


def _failed(error: Exception) -> Failed:
    """The database's own errors may show the row's values, so they are said again in other words."""
    if isinstance(error, SQLAlchemyError):
        return Failed(StoreError(f"the database refused a row: {describe(error)}"))
    return Failed(error)
