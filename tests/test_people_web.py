"""People, tokens and one's own sessions, on pages: what is shown once, what ends, and what the last admin cannot do."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rqdash.access.access import Access, open_access
from rqdash.access.sessions import public
from rqdash.errors import Conflict, NotFound
from rqdash.model.caller import Role
from rqdash.settings import Settings
from rqdash.store import Store
from rqdash.web.binding import COOKIE
from tests.pages import Document
from tests.site import Browser, Site, site

PASSWORD = "correct horse battery"
LINK = re.compile(r"http://localhost/sign-in/link\?token=([\w-]+)")


@pytest.fixture
def place(tmp_path: Path) -> Site:
    """A dashboard without backends, with an operator called ada who has a password."""
    made = site(tmp_path / "data")
    made.access.accounts.add("ada", role=Role.OPERATOR, password=PASSWORD, grants=("orders-*",))
    return made


@pytest.fixture
def owner(place: Site) -> Browser:
    return place.sign_in("admin", name="root")


def person(place: Site, name: str, verb: str = "") -> str:
    return f"/people/{place.access.accounts.get(name).id}{'/' + verb if verb else ''}"


def signed_in(place: Site, name: str, *, address: str = "192.0.2.1") -> Browser:
    """One more browser of an account that is there."""
    client = place.app.test_client()
    client.set_cookie(COOKIE, place.access.sessions.start(place.access.accounts.get(name), address, now=datetime.now(UTC)))
    return Browser(client)


def is_in(browser: Browser) -> bool:
    return browser.get("/account").status_code == 200


def noted(place: Site) -> tuple[str, str, dict[str, str | int]]:
    entry = place.access.audit.entries(1)[0]
    return entry.verb, entry.status, dict(entry.values)


def test_a_person_is_added_and_comes_in_by_a_link_that_is_shown_once(place: Site, owner: Browser) -> None:
    added = owner.post("/people", {"name": "mira", "role": "viewer", "grants": "operator:orders-*, env:prod"})
    link = LINK.search(added.text)
    listed = owner.get("/people").text

    assert added.status_code == 200
    assert link is not None
    assert LINK.search(listed) is None
    assert "operator" in listed
    assert "every backend of prod" in listed
    account = place.access.links.redeem(link[1], datetime.now(UTC))
    assert (account.name, account.role, account.grants) == ("mira", Role.VIEWER, ("operator:orders-*", "env:prod"))
    assert place.access.audit.entries(1)[0].values == {"name": "mira", "role": "viewer", "grants": "operator:orders-*, env:prod"}
    assert link[1] not in repr(place.access.audit.entries())


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"name": "ada", "role": "viewer", "grants": "*"}, 409, "There is an account ada already."),
        ({"name": "a b", "role": "viewer", "grants": "*"}, 400, "1 to 64 letters"),
        ({"name": "mira", "role": "boss", "grants": "*"}, 400, "Choose a role"),
        ({"name": "mira", "role": "viewer", "grants": "Orders"}, 400, "in small letters"),
    ],
)
def test_a_person_who_cannot_be_is_refused_and_the_form_stays(
    place: Site, owner: Browser, form: dict[str, str], status: int, said: str
) -> None:
    refused = owner.post("/people", form)

    assert refused.status_code == status
    assert said in Document(refused.text).text
    assert Document(refused.text).form("/people").data()["name"] == [form["name"]]
    assert [account.name for account in place.access.accounts.list()] == ["ada", "root"]


def test_other_rights_count_at_once(place: Site, owner: Browser) -> None:
    ada = signed_in(place, "ada")
    before = ada.get("/connections").status_code

    changed = owner.post(person(place, "ada", "rights"), {"role": "admin", "grants": "*"})

    assert changed.headers["Location"] == person(place, "ada")
    assert (before, ada.get("/connections").status_code, ada.get("/people").status_code) == (403, 200, 200)
    assert noted(place) == ("change account", "done", {"name": "ada", "role": "admin"})


def test_disabling_signs_out_and_enabling_lets_in_again(place: Site, owner: Browser) -> None:
    ada = signed_in(place, "ada")

    owner.post(person(place, "ada", "disable"))
    refused = is_in(ada)
    owner.post(person(place, "ada", "enable"))

    assert not refused
    assert not is_in(ada)
    assert place.access.accounts.verify("ada", PASSWORD) is not None


def test_a_reset_ends_the_old_password_and_sessions_and_shows_a_link_once(place: Site, owner: Browser) -> None:
    ada = signed_in(place, "ada")

    answer = owner.post(person(place, "ada", "reset"))
    link = LINK.search(answer.text)

    assert link is not None
    assert not is_in(ada)
    assert place.access.accounts.verify("ada", PASSWORD) is None
    assert LINK.search(owner.get(person(place, "ada")).text) is None
    client = place.app.test_client()
    form = Document(client.get(f"/sign-in/link?token={link[1]}").text).form("/sign-in/link")
    client.post(form.action, data=form.data())
    chosen = Document(client.get("/account").text)
    assert "You have no password yet." in chosen.text
    client.post("/account", data=chosen.form("/account").data(typed={"new": "another good one", "repeated": "another good one"}))
    assert place.access.accounts.verify("ada", "another good one") is not None


def test_no_link_is_made_for_an_account_that_is_disabled(place: Site, owner: Browser) -> None:
    owner.post(person(place, "ada", "disable"))

    answer = owner.post(person(place, "ada", "reset"))

    assert answer.status_code == 409
    assert "ada is disabled. Enable it first." in answer.text
    assert LINK.search(answer.text) is None
    assert "/reset" not in answer.text


@pytest.mark.parametrize("verb", ["disable", "rights"])
def test_the_last_admin_stays_one(place: Site, owner: Browser, verb: str) -> None:
    place.access.accounts.add("partial", role=Role.ADMIN, password=PASSWORD, grants=("orders-*",))
    place.access.accounts.add("gone", role=Role.ADMIN, password=PASSWORD)
    place.access.accounts.disable("gone")

    refused = owner.post(person(place, "root", verb), {"role": "admin", "grants": "orders-*"})

    assert refused.status_code == 409
    assert "root is the last admin of every backend who can sign in. Make another one first." in refused.text
    assert place.access.accounts.get("root").is_owner
    assert place.access.audit.entries(1)[0].status == "last_admin"


def test_an_admin_who_is_not_the_last_may_go(place: Site, owner: Browser) -> None:
    place.access.accounts.add("other", role=Role.VIEWER, password=PASSWORD, grants=("admin:*",))

    owner.post(person(place, "root", "disable"))

    assert not place.access.accounts.get("root").enabled


def test_sessions_of_others_end_one_by_one_or_together(place: Site, owner: Browser) -> None:
    one, two, three = (signed_in(place, "ada", address=f"192.0.2.{number}") for number in (1, 2, 3))
    page = owner.get(person(place, "ada")).text
    shown = place.access.sessions.of(place.access.accounts.get("ada").id, datetime.now(UTC))
    wanted = next(session.id for session in shown if session.address == "192.0.2.2")

    owner.post(person(place, "ada", "sign-out"), {"session": wanted})
    after_one = [is_in(browser) for browser in (one, two, three)]
    owner.post(person(place, "ada", "sign-out"))

    assert all(address in page for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    assert after_one == [True, False, True]
    assert [is_in(browser) for browser in (one, two, three)] == [False, False, False]
    assert noted(place) == ("end session", "done", {"name": "ada", "session": "all"})


def test_one_ends_ones_own_other_sessions_and_never_somebody_elses(place: Site, owner: Browser) -> None:
    here, there = signed_in(place, "ada"), signed_in(place, "ada", address="198.51.100.9")
    page = Document(here.get("/account").text)
    theirs = place.access.sessions.of(place.access.accounts.get("root").id, datetime.now(UTC))[0].id

    refused = here.post("/sessions/end", {"session": theirs})
    ended = here.post("/sessions/end")

    assert "this one" in page.text
    assert "198.51.100.9" in page.text
    assert (refused.status_code, ended.status_code) == (404, 303)
    assert [is_in(browser) for browser in (here, there, owner)] == [True, False, True]


def test_no_page_shows_what_a_cookie_or_the_database_holds_of_a_session(place: Site, owner: Browser) -> None:
    token = place.access.sessions.start(place.access.accounts.get("ada"), "192.0.2.1", now=datetime.now(UTC))
    caller = place.access.sessions.caller(token, datetime.now(UTC))
    assert caller is not None

    text = owner.get(person(place, "ada")).text

    assert public(caller.session_id)[:8] in text
    assert token not in text
    assert caller.session_id not in text


def test_a_token_is_made_shown_once_and_revoked(place: Site, owner: Browser) -> None:
    made = owner.post("/tokens", {"name": "ci", "role": "viewer", "grants": "env:prod", "days": "30"})
    token = re.search(r"rqd_[\w-]+", made.text)
    assert token is not None
    caller = place.access.tokens.caller(token[0], datetime.now(UTC))
    listed = owner.get("/tokens").text
    owner.post("/tokens/revoke", {"name": "ci"})

    assert caller is not None
    assert caller.grants == ("env:prod",)
    assert "every backend of prod" in listed
    assert token[0] not in listed
    assert place.access.tokens.caller(token[0], datetime.now(UTC)) is None
    assert [entry.verb for entry in place.access.audit.entries(2)] == ["revoke token", "add token"]


@pytest.mark.parametrize("days", ["0.5", "-1", "4000", "many"])
def test_a_token_of_no_length_is_refused(place: Site, owner: Browser, days: str) -> None:
    refused = owner.post("/tokens", {"name": "ci", "role": "viewer", "grants": "*", "days": days})

    assert refused.status_code == 400
    assert place.access.tokens.list() == ()


def test_programs_of_an_owner_do_the_same(place: Site) -> None:
    headers = place.token("admin")

    made = place.stranger().post("/api/v1/people", json={"name": "mira", "role": "viewer", "grants": ["a", "env:prod"]}, headers=headers)
    listed = place.stranger().get("/api/v1/people", headers=headers).json["people"]

    assert place.access.links.is_good(made.json["link"], datetime.now(UTC))
    assert [(row["account"]["name"], row["account"]["grants"]) for row in listed] == [("ada", ["orders-*"]), ("mira", ["a", "env:prod"])]


@pytest.mark.parametrize("who", [("viewer", ("*",)), ("operator", ("*",)), ("admin", ("orders-*",)), ("admin", ("viewer:*",))])
def test_people_and_tokens_are_for_admins_of_everything(place: Site, who: tuple[str, tuple[str, ...]]) -> None:
    browser = place.sign_in(who[0], grants=who[1])

    answers = [
        browser.get("/people"),
        browser.get("/tokens"),
        browser.get(person(place, "ada")),
        browser.post("/people", {"name": "eve", "role": "admin", "grants": "*"}),
        browser.post(person(place, "ada", "reset")),
        browser.post("/tokens", {"name": "eve", "role": "admin", "grants": "*"}),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert "/people" not in browser.get("/account").text
    assert place.access.accounts.verify("ada", PASSWORD) is not None


@pytest.fixture
def access(store: Store) -> Access:
    return open_access(store, Settings(data_dir=store.data_dir))


def test_of_two_admins_who_demote_each_other_at_once_one_is_left(access: Access) -> None:
    names = ("ada", "ben")
    for name in names:
        access.accounts.add(name, role=Role.ADMIN, password=None)

    def demote(name: str) -> bool:
        try:
            access.accounts.change(name, role=Role.VIEWER, grants=("*",))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(demote, names))

    assert sorted(done) == [False, True]
    assert [account.is_owner for account in access.accounts.list()].count(True) == 1


def test_listed_sessions_are_those_that_last_and_say_when_they_were_seen(access: Access) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    account = access.accounts.add("ada", role=Role.VIEWER, password=None)
    access.sessions.start(account, "192.0.2.1", now=now - timedelta(hours=9))
    token = access.sessions.start(account, "192.0.2.2", now=now - timedelta(hours=1))
    access.sessions.caller(token, now)

    (shown,) = access.sessions.of(account.id, now)

    assert (shown.address, shown.since, shown.last_seen_at) == ("192.0.2.2", now - timedelta(hours=1), now)
    assert access.sessions.open(now) == {account.id: (shown,)}
    assert access.accounts.get("ada").last_seen_at == now


def test_a_session_is_revoked_by_its_public_id_and_by_its_owners_account_alone(access: Access) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    ada, ben = (access.accounts.add(name, role=Role.VIEWER, password=None) for name in ("ada", "ben"))
    token = access.sessions.start(ada, "", now=now)
    (shown,) = access.sessions.of(ada.id, now)

    refusals: list[Callable[[], None]] = [
        lambda: access.sessions.revoke(ben.id, shown.id),
        lambda: access.sessions.revoke(ada.id, "x"),
    ]
    for refused in refusals:
        with pytest.raises(NotFound):
            refused()
    still = access.sessions.caller(token, now)
    access.sessions.revoke(ada.id, shown.id)

    assert still is not None
    assert access.sessions.caller(token, now) is None
