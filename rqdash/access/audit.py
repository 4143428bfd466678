"""The audit log: one row an action, written before it starts and completed when it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from rqdash.access.finding import BEGUN, Wanted, stored
from rqdash.access.rules import ADDRESS_LENGTH
from rqdash.store import Store
from rqdash.store.clock import Clock, utc_now
from rqdash.store.tables import AuditRow

ANYTHING = Wanted()
A_DAY = timedelta(days=1)
KEEP = timedelta(days=400)
EXPORTED_AT_ONCE = 500
LOOKED_AT = 20_000
SLACK = 1000
FORGOTTEN_AT_ONCE = 1000
"""Rows deleted in one transaction: others wait for their turn no longer than that takes."""
LONGEST_VALUE = 1000
MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One action. outcomes counts jobs by verdict; status is done, begun, or the code of the error that ended it.

    begun is an action that has not ended, or whose process died in it: then what it did is unknown.
    """

    id: int
    began_at: datetime
    ended_at: datetime | None
    kind: str
    name: str
    address: str
    verb: str
    backend: str
    queue: str
    status: str
    values: Mapping[str, str | int]
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """A part of what a filter finds. older is the id before which the next part is, None at the end; is_cut: not because this one is full,
    but because enough was looked at.
    """

    entries: tuple[Entry, ...]
    older: int | None
    is_cut: bool = False


class Audit:
    """The audit log of one store. What is given to it is shown to every admin: no secrets, no arguments of jobs."""

    def __init__(self, store: Store, *, keep: timedelta = KEEP, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock
        self.keep = keep

    def begin(self, who: tuple[str, str, str], verb: str, *, backend: str, queue: str, values: Mapping[str, str | int]) -> int:
        """Writes that an action starts; who is (kind, name, address). Gives the row's id. Raises StoreError."""
        kind, name, address = who
        row = AuditRow(
            began_at=self._clock(),
            kind=kind[:16],
            name=_text(name)[:64],
            address=_text(address)[:ADDRESS_LENGTH],
            verb=verb[:64],
            backend=_text(backend)[:64],
            queue=_text(queue),
            status=BEGUN,
            values={key: _text(value) if isinstance(value, str) else value for key, value in values.items()},
            outcomes={},
        )
        with self._store.write() as session:
            session.add(row)
            session.flush()
            return row.id

    def finish(self, entry_id: int, *, outcomes: Mapping[str, int], status: str) -> None:
        """Completes the row of an action that has not been completed yet. Raises StoreError."""
        change = update(AuditRow).where(AuditRow.id == entry_id, AuditRow.status == BEGUN)
        with self._store.write() as session:
            session.execute(change.values(ended_at=self._clock(), outcomes=dict(outcomes), status=status[:32]))

    def entries(self, limit: int = 50, *, before: int | None = None, wanted: Wanted = ANYTHING) -> tuple[Entry, ...]:
        """The newest entries first that are wanted, at most limit (200) of them; before is the id of the last one seen."""
        return self._entries(max(1, min(limit, MOST_ENTRIES)), before, wanted)

    def found(self, limit: int, *, before: int | None, wanted: Wanted) -> Found:
        """Up to limit of the entries that are wanted, the newest first, among the 20,000 rows before an id: a filter that hits nothing
        reads no more than that. Three to five short statements.
        """
        with self._store.read() as session:
            # Asked for together, SQLite would go through every row for them.
            first, last = (session.scalar(select(edge(AuditRow.id))) or 0 for edge in (func.min, func.max))
            top = min(before or last + 1, _reach(session, wanted.until, otherwise=last, slack=SLACK) + 1)
            end = max(first, _reach(session, wanted.since, otherwise=0, slack=-SLACK))
            floor = end if wanted == ANYTHING else max(end, top - LOOKED_AT)
            rows = select(AuditRow).where(wanted.condition(), AuditRow.id < top, AuditRow.id >= floor)
            entries = tuple(_entry(row) for row in session.scalars(rows.order_by(AuditRow.id.desc()).limit(limit + 1)))
        if len(entries) > limit:
            return Found(entries[:limit], entries[limit - 1].id)
        return Found(entries, floor if floor > end else None, is_cut=floor > end)

    def every(self, wanted: Wanted) -> Iterator[Entry]:
        """All entries that are wanted, the newest first, read 500 at a time: no transaction lasts as long as whoever reads."""
        before: int | None = None
        while some := self._entries(EXPORTED_AT_ONCE, before, wanted):
            yield from some
            before = some[-1].id

    def overdue(self) -> datetime | None:
        """Up to when rows are to be forgotten, if there are any a day older than what is kept; None if not."""
        limit = self._clock() - self.keep
        oldest = select(AuditRow.id).where(AuditRow.began_at < limit - A_DAY).limit(1)
        with self._store.read() as session:
            return limit if session.scalar(oldest) is not None else None

    def forget(self, before: datetime) -> int:
        """Deletes up to 1000 rows of actions that began before a moment, the oldest first; gives how many there were."""
        oldest = select(AuditRow.id).where(AuditRow.began_at < before).order_by(AuditRow.began_at).limit(FORGOTTEN_AT_ONCE)
        with self._store.write() as session:
            ids = session.scalars(oldest).all()
            session.execute(delete(AuditRow).where(AuditRow.id.in_(ids)))
            return len(ids)

    def _entries(self, limit: int, before: int | None, wanted: Wanted) -> tuple[Entry, ...]:
        found = select(AuditRow).where(wanted.condition()).order_by(AuditRow.id.desc()).limit(limit)
        if before is not None:
            found = found.where(AuditRow.id < before)
        with self._store.read() as session:
            return tuple(_entry(row) for row in session.scalars(found))


def _reach(session: Session, at: datetime | None, *, otherwise: int, slack: int) -> int:
    """The id of the last action that began before a moment, with room for hosts whose clocks differ; 0 when there is none."""
    if at is None:
        return otherwise
    newest = select(AuditRow.id).where(AuditRow.began_at < at).order_by(AuditRow.began_at.desc()).limit(1)
    found = session.scalar(newest)
    return 0 if found is None else max(0, found + slack)


def _text(value: str) -> str:
    """A value as it is stored, long ones cut."""
    shown = stored(value)
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[:LONGEST_VALUE]}…"


def _entry(row: AuditRow) -> Entry:
    return Entry(
        row.id,
        row.began_at,
        row.ended_at,
        row.kind,
        row.name,
        row.address,
        row.verb,
        row.backend,
        row.queue,
        row.status,
        dict(row.values),
        dict(row.outcomes),
    )
