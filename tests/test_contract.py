"""What holds for every route alike: routes are data, so the tests quantify over them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, free_port
from rqdash.model.caller import Permission
from rqdash.web.pages import ROUTES
from rqdash.web.route import Route, Scope
from tests.conftest import backend_of
from tests.site import Site, site

STRANGERS_MAY = {"sign_in", "sign_in_post", "link", "link_post", "live", "ready"}
PAGES = [route for route in ROUTES if route.method == "GET"]
WRITES = [route for route in ROUTES if route.method == "POST"]
GUARDED = [route for route in ROUTES if route.permission is not Permission.PUBLIC]


def name_of(route: Route) -> str:
    return route.endpoint


def address(route: Route, *, backend: str = "down", prefix: str = "") -> str:
    path = route.rule.replace("<backend>", backend).replace("<profile>", backend)
    query = "?name=mail&id=some-job" if route.scope is Scope.ONE and route.method == "GET" else ""
    return f"{prefix}{path}{query}"


@pytest.fixture(scope="module")
def down_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose two backends both refuse connections."""
    nobody = Server(Path(), free_port())
    backends: dict[str, Backend] = {name: backend_of(nobody, name=name) for name in ("down", "gone")}
    return site(tmp_path_factory.mktemp("data"), backends)


def test_the_route_table_covers_every_endpoint_of_the_app(down_site: Site) -> None:
    bound = {rule.endpoint.removeprefix("api.") for rule in down_site.app.url_map.iter_rules()} - {"static"}

    assert bound == {route.endpoint for route in ROUTES}


def test_only_sign_in_and_health_answer_a_stranger() -> None:
    assert {route.endpoint for route in ROUTES if route.permission is Permission.PUBLIC} == STRANGERS_MAY


def test_every_write_asks_more_than_view() -> None:
    own_account = {"sign_out", "change_password", "session_end", "sign_in_post", "link_post"}

    assert {route.endpoint for route in WRITES if route.permission <= Permission.VIEW} == own_account


def test_every_write_is_audited_by_its_action_or_by_the_seam() -> None:
    assert [route.endpoint for route in WRITES if not (route.audit or "actor" in route.needs)] == []


@pytest.mark.parametrize("route", GUARDED, ids=name_of)
def test_a_stranger_is_refused(down_site: Site, route: Route) -> None:
    response = down_site.stranger().open(address(route), method=route.method)

    is_page = route.method == "GET" and not route.is_for_programs
    assert response.status_code == (303 if is_page else 401)
    assert not is_page or "/sign-in" in response.headers["Location"]


@pytest.mark.parametrize("route", [route for route in GUARDED if route.in_api], ids=name_of)
def test_a_stranger_is_refused_by_the_api(down_site: Site, route: Route) -> None:
    response = down_site.stranger().open(address(route, prefix="/api/v1"), method=route.method)

    assert response.status_code == 401
    assert response.json["code"] == "not_signed_in"


@pytest.mark.parametrize("route", [route for route in GUARDED if re.search("<(backend|profile|operation)>", route.rule)], ids=name_of)
def test_a_caller_without_a_grant_and_a_name_that_is_not_there_get_the_same_answer(down_site: Site, route: Route) -> None:
    browser = down_site.sign_in("admin", grants=("gone",))
    form = {"csrf_token": browser.token()} if route.method == "POST" else None

    ungranted = browser.client.open(address(route), method=route.method, data=form)
    missing = browser.client.open(address(route, backend="nowhere"), method=route.method, data=form)

    assert (ungranted.status_code, missing.status_code) == (404, 404)
    assert without_tokens(ungranted.get_data(as_text=True)).replace("down", "NAME") == without_tokens(
        missing.get_data(as_text=True)
    ).replace("nowhere", "NAME")


class Watched(Mapping[str, Backend]):
    """Backends that note which of them were looked up."""

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        self.backends = backends
        self.looked_up: list[str] = []

    def __getitem__(self, name: str) -> Backend:
        self.looked_up.append(name)
        return self.backends[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.backends)

    def __len__(self) -> int:
        return len(self.backends)


@pytest.mark.parametrize("route", [route for route in GUARDED if "<backend>" in route.rule], ids=name_of)
def test_access_is_decided_before_the_backend_is_looked_up(tmp_path: Path, route: Route) -> None:
    nobody = Server(Path(), free_port())
    watched = Watched({name: backend_of(nobody, name=name) for name in ("down", "gone")})
    strict = site(tmp_path, watched)
    ungranted = strict.sign_in("admin", grants=("gone",))
    form = {"csrf_token": ungranted.token()} if route.method == "POST" else None
    watched.looked_up.clear()

    strict.stranger().open(address(route), method=route.method)
    ungranted.client.open(address(route), method=route.method, data=form)
    strict.stranger().open(address(route, prefix="/api/v1"), method=route.method)
    strict.app.test_client().open(address(route, prefix="/api/v1"), method=route.method, headers=strict.token(grants=("gone",)))

    assert "down" not in watched.looked_up


def without_tokens(text: str) -> str:
    text = re.sub(r'value="[^"]{30,}"', "", text)
    return re.sub(r"<time.*?</time>", "", text, flags=re.S)


@pytest.mark.parametrize("route", [route for route in GUARDED if route.permission > Permission.VIEW], ids=name_of)
def test_a_viewer_is_refused_what_asks_more(down_site: Site, route: Route) -> None:
    browser = down_site.sign_in("viewer")
    form = {"csrf_token": browser.token()} if route.method == "POST" else None

    response = browser.client.open(address(route), method=route.method, data=form)

    assert response.status_code == 403


@pytest.mark.parametrize("route", WRITES, ids=name_of)
def test_a_write_without_a_csrf_token_is_refused(down_site: Site, route: Route) -> None:
    browser = down_site.sign_in("admin")

    response = browser.client.open(address(route), method="POST", data={})

    assert response.status_code == 400
    assert "form" in response.get_data(as_text=True)


# Profiles, operations and accounts are rows of the dashboard's own, and there are none of these names: their own tests look at their pages.
@pytest.mark.parametrize("route", [route for route in PAGES if not re.search("<(profile|operation|person)>", route.rule)], ids=name_of)
def test_every_page_renders_with_every_backend_down(down_site: Site, route: Route) -> None:
    response = down_site.sign_in("admin").get(address(route))

    text = response.get_data(as_text=True)
    assert response.status_code == (503 if route.scope is Scope.ONE else 303 if route.endpoint == "sign_in" else 200)
    assert route.scope is not Scope.ONE or "down" in text


@pytest.mark.parametrize("route", PAGES, ids=name_of)
def test_every_answer_carries_the_security_headers(down_site: Site, route: Route) -> None:
    response = down_site.stranger().get(address(route))

    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/nothing", "/b/down", "/api/v1/nothing", "/queues/"])
def test_an_address_that_is_none_says_so(down_site: Site, path: str) -> None:
    response = down_site.sign_in("viewer").get(path)

    assert response.status_code == 404


def test_a_get_of_a_write_says_which_method_it_takes(down_site: Site) -> None:
    response = down_site.sign_in("admin").get("/b/down/jobs/requeue")

    assert response.status_code == 405
    assert sorted(response.headers["Allow"].split(", ")) == ["OPTIONS", "POST"]


def test_a_body_is_not_read_before_access_is_decided(down_site: Site) -> None:
    deep = "[" * 200_000

    stranger = down_site.stranger().post("/api/v1/b/down/jobs/requeue", data=deep, content_type="application/json")
    known = down_site.stranger().post(
        "/api/v1/b/down/jobs/requeue", data=deep, content_type="application/json", headers=down_site.token("operator")
    )

    assert (stranger.status_code, known.status_code) == (401, 400)


def test_half_a_surrogate_pair_is_no_name(down_site: Site) -> None:
    body = {"queue": "\ud800", "registry": "failed", "ids": ["a"]}

    response = down_site.stranger().post("/api/v1/b/down/jobs/requeue", json=body, headers=down_site.token("operator"))

    assert response.status_code == 400
    assert response.json["problems"] == {"queue": "not text"}
