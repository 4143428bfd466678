"""Who may do what only one process of all hosts may do at a time: named leases, measured by the database's clock."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Double, delete, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from rqdash.store.engine import Store
from rqdash.store.tables import LeaseRow


class epoch_now(FunctionElement[float]):  # noqa: N801  named as SQL functions are
    """The database's clock in seconds since 1970: hosts need not agree on the time. On PostgreSQL it goes on within a transaction."""

    type = Double()
    inherit_cache = True


@compiles(epoch_now, "sqlite")
def _on_sqlite(_element: epoch_now, _compiler: Any, **_options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(epoch_now, "postgresql")
def _on_postgresql(_element: epoch_now, _compiler: Any, **_options: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"


class Leases:
    """Leases of one store. owner is whoever asks: unique to a process, such as a uuid."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, name: str, owner: str, *, for_s: float) -> bool:
        """Whether the lease is the owner's for the next for_s seconds: it was free, had run out, or is renewed. One transaction."""
        mine = update(LeaseRow).where(LeaseRow.name == name, or_(LeaseRow.owner == owner, LeaseRow.until_s < epoch_now()))
        with self._store.write() as session:
            if session.scalar(mine.values(owner=owner, until_s=epoch_now() + for_s).returning(LeaseRow.name)) is not None:
                return True
            if session.get(LeaseRow, name) is not None:
                return False
            try:
                with session.begin_nested():
                    session.add(LeaseRow(name=name, owner=owner, until_s=epoch_now() + for_s))
            except IntegrityError:
                # Another host took it first, which only PostgreSQL allows.
                return False
            return True

    def release(self, name: str, owner: str) -> None:
        """Gives the lease back before it runs out; one that is somebody else's meanwhile stays theirs."""
        with self._store.write() as session:
            session.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.owner == owner))
