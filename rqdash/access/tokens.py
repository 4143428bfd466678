"""API tokens: for programs, with a role and grants of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from rqdash.access import rules
from rqdash.access.raw import hashed, new_token
from rqdash.errors import Conflict, NotFound
from rqdash.model.caller import Caller, Role
from rqdash.store import Store
from rqdash.store.clock import Clock, utc_now
from rqdash.store.tables import TokenRow

PREFIX = "rqd_"
"""Lets people and secret scanners tell what a found token is."""
TOUCH = timedelta(minutes=1)
BEARER = select(TokenRow.token_hash, TokenRow.name, TokenRow.role, TokenRow.grants, TokenRow.last_used_at, TokenRow.expires_at).where(
    TokenRow.token_hash == bindparam("token_hash")
)
"""Without the time, so that the store can answer it again."""


@dataclass(frozen=True, slots=True)
class Token:
    """What may be shown of a token; the token itself is shown once, when it is made. expires_at None: never."""

    name: str
    role: Role
    grants: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class Tokens:
    """The API tokens of one store."""

    def __init__(self, store: Store, *, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    def add(self, name: str, *, role: Role, grants: Sequence[str] = rules.EVERYTHING, expires_at: datetime | None = None) -> str:
        """Makes a token and gives it, this once. Raises Invalid, or Conflict when the name is taken."""
        rules.refuse("The token", rules.name_problems(name) | rules.grant_problems(grants))
        raw = new_token(PREFIX)
        row = TokenRow(
            name=name, token_hash=hashed(raw), role=role.value, grants=list(grants), created_at=self._clock(), expires_at=expires_at
        )
        try:
            with self._store.write() as session:
                session.add(row)
        except IntegrityError:
            raise Conflict(f"There is a token {name} already. Choose another name, or revoke it first.", code="name_taken") from None
        return raw

    def caller(self, raw: str, now: datetime, *, address: str = "") -> Caller | None:
        """Who a token's bearer is; None when it was revoked, is too old or never was."""
        if not raw.startswith(PREFIX):
            return None
        row = self._store.row(BEARER, {"token_hash": hashed(raw)})
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            return None
        if row.last_used_at is None or now - row.last_used_at > TOUCH:
            self._touch(row.token_hash, now)
        return Caller("token", row.name, Role(row.role), tuple(row.grants), address)

    def list(self) -> tuple[Token, ...]:
        """Every token, by name."""
        with self._store.read() as session:
            return tuple(
                Token(row.name, Role(row.role), tuple(row.grants), row.created_at, row.expires_at, row.last_used_at)
                for row in session.scalars(select(TokenRow).order_by(TokenRow.name))
            )

    def revoke(self, name: str) -> None:
        """From the next request on the token is good for nothing, and its name is free. Raises NotFound."""
        with self._store.write() as session:
            if session.scalar(delete(TokenRow).where(TokenRow.name == name).returning(TokenRow.name)) is None:
                raise NotFound("There is no token of that name.")

    def _touch(self, token_hash: str, now: datetime) -> None:
        with self._store.write() as session:
            is_due = or_(TokenRow.last_used_at.is_(None), TokenRow.last_used_at < now - TOUCH)
            session.execute(update(TokenRow).where(TokenRow.token_hash == token_hash, is_due).values(last_used_at=now))
