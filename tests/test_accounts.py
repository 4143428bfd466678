"""Accounts: names and passwords, signing in by password and by one-time link, and what ends when they change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from rqdash.access.access import Access, open_access, sign_in, sign_in_by_link
from rqdash.access.passwords import NOBODYS, Passwords
from rqdash.errors import Conflict, Denied, Invalid, NotFound, Throttled
from rqdash.model.caller import Role
from rqdash.settings import Settings
from rqdash.store import Store
from rqdash.store.tables import AccountRow
from tests.databases import everything_stored

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"
HOME = "192.0.2.1"


@pytest.fixture
def access(store: Store) -> Access:
    return open_access(store, Settings(data_dir=store.data_dir))


def test_an_account_signs_in_with_its_password(access: Access) -> None:
    access.accounts.add("mira", role=Role.OPERATOR, password=PASSWORD, grants=("staging-*",))

    token = sign_in(access, "Mira", password=PASSWORD, address=HOME, now=NOW)

    caller = access.sessions.caller(token, NOW)
    assert caller is not None
    assert (caller.kind, caller.name, caller.role, caller.grants) == ("account", "mira", Role.OPERATOR, ("staging-*",))


@pytest.mark.parametrize(
    ("name", "password"),
    [("mira", "wrong"), ("nobody", PASSWORD), ("", ""), ("mi\udcffra", "\udcff"), ("mira", "x" * 5000), ("a" * 500, "x")],
)
def test_whatever_is_wrong_gets_the_same_answer(access: Access, name: str, password: str) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=PASSWORD)

    with pytest.raises(Denied) as raised:
        sign_in(access, name, password=password, address=HOME, now=NOW)

    assert raised.value.message == "The name or the password is wrong."


def test_an_account_without_a_password_signs_in_with_none(access: Access) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=None)

    assert access.accounts.verify("mira", "") is None


def test_a_password_longer_than_any_is_wrong_even_if_it_begins_right(access: Access) -> None:
    longest = "p" * 1024
    access.accounts.add("mira", role=Role.VIEWER, password=longest)

    assert access.accounts.verify("mira", longest) is not None
    assert access.accounts.verify("mira", longest + "p") is None


def test_names_differ_by_more_than_case(access: Access) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=None)

    with pytest.raises(Conflict, match="Mira already"):
        access.accounts.add("Mira", role=Role.ADMIN, password=None)


@pytest.mark.parametrize(
    ("field", "name", "password", "grants"),
    [
        ("name", "", PASSWORD, ("*",)),
        ("name", "a b", PASSWORD, ("*",)),
        ("name", "ä", PASSWORD, ("*",)),
        ("name", "a" * 65, PASSWORD, ("*",)),
        ("password", "mira", "eleven char", ("*",)),
        ("password", "mira", "", ("*",)),
        ("password", "mira", "p" * 1025, ("*",)),
        ("grants", "mira", PASSWORD, ()),
        ("grants", "mira", PASSWORD, ("Prod",)),
    ],
)
def test_an_account_that_cannot_be_is_refused_by_field(
    access: Access, field: str, name: str, password: str, grants: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid) as raised:
        access.accounts.add(name, role=Role.VIEWER, password=password, grants=grants)

    assert list(raised.value.problems) == [field]


def test_a_disabled_account_is_signed_out_and_stays_out(access: Access) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=PASSWORD)
    token = sign_in(access, "mira", password=PASSWORD, address=HOME, now=NOW)

    access.accounts.disable("mira")

    assert access.sessions.caller(token, NOW) is None
    assert access.accounts.verify("mira", PASSWORD) is None


def test_an_account_enabled_again_signs_in(access: Access) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=PASSWORD)
    access.accounts.disable("mira")

    access.accounts.enable("mira")

    assert access.accounts.verify("mira", PASSWORD) is not None


def test_a_new_password_ends_every_session_and_link_and_the_old_password(access: Access) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=PASSWORD)
    token = sign_in(access, "mira", password=PASSWORD, address=HOME, now=NOW)
    link = access.links.issue("mira", now=NOW)

    access.accounts.set_password("mira", "another good one")

    assert access.sessions.caller(token, NOW) is None
    assert not access.links.is_good(link, NOW)
    assert access.accounts.verify("mira", PASSWORD) is None
    assert access.accounts.verify("mira", "another good one") is not None


def test_a_role_and_grants_count_from_the_next_request_on(access: Access) -> None:
    access.accounts.add("root", role=Role.ADMIN, password=None)
    access.accounts.add("mira", role=Role.ADMIN, password=PASSWORD)
    token = sign_in(access, "mira", password=PASSWORD, address=HOME, now=NOW)

    access.accounts.change("mira", role=Role.VIEWER, grants=("staging",))

    caller = access.sessions.caller(token, NOW)
    assert caller is not None
    assert (caller.role, caller.grants) == (Role.VIEWER, ("staging",))


def test_accounts_are_listed_by_name(access: Access) -> None:
    for name in ("zoe", "Anna", "mira"):
        access.accounts.add(name, role=Role.VIEWER, password=None)

    assert [account.name for account in access.accounts.list()] == ["Anna", "mira", "zoe"]


def test_an_account_that_is_not_there_is_not_found(access: Access) -> None:
    with pytest.raises(NotFound):
        access.accounts.get("no\x00body")


def test_the_password_is_kept_as_argon2id_with_the_costs_that_were_chosen(access: Access, store: Store) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=PASSWORD)

    with store.read() as session:
        stored = session.scalar(select(AccountRow.password_hash)) or ""
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_hash_with_other_costs_is_made_anew_at_sign_in(access: Access, store: Store) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=PASSWORD)
    with store.write() as session:
        session.execute(update(AccountRow).values(password_hash=PasswordHasher(1, 64, 1).hash(PASSWORD)))

    access.accounts.verify("mira", PASSWORD)

    with store.read() as session:
        assert "m=19456" in (session.scalar(select(AccountRow.password_hash)) or "")
    assert access.accounts.verify("mira", PASSWORD) is not None


def test_an_unknown_name_costs_as_much_as_a_known_one() -> None:
    passwords = Passwords()

    assert not passwords.is_dated(NOBODYS)
    assert not passwords.match(None, PASSWORD)


def test_wrong_passwords_slow_sign_in_down_and_a_right_one_clears_them(access: Access) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=PASSWORD)
    for _ in range(4):
        with pytest.raises(Denied):
            sign_in(access, "mira", password="wrong", address=HOME, now=NOW)

    sign_in(access, "mira", password=PASSWORD, address=HOME, now=NOW)

    access.throttle.check("mira", HOME, now=NOW)


def test_the_right_password_does_not_help_while_throttled(access: Access) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=PASSWORD)
    for _ in range(5):
        with pytest.raises(Denied):
            sign_in(access, "mira", password="wrong", address=HOME, now=NOW)

    with pytest.raises(Throttled):
        sign_in(access, "mira", password=PASSWORD, address="198.51.100.9", now=NOW)


def test_signing_in_replaces_the_session_the_browser_had(access: Access) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=PASSWORD)
    old = sign_in(access, "mira", password=PASSWORD, address=HOME, now=NOW)

    new = sign_in(access, "mira", password=PASSWORD, address=HOME, now=NOW, replaces=old)

    assert access.sessions.caller(old, NOW) is None
    assert access.sessions.caller(new, NOW) is not None


def test_the_first_link_makes_the_admin(access: Access) -> None:
    link = access.links.issue(now=NOW)

    token = sign_in_by_link(access, link, address=HOME, now=NOW)

    caller = access.sessions.caller(token, NOW)
    assert caller is not None
    assert (caller.name, caller.role) == ("admin", Role.ADMIN)


def test_a_link_signs_in_the_account_that_is_there_with_the_role_it_has(access: Access) -> None:
    access.accounts.add("Mira", role=Role.VIEWER, password=None)
    link = access.links.issue("Mira", now=NOW)

    account = access.links.redeem(link, NOW)

    assert (account.name, account.role) == ("Mira", Role.VIEWER)


def test_a_link_works_once_however_many_try(access: Access) -> None:
    link = access.links.issue(now=NOW)

    def redeem(_: int) -> bool:
        try:
            access.links.redeem(link, NOW)
        except Denied:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(redeem, range(8)))

    assert results.count(True) == 1


def test_looking_at_a_link_does_not_spend_it(access: Access) -> None:
    link = access.links.issue(now=NOW)

    assert access.links.is_good(link, NOW)
    assert access.links.is_good(link, NOW)
    access.links.redeem(link, NOW)
    assert not access.links.is_good(link, NOW)


@pytest.mark.parametrize("late_s", [24 * 3600, 10**7])
def test_a_link_is_good_for_a_day(access: Access, late_s: int) -> None:
    link = access.links.issue(now=NOW)

    with pytest.raises(Denied) as raised:
        access.links.redeem(link, NOW + timedelta(seconds=late_s))

    assert raised.value.code == "link_spent"


def test_a_link_of_a_disabled_account_signs_nobody_in(access: Access) -> None:
    access.accounts.add("mira", role=Role.VIEWER, password=None)
    access.accounts.disable("mira")
    link = access.links.issue("mira", now=NOW)

    with pytest.raises(Denied, match="disabled"):
        access.links.redeem(link, NOW)


def test_links_are_stored_as_hashes(access: Access, store: Store) -> None:
    link = access.links.issue(now=NOW)
    store.close()

    assert link.encode() not in everything_stored(store)
