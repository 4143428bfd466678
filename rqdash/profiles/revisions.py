"""The history of a profile: who changed what, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from rqdash.profiles.rows import Change
from rqdash.store import Store
from rqdash.store.tables import RevisionRow

MOST = 200


@dataclass(frozen=True, slots=True)
class Revision:
    """One edit; verb is create, update, restore, duplicate, disable, enable, delete, or provision (from a file).

    Of secrets it says only that they changed.
    """

    version: int
    name: str
    verb: str
    changes: tuple[Change, ...]
    at: datetime
    by: str


def revisions(store: Store, profile_id: str, *, limit: int) -> tuple[Revision, ...]:
    """The edits of a profile, newest first, at most limit (200)."""
    found = select(RevisionRow).where(RevisionRow.profile_id == profile_id).order_by(RevisionRow.id.desc()).limit(max(1, min(limit, MOST)))
    with store.read() as session:
        return tuple(_revision(row) for row in session.scalars(found))


def _revision(row: RevisionRow) -> Revision:
    changes = tuple((name, before, after) for name, before, after in row.changes)
    return Revision(row.version, row.name, row.verb, changes, row.at, row.by)
