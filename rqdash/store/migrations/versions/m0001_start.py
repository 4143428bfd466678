"""The first tables: settings and counters, accounts and their access, the audit log, profiles with secrets and revisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _whole()
    _accounts()
    _links_and_tokens()
    _throttle()
    _audit()
    _profiles()
    _revisions()


def _whole() -> None:
    op.create_table("setting", _text("name", 64, primary_key=True), sa.Column("value", sa.Text, nullable=False))
    op.create_table("counter", _text("name", 64, primary_key=True), sa.Column("value", BIG, nullable=False))


def _accounts() -> None:
    op.create_table(
        "account",
        _text("id", 36, primary_key=True),
        _text("key", 64),
        _text("name", 64),
        _text("role", 16),
        sa.Column("grants", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("key", name="uq_account_key"),
    )
    op.create_table(
        "session",
        _text("token_hash", 64, primary_key=True),
        sa.Column(
            "account_id", sa.String(36), sa.ForeignKey("account.id", name="fk_session_account_id", ondelete="CASCADE"), nullable=False
        ),
        _text("address", 64),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=False),
    )
    op.create_index("ix_session_account_id", "session", ["account_id"])
    op.create_index("ix_session_created_at", "session", ["created_at"])


def _links_and_tokens() -> None:
    op.create_table(
        "link",
        _text("token_hash", 64, primary_key=True),
        _text("purpose", 16),
        _text("account", 64),
        _text("role", 16),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
    )
    op.create_table(
        "api_token",
        _text("name", 64, primary_key=True),
        _text("token_hash", 64),
        _text("role", 16),
        sa.Column("grants", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("last_used_at", TIME),
        sa.UniqueConstraint("token_hash", name="uq_api_token_token_hash"),
    )


def _throttle() -> None:
    op.create_table(
        "throttle",
        _text("kind", 8, primary_key=True),
        _text("key", 64, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("blocked_until", TIME),
    )
    op.create_index("ix_throttle_last_at", "throttle", ["last_at"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", BIG, primary_key=True, autoincrement=True),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        _text("kind", 16),
        _text("name", 64),
        _text("address", 64),
        _text("verb", 64),
        _text("backend", 64),
        sa.Column("queue", sa.Text, nullable=False),
        _text("status", 32),
        sa.Column("values", sa.Text, nullable=False),
        sa.Column("outcomes", sa.Text, nullable=False),
    )


def _profiles() -> None:
    op.create_table(
        "profile",
        _text("id", 36, primary_key=True),
        _text("name", 20),
        sa.Column("position", BIG, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("endpoint_version", BIG, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        _text("updated_by", 64),
        sa.UniqueConstraint("name", name="uq_profile_name"),
    )
    profile = sa.ForeignKey("profile.id", name="fk_profile_secret_profile_id", ondelete="CASCADE")
    op.create_table(
        "profile_secret",
        sa.Column("profile_id", sa.String(36), profile, primary_key=True),
        _text("slot", 32, primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("set_at", TIME, nullable=False),
        _text("set_by", 64),
    )


def _revisions() -> None:
    op.create_table(
        "profile_revision",
        sa.Column("id", BIG, primary_key=True, autoincrement=True),
        _text("profile_id", 36),
        _text("name", 20),
        sa.Column("version", sa.Integer, nullable=False),
        _text("verb", 16),
        sa.Column("changes", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", TIME, nullable=False),
        _text("by", 64),
    )
    op.create_index("ix_profile_revision_profile_id_version", "profile_revision", ["profile_id", "version"])


def _text(name: str, length: int, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), primary_key=primary_key, nullable=False)
