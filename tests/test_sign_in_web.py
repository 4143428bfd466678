"""Signing in through the web: closed by default, throttled, renewed, ended; links once; tokens for the API alone; CSRF."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from rqdash.access.throttle import ACCOUNT_FAILURES
from rqdash.model.caller import Role
from rqdash.web.binding import COOKIE
from tests.pages import Document
from tests.site import Site, site

NAME, PASSWORD = "ada", "correct horse battery"
WRONG = "The name or the password is wrong."


@pytest.fixture
def place(tmp_path: Path) -> Site:
    """A dashboard without backends, with one operator who has a password."""
    found = site(tmp_path / "data")
    found.access.accounts.add(NAME, role=Role.OPERATOR, password=PASSWORD)
    return found


def sign_in(client: FlaskClient, *, name: str = NAME, password: str = PASSWORD, at: str = "/sign-in", base: str = "") -> TestResponse:
    """Fills in the form that the sign-in page at that address has."""
    options = {"base_url": base} if base else {}
    form = Document(client.get(at, **options).get_data(as_text=True)).form("/sign-in")
    headers = {"Referer": f"{base}{at}"} if base else {}
    return client.post(form.action, data=form.data(typed={"name": name, "password": password}), headers=headers, **options)


def cookie(response: TestResponse, name: str = COOKIE) -> Morsel[str]:
    """The cookie of this name that an answer sets."""
    found: SimpleCookie = SimpleCookie()
    for header in response.headers.getlist("Set-Cookie"):
        found.load(header)
    return found[name]


def is_in(client: FlaskClient) -> bool:
    """Whether the overview answers this browser."""
    return client.get("/").status_code == 200


def with_cookie(place: Site, token: str) -> FlaskClient:
    client = place.app.test_client()
    client.set_cookie(COOKIE, token)
    return client


@pytest.mark.parametrize("path", ["/", "/queues?size=100", "/workers", "/connections", "/b/any/queue?name=mail", "/account"])
def test_a_stranger_is_led_to_sign_in_and_back(place: Site, path: str) -> None:
    client = place.stranger()

    refused = client.get(path)
    entered = sign_in(client, at=refused.headers["Location"])

    assert refused.status_code == 303
    assert refused.headers["Location"].startswith("/sign-in")
    assert entered.status_code == 303
    assert entered.headers["Location"] == path


def test_a_stranger_at_an_address_too_long_to_come_back_to_signs_in_all_the_same(place: Site) -> None:
    refused = place.stranger().get("/b/any/queue", query_string={"name": "木" * 340})

    assert (refused.status_code, refused.headers["Location"]) == (303, "/sign-in")


def test_the_right_password_signs_in_and_a_wrong_one_says_nothing_of_which_was_wrong(place: Site) -> None:
    right, wrong, nobody = place.stranger(), place.stranger(), place.stranger()

    answers = [sign_in(right), sign_in(wrong, password="no"), sign_in(nobody, name="eve")]

    assert [answer.status_code for answer in answers] == [303, 401, 401]
    assert [is_in(client) for client in (right, wrong, nobody)] == [True, False, False]
    assert WRONG in answers[1].get_data(as_text=True)
    assert WRONG in answers[2].get_data(as_text=True)
    assert PASSWORD not in answers[0].get_data(as_text=True)


def test_wrong_passwords_are_throttled_across_processes_whatever_the_next_one_is(place: Site, tmp_path: Path) -> None:
    other = site(tmp_path / "data")
    places = [place, other]

    statuses = [sign_in(places[turn % 2].stranger(), password="no").status_code for turn in range(ACCOUNT_FAILURES)]
    right = [sign_in(each.stranger()) for each in places]

    assert statuses == [401] * ACCOUNT_FAILURES
    assert [answer.status_code for answer in right] == [429, 429]
    assert "Too many failed sign-ins. Try again in" in right[0].get_data(as_text=True)


def test_signing_in_again_renews_the_session_and_the_old_cookie_is_dead(place: Site) -> None:
    client = place.stranger()
    first = cookie(sign_in(client)).value
    old_csrf = Document(client.get("/account").get_data(as_text=True)).form("/sign-out").data()["csrf_token"]

    page = place.stranger().get("/sign-in").get_data(as_text=True)
    assert Document(page).form("/sign-in")
    second = cookie(client.post("/sign-in", data={"csrf_token": old_csrf, "name": NAME, "password": PASSWORD})).value

    assert first != second
    assert not is_in(with_cookie(place, first))
    assert is_in(with_cookie(place, second))


def test_signing_out_ends_the_session_and_not_only_the_cookie(place: Site) -> None:
    client = place.stranger()
    token = cookie(sign_in(client)).value
    form = Document(client.get("/account").get_data(as_text=True)).form("/sign-out")

    answer = client.post(form.action, data=form.data())

    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert cookie(answer).value == ""
    assert not is_in(client)
    assert not is_in(with_cookie(place, token))


def test_a_new_password_ends_every_other_session_and_renews_this_one(place: Site) -> None:
    client, elsewhere = place.stranger(), place.stranger()
    before, _ = cookie(sign_in(client)).value, sign_in(elsewhere)
    form = Document(client.get("/account").get_data(as_text=True)).form("/account")
    typed = {"old": PASSWORD, "new": "another horse entirely", "repeated": "another horse entirely"}

    answer = client.post(form.action, data=form.data(typed=typed))

    assert answer.status_code == 303
    assert cookie(answer).value != before
    assert [is_in(each) for each in (client, elsewhere, with_cookie(place, before))] == [True, False, False]
    assert sign_in(place.stranger()).status_code == 401
    assert sign_in(place.stranger(), password="another horse entirely").status_code == 303


@pytest.mark.parametrize("typed", [{"old": "wrong"}, {"repeated": "something else here"}, {"new": "short", "repeated": "short"}])
def test_a_password_is_not_changed_by_a_form_with_a_mistake(place: Site, typed: Mapping[str, str]) -> None:
    client = place.stranger()
    sign_in(client)
    form = Document(client.get("/account").get_data(as_text=True)).form("/account")
    good = {"old": PASSWORD, "new": "another horse entirely", "repeated": "another horse entirely"}

    answer = client.post(form.action, data=form.data(typed={**good, **typed}))

    assert answer.status_code == 400
    assert is_in(client)
    assert sign_in(place.stranger()).status_code == 303


@pytest.mark.parametrize(
    ("secure", "base", "expected"),
    [
        ("auto", "http://localhost", False),
        ("auto", "https://localhost", True),
        ("on", "https://localhost", True),
        ("off", "https://localhost", False),
    ],
)
def test_cookies_are_for_this_site_alone_and_secure_where_they_can_be(tmp_path: Path, secure: str, base: str, expected: bool) -> None:
    place = site(tmp_path / "data", RQDASH_SECURE_COOKIES=secure)
    place.access.accounts.add(NAME, role=Role.VIEWER, password=PASSWORD)
    client = place.stranger()

    found = [cookie(client.get("/sign-in", base_url=base), "rqdash_form"), cookie(sign_in(client, base=base))]

    assert [(each["httponly"], each["samesite"], each["path"]) for each in found] == [(True, "Lax", "/")] * 2
    assert [bool(each["secure"]) for each in found] == [expected] * 2


def test_cookies_are_secure_behind_a_proxy_that_says_https_and_asked_for_always(tmp_path: Path) -> None:
    proxied, always = site(tmp_path / "proxied", RQDASH_TRUSTED_PROXIES="1"), site(tmp_path / "always", RQDASH_SECURE_COOKIES="on")

    https = cookie(proxied.stranger().get("/sign-in", headers={"X-Forwarded-Proto": "https"}), "rqdash_form")
    http = cookie(proxied.stranger().get("/sign-in"), "rqdash_form")
    plain = cookie(always.stranger().get("/sign-in"), "rqdash_form")

    assert [bool(each["secure"]) for each in (https, http, plain)] == [True, False, True]


def test_a_one_time_link_is_spent_by_its_button_and_not_by_looking_at_it(place: Site) -> None:
    token = place.access.links.issue("grace", now=datetime.now(UTC), role=Role.ADMIN)
    curious, owner, thief = place.stranger(), place.stranger(), place.stranger()
    looks = [curious.get(f"/sign-in/link?token={token}").status_code for _ in range(3)]
    forms = [Document(client.get(f"/sign-in/link?token={token}").get_data(as_text=True)).form("/link") for client in (owner, thief)]

    answers = [client.post(form.action, data=form.data()) for client, form in zip((owner, thief), forms, strict=True)]

    assert looks == [200, 200, 200]
    assert [answer.status_code for answer in answers] == [303, 403]
    assert [is_in(client) for client in (curious, owner, thief)] == [False, True, False]
    assert "used already or is too old" in answers[1].get_data(as_text=True)
    assert "grace, admin" in owner.get("/").get_data(as_text=True)


def test_tokens_open_the_api_alone_and_cookies_all_but_the_api(place: Site) -> None:
    token, client = place.token("admin"), place.stranger()
    sign_in(client)

    by_token = [place.stranger().get(path, headers=token).status_code for path in ("/api/v1/", "/", "/account", "/connections")]
    by_cookie = [client.get(path).status_code for path in ("/api/v1/", "/api/v1/queues", "/")]

    assert by_token == [200, 303, 303, 303]
    assert by_cookie == [401, 401, 200]


@pytest.mark.parametrize(
    "evil",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "https://evil.example",
        "https:evil",
        "javascript:alert(1)",
        "/\t/evil",
        " //evil",
        "/%0a/e",
    ],
)
def test_signing_in_leads_nowhere_else(place: Site, evil: str) -> None:
    client = place.stranger()
    form = Document(client.get("/sign-in", query_string={"next": evil}).get_data(as_text=True)).form("/sign-in")

    answer = client.post(form.action, data={**form.data(), "name": NAME, "password": PASSWORD, "next": evil})

    assert answer.status_code == 303
    assert answer.headers["Location"] in ("/", "/%0a/e")
    assert form.data().get("next", [""]) in ([""], ["/%0a/e"])


@pytest.mark.parametrize("token", [{}, {"csrf_token": "made-up"}])
def test_a_form_without_our_token_does_nothing(place: Site, token: Mapping[str, str]) -> None:
    client = place.stranger()
    sign_in(client)

    out = client.post("/sign-out", data=token)
    into = place.stranger().post("/sign-in", data={**token, "name": NAME, "password": PASSWORD})

    assert (out.status_code, into.status_code) == (400, 400)
    assert is_in(client)
    assert COOKIE not in str(into.headers.getlist("Set-Cookie"))


def test_the_token_of_another_browser_is_no_token_of_ours(place: Site) -> None:
    client, other = place.stranger(), place.stranger()
    sign_in(client)
    sign_in(other)
    theirs = Document(other.get("/account").get_data(as_text=True)).form("/sign-out").data()

    answer = client.post("/sign-out", data=theirs)

    assert answer.status_code == 400
    assert is_in(client)


def test_each_way_in_and_out_is_one_audited_row_without_the_password(place: Site) -> None:
    client = place.stranger()
    sign_in(client, password="not this one")
    sign_in(client)
    form = Document(client.get("/account").get_data(as_text=True)).form("/sign-out")
    client.post(form.action, data=form.data())

    rows = place.access.audit.entries()

    assert [(row.verb, dict(row.outcomes)) for row in reversed(rows)] == [
        ("sign-in", {"done": 1}),
        ("sign-out", {"done": 1}),
    ]
    assert all(row.address == "127.0.0.1" for row in rows)
    assert PASSWORD not in str(rows)
    assert "not this one" not in str(rows)
