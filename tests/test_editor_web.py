"""The connections' editor: a pasted URL, fields that cannot be saved, and the live test of what is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from rqdash.demo.servers import HOST, Server, free_port
from tests.editing import NEW, TEST, registry, submit
from tests.pages import Document
from tests.site import Browser, Site, site

USER, PASSWORD = "rqdash", "swordfish-7731"
STAGES = ("Target policy", "DNS", "TCP", "TLS", "Sign in", "Server", "Database", "RQ keys", "Read", "Change", "Clock", "Eviction")


@pytest.fixture
def place(tmp_path: Path) -> Site:
    return site(tmp_path / "data")


@pytest.fixture
def admin(place: Site) -> Browser:
    return place.sign_in("admin", name="ada")


def test_a_pasted_url_fills_the_form_and_saves_nothing(place: Site, admin: Browser) -> None:
    status, page = submit(admin, NEW, {"url": f"rediss://{USER}:{PASSWORD}@cache.example:6390/4"}, button="Fill")
    fields = dict(Document(page).form(TEST).fields)

    assert status == 200
    assert [fields[name] for name in ("host", "port", "db", "username", "tls")] == ["cache.example", "6390", "4", USER, "1"]
    assert PASSWORD not in page
    assert "The URL has a password. It is not shown back: type it here." in Document(page).text
    assert registry(place).all() == ()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "redis://h:6379/0?decode_responses=true",
            "RQ stores bytes (compressed pickles) that are no text, and does not support decode_responses",
        ),
        ("redis://h:6379/none", "database"),
        ("http://h:6379", "redis"),
    ],
)
def test_a_url_that_cannot_be_used_says_why_beside_it(place: Site, admin: Browser, url: str, said: str) -> None:
    status, page = submit(admin, NEW, {"url": url}, button="Fill")

    assert status == 400
    assert said in hint(page, "url")
    assert registry(place).all() == ()


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("name", "Bad Name", "small letters, digits and dashes"),
        ("name", "test", "Choose another name"),
        ("host", "", "host"),
        ("port", "many", "whole number"),
        ("port", "70000", "65535"),
        ("db", "-1", "0"),
        ("read_timeout_s", "99", "10"),
        ("connect_timeout_s", "0.01", "0.1"),
        ("worker_socket_timeout_s", "30", "415"),
        ("prefix", "a b", "prefix"),
    ],
)
def test_a_field_that_cannot_be_saved_is_named_with_its_remedy(place: Site, admin: Browser, field: str, value: str, remedy: str) -> None:
    status, page = submit(admin, NEW, {"name": "orders", "host": HOST, "password": PASSWORD, field: value})

    assert status == 400
    assert remedy in hint(page, field)
    assert (field, value) in Document(page).form(TEST).fields
    assert registry(place).all() == ()
    assert PASSWORD not in page


def hint(page: str, field: str) -> str:
    """What the page says is wrong with a field, beside the field."""
    found = page.partition(f'<p class="is-failed" id="{field}-hint">')[2].partition("</p>")[0]
    return Document(found).text


def test_the_test_button_shows_every_stage_and_what_failed_with_its_remedy(
    admin: Browser, server: Server, redis_client: redis.Redis
) -> None:
    redis_client.sadd("rq:queues", "rq:queue:mail")
    typed = {"host": HOST, "port": str(server.port)}

    well = Document(submit(admin, NEW, typed, button="Test")[1]).text
    wrong = Document(submit(admin, NEW, {**typed, "username": "nobody", "password": "wrong"}, button="Test")[1]).text
    nobody = Document(submit(admin, NEW, {**typed, "port": str(free_port())}, button="Test")[1]).text

    assert all(words in well for words in STAGES)
    assert "Failed: " not in well
    assert all(words in wrong for words in ("Failed: Sign in refused", "Check the user name and the password", "Skipped: Server not tried"))
    assert all(words in nobody for words in ("Failed: TCP", "nothing listens on", "Check the port"))


def test_a_connection_whose_test_fails_can_be_saved(place: Site, admin: Browser) -> None:
    typed = {"name": "orders", "host": HOST, "port": str(free_port())}
    page = submit(admin, NEW, typed, button="Test")[1]

    status, _ = submit(admin, NEW, {}, drawn=page)

    assert "Failed: " in Document(page).text
    assert status == 303
    assert registry(place).names == ("orders",)
