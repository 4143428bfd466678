"""Numbers that only grow, taken inside a writing transaction."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rqdash.store.tables import CounterRow


def following(session: Session, name: str) -> int:
    """The next number of that name, 1 at first. Two transactions never get the same one."""
    grow = update(CounterRow).where(CounterRow.name == name).values(value=CounterRow.value + 1).returning(CounterRow.value)
    found = session.scalar(grow)
    if found is None:
        try:
            with session.begin_nested():
                session.add(CounterRow(name=name, value=1))
            return 1
        except IntegrityError:
            # Another transaction made it meanwhile, which only PostgreSQL allows.
            found = session.scalar(grow)
    return found or 1
