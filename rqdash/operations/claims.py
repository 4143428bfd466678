"""Who works on an operation: one runner at a time, for as long as its lease lasts by the database's clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from rqdash.operations import stored
from rqdash.operations.records import Records
from rqdash.operations.values import Operation, State
from rqdash.store.leases import epoch_now
from rqdash.store.tables import OperationRow

LEASE_S = 30.0
"""Renewed while an item is worked on, however long that takes; so it ends only when whoever has it is gone or hangs."""

log = logging.getLogger(__name__)


class LostError(Exception):
    """The lease ran out and somebody else works on the operation: whoever had it stops. It never leaves this package."""


@dataclass(slots=True)
class Claim:
    """A runner's hold on an operation: the operation as it was when taken, when the lease was last renewed (monotonic), and whether it
    turned out to be somebody else's.
    """

    records: Records
    operation: Operation
    owner: str
    lease_s: float
    renewed_s: float
    is_lost: bool = False

    @property
    def is_fresh(self) -> bool:
        """Whether so much of the lease is left that another item may be begun."""
        return not self.is_lost and time.monotonic() - self.renewed_s < self.lease_s / 2

    def keep(self, session: Session, changes: Mapping[str, object] | None = None) -> State:
        """Renews the lease and writes changes in the same transaction; gives the state it is in. Raises LostError."""
        row = OperationRow
        mine = update(row).where(row.id == self.operation.id, row.owner == self.owner)
        values = {"until_s": epoch_now() + self.lease_s, **(changes or {})}
        state = session.scalar(mine.values(**values).returning(row.state))
        if state is None:
            self.is_lost = True
            raise LostError
        self.renewed_s = time.monotonic()
        return State(state)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renews the lease from another thread, every third of it, for as long as the block lasts or until it is lost."""
        is_over = threading.Event()
        beat = threading.Thread(target=self._beat, args=(is_over,), name="lease", daemon=True)
        beat.start()
        try:
            yield
        finally:
            is_over.set()
            beat.join()

    def _beat(self, is_over: threading.Event) -> None:
        while not is_over.wait(self.lease_s / 3):
            try:
                with self.records.store.write() as session:
                    self.keep(session)
            except LostError:
                return
            except SQLAlchemyError:
                # A database that is away for a moment; the lease has two more thirds to go.
                log.debug("a lease was not renewed", extra={"operation": self.operation.id})

    def release(self, *, again_s: float = 0.0) -> None:
        """Gives the operation back; nobody takes it for again_s seconds. One that is somebody else's meanwhile stays theirs."""
        row = OperationRow
        mine = update(row).where(row.id == self.operation.id, row.owner == self.owner)
        with self.records.store.write() as session:
            session.execute(mine.values(owner="", until_s=0.0, not_before_s=epoch_now() + again_s))


def take(records: Records, owner: str, *, states: Collection[State], operation_id: str = "", lease_s: float = LEASE_S) -> Claim | None:
    """The hold on an operation in one of these states that nobody has, the one longest untouched first; None when there is none."""
    row = OperationRow
    free = (
        select(row.id)
        .where(row.state.in_([state.value for state in states]), row.until_s < epoch_now(), row.not_before_s <= epoch_now())
        .order_by(row.touched_s)
        .limit(1)
    )
    if operation_id:
        free = free.where(row.id == operation_id)
    with records.store.read() as session:
        # Runners ask every second, and mostly there is nothing: that must not take SQLite's one turn to write.
        if session.scalar(free) is None:
            return None
    with records.store.write() as session:
        found = session.scalar(free.with_for_update(skip_locked=True))
        if found is None:
            return None
        mine = update(row).where(row.id == found).values(owner=owner, until_s=epoch_now() + lease_s, touched_s=epoch_now())
        session.execute(mine)
        return Claim(records, stored.operation(session.get_one(row, found), now_s=0.0), owner, lease_s, time.monotonic())
