"""The tables of the dashboard's own database; what changes here changes in migrations/ too."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from rqdash.store.columns import BIG, Json, UtcTime


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


class SettingRow(Base):
    """Single values that belong to the database as a whole, such as the keys' canary."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class CounterRow(Base):
    """Numbers that only grow."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[int] = mapped_column(BIG)


class LeaseRow(Base):
    """Who alone may do something until when, in seconds since 1970 by the database's clock."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    until_s: Mapped[float] = mapped_column(Double)


class AccountRow(Base):
    """One account; key is the name in lower case. No password_hash: it signs in by one-time links only.

    grants are texts as model.caller reads them; role is that of grants that name none.
    """

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(16))
    grants: Mapped[list[str]] = mapped_column(Json)
    password_hash: Mapped[str | None] = mapped_column(Text)
    enabled: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcTime)


class SessionRow(Base):
    """One signed-in browser; the token itself is only in its cookie."""

    __tablename__ = "session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(UtcTime)


class LinkRow(Base):
    """One one-time link; account is the account's name, role the one it gets when the link has to make it."""

    __tablename__ = "link"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    account: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcTime)


class TokenRow(Base):
    """One API token; shown once when made, kept as a hash."""

    __tablename__ = "api_token"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    grants: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ThrottleRow(Base):
    """Failed sign-ins of one account or address; key is a hash, for a stranger chooses the name."""

    __tablename__ = "throttle"

    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    blocked_until: Mapped[datetime | None] = mapped_column(UtcTime)


class AuditRow(Base):
    """One action: who, from where, what, how many, outcomes. status is "begun" until it has ended."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    began_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    verb: Mapped[str] = mapped_column(String(64))
    backend: Mapped[str] = mapped_column(String(64))
    queue: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(32))
    values: Mapped[dict[str, str | int]] = mapped_column(Json)
    outcomes: Mapped[dict[str, int]] = mapped_column(Json)


class ProfileRow(Base):
    """One profile; body holds the fields that an editor sets, position the order of making."""

    __tablename__ = "profile"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    position: Mapped[int] = mapped_column(BIG)
    version: Mapped[int]
    endpoint_version: Mapped[int] = mapped_column(BIG)
    body: Mapped[dict[str, object]] = mapped_column(Json)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_by: Mapped[str] = mapped_column(String(64))


class SecretRow(Base):
    """One secret of a profile, encrypted and bound to its profile and slot."""

    __tablename__ = "profile_secret"

    profile_id: Mapped[str] = mapped_column(ForeignKey("profile.id", ondelete="CASCADE"), primary_key=True)
    slot: Mapped[str] = mapped_column(String(32), primary_key=True)
    token: Mapped[str] = mapped_column(Text)
    set_at: Mapped[datetime] = mapped_column(UtcTime)
    set_by: Mapped[str] = mapped_column(String(64))


class RevisionRow(Base):
    """One edit of a profile, kept after the profile is gone; changes are (field, before, after), body the fields after it."""

    __tablename__ = "profile_revision"
    __table_args__ = (Index("ix_profile_revision_profile_id_version", "profile_id", "version"),)

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    profile_id: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    verb: Mapped[str] = mapped_column(String(16))
    changes: Mapped[list[list[str]]] = mapped_column(Json)
    body: Mapped[dict[str, object]] = mapped_column(Json)
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))


class PendingImportRow(Base):
    """What an import has read for one caller, encrypted and bound to its id; owner is whose it is. It is gone when it expires."""

    __tablename__ = "pending_import"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    token: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(UtcTime, index=True)


class OperationRow(Base):
    """One bulk action. asked is what it is to do, for whom and why; plan what was found for each backend; counts and samples what came
    of it; waits why backends are left for later; events its course.

    owner works on it until until_s, and nobody before not_before_s; touched_s is when somebody last did: all by the database's clock.
    """

    __tablename__ = "operation"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    verb: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    asked: Mapped[dict[str, object]] = mapped_column(Json)
    plan: Mapped[list[dict[str, object]]] = mapped_column(Json)
    counts: Mapped[dict[str, dict[str, int]]] = mapped_column(Json)
    samples: Mapped[dict[str, list[list[str]]]] = mapped_column(Json)
    waits: Mapped[dict[str, dict[str, object]]] = mapped_column(Json)
    events: Mapped[list[list[str]]] = mapped_column(Json)
    total: Mapped[int] = mapped_column(BIG)
    items: Mapped[int]
    rate: Mapped[float | None] = mapped_column(Double)
    problem: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(String(64))
    until_s: Mapped[float] = mapped_column(Double)
    not_before_s: Mapped[float] = mapped_column(Double)
    touched_s: Mapped[float] = mapped_column(Double)
    created_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    started_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class OperationItemRow(Base):
    """Up to 200 jobs of one registry of a queue that an operation acts on at a time; place is the registry, which SQLAlchemy
    keeps for itself as a name; verdicts has a letter for each job, in their order.
    """

    __tablename__ = "operation_item"
    __table_args__ = (Index("ix_operation_item_operation_id_state_number", "operation_id", "state", "number"),)

    operation_id: Mapped[str] = mapped_column(ForeignKey("operation.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    backend: Mapped[str] = mapped_column(String(64))
    queue: Mapped[str] = mapped_column(Json)
    place: Mapped[str] = mapped_column(String(16))
    ids: Mapped[list[str]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(8))
    verdicts: Mapped[str] = mapped_column(Text)
