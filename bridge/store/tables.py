"""The tables, as the newest migration leaves them (a test compares the two)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import sqlite

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Int64 = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
Flag = Boolean().with_variant(sqlite.INTEGER(), "sqlite")

QUEUE_OPEN = ("new", "trying")
"""States of a queue row that still owes someone something."""


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, Int64, nullable=False, server_default="0")


def _blob(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def _queue(name: str, *columns: Column[str] | Column[int]) -> Table:
    """A queue: `id` is the time of `put`; `dedupe` is unique within the account, where there is one."""
    return Table(
        name,
        metadata,
        Column("id", Int64, primary_key=True, autoincrement=False),
        *(_text(column) for column in ("gateway", "account", "chat", "dedupe", "stanza_id")),
        Column("state", Text, nullable=False, server_default="new"),
        _blob("payload"),
        *columns,
        Index(
            f"uq_{name}_dedupe", "gateway", "account", "dedupe", unique=True,
            sqlite_where=text("dedupe <> ''"), postgresql_where=text("dedupe <> ''"),
        ),
        Index(
            f"ix_{name}_pending", "gateway", "id",
            sqlite_where=text("state IN ('new', 'trying')"),
            postgresql_where=text("state IN ('new', 'trying')"),
        ),
        sqlite_strict=True,
    )  # fmt: skip


archive_rooms = Table(
    "archive_rooms",
    metadata,
    Column("key", Int64, primary_key=True, autoincrement=True),
    _text("account"),
    _text("room"),
    UniqueConstraint("account", "room"),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

# No foreign key to archive_rooms: it would be checked once for every message.
archive = Table(
    "archive",
    metadata,
    Column("room_key", Int64, primary_key=True, autoincrement=False),
    Column("id", Int64, primary_key=True, autoincrement=False),
    _text("sender"),
    _text("occupant_id"),
    _text("stanza_id"),
    _blob("payload"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

inbox = _queue("inbox")

outbox = _queue(
    "outbox",
    _text("reply_to"),
    _number("attempts"),
    _number("not_before"),
    _text("legacy_ids"),
)

cursors = Table(
    "cursors",
    metadata,
    _key("account"),
    _key("name"),
    _text("value"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

registrations = Table(
    "registrations",
    metadata,
    _key("gateway"),
    _key("user"),
    _key("network"),
    Column("settings", Text, nullable=False, server_default="{}"),
    _blob("secrets"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

subscriptions = Table(
    "subscriptions",
    metadata,
    _key("gateway"),
    _key("user"),
    _key("local"),
    Column("user_subscribed", Flag, nullable=False),
    Column("puppet_subscribed", Flag, nullable=False),
    _text("name"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

claims = Table(
    "claims",
    metadata,
    _key("gateway"),
    _key("name"),
    _text("user"),
    _text("network"),
    _number("freed_at"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

message_ids = Table(
    "message_ids",
    metadata,
    _key("account"),
    _key("network_id"),
    _text("chat"),
    _text("stanza_id"),
    _text("resource"),
    _number("put_at"),
    _number("part"),
    _number("parts"),
    _number("reported"),
    _text("written_to"),
    Index("ix_message_ids_stanza", "account", "stanza_id"),
    Index("ix_message_ids_put_at", "put_at"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

kept_rooms = Table(
    "kept_rooms",
    metadata,
    _key("gateway"),
    _key("user"),
    _key("network"),
    _key("room"),
    _text("nick"),
    _blob("password"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

room_resources = Table(
    "room_resources",
    metadata,
    _key("gateway"),
    _key("user"),
    _key("network"),
    _key("room"),
    _key("resource"),
    _text("nick"),
    _number("joined_at"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)
