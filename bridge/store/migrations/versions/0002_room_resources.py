"""Which clients are in which room, so that they are brought back after a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0002"
down_revision = "0001"

_INT = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_KEYS = ("gateway", "user", "network", "room", "resource")


def upgrade() -> None:
    op.create_table(
        "room_resources",
        *(sa.Column(name, sa.Text, nullable=False) for name in _KEYS),
        sa.Column("nick", sa.Text, nullable=False, server_default=""),
        sa.Column("joined_at", _INT, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint(*_KEYS, name="pk_room_resources"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("room_resources")
