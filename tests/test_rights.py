"""Roles that differ from backend to backend: what a grant covers, and that every route obeys, page and write alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from rqdash.access.rules import rights
from rqdash.backends.backend import Backend
from rqdash.backends.gather import Gatherer
from rqdash.demo.servers import Server
from rqdash.errors import Denied, Invalid, NotFound
from rqdash.model import names
from rqdash.model.caller import ALLOWED, Caller, Permission, Role
from rqdash.model.profile import Profile
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.store import open_store
from rqdash.store.clock import utc_now
from rqdash.web import seam
from rqdash.web.forms import Raw
from rqdash.web.pages import ROUTES
from rqdash.web.route import Route
from rqdash.web.services import Services
from tests.conftest import backend_of
from tests.operating import fail_jobs
from tests.pages import Document
from tests.site import Browser, Site, site

ORDERS, MAIL = "orders-1", "mail-1"
ENVIRONMENTS = {ORDERS: "prod", MAIL: "Test"}
GUARDED = [route for route in ROUTES if route.permission is not Permission.PUBLIC]
ROLES = (None, Role.VIEWER, Role.OPERATOR, Role.ADMIN)
NAMES = st.sampled_from(["orders-1", "orders-2", "mail-1", "prod", "env"])
LABELS = st.sampled_from(["", "prod", "Prod", "staging", "eu-1"])
OVERS = st.sampled_from(["*", "orders-*", "mail-1", "env:prod", "env:*", "env:stag*", "?nv"])


@dataclass(frozen=True, slots=True)
class Case:
    """What somebody was given, and, written out by hand, the role that it is on each backend; is_owner: rqdash itself is theirs too."""

    role: Role
    grants: tuple[str, ...]
    on: dict[str, Role | None]
    is_owner: bool = False


CASES = (
    Case(Role.VIEWER, ("*",), {ORDERS: Role.VIEWER, MAIL: Role.VIEWER}),
    Case(Role.OPERATOR, ("orders-*",), {ORDERS: Role.OPERATOR, MAIL: None}),
    Case(Role.OPERATOR, ("orders-*", "viewer:env:test"), {ORDERS: Role.OPERATOR, MAIL: Role.VIEWER}),
    Case(Role.VIEWER, ("operator:env:prod", "admin:mail-?"), {ORDERS: Role.OPERATOR, MAIL: Role.ADMIN}),
    Case(Role.ADMIN, ("env:prod",), {ORDERS: Role.ADMIN, MAIL: None}),
    Case(Role.ADMIN, ("viewer:*", "orders-1"), {ORDERS: Role.ADMIN, MAIL: Role.VIEWER}),
    Case(Role.ADMIN, ("viewer:*",), {ORDERS: Role.VIEWER, MAIL: Role.VIEWER}),
    Case(Role.VIEWER, ("admin:*",), {ORDERS: Role.ADMIN, MAIL: Role.ADMIN}, is_owner=True),
    Case(Role.ADMIN, ("orders-*", "mail-*"), {ORDERS: Role.ADMIN, MAIL: Role.ADMIN}),
    Case(Role.OPERATOR, ("env:staging",), {ORDERS: None, MAIL: None}),
)


@given(role=st.sampled_from(list(Role)), own=st.sampled_from(["", *Role]), over=OVERS, name=NAMES, label=LABELS)
def test_a_grant_gives_its_role_where_its_glob_matches_and_nothing_elsewhere(
    role: Role, own: str, over: str, name: str, label: str
) -> None:
    caller = Caller("account", "mira", role, (f"{own}:{over}" if own else over,), environments={name: label})
    glob = over.removeprefix("env:")

    covered = fnmatchcase(label.lower(), glob) if over.startswith("env:") else fnmatchcase(name, over)

    expected = Role(own or role) if covered else None
    assert caller.role_on(name) == expected
    for permission in (Permission.VIEW, Permission.OPERATE, Permission.ADMIN):
        assert caller.may(permission, name) == (expected is not None and ALLOWED[expected] >= permission)


@given(grants=st.lists(st.tuples(st.sampled_from(list(Role)), OVERS), min_size=1, max_size=4), name=NAMES, label=LABELS)
def test_more_grants_never_give_less(grants: list[tuple[Role, str]], name: str, label: str) -> None:
    texts = tuple(f"{role}:{over}" for role, over in grants)
    most = Caller("account", "mira", Role.VIEWER, texts, environments={name: label}).role_on(name)

    alone = [Caller("account", "mira", Role.VIEWER, (text,), environments={name: label}).role_on(name) for text in texts]

    assert most == max((role for role in alone if role), key=ROLES.index, default=None)


def test_a_backend_whose_environment_nobody_knows_is_covered_by_name_alone() -> None:
    caller = Caller("account", "mira", Role.ADMIN, ("env:prod", "viewer:orders-*"))

    assert (caller.role_on(ORDERS), caller.role_on(MAIL)) == (Role.VIEWER, None)


@pytest.mark.parametrize(
    ("role", "grants", "field"),
    [
        ("", ("orders-*",), "role"),
        ("", (), "role"),
        ("boss", ("*",), "role"),
        ("viewer", ("boss:*",), "grants"),
        ("viewer", ("Orders",), "grants"),
        ("viewer", ("env:",), "grants"),
        ("viewer", ("viewer:",), "grants"),
        ("viewer", ("viewer:operator:*",), "grants"),
        ("viewer", tuple(f"b{number}" for number in range(51)), "grants"),
    ],
)
def test_rights_that_cannot_be_are_refused_by_field(role: str, grants: tuple[str, ...], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        rights(role, grants)

    assert list(raised.value.problems) == [field]


def test_rights_are_read_as_people_write_them() -> None:
    assert rights("operator", ("orders-*, viewer:env:prod  orders-*",)).grants == ("orders-*", "viewer:env:prod")
    assert rights("", ("operator:orders-*",)).role is Role.VIEWER
    assert rights("admin", ()).grants == ("*",)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, _shared_server: Server) -> Site:
    """Two backends of different environments on one server."""
    backends: dict[str, Backend] = {}
    for name, environment in ENVIRONMENTS.items():
        plain = backend_of(_shared_server, name=name)
        backends[name] = Backend(replace(plain.profile, environment=environment), reader=plain.reader, writer=plain.writer)
    return site(tmp_path_factory.mktemp("data"), backends)


def expected(route: Route, case: Case, backend: str) -> type[Exception] | None:
    """What the rules say, from the role written out in the case: no grant is 404, too low a role 403, else nothing is in the way."""
    if "<backend>" not in route.rule and "<profile>" not in route.rule:
        highest = max((role for role in case.on.values() if role), key=ROLES.index, default=case.role)
        is_enough = case.is_owner if route.permission is Permission.OWN else ALLOWED[highest] >= route.permission
        return None if is_enough else Denied
    role = case.on[backend]
    if role is None:
        return NotFound
    return None if ALLOWED[role] >= route.permission else Denied


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.role} {' '.join(case.grants)}")
def test_every_route_obeys_the_role_of_each_backend(place: Site, case: Case) -> None:
    """Refusals as a program meets them, by the status; what may pass, by the seam alone, so that nothing is written."""
    headers = place.token(case.role, grants=case.grants, name=f"case-{CASES.index(case)}")
    api = place.stranger()
    profiles = tuple(Profile(name=name, environment=label) for name, label in ENVIRONMENTS.items())
    services = Services({}, place.access, Gatherer(deadline_s=1), clock=utc_now, known=lambda: profiles, others={})
    caller = Caller("token", "mira", case.role, case.grants, environments=ENVIRONMENTS)
    wrong = []
    for route in GUARDED:
        for backend in ENVIRONMENTS:
            path = {"backend": backend} if "<backend>" in route.rule else {"profile": backend} if "<profile>" in route.rule else {}
            refusal = expected(route, case, backend)
            try:
                seam.admit(services, route, Raw(path), caller)
                found: type[Exception] | None = None
            except (Denied, NotFound) as error:
                found = type(error)
            status = 0
            if refusal and route.in_api:
                address = route.rule.replace("<backend>", backend).replace("<profile>", backend)
                status = api.open(f"/api/v1{address}", method=route.method, headers=headers).status_code
            if found is not refusal or status not in (0, 404 if refusal is NotFound else 403):
                wrong.append((route.endpoint, backend, found, status))

    assert wrong == []


@pytest.fixture
def mixed(place: Site, redis_client: redis.Redis) -> Browser:
    """An operator of one backend who may look at the other, with failed jobs on both."""
    fail_jobs(redis_client, 3)
    return place.sign_in("operator", grants=("orders-*", "viewer:env:test"))


def buttons(browser: Browser, path: str) -> list[str]:
    page = Document(browser.get(path).get_data(as_text=True))
    return [button.text for form in page.forms if form.method == "post" for button in form.buttons]


def test_buttons_appear_where_the_role_allows(mixed: Browser) -> None:
    mine, theirs = (buttons(mixed, f"/b/{name}/queue?name=mail&registry=failed") for name in (ORDERS, MAIL))

    assert mine != []
    assert theirs == []


def test_a_write_where_the_caller_may_only_look_is_refused_and_does_nothing(mixed: Browser, redis_client: redis.Redis) -> None:
    form = Document(mixed.get(f"/b/{ORDERS}/queue?name=mail&registry=failed").get_data(as_text=True)).form("/jobs/requeue")

    answer = mixed.client.post(f"/b/{MAIL}/jobs/requeue", data=form.data(typed={"id": names.to_form("job-00000")}))

    assert answer.status_code == 403
    assert f"operator on {MAIL}; you are viewer there" in answer.get_data(as_text=True)
    assert redis_client.zcard("rq:failed:mail") == 3


def test_jobs_go_nowhere_that_the_caller_may_only_look_at(mixed: Browser, redis_client: redis.Redis) -> None:
    form = Document(mixed.get(f"/b/{ORDERS}/queue?name=mail&registry=failed").get_data(as_text=True)).form("/jobs/move")
    asked = {"id": names.to_form("job-00000"), "to_backend": MAIL, "asked_of": MAIL, "confirmed": "1"}

    answer = mixed.client.post(f"/b/{ORDERS}/jobs/move", data=form.data(typed=asked))
    planned = [
        mixed.post("/operations", {"verb": "requeue", "on": MAIL, "q": "status:failed", "as_of": "2030-01-01T00:00:00Z"}),
        mixed.post(
            "/operations", {"verb": "copy", "on": ORDERS, "to_backend": MAIL, "q": "status:failed", "as_of": "2030-01-01T00:00:00Z"}
        ),
    ]

    assert [answer.status_code, *(one.status_code for one in planned)] == [403, 403, 403]
    assert redis_client.zcard("rq:failed:mail") == 3


def test_an_operation_is_led_by_who_may_change_all_of_its_backends(place: Site, mixed: Browser) -> None:
    asked = {"verb": "copy", "on": MAIL, "to_backend": ORDERS, "q": "status:failed", "as_of": "2030-01-01T00:00:00Z"}
    path = place.sign_in("operator").post("/operations", asked).headers["Location"]

    started = mixed.post(f"{path}/start")

    assert mixed.get(path).status_code == 200
    assert started.status_code == 403
    assert buttons(mixed, path) == []


@pytest.fixture
def registry(tmp_path: Path) -> tuple[Site, Profiles]:
    """A site with a registry of its own, which holds the two profiles, disabled."""
    made = site(tmp_path)
    profiles = open_profiles(open_store("", data_dir=tmp_path), made.settings)
    for name, environment in ENVIRONMENTS.items():
        profiles.create(Profile(name=name, environment=environment, enabled=False), by="test")
    return made, profiles


NEW = {"kind": "standalone", "host": "localhost", "port": "6379", "db": "0"}


def edited(page: Document, endpoint: str, **typed: str) -> dict[str, list[str]]:
    return page.form(endpoint).data(typed=typed)


def test_an_admin_of_some_makes_connections_among_those_alone(registry: tuple[Site, Profiles]) -> None:
    place, profiles = registry
    browser = place.sign_in("admin", grants=("orders-*", "viewer:*"))
    page = Document(browser.get("/connections/new").get_data(as_text=True))

    outside = browser.client.post("/connections/new", data=edited(page, "/connections/new", name="mail-2", **NEW))
    inside = browser.client.post("/connections/new", data=edited(page, "/connections/new", name="orders-2", **NEW))

    assert outside.status_code == 400
    assert "You are admin of orders-*: under this name and environment the connection would be out of your reach." in outside.text
    assert inside.status_code == 303
    assert profiles.names == (ORDERS, MAIL, "orders-2")


def test_an_admin_of_an_environment_does_not_edit_or_restore_a_connection_out_of_it(registry: tuple[Site, Profiles]) -> None:
    place, profiles = registry
    stored = profiles.get(ORDERS)
    profiles.update(ORDERS, replace(stored, environment="eu"), version=1, by="test")
    profiles.update(ORDERS, replace(stored, environment="prod"), version=2, by="test")
    browser = place.sign_in("admin", grants=("env:prod",))
    page = Document(browser.get(f"/connections/{ORDERS}/edit").get_data(as_text=True))

    moved = browser.client.post(f"/connections/{ORDERS}/edit", data=edited(page, f"/{ORDERS}/edit", environment="eu"))
    restored = browser.post(f"/connections/{ORDERS}/restore", {"revision": "2", "version": "3"})

    assert [moved.status_code, restored.status_code] == [400, 400]
    assert profiles.get(ORDERS).environment == "prod"


def test_the_list_of_connections_shows_those_that_the_caller_is_admin_of(registry: tuple[Site, Profiles]) -> None:
    place, _ = registry
    shown = place.sign_in("admin", grants=("viewer:*", "env:prod")).get("/connections").get_data(as_text=True)

    assert f"/connections/{ORDERS}" in shown
    assert f"/connections/{MAIL}" not in shown
