"""One-time links: a token that signs an account in once, within a day."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, select, update

from rqdash.access import rules
from rqdash.access.accounts import Account, Accounts
from rqdash.access.raw import hashed, new_token
from rqdash.errors import Conflict, Denied, NotFound
from rqdash.model.caller import Role
from rqdash.store import Store
from rqdash.store.tables import LinkRow

LIFETIME_S = 24 * 3600
FIRST_ADMIN = "admin"
SPENT = "This sign-in link was used already or is too old. Ask whoever runs rqdash for a new one."


class Links:
    """The one-time links of one store."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts

    def issue(
        self,
        account: str = FIRST_ADMIN,
        *,
        now: datetime,
        role: Role = Role.ADMIN,
        purpose: str = "sign-in",
        lifetime_s: float = LIFETIME_S,
    ) -> str:
        """A token that signs in that account, which is made with that role and no password when it is not there. Raises Invalid."""
        rules.refuse("The link", rules.name_problems(account))
        token = new_token()
        row = LinkRow(
            token_hash=hashed(token),
            purpose=purpose,
            account=rules.key(account),
            role=role.value,
            created_at=now,
            expires_at=now + timedelta(seconds=lifetime_s),
        )
        with self._store.write() as session:
            session.execute(delete(LinkRow).where(LinkRow.expires_at < now))
            session.add(row)
        return token

    def is_good(self, token: str, now: datetime, *, purpose: str = "sign-in") -> bool:
        """Whether redeem would work now; reading it spends nothing, so a page may show it with a button."""
        with self._store.read() as session:
            return session.scalar(select(LinkRow.token_hash).where(_unspent(token, now, purpose))) is not None

    def redeem(self, token: str, now: datetime, *, purpose: str = "sign-in") -> Account:
        """The account a link stands for; of all who try, one gets it. Raises Denied when it is spent, too old or unknown."""
        spend = update(LinkRow).where(_unspent(token, now, purpose)).values(used_at=now).returning(LinkRow.account, LinkRow.role)
        with self._store.write() as session:
            found = session.execute(spend).one_or_none()
        if found is None:
            raise Denied(SPENT, code="link_spent")
        account = self._existing_or_new(found.account, Role(found.role))
        if not account.enabled:
            raise Denied("This account is disabled. Ask an admin to enable it.", code="disabled")
        return account

    def _existing_or_new(self, name: str, role: Role) -> Account:
        try:
            return self._accounts.get(name)
        except NotFound:
            try:
                return self._accounts.add(name, role=role, password=None)
            except Conflict:
                # Another link made it this moment.
                return self._accounts.get(name)


def _unspent(token: str, now: datetime, purpose: str) -> ColumnElement[bool]:
    return and_(LinkRow.token_hash == hashed(token), LinkRow.used_at.is_(None), LinkRow.expires_at > now, LinkRow.purpose == purpose)
