"""What an import has read and an operator has not picked from yet, encrypted, for minutes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pending_import",
        sa.Column("id", sa.String(36), primary_key=True, nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_pending_import_expires_at", "pending_import", ["expires_at"])
