"""When a claim was given up: it is its last holder's for a while."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0005"
down_revision = "0004"

_INT = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    op.add_column("claims", sa.Column("freed_at", _INT, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("claims", "freed_at")
