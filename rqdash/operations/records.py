"""The operations in the database: made, read, and led from state to state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from rqdash.errors import Conflict, NotFound
from rqdash.operations import stored
from rqdash.operations.values import ENDED, Asked, Operation, State
from rqdash.store import Store
from rqdash.store.clock import Clock, utc_now
from rqdash.store.leases import epoch_now
from rqdash.store.tables import OperationItemRow, OperationRow

PAGE = 50
MOST_EVENTS = 200
LIST_KEPT = timedelta(days=30)
"""How long the jobs of an ended operation can still be listed one by one; its counts stay."""

PLAN_GOOD = timedelta(days=1)
"""How long a preview may be started: what matched then is not what matches now."""


@dataclass(frozen=True, slots=True)
class Records:
    """The operations of one store."""

    store: Store
    clock: Clock = utc_now

    def create(self, operation_id: str, asked: Asked, *, owner: str, for_s: float) -> Operation:
        """Makes an operation to be planned, which for for_s seconds nobody but owner works on."""
        row = OperationRow(
            id=operation_id,
            verb=asked.verb,
            state=State.PLANNING.value,
            asked=stored.asked_fields(asked),
            plan=[],
            counts={},
            samples={},
            waits={},
            events=[_event(self.clock(), asked.who.name, "asked for it")],
            total=0,
            items=0,
            problem="",
            owner=owner,
            until_s=epoch_now() + for_s,
            not_before_s=0.0,
            touched_s=epoch_now(),
            created_at=self.clock(),
        )
        with self.store.write() as session:
            session.add(row)
            session.flush()
            session.refresh(row)
            return stored.operation(row, now_s=0.0)

    def get(self, operation_id: str) -> Operation:
        """The operation of that id. Raises NotFound."""
        with self.store.read() as session:
            return stored.operation(_row(session, operation_id), now_s=_now_s(session))

    def list(self, *, is_visible: Callable[[Operation], bool], before: datetime | None = None, most: int = PAGE) -> tuple[Operation, ...]:
        """The newest operations that is_visible lets through, at most so many, made before a moment."""
        found: list[Operation] = []
        with self.store.read() as session:
            now_s = _now_s(session)
            while len(found) < most:
                rows = self._older(session, before)
                found += [shown for row in rows if is_visible(shown := stored.operation(row, now_s=now_s))]
                if len(rows) < PAGE:
                    break
                before = rows[-1].created_at
        return tuple(found[:most])

    def lead(self, operation_id: str, *, by: str, steps: Sequence[tuple[State, State]], what: str, why: str = "") -> Operation:
        """Leads an operation from the state it is in to the one that steps name for it, for whoever asks.

        Raises NotFound, or Conflict when steps do not name its state: then nothing is changed.
        """
        now = self.clock()
        with self.store.write() as session:
            row = _row(session, operation_id, is_locked=True)
            to = dict(steps).get(State(row.state))
            if to is None:
                raise Conflict(f"This operation is {row.state} now, so it cannot be {what}. Look at it again.")
            row.state = to.value
            row.not_before_s, row.touched_s = 0.0, epoch_now()
            if why:
                row.asked = {**row.asked, "why": why}
            if to is State.RUNNING and row.started_at is None:
                row.started_at = now
            if to in ENDED:
                row.ended_at = now
            row.events = events_with(row, now, by, what)
            session.flush()
            session.refresh(row)
            return stored.operation(row, now_s=_now_s(session))

    def tidy(self) -> None:
        """Ends previews that nobody started within a day, and drops the lists of what ended a month ago."""
        now = self.clock()
        stale = update(OperationRow).where(OperationRow.state == State.PLANNED.value, OperationRow.created_at < now - PLAN_GOOD)
        old = select(OperationRow.id).where(OperationRow.ended_at < now - LIST_KEPT)
        with self.store.write() as session:
            session.execute(stale.values(state=State.CANCELED.value, ended_at=now, problem="Nobody started it within a day."))
            session.execute(delete(OperationItemRow).where(OperationItemRow.operation_id.in_(old)))

    def _older(self, session: Session, before: datetime | None) -> Sequence[OperationRow]:
        found = select(OperationRow).order_by(OperationRow.created_at.desc()).limit(PAGE)
        return session.scalars(found if before is None else found.where(OperationRow.created_at < before)).all()


def events_with(row: OperationRow, at: datetime, who: str, what: str) -> list[list[str]]:
    """The operation's course with one step more; of a very long one the oldest steps but the first are left out."""
    events = [*row.events, _event(at, who, what)]
    return events if len(events) <= MOST_EVENTS else [events[0], *events[-MOST_EVENTS + 1 :]]


def _event(at: datetime, who: str, what: str) -> list[str]:
    return [at.isoformat(), who, what]


def _row(session: Session, operation_id: str, *, is_locked: bool = False) -> OperationRow:
    row = session.get(OperationRow, operation_id, with_for_update=is_locked or None)
    if row is None:
        raise NotFound("There is no such operation.")
    return row


def _now_s(session: Session) -> float:
    return session.scalar(select(epoch_now())) or 0.0
