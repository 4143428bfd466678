"""What a process has read of SQLite stays true until somebody commits, whoever that is."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from rqdash.access.access import Access, open_access
from rqdash.model.caller import Role
from rqdash.settings import Settings
from rqdash.store import Store
from rqdash.store.counters import following

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def access_of(store: Store) -> Access:
    return open_access(store, Settings(data_dir=store.data_dir))


def test_what_another_process_ends_is_over_at_the_next_request(store: Store, reopened: Callable[[], Store]) -> None:
    here, there = access_of(store), access_of(reopened())
    here.accounts.add("lea", role=Role.ADMIN, password="a long enough one")
    account = here.accounts.add("mira", role=Role.ADMIN, password=None)
    session, token = here.sessions.start(account, "", now=NOW), here.tokens.add("robot", role=Role.ADMIN)
    before = [here.sessions.caller(session, NOW), here.tokens.caller(token, NOW)]

    there.accounts.change("mira", role=Role.VIEWER, grants=("*",))
    changed = here.sessions.caller(session, NOW)
    there.accounts.disable("mira")
    there.tokens.revoke("robot")
    after = [here.sessions.caller(session, NOW), here.tokens.caller(token, NOW)]

    assert [caller.role if caller else None for caller in (*before, changed, *after)] == [Role.ADMIN, Role.ADMIN, Role.VIEWER, None, None]


def test_time_ends_a_session_and_a_token_though_nobody_writes(store: Store) -> None:
    access = access_of(store)
    account = access.accounts.add("mira", role=Role.ADMIN, password=None)
    session, token = (
        access.sessions.start(account, "", now=NOW),
        access.tokens.add("robot", role=Role.ADMIN, expires_at=NOW + timedelta(hours=1)),
    )
    known = [access.sessions.caller(session, NOW), access.tokens.caller(token, NOW)]

    later = [access.sessions.caller(session, NOW + timedelta(days=40)), access.tokens.caller(token, NOW + timedelta(hours=1))]

    assert all(known)
    assert later == [None, None]


@ON_SQLITE
def test_what_nobody_has_changed_is_read_once(store: Store) -> None:
    asked: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))

    counts = [store.counter("ones") for _ in range(3)]
    with store.write() as session:
        following(session, "ones")
    asked_before = [words for words in asked if "SELECT" in words]
    counts += [store.counter("ones") for _ in range(3)]

    assert counts == [0, 0, 0, 1, 1, 1]
    assert len([words for words in asked if "SELECT" in words]) == len(asked_before) + 1 == 2


def test_a_forked_child_looks_by_itself_and_leaves_its_parent_alone(store: Store) -> None:
    before = store.counter("ones")

    child = os.fork()
    if child == 0:
        is_same = store.counter("ones") == before
        with store.write() as session:
            following(session, "ones")
        os._exit(0 if is_same and store.counter("ones") == 1 else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert store.counter("ones") == 1
