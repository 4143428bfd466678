"""What is kept for each backend and slot: rows in, rows out, old ones gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from rqdash.history.archive import Archive, marks
from rqdash.history.packing import Packed
from rqdash.history.tables import MarkRow, SampleRow
from rqdash.history.tiers import RAW, TIERS, Tier, tier_of


@dataclass(frozen=True, slots=True)
class Kept:
    """One sample as it is kept: of a tier, so many seconds long."""

    slot_s: int
    step_s: int
    packed: Packed


def add(session: Session, archive: Archive, tier: Tier, *, slot_s: int, bodies: Sequence[tuple[int, bytes]]) -> None:
    """Keeps a sample (backend's number, body) for each backend; one that is there already stays as it is."""
    rows = [{"tier": tier.number, "backend_id": number, "slot_s": slot_s, "body": body} for number, body in bodies]
    if rows:
        session.execute(archive.insert(SampleRow).on_conflict_do_nothing(), rows)


def between(session: Session, tier: Tier, backend_id: int, *, start_s: float, stop_s: float) -> list[Kept]:
    """The samples of a tier whose slots begin in [start_s, stop_s), in their order."""
    asked = select(SampleRow.slot_s, SampleRow.body).where(SampleRow.tier == tier.number, SampleRow.backend_id == backend_id)
    rows = session.execute(asked.where(SampleRow.slot_s >= start_s, SampleRow.slot_s < stop_s).order_by(SampleRow.slot_s))
    return [Kept(slot_s, tier.step_s, Packed(body)) for slot_s, body in rows]


def first(session: Session, tier: Tier, *, after_s: int) -> int | None:
    """The first slot of a tier that any backend has a sample in, not before after_s."""
    return session.scalar(select(func.min(SampleRow.slot_s)).where(SampleRow.tier == tier.number, SampleRow.slot_s >= after_s))


def set_mark(session: Session, archive: Archive, tier: Tier, *, value: int) -> None:
    """Says up to when a coarser tier has been made."""
    insert = archive.insert(MarkRow).values(name=mark_name(tier), value=value)
    session.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def mark_name(tier: Tier) -> str:
    return f"made:{tier.number}"


def forget_old(session: Session, *, now_s: int) -> None:
    """Deletes the samples that are older than their tier keeps them."""
    for tier in TIERS:
        session.execute(delete(SampleRow).where(SampleRow.tier == tier.number, SampleRow.slot_s < now_s - tier.keep_s))


def over(session: Session, backend_id: int, *, start_s: float, stop_s: float, step: int) -> list[Kept]:
    """The samples that a step is made of, in their order: the coarsest that fit, and finer ones where those are not made yet."""
    known, found, at_s = marks(session), list[Kept](), start_s
    for tier in reversed(TIERS[: tier_of(step).number + 1]):
        until_s = stop_s if tier is RAW else min(known.get(mark_name(tier), 0), stop_s)
        if at_s < until_s:
            found += between(session, tier, backend_id, start_s=at_s, stop_s=until_s)
            at_s = until_s
    return found
