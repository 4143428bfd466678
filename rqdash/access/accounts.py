"""Accounts: people who sign in, with a role and the backends they may see."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rqdash.access import rules
from rqdash.access.passwords import Passwords
from rqdash.errors import Conflict, NotFound
from rqdash.model.caller import Caller, Permission, Role
from rqdash.store import Store
from rqdash.store.clock import Clock, utc_now
from rqdash.store.tables import AccountRow, LinkRow, SessionRow

NOBODY = "There is no account of that name."


@dataclass(frozen=True, slots=True)
class Account:
    """role is that of grants that name none; without a password it signs in by one-time links only. last_seen_at is to the minute."""

    id: str
    name: str
    role: Role
    grants: tuple[str, ...]
    enabled: bool
    has_password: bool
    created_at: datetime
    last_seen_at: datetime | None = None

    @property
    def bearer(self) -> Caller:
        """Who signs in with it: the way to what its role and grants give."""
        return Caller("account", self.name, self.role, self.grants)

    @property
    def is_owner(self) -> bool:
        """Whether it can sign in and is an admin of everything."""
        return self.enabled and self.bearer.has(Permission.OWN)


class Accounts:
    """The accounts of one store. Names are compared without regard to case."""

    def __init__(self, store: Store, *, passwords: Passwords | None = None, clock: Clock = utc_now) -> None:
        self._store = store
        self._passwords = passwords or Passwords()
        self._clock = clock

    def add(self, name: str, *, role: Role, password: str | None, grants: Sequence[str] = rules.EVERYTHING) -> Account:
        """Makes an account. Raises Invalid, or Conflict when the name is taken."""
        rules.refuse("The account", rules.name_problems(name) | rules.password_problems(password) | rules.grant_problems(grants))
        row = AccountRow(
            id=str(uuid.uuid4()),
            key=rules.key(name),
            name=name,
            role=role.value,
            grants=list(grants),
            password_hash=None if password is None else self._passwords.hashed(password),
            enabled=True,
            created_at=self._clock(),
        )
        account = _account(row)
        try:
            with self._store.write() as session:
                session.add(row)
        except IntegrityError:
            raise Conflict(f"There is an account {name} already. Choose another name.", code="name_taken") from None
        return account

    def get(self, name: str) -> Account:
        """Raises NotFound."""
        with self._store.read() as session:
            return _account(_row(session, name))

    def by_id(self, account_id: str) -> Account:
        """Raises NotFound."""
        with self._store.read() as session:
            row = session.get(AccountRow, account_id)
            if row is None:
                raise NotFound(NOBODY)
            return _account(row)

    def list(self) -> tuple[Account, ...]:
        """Every account, by name."""
        with self._store.read() as session:
            return tuple(_account(row) for row in session.scalars(select(AccountRow).order_by(AccountRow.key)))

    def set_password(self, name: str, password: str) -> None:
        """Gives it a new password, ends all its sessions and spends its links. Raises Invalid or NotFound."""
        rules.refuse("The password", rules.password_problems(password))
        hashed = self._passwords.hashed(password)
        with self._store.write() as session:
            row = _row(session, name)
            row.password_hash = hashed
            _sign_out(session, row)

    def clear_password(self, name: str) -> None:
        """Takes its password away, ends all its sessions and spends its links: only a new link lets it in. Raises NotFound."""
        with self._store.write() as session:
            row = _row(session, name)
            row.password_hash = None
            _sign_out(session, row)

    def change(self, name: str, *, role: Role, grants: Sequence[str]) -> None:
        """From the next request on it has that role and those grants. Raises Invalid, NotFound, or Conflict for the last admin."""
        rules.refuse("The account", rules.grant_problems(grants))
        with self._store.write() as session, _keeping_an_owner(session, name) as row:
            row.role, row.grants = role.value, list(grants)

    def disable(self, name: str) -> None:
        """It cannot sign in any more; its sessions end and its links are spent. Raises NotFound, or Conflict for the last admin."""
        with self._store.write() as session, _keeping_an_owner(session, name) as row:
            row.enabled = False
            _sign_out(session, row)

    def enable(self, name: str) -> None:
        """It may sign in again. Raises NotFound."""
        with self._store.write() as session:
            _row(session, name).enabled = True

    def verify(self, name: str, password: str) -> Account | None:
        """The account when name and password are right and it is enabled; wrong in any way it is None, after the same time."""
        row = self._find(name)
        stored = row.password_hash if row and len(password) <= rules.LONGEST_PASSWORD else None
        if not self._passwords.match(stored, password[: rules.LONGEST_PASSWORD]) or row is None or stored is None or not row.enabled:
            return None
        if self._passwords.is_dated(stored):
            self._rehash(row.id, stored, password)
        return _account(row)

    def _find(self, name: str) -> AccountRow | None:
        if not rules.is_name(name):
            return None
        with self._store.read() as session:
            return session.scalar(select(AccountRow).where(AccountRow.key == rules.key(name)))

    def _rehash(self, account_id: str, stored: str, password: str) -> None:
        hashed = self._passwords.hashed(password)
        with self._store.write() as session:
            # Only if it is still the password that was compared.
            unchanged = (AccountRow.id == account_id) & (AccountRow.password_hash == stored)
            session.execute(update(AccountRow).where(unchanged).values(password_hash=hashed))


@contextmanager
def _keeping_an_owner(session: Session, name: str) -> Iterator[AccountRow]:
    """The account's row, to be changed; raises Conflict when there was an admin of everything who can sign in, and is none afterwards.

    All rows are locked, in one order: of two admins who demote each other at once, one is the last.
    """
    rows = session.scalars(select(AccountRow).order_by(AccountRow.id).with_for_update()).all()
    row = _row(session, name)
    was_owner = _account(row).is_owner
    yield row
    if was_owner and not any(_account(each).is_owner for each in rows):
        raise Conflict(f"{row.name} is the last admin of every backend who can sign in. Make another one first.", code="last_admin")


def _row(session: Session, name: str) -> AccountRow:
    row = session.scalar(select(AccountRow).where(AccountRow.key == rules.key(name))) if rules.is_name(name) else None
    if row is None:
        raise NotFound(NOBODY)
    return row


def _sign_out(session: Session, row: AccountRow) -> None:
    session.execute(delete(SessionRow).where(SessionRow.account_id == row.id))
    session.execute(delete(LinkRow).where(LinkRow.account == row.key))


def _account(row: AccountRow) -> Account:
    return Account(
        row.id,
        row.name,
        Role(row.role),
        tuple(row.grants),
        row.enabled,
        row.password_hash is not None,
        row.created_at,
        row.last_seen_at,
    )
