"""Which stanza is which message of a network's, and which names an account holds alone on its gateway."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0003"
down_revision = "0002"

_INT = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.create_table(
        "message_ids",
        *(_key(name) for name in ("account", "network_id")),
        *(_text(name) for name in ("chat", "stanza_id", "resource")),
        sa.Column("put_at", _INT, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("account", "network_id", name="pk_message_ids"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.create_index("ix_message_ids_stanza", "message_ids", ["account", "stanza_id"])
    op.create_index("ix_message_ids_put_at", "message_ids", ["put_at"])
    op.create_table(
        "claims",
        *(_key(name) for name in ("gateway", "name")),
        *(_text(name) for name in ("user", "network")),
        sa.PrimaryKeyConstraint("gateway", "name", name="pk_claims"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("claims")
    op.drop_index("ix_message_ids_put_at", "message_ids")
    op.drop_index("ix_message_ids_stanza", "message_ids")
    op.drop_table("message_ids")
