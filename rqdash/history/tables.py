"""The tables of the history: in a file of their own with SQLite, beside the others in PostgreSQL."""

from __future__ import annotations

from sqlalchemy import Double, Index, LargeBinary, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from rqdash.store.columns import BIG, Json


class Base(DeclarativeBase):
    metadata = MetaData()


class BackendRow(Base):
    """A backend that was sampled: key is its profile's id, which outlives its name; name is the present one, "" when another has it."""

    __tablename__ = "history_backend"

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64), index=True)


class QueueRow(Base):
    """The number of a queue's name in samples. A name may be too long for an index, so its hash is unique; seen_s is about when it was."""

    __tablename__ = "history_queue"
    __table_args__ = (UniqueConstraint("backend_id", "digest", name="uq_history_queue"),)

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    backend_id: Mapped[int] = mapped_column(BIG)
    digest: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(Json)
    seen_s: Mapped[int] = mapped_column(BIG)


class SampleRow(Base):
    """A backend in one slot of a tier; slot_s is when the slot begins, in seconds since 1970."""

    __tablename__ = "history_sample"
    __table_args__ = (Index("ix_history_sample_slot", "tier", "slot_s"),)

    tier: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    backend_id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    slot_s: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class LatestRow(Base):
    """The newest sample of a backend with all its registries: asked in slot_s, answered at answered_s (None: never).

    problem is "" while it answers; body is then what it said, else what it said last.
    """

    __tablename__ = "history_latest"

    backend_id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    slot_s: Mapped[int] = mapped_column(BIG)
    answered_s: Mapped[float | None] = mapped_column(Double)
    elapsed_ms: Mapped[float | None] = mapped_column(Double)
    problem: Mapped[str] = mapped_column(String(32))
    body: Mapped[bytes] = mapped_column(LargeBinary)


class MarkRow(Base):
    """Numbers of the history as a whole: "format", and for each coarser tier up to when it has been made."""

    __tablename__ = "history_mark"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[int] = mapped_column(BIG)
