"""Sessions: how long they last, what ends them, and that only hashes are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from rqdash.access.accounts import Account, Accounts
from rqdash.access.sessions import Sessions
from rqdash.model.caller import Role
from rqdash.store import Store
from rqdash.store.tables import SessionRow
from tests.databases import everything_stored

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IDLE_S = 3600
ABSOLUTE_S = 3 * 3600


@pytest.fixture
def account(store: Store) -> Account:
    return Accounts(store).add("mira", role=Role.VIEWER, password=None)


@pytest.fixture
def sessions(store: Store) -> Sessions:
    return Sessions(store, idle_s=IDLE_S, absolute_s=ABSOLUTE_S)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def last_seen(store: Store) -> datetime | None:
    with store.read() as session:
        return session.scalar(select(SessionRow.last_seen_at))


def test_a_session_says_who_calls_and_from_where(sessions: Sessions, account: Account) -> None:
    token = sessions.start(account, "192.0.2.1", now=NOW)

    caller = sessions.caller(token, NOW, address="192.0.2.7")

    assert caller is not None
    assert (caller.name, caller.account_id, caller.address) == ("mira", account.id, "192.0.2.7")
    assert caller.session_id not in ("", token)


@pytest.mark.parametrize("token", ["", "x", "\udcff", "' OR 1=1"])
def test_another_token_is_nobody(sessions: Sessions, account: Account, token: str) -> None:
    sessions.start(account, "", now=NOW)

    assert sessions.caller(token, NOW) is None


def test_a_session_ends_when_idle(sessions: Sessions, account: Account) -> None:
    token = sessions.start(account, "", now=NOW)

    assert sessions.caller(token, later(IDLE_S - 1)) is not None
    assert sessions.caller(token, later(2 * IDLE_S)) is None


def test_requests_keep_a_session_alive_but_not_for_ever(sessions: Sessions, account: Account) -> None:
    token = sessions.start(account, "", now=NOW)

    answers = [sessions.caller(token, later(seconds)) is not None for seconds in range(1800, ABSOLUTE_S + 1800, 1800)]

    assert answers == [True] * 5 + [False]


def test_the_last_request_is_noted_at_most_once_a_minute(sessions: Sessions, account: Account, store: Store) -> None:
    token = sessions.start(account, "", now=NOW)

    sessions.caller(token, later(59))
    noted_early = last_seen(store)
    sessions.caller(token, later(61))

    assert noted_early == NOW
    assert last_seen(store) == later(61)


def test_ending_a_session_leaves_the_others(sessions: Sessions, account: Account) -> None:
    one, other = sessions.start(account, "", now=NOW), sessions.start(account, "", now=NOW)

    sessions.end(one)

    assert sessions.caller(one, NOW) is None
    assert sessions.caller(other, NOW) is not None


def test_all_sessions_of_one_account_end_together(sessions: Sessions, account: Account, store: Store) -> None:
    somebody = Accounts(store).add("anna", role=Role.VIEWER, password=None)
    one, other, hers = (sessions.start(who, "", now=NOW) for who in (account, account, somebody))

    sessions.end_all(account)

    assert [sessions.caller(token, NOW) is None for token in (one, other, hers)] == [True, True, False]


def test_rows_of_ended_sessions_are_swept_at_the_next_sign_in(sessions: Sessions, account: Account, store: Store) -> None:
    for _ in range(5):
        sessions.start(account, "", now=NOW)

    sessions.start(account, "", now=later(2 * IDLE_S))

    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(SessionRow)) == 1


def test_the_token_is_not_in_the_database(sessions: Sessions, account: Account, store: Store) -> None:
    token = sessions.start(account, "", now=NOW)
    store.close()

    assert len(token) >= 43
    assert token.encode() not in everything_stored(store)
