"""Leases: what only one process of all hosts may do at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.String(64), primary_key=True, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("until_s", sa.Double, nullable=False),
    )
