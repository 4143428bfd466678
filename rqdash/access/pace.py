"""How often an account may do something costly, counted in the store so that all processes agree."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rqdash.errors import Throttled
from rqdash.model.caller import Caller
from rqdash.store import Store
from rqdash.store.tables import ThrottleRow

WINDOW = timedelta(minutes=1)


class Pace:
    """Allows an account a number of goes in the minute that begins with its first; then it waits for the minute to end.

    verb is at most 8 letters, the same for everything that shares one count.
    """

    def __init__(self, store: Store, verb: str, *, most: int) -> None:
        self._store = store
        self._verb = verb
        self._most = most

    def take(self, caller: Caller, *, now: datetime) -> None:
        """Counts one go. Raises Throttled, with when to try again."""
        with self._store.write() as session:
            row = self._row(session, caller, now)
            if now - row.last_at >= WINDOW:
                row.failures, row.last_at = 0, now
            if row.failures >= self._most:
                wait_s = (row.last_at + WINDOW - now).total_seconds()
                raise Throttled(f"That is {self._most} in a minute. Try again in {round(wait_s + 0.5)} s.", retry_after_s=wait_s)
            row.failures += 1

    def _row(self, session: Session, caller: Caller, now: datetime) -> ThrottleRow:
        # An account and a token may have the same name.
        key = (self._verb, hashlib.sha256(f"{caller.kind} {caller.name}".encode()).hexdigest())
        found = session.get(ThrottleRow, key, with_for_update=True)
        if found is not None:
            return found
        try:
            with session.begin_nested():
                made = ThrottleRow(kind=key[0], key=key[1], failures=0, last_at=now)
                session.add(made)
            return made
        except IntegrityError:
            # Another transaction made it meanwhile, which only PostgreSQL allows.
            return session.get_one(ThrottleRow, key, with_for_update=True)
