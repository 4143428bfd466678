"""Operations: bulk work, planned and then walked item by item, with what came of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operation",
        sa.Column("id", sa.String(36), primary_key=True, nullable=False),
        sa.Column("verb", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("asked", "plan", "counts", "samples", "waits", "events")),
        sa.Column("total", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("items", sa.Integer, nullable=False),
        sa.Column("rate", sa.Double, nullable=True),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("until_s", "not_before_s", "touched_s")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_operation_state", "operation", ["state"])
    op.create_index("ix_operation_created_at", "operation", ["created_at"])
    op.create_table(
        "operation_item",
        sa.Column("operation_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("backend", sa.String(64), nullable=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("ids", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("verdicts", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("operation_id", "number", name="pk_operation_item"),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name="fk_operation_item_operation_id_operation", ondelete="CASCADE"),
    )
    op.create_index("ix_operation_item_operation_id_state_number", "operation_item", ["operation_id", "state", "number"])
