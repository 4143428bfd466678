"""A job by its id alone: where it is, where it is not, and where that is unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, free_port
from rqdash.model import names
from tests.conftest import backend_of
from tests.pages import Document
from tests.site import Browser, Site, site
from tests.stored import HOSTILE, Stored

WHO = ("orders", "mail")


@pytest.fixture
def stored(server: Server, backends: dict[str, Backend]) -> Iterator[dict[str, Stored]]:
    """What each backend holds; they share a server and differ by their database."""
    clients = {name: server.client(db=number) for number, name in enumerate(backends)}
    yield {name: Stored(client) for name, client in clients.items()}
    for client in clients.values():
        client.close()


@pytest.fixture
def backends(server: Server) -> Iterator[dict[str, Backend]]:
    made = {name: backend_of(server, name=name, db=number) for number, name in enumerate(WHO)}
    yield made
    for backend in made.values():
        backend.close()


@pytest.fixture
def place(tmp_path: Path, backends: dict[str, Backend]) -> Site:
    return site(tmp_path / "data", backends)


@pytest.fixture
def browser(place: Site) -> Browser:
    return place.sign_in("viewer")


@pytest.fixture
def half_down(tmp_path: Path, backends: dict[str, Backend]) -> Iterator[Site]:
    """The same with a backend that refuses connections."""
    legacy = backend_of(Server(Path(), free_port()), name="legacy")
    yield site(tmp_path / "other", {**backends, "legacy": legacy})
    legacy.close()


def find(browser: Browser, job_id: str, **query: str) -> tuple[int, str, Document]:
    answer = browser.get("/job", query_string={"id": job_id, **query})
    return answer.status_code, answer.headers.get("Location", ""), Document(answer.get_data(as_text=True))


def test_a_job_of_one_backend_leads_to_its_page(stored: dict[str, Stored], browser: Browser) -> None:
    stored["mail"].waiting("job")

    status, location, _ = find(browser, "job")

    assert (status, location) == (303, "/b/mail/job?id=job")


def test_an_id_that_several_have_lists_each_with_its_state(stored: dict[str, Stored], browser: Browser) -> None:
    stored["orders"].waiting("job", queue="webhooks")
    stored["mail"].failed("job")

    status, _, page = find(browser, "job")

    assert status == 200
    assert "2 backends have a job of this id" in page.text
    assert [link.href for link in page.links if "/job?id=job" in link.href] == ["/b/orders/job?id=job", "/b/mail/job?id=job"]
    assert "webhooks queued" in page.text
    assert "mail failed" in page.text


def test_an_id_that_nobody_has_says_who_was_asked(stored: dict[str, Stored], browser: Browser) -> None:
    status, _, page = find(browser, "nobody")

    assert status == 404
    assert "No backend that answered has a job of this id" in page.text
    assert "Asked, and without such a job: orders, mail." in page.text


def test_a_backend_that_does_not_answer_is_unknown_and_not_without(stored: dict[str, Stored], half_down: Site) -> None:
    status, _, page = find(half_down.sign_in("viewer"), "nobody")

    assert status == 200
    assert "Unknown on legacy." in page.text
    assert "Asked, and without such a job: orders, mail." in page.text


def test_a_job_that_was_found_leads_to_its_page_and_says_who_was_silent(stored: dict[str, Stored], half_down: Site) -> None:
    stored["mail"].waiting("job")
    browser = half_down.sign_in("viewer")

    status, location, _ = find(browser, "job")
    page = Document(browser.get(location).get_data(as_text=True))

    assert (status, location) == (303, "/b/mail/job?id=job")
    assert "Whether legacy has a job of this id too is unknown: it did not answer." in page.text


def test_the_scope_says_which_backends_are_asked(stored: dict[str, Stored], browser: Browser) -> None:
    stored["mail"].waiting("job")

    status, _, page = find(browser, "job", backend="orders")

    assert status == 404
    assert "Asked, and without such a job: orders." in page.text


def test_nobody_learns_of_a_backend_that_was_not_granted(stored: dict[str, Stored], place: Site) -> None:
    stored["mail"].waiting("job")
    browser = place.sign_in("viewer", grants=("orders",))

    status, _, page = find(browser, "job")

    assert status == 404
    assert "mail" not in page.text


def test_an_id_copied_with_space_around_it_is_found(stored: dict[str, Stored], browser: Browser) -> None:
    stored["mail"].waiting("job")

    assert find(browser, " job\n")[:2] == (303, "/b/mail/job?id=job")


@pytest.mark.parametrize("job_id", [name for name in HOSTILE if name and names.ref(name) == name])
def test_any_id_is_found(stored: dict[str, Stored], browser: Browser, job_id: str) -> None:
    stored["orders"].waiting(job_id)

    status, location, _ = find(browser, job_id)

    assert status == 303
    assert browser.get(location).status_code == 200


def test_without_an_id_there_is_a_form_to_give_one(browser: Browser) -> None:
    status, _, page = find(browser, "")

    assert status == 200
    assert page.form("/job").method == "get"


def test_a_digest_is_no_id_to_look_for(browser: Browser) -> None:
    status, _, page = find(browser, f"~{names.digest('x')}")

    assert status == 404
    assert "This stands for an id over 1 KB" in page.text


@pytest.mark.parametrize(
    ("where", "status", "found"), [((), 404, []), (("mail",), 200, ["mail"]), (("orders", "mail"), 200, ["orders", "mail"])]
)
def test_the_api_says_where_it_is_and_redirects_nobody(
    stored: dict[str, Stored], place: Site, where: tuple[str, ...], status: int, found: list[str]
) -> None:
    for name in where:
        stored[name].waiting("job")

    answer = place.stranger().get("/api/v1/job?id=job", headers=place.token())

    body = answer.json if status == 200 else answer.json["page"]
    assert answer.status_code == status
    assert [item["mark"]["name"] for item in body["found"]] == found
    assert status == 200 or answer.json["code"] == "not_found"


def test_a_poll_for_one_id_is_not_answered_with_another(stored: dict[str, Stored], place: Site, get: Callable[[str], list[str]]) -> None:
    stored["orders"].waiting("one")
    stored["mail"].waiting("two")

    assert [get("one"), get("two"), get("one")] == [["orders"], ["mail"], ["orders"]]


@pytest.fixture
def get(place: Site) -> Callable[[str], list[str]]:
    headers = {**place.token(), "Rqdash-Poll": "1"}
    client = place.stranger()

    def _get(job_id: str) -> list[str]:
        return [item["mark"]["name"] for item in client.get(f"/api/v1/job?id={job_id}", headers=headers).json["found"]]

    return _get
