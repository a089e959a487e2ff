"""The first schema: archive, queues, cursors, registrations, subscriptions, kept rooms."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None

_INT = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_FLAG = sa.Boolean().with_variant(sqlite.INTEGER(), "sqlite")


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _keyed(name: str, keys: tuple[str, ...], *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        *_keys(*keys),
        *columns,
        sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )


def _queue(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("id", _INT, nullable=False, autoincrement=False),
        *_text("gateway", "account", "chat", "dedupe", "stanza_id"),
        sa.Column("state", sa.Text, nullable=False, server_default="new"),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sqlite_strict=True,
    )
    has_key = sa.text("dedupe <> ''")
    is_open = sa.text("state IN ('new', 'trying')")
    op.create_index(
        f"uq_{name}_dedupe", name, ["gateway", "account", "dedupe"], unique=True,
        sqlite_where=has_key, postgresql_where=has_key,
    )  # fmt: skip
    op.create_index(
        f"ix_{name}_pending", name, ["gateway", "id"], sqlite_where=is_open, postgresql_where=is_open
    )  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "archive_rooms",
        sa.Column("key", _INT, nullable=False, autoincrement=True),
        *_text("account", "room"),
        sa.PrimaryKeyConstraint("key", name="pk_archive_rooms"),
        sa.UniqueConstraint("account", "room", name="uq_archive_rooms_account_room"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "archive",
        sa.Column("room_key", _INT, nullable=False, autoincrement=False),
        sa.Column("id", _INT, nullable=False, autoincrement=False),
        *_text("sender", "occupant_id", "stanza_id"),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("room_key", "id", name="pk_archive"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    _queue("inbox")
    _queue(
        "outbox",
        *_text("reply_to"),
        sa.Column("attempts", _INT, nullable=False, server_default="0"),
        sa.Column("not_before", _INT, nullable=False, server_default="0"),
        *_text("legacy_ids"),
    )
    _keyed("cursors", ("account", "name"), *_text("value"))
    _keyed(
        "registrations",
        ("gateway", "user", "network"),
        sa.Column("settings", sa.Text, nullable=False, server_default="{}"),
        sa.Column("secrets", sa.LargeBinary, nullable=False),
    )
    _keyed(
        "subscriptions",
        ("gateway", "user", "local"),
        sa.Column("user_subscribed", _FLAG, nullable=False),
        sa.Column("puppet_subscribed", _FLAG, nullable=False),
        *_text("name"),
    )
    _keyed(
        "kept_rooms",
        ("gateway", "user", "network", "room"),
        *_text("nick"),
        sa.Column("password", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for name in ("kept_rooms", "subscriptions", "registrations", "cursors"):
        op.drop_table(name)
    for name in ("outbox", "inbox", "archive", "archive_rooms"):
        op.drop_table(name)
