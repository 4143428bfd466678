"""Sessions: rows that a browser's cookie points at, with an idle and an absolute lifetime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, bindparam, delete, not_, or_, select, update

from rqdash.access import rules
from rqdash.access.accounts import Account
from rqdash.access.raw import hashed, new_token
from rqdash.errors import NotFound
from rqdash.model.caller import Caller, Role
from rqdash.store import Store
from rqdash.store.tables import AccountRow, SessionRow

TOUCH = timedelta(minutes=1)
"""How exact last_seen_at is: a row written once a minute, not once a request."""

SIGNED_IN = (
    select(
        *(AccountRow.id, AccountRow.name, AccountRow.role, AccountRow.grants),
        *(SessionRow.token_hash, SessionRow.address, SessionRow.created_at, SessionRow.last_seen_at),
    )
    .join(SessionRow, SessionRow.account_id == AccountRow.id)
    .where(SessionRow.token_hash == bindparam("token_hash"), AccountRow.enabled)
)
"""Without the time, so that the store can answer it again; whether the session is over is told from the row."""


@dataclass(frozen=True, slots=True)
class Open:
    """What may be shown of a session; its id is no secret and lets nobody in. Times are exact to a minute, address is where it began."""

    id: str
    since: datetime
    last_seen_at: datetime
    address: str


class Sessions:
    """The sessions of one store; a session ends idle_s after its last request and absolute_s after it began."""

    def __init__(self, store: Store, *, idle_s: float, absolute_s: float) -> None:
        self._store = store
        self._idle = timedelta(seconds=idle_s)
        self._absolute = timedelta(seconds=absolute_s)

    def start(self, account: Account, address: str, *, now: datetime) -> str:
        """Begins a session; gives the token for the cookie, which is kept as a hash only. Rows of ended sessions are swept."""
        token = new_token()
        row = SessionRow(
            token_hash=hashed(token), account_id=account.id, address=address[: rules.ADDRESS_LENGTH], created_at=now, last_seen_at=now
        )
        with self._store.write() as session:
            session.execute(delete(SessionRow).where(self._is_over(now)))
            session.execute(update(AccountRow).where(AccountRow.id == account.id).values(last_seen_at=now))
            session.add(row)
        return token

    def caller(self, token: str, now: datetime, *, address: str = "") -> Caller | None:
        """Who the token's bearer is, with the role and grants of this moment; None when the session is over or never was.

        address is where this request comes from; without it, where the session began.
        """
        row = self._store.row(SIGNED_IN, {"token_hash": hashed(token)})
        if row is None or row.last_seen_at <= now - self._idle or row.created_at <= now - self._absolute:
            return None
        if now - row.last_seen_at > TOUCH:
            self._touch(row.token_hash, now)
        return Caller("account", row.name, Role(row.role), tuple(row.grants), address or row.address, row.id, row.token_hash)

    def open(self, now: datetime) -> Mapping[str, tuple[Open, ...]]:
        """The sessions that are not over, the newest first, by the id of their account."""
        found = select(SessionRow).where(not_(self._is_over(now))).order_by(SessionRow.created_at.desc(), SessionRow.token_hash)
        by_account: dict[str, tuple[Open, ...]] = {}
        with self._store.read() as session:
            for row in session.scalars(found):
                by_account[row.account_id] = (*by_account.get(row.account_id, ()), _open(row))
        return by_account

    def of(self, account_id: str, now: datetime) -> tuple[Open, ...]:
        """The sessions of one account that are not over, the newest first."""
        mine = SessionRow.account_id == account_id
        found = select(SessionRow).where(mine, not_(self._is_over(now))).order_by(SessionRow.created_at.desc(), SessionRow.token_hash)
        with self._store.read() as session:
            return tuple(_open(row) for row in session.scalars(found))

    def revoke(self, account_id: str, public_id: str) -> None:
        """Ends one session of an account. Raises NotFound, also for one that is somebody else's."""
        with self._store.write() as session:
            hashes = session.scalars(select(SessionRow.token_hash).where(SessionRow.account_id == account_id)).all()
            ending = next((token_hash for token_hash in hashes if public(token_hash) == public_id), None)
            if ending is None:
                raise NotFound("This session has ended already.")
            session.execute(delete(SessionRow).where(SessionRow.token_hash == ending))

    def revoke_others(self, account_id: str, *, keeping: str = "") -> int:
        """Ends every session of an account but the one whose Caller.session_id is keeping; gives how many."""
        others = delete(SessionRow).where(SessionRow.account_id == account_id, SessionRow.token_hash != keeping)
        with self._store.write() as session:
            return len(session.scalars(others.returning(SessionRow.token_hash)).all())

    def end(self, token: str) -> None:
        """Ends the session of a token, if there is one."""
        with self._store.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.token_hash == hashed(token)))

    def end_all(self, account: Account) -> None:
        """Ends every session of an account."""
        with self._store.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.account_id == account.id))

    def _touch(self, token_hash: str, now: datetime) -> None:
        with self._store.write() as session:
            is_due = and_(SessionRow.token_hash == token_hash, SessionRow.last_seen_at < now - TOUCH)
            whose = session.scalar(update(SessionRow).where(is_due).values(last_seen_at=now).returning(SessionRow.account_id))
            if whose is not None:
                session.execute(update(AccountRow).where(AccountRow.id == whose).values(last_seen_at=now))

    def _is_over(self, now: datetime) -> ColumnElement[bool]:
        return or_(SessionRow.last_seen_at <= now - self._idle, SessionRow.created_at <= now - self._absolute)


def public(session_id: str) -> str:
    """The id under which a session is listed, from the Caller.session_id, which stays inside."""
    return hashed(f"listed {session_id}")[:16]


def _open(row: SessionRow) -> Open:
    return Open(public(row.token_hash), row.created_at, row.last_seen_at, row.address)
