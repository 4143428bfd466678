"""The connections' pages: saved and refused through their forms, and secrets that go in and never come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from rqdash.demo.servers import HOST, Server, free_port
from rqdash.model.profile import Secrets
from tests.editing import EDIT, NEW, TEST, listening, press, registry, submit
from tests.pages import Document
from tests.site import Browser, Site, site

USER, PASSWORD = "rqdash", "swordfish-7731"


@pytest.fixture
def place(tmp_path: Path) -> Site:
    return site(tmp_path / "data")


@pytest.fixture
def admin(place: Site) -> Browser:
    return place.sign_in("admin", name="ada")


@pytest.fixture
def guarded(redis_client: redis.Redis, server: Server) -> Iterator[Server]:
    """A server with a user who has the password, and one queue."""
    redis_client.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", "~*", "&*", "+@all")
    redis_client.sadd("rq:queues", "rq:queue:invoices")
    yield server
    redis_client.execute_command("ACL", "DELUSER", USER)


@pytest.fixture
def orders(admin: Browser, guarded: Server) -> Server:
    """A server whose connection, orders, was saved through the form."""
    typed = {"name": "orders", "host": HOST, "port": str(guarded.port), "username": USER, "password": PASSWORD}
    assert submit(admin, NEW, typed)[0] == 303
    return guarded


def test_a_saved_connection_is_used_at_once_and_marked_to_have_its_password(admin: Browser, orders: Server) -> None:
    editor = Document(admin.get(EDIT).get_data(as_text=True))

    assert "/b/orders/queue?name=invoices" in {link.href for link in Document(admin.get("/").get_data(as_text=True)).links}
    assert "Empty keeps the one that is stored." in editor.text
    assert ("password", "") in editor.form(TEST).fields
    assert ("clear_password", "1") in editor.form(TEST).ticks


def test_a_saved_password_comes_out_nowhere(place: Site, admin: Browser, orders: Server) -> None:
    headers = place.token("admin")
    places = ("/", "/queues", "/workers", "/connections", EDIT, "/connections/orders/delete", "/b/orders/queue?name=invoices")

    pages = [submit(admin, EDIT, {"port": "x"})[1], submit(admin, EDIT, {}, button="Test")[1]]
    pages += [admin.get(path).get_data(as_text=True) for path in places]
    pages += [admin.client.get(f"/api/v1{path}", headers=headers).get_data(as_text=True) for path in places]

    assert [page for page in pages if PASSWORD in page] == []
    assert PASSWORD not in str(place.access.audit.entries())
    assert PASSWORD not in str(registry(place).get("orders"))
    assert [found for found in place.settings.data_dir.rglob("*") if found.is_file() and PASSWORD.encode() in found.read_bytes()] == []


def test_a_save_from_an_older_page_answers_409_with_what_changed_and_keeps_what_was_typed(
    place: Site, admin: Browser, orders: Server
) -> None:
    drawn = admin.get(EDIT).get_data(as_text=True)
    assert submit(place.sign_in("admin", name="grace"), EDIT, {"environment": "prod", "notes": "ask grace"})[0] == 303

    status, page = submit(admin, EDIT, {"notes": "mine"}, drawn=drawn)
    shown = Document(page)
    again, _ = submit(admin, EDIT, {"notes": "mine"}, drawn=page)

    assert status == 409
    assert all(words in shown.text for words in ("environment", "prod", "ask grace"))
    assert ("notes", "mine") in shown.form(TEST).fields
    assert again == 303
    assert registry(place).get("orders").notes == "mine"


def test_a_stored_password_goes_nowhere_else_when_the_host_is_saved_anew(place: Site, admin: Browser, orders: Server) -> None:
    before = registry(place).get("orders")
    with listening() as (port, heard):
        status, page = submit(admin, EDIT, {"port": str(port)})

    assert status == 400
    assert "Where this password goes has changed" in Document(page).text
    assert 'id="password-hint"' in page
    assert registry(place).get("orders") == before
    assert heard == []


def test_a_test_of_another_address_never_sends_the_stored_password_there(admin: Browser, orders: Server) -> None:
    with listening() as (port, heard):
        status, page = submit(admin, EDIT, {"port": str(port)}, button="Test")

    assert status == 400
    assert "Where this password goes has changed" in Document(page).text
    assert heard == []


def test_a_password_typed_again_goes_to_the_new_address_and_to_it_alone(place: Site, admin: Browser, orders: Server) -> None:
    with listening() as (port, heard):
        submit(admin, EDIT, {"port": str(port), "password": "another-one"}, button="Test")
    saved, _ = submit(admin, EDIT, {"port": str(free_port()), "password": "another-one"})

    assert any(b"another-one" in said for said in heard)
    assert not any(PASSWORD.encode() in said for said in heard)
    assert saved == 303
    assert registry(place).secrets(registry(place).get("orders")) == Secrets("another-one")


def test_an_edit_that_moves_nothing_keeps_the_password(place: Site, admin: Browser, orders: Server) -> None:
    status, _ = submit(admin, EDIT, {"notes": "the shop", "environment": "prod"})

    assert status == 303
    assert registry(place).secrets(registry(place).get("orders")) == Secrets(PASSWORD)


def test_the_tick_clears_the_password(place: Site, admin: Browser, orders: Server) -> None:
    status, _ = submit(admin, EDIT, {"clear_password": "1"})

    assert status == 303
    assert registry(place).secrets(registry(place).get("orders")) == Secrets()


def test_an_edit_in_one_process_is_seen_by_the_next_request_of_another(
    place: Site, admin: Browser, orders: Server, tmp_path: Path, start: Callable[..., Server]
) -> None:
    other = site(tmp_path / "data").sign_in("viewer")
    elsewhere = start()
    with elsewhere.client() as client:
        client.sadd("rq:queues", "rq:queue:parcels")
    seen = [other.get("/").get_data(as_text=True)]

    submit(admin, EDIT, {"port": str(elsewhere.port), "username": "", "clear_password": "1"})
    seen.append(other.get("/").get_data(as_text=True))
    press(admin, "Disable")
    disabled = other.get("/b/orders/queue?name=parcels").status_code
    press(admin, "Enable")

    assert [("invoices" in page, "parcels" in page) for page in seen] == [(True, False), (False, True)]
    assert (disabled, other.get("/b/orders/queue?name=parcels").status_code) == (404, 200)


def test_a_connection_is_deleted_only_when_its_name_is_typed_and_a_copy_keeps_it_apart(place: Site, admin: Browser, orders: Server) -> None:
    press(admin, "Duplicate")
    form = Document(admin.get("/connections/orders/delete").get_data(as_text=True)).form("/delete")
    refused = [admin.client.post(form.action, data=form.data(typed={"typed": name})).status_code for name in ("", "order")]
    kept = registry(place).names

    deleted = admin.client.post(form.action, data=form.data(typed={"typed": "orders"})).status_code

    assert (refused, kept, deleted) == ([400, 400], ("orders", "orders-2"), 303)
    assert registry(place).names == ("orders-2",)
    assert not registry(place).get("orders-2").enabled
    assert registry(place).secrets(registry(place).get("orders-2")) == Secrets(PASSWORD)


def test_each_change_of_a_connection_is_one_audited_row_of_who_and_where_from(place: Site, admin: Browser, orders: Server) -> None:
    submit(admin, EDIT, {"notes": "a"})
    submit(admin, EDIT, {"port": "x"})
    submit(admin, EDIT, {}, button="Test")
    press(admin, "Disable")

    rows = list(reversed(place.access.audit.entries()))

    assert [row.verb for row in rows] == [
        "create connection",
        "edit connection",
        "edit connection",
        "test connection",
        "disable connection",
    ]
    assert [dict(row.outcomes) for row in rows] == [{"done": 1}, {"done": 1}, {"refused": 1}, {"done": 1}, {"done": 1}]
    assert {(row.kind, row.name, row.address) for row in rows} == {("account", "ada", "127.0.0.1")}
    assert {row.backend or row.values.get("name") for row in rows} == {"orders"}


def test_operators_and_viewers_neither_see_nor_change_connections(place: Site, orders: Server) -> None:
    drawn = place.sign_in("admin").get(EDIT).get_data(as_text=True)
    before = registry(place).get("orders")

    for role in ("operator", "viewer"):
        browser = place.sign_in(role)
        looks = [browser.get(path).status_code for path in ("/connections", NEW, EDIT, "/connections/orders/delete")]
        form = Document(drawn).form(TEST).data(typed={"notes": "mine", "csrf_token": browser.token()})
        posts = [browser.client.post(path, data=form).status_code for path in (EDIT, TEST, NEW)]

        assert (looks, posts) == ([403] * 4, [403] * 3)
    assert registry(place).get("orders") == before
