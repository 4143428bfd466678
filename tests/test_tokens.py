"""API tokens: shown once, stored hashed, good until revoked or too old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rqdash.access.tokens import Tokens
from rqdash.errors import Conflict, Invalid, NotFound
from rqdash.model.caller import Role
from rqdash.store import Store
from tests.databases import everything_stored

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def tokens(store: Store) -> Tokens:
    return Tokens(store, clock=lambda: NOW)


def test_a_token_says_who_calls(tokens: Tokens) -> None:
    raw = tokens.add("ci", role=Role.OPERATOR, grants=("staging-*",))

    caller = tokens.caller(raw, NOW, address="192.0.2.1")

    assert raw.startswith("rqd_")
    assert caller is not None
    assert (caller.kind, caller.name, caller.role, caller.grants) == ("token", "ci", Role.OPERATOR, ("staging-*",))
    assert caller.address == "192.0.2.1"


@pytest.mark.parametrize("raw", ["", "rqd_", "rqd_wrong", "Bearer x", "rqd_\udcff"])
def test_another_text_is_nobody(tokens: Tokens, raw: str) -> None:
    tokens.add("ci", role=Role.ADMIN)

    assert tokens.caller(raw, NOW) is None


def test_a_token_is_good_until_it_expires(tokens: Tokens) -> None:
    raw = tokens.add("ci", role=Role.VIEWER, expires_at=NOW + timedelta(days=1))

    assert tokens.caller(raw, NOW) is not None
    assert tokens.caller(raw, NOW + timedelta(days=1)) is None


def test_a_revoked_token_is_good_for_nothing_and_its_name_is_free(tokens: Tokens) -> None:
    raw = tokens.add("ci", role=Role.VIEWER)

    tokens.revoke("ci")

    assert tokens.caller(raw, NOW) is None
    assert tokens.add("ci", role=Role.VIEWER) != raw


def test_revoking_an_unknown_token_is_not_found(tokens: Tokens) -> None:
    with pytest.raises(NotFound):
        tokens.revoke("ci")


def test_a_name_is_taken_once(tokens: Tokens) -> None:
    tokens.add("ci", role=Role.VIEWER)

    with pytest.raises(Conflict):
        tokens.add("ci", role=Role.ADMIN)


def test_a_name_that_cannot_be_is_refused(tokens: Tokens) -> None:
    with pytest.raises(Invalid) as raised:
        tokens.add("c i", role=Role.VIEWER, grants=())

    assert set(raised.value.problems) == {"name", "grants"}


def test_the_list_shows_use_to_the_minute_and_never_the_token(tokens: Tokens) -> None:
    raw = tokens.add("ci", role=Role.VIEWER)
    tokens.caller(raw, NOW)
    tokens.caller(raw, NOW + timedelta(seconds=59))

    (found,) = tokens.list()

    assert (found.name, found.last_used_at, found.expires_at) == ("ci", NOW, None)
    assert raw not in repr(found)


def test_the_token_is_not_in_the_database(tokens: Tokens, store: Store) -> None:
    raw = tokens.add("ci", role=Role.VIEWER)
    store.close()

    assert raw.encode() not in everything_stored(store)
