"""Messages that went out in parts: which part an id is, and what was reported of it. And the address that a
message was written to, where that is another than its contact's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0004"
down_revision = "0003"

_INT = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_NUMBERS = ("part", "parts", "reported")


def upgrade() -> None:
    for name in _NUMBERS:
        op.add_column("message_ids", sa.Column(name, _INT, nullable=False, server_default="0"))
    op.add_column("message_ids", sa.Column("written_to", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    for name in (*_NUMBERS, "written_to"):
        op.drop_column("message_ids", name)
