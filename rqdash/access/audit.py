"""The audit log: one row an action, written before it starts and completed when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from rqdash.access.rules import ADDRESS_LENGTH
from rqdash.store import Store
from rqdash.store.clock import Clock, utc_now
from rqdash.store.tables import AuditRow

BEGUN = "begun"
"""The status of an action that has not ended, or whose process died in it: then what it did is unknown."""
LONGEST_VALUE = 1000
MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One action. outcomes counts jobs by verdict; status is done, begun, or the code of the error that ended it."""

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


class Audit:
    """The audit log of one store. What is given to it is shown to every admin: no secrets, no arguments of jobs."""

    def __init__(self, store: Store, *, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

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

    def entries(self, limit: int = 50, *, before: int | None = None) -> tuple[Entry, ...]:
        """The newest entries first, at most limit (200) of them; before is the id of the last one seen."""
        found = select(AuditRow).order_by(AuditRow.id.desc()).limit(max(1, min(limit, MOST_ENTRIES)))
        if before is not None:
            found = found.where(AuditRow.id < before)
        with self._store.read() as session:
            return tuple(_entry(row) for row in session.scalars(found))


def _text(value: str) -> str:
    """A value as any database takes it and any page shows it: bytes that are no UTF-8 and NUL written out, long ones cut."""
    shown = value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
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
