"""Sign-in slowed down after failures, per account and per address, counted in the store so that all processes agree."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rqdash.errors import Throttled
from rqdash.store import Store
from rqdash.store.tables import ThrottleRow

ACCOUNT_FAILURES = 5
ADDRESS_FAILURES = 20
"""An office may share one address, so it may fail more often than an account."""
FIRST_PAUSE_S = 30
LONGEST_PAUSE_S = 15 * 60
"""The pause doubles with every failure beyond the limit: 30 s, 1 min, 2 min ... 15 min."""
FORGOTTEN_AFTER = timedelta(minutes=15)
"""Failures count until that long has passed without one, and without a pause."""
MOST_ROWS = 10_000
LIMITS = {"account": ACCOUNT_FAILURES, "address": ADDRESS_FAILURES}


@dataclass(frozen=True, slots=True)
class Source:
    """One of the two things failures are counted for; key is a hash, of bounded length whatever a stranger typed."""

    kind: str
    key: str


class Throttle:
    """The failed sign-ins of one store. An account need not exist to be counted, so that nothing tells whether it does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, account: str, address: str, *, now: datetime) -> None:
        """Raises Throttled while the account or the address has to wait."""
        with self._store.read() as session:
            for source in _sources(account, address):
                _refuse(session.get(ThrottleRow, (source.kind, source.key)), now)

    def fail(self, account: str, address: str, *, now: datetime) -> None:
        """Counts a failure of both."""
        with self._store.write() as session:
            for source in _sources(account, address):
                _count(_row(session, source, now), now)
            _prune(session, now)

    def attempt(self, account: str, address: str, *, now: datetime) -> None:
        """Counts a failure in advance, or raises Throttled; what succeeds calls clear.

        Counting before the password is looked at leaves no gap for guesses made side by side.
        """
        with self._store.write() as session:
            rows = [_row(session, source, now) for source in _sources(account, address)]
            for row in rows:
                _refuse(row, now)
            for row in rows:
                _count(row, now)
            _prune(session, now)

    def clear(self, account: str, address: str) -> None:
        """Forgets the account's failures after a success, and one of the address's: one good account clears no others' record."""
        mine, where = _sources(account, address)
        with self._store.write() as session:
            session.execute(delete(ThrottleRow).where(ThrottleRow.kind == mine.kind, ThrottleRow.key == mine.key))
            row = session.get(ThrottleRow, (where.kind, where.key))
            if row is not None:
                row.failures = max(0, row.failures - 1)
                row.blocked_until = row.blocked_until if row.failures >= ADDRESS_FAILURES else None


def _sources(account: str, address: str) -> tuple[Source, Source]:
    return Source("account", _hash(account.strip().lower())), Source("address", _hash(_network(address)))


def _network(address: str) -> str:
    """What counts as one address: an IPv6 host has all of its /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 6:
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _row(session: Session, source: Source, now: datetime) -> ThrottleRow:
    found = session.get(ThrottleRow, (source.kind, source.key), with_for_update=True)
    if found is not None:
        return found
    try:
        with session.begin_nested():
            made = ThrottleRow(kind=source.kind, key=source.key, failures=0, last_at=now)
            session.add(made)
        return made
    except IntegrityError:
        # Another transaction made it meanwhile, which only PostgreSQL allows.
        return session.get_one(ThrottleRow, (source.kind, source.key), with_for_update=True)


def _refuse(row: ThrottleRow | None, now: datetime) -> None:
    if row is not None and row.blocked_until is not None and row.blocked_until > now:
        wait_s = (row.blocked_until - now).total_seconds()
        raise Throttled(f"Too many failed sign-ins. Try again in {round(wait_s + 0.5)} s.", retry_after_s=wait_s)


def _count(row: ThrottleRow, now: datetime) -> None:
    if now - max(row.last_at, row.blocked_until or row.last_at) > FORGOTTEN_AFTER:
        row.failures = 0
    row.failures += 1
    row.last_at = now
    beyond = row.failures - LIMITS[row.kind]
    if beyond >= 0:
        # 2 ** 5 pauses are longer than the longest already; the cap on the exponent keeps the number small.
        row.blocked_until = now + timedelta(seconds=min(FIRST_PAUSE_S * 2 ** min(beyond, 5), LONGEST_PAUSE_S))


def _prune(session: Session, now: datetime) -> None:
    """Drops what is forgotten anyway and, when strangers have filled the table, what failed longest ago."""
    session.flush()
    old = now - FORGOTTEN_AFTER
    is_free = or_(ThrottleRow.blocked_until.is_(None), ThrottleRow.blocked_until < old)
    session.execute(delete(ThrottleRow).where(ThrottleRow.last_at < old, is_free))
    excess = (session.scalar(select(func.count()).select_from(ThrottleRow)) or 0) - MOST_ROWS
    if excess > 0:
        for row in session.scalars(select(ThrottleRow).order_by(ThrottleRow.last_at, ThrottleRow.failures).limit(excess)):
            session.delete(row)
