"""All of access in one value, and signing in."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from rqdash.access.accounts import Accounts
from rqdash.access.audit import Audit
from rqdash.access.links import Links
from rqdash.access.sessions import Sessions
from rqdash.access.throttle import Throttle
from rqdash.access.tokens import Tokens
from rqdash.errors import Denied
from rqdash.settings import Settings
from rqdash.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that decides who may come in, on one store."""

    accounts: Accounts
    sessions: Sessions
    tokens: Tokens
    links: Links
    throttle: Throttle
    audit: Audit


def open_access(store: Store, settings: Settings) -> Access:
    accounts = Accounts(store)
    return Access(
        accounts=accounts,
        sessions=Sessions(store, idle_s=settings.session_idle_s, absolute_s=settings.session_absolute_s),
        tokens=Tokens(store),
        links=Links(store, accounts),
        throttle=Throttle(store),
        audit=Audit(store, keep=timedelta(seconds=settings.activity_keep_s)),
    )


def sign_in(access: Access, name: str, *, password: str, address: str, now: datetime, replaces: str = "") -> str:
    """Signs in by password; gives the token of a new session. replaces is the token of the session the browser had, which ends.

    Raises Throttled, or Denied with the same words whatever was wrong.
    """
    access.throttle.attempt(name, address, now=now)
    account = access.accounts.verify(name, password)
    if account is None:
        # Not the name: people type their password into the wrong box.
        log.info("sign-in refused", extra={"address": address})
        raise Denied("The name or the password is wrong.", code="sign_in_refused")
    access.throttle.clear(name, address)
    return _renewed(access, access.sessions.start(account, address, now=now), replaces=replaces)


def sign_in_by_link(access: Access, token: str, *, address: str, now: datetime, replaces: str = "") -> str:
    """Signs in by a one-time link, which is spent; gives the token of a new session. Raises Denied."""
    account = access.links.redeem(token, now)
    return _renewed(access, access.sessions.start(account, address, now=now), replaces=replaces)


def _renewed(access: Access, token: str, *, replaces: str) -> str:
    if replaces:
        access.sessions.end(replaces)
    return token
