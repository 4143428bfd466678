"""Searching through the web: jobs of all backends on one page, filters on every list, mistakes explained, and nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from werkzeug.test import TestResponse

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, free_port
from rqdash.model import names
from rqdash.model.keys import Keys
from tests.commands import written
from tests.conftest import backend_of
from tests.pages import Document
from tests.round_trips import Tally, counted_backend, spent
from tests.site import Browser, Site, site
from tests.stored import HOSTILE, NOW_S, Stored, ago, variety

TWO = ("one", "two")


@pytest.fixture(scope="module")
def client(_shared_server: Server) -> Iterator[redis.Redis]:
    with _shared_server.client() as plain:
        yield plain


@pytest.fixture(scope="module")
def odd(_shared_server: Server) -> Iterator[tuple[Backend, Tally]]:
    backend, tally = counted_backend(_shared_server, name="odd", prefix="odd")
    yield backend, tally
    backend.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, _shared_server: Server, odd: tuple[Backend, Tally]) -> Iterator[Site]:
    """Two backends that answer, one that does not, and an odd one whose round trips are counted: a prefix each on one server."""
    with _shared_server.client() as client:
        client.flushall()
        fill(client)
    nobody = Server(Path(), free_port())
    backends: dict[str, Backend] = {prefix: backend_of(_shared_server, name=prefix, prefix=prefix) for prefix in TWO}
    yield site(tmp_path_factory.mktemp("data"), {**backends, "gone": backend_of(nobody, name="gone"), "odd": odd[0]})
    for backend in backends.values():
        backend.close()


def fill(client: redis.Redis) -> None:
    for prefix in TWO:
        stored = Stored(client, keys_of(prefix))
        for number in range(3):
            stored.failed(f"{prefix}-{number}", score=NOW_S + 10**6 + number, ended_s_ago=number * 10 + (prefix == "two") * 5)
        stored.waiting(f"{prefix}-waiting", description="say(hello)")
        stored.worker(f"w-{prefix}", queues="mail,high")
    variety(client, prefix="odd")


def keys_of(prefix: str) -> Keys:

    return Keys(prefix)


@pytest.fixture(scope="module")
def browser(place: Site) -> Browser:
    return place.sign_in("operator", grants=(*TWO, "gone"))


@pytest.fixture(scope="module")
def odd_browser(place: Site) -> Browser:
    return place.sign_in("operator", grants=("odd",))


def found(response: TestResponse) -> list[tuple[str, str]]:
    """(backend, id) of the rows of a /jobs page, in order, by their links; what a row opens to has one of its own."""
    links = [urlsplit(link.href) for link in Document(response.get_data(as_text=True)).links]
    jobs = [link for link in links if link.path.endswith("/job") and link.path.startswith("/b/")]
    return list(dict.fromkeys((link.path.split("/")[2], parse_qs(link.query).get("id", [""])[0]) for link in jobs))


def text(response: TestResponse) -> str:
    assert response.status_code == 200
    return " ".join(response.get_data(as_text=True).split())


def test_jobs_of_all_backends_are_merged_newest_first_and_a_dead_one_is_told(browser: Browser) -> None:
    response = browser.get("/jobs?q=status:failed")

    assert found(response) == [("one", "one-0"), ("two", "two-0"), ("one", "one-1"), ("two", "two-1"), ("one", "one-2"), ("two", "two-2")]
    assert "gone refused the connection" in text(response)
    assert text(response).count("all 3 scanned") == 2


def test_a_whole_id_is_found_on_every_backend(browser: Browser) -> None:
    assert found(browser.get("/jobs?q=id:two-1,one-waiting")) == [("two", "two-1"), ("one", "one-waiting")]
    assert found(browser.get("/jobs?q=id:two-1&backend=one")) == []


def test_an_id_in_no_registry_leads_to_where_ids_are_looked_up(browser: Browser) -> None:
    assert "/job?id=nobody" in [link.href for link in Document(browser.get("/jobs?q=id:nobody").get_data(as_text=True)).links]


def test_a_mistake_is_explained_with_its_place_and_the_list_stays(browser: Browser) -> None:
    page = browser.get("/jobs?q=status:failed+quene:mail")

    assert "Did you mean queue?" in text(page)
    assert 'At character 15: <code>status:failed <b class="is-failed">quene:mail</b>' in text(page)
    assert len(found(page)) == 8
    assert browser.get("/b/one/queue?name=mail&registry=failed&q=age:2h").get_data(as_text=True).count("<tr ") == 3


def test_scan_more_carries_where_each_backend_goes_on(browser: Browser, client: redis.Redis) -> None:
    for number in range(120):
        Stored(client, keys_of("two")).waiting(f"many-{number:03}", queue="many", enqueued_at=ago(number))
    address, seen, pages = "/jobs?q=many-*", [], 0

    while address:
        page = browser.get(address)
        seen += found(page)
        pages += 1
        address = next((link.href for link in Document(page.get_data(as_text=True)).links if link.text.lower() == "scan more"), "")

    client.delete(keys_of("two").queue("many"))

    assert sorted(seen) == [("two", f"many-{number:03}") for number in range(120)]
    assert pages == 3


def test_a_place_to_go_on_that_does_not_fit_is_a_problem_of_that_backend_alone(browser: Browser) -> None:
    page = browser.get("/jobs?q=status:failed&at=one:nonsense&at=two:start")

    assert "Search again from the start" in text(page)
    assert {backend for backend, _ in found(page)} == {"two"}


def test_the_rows_and_chips_narrow_the_search(browser: Browser) -> None:
    links = [link.href for link in Document(browser.get("/jobs?q=status:failed").get_data(as_text=True)).links]

    for address in (
        "/jobs?q=status:failed+error:ValueError",
        "/jobs?q=status:failed+queue:mail",
        "/jobs?q=status:failed+fn:app.tasks.send",
        "/jobs?q=status:failed&backend=one",
    ):
        assert any(link.replace("%3A", ":") == address for link in links), address


def test_only_operators_are_offered_to_act_on_all_that_match(place: Site, browser: Browser) -> None:
    offered = Document(browser.get("/jobs?q=status:failed").get_data(as_text=True))

    form = next(form for form in offered.forms if form.action == "/operations")
    # Also the one that does not answer: the operation names it as left out.
    assert form.data()["on"] == ["one", "two", "gone"]
    assert form.data()["q"] == ["status:failed"]
    assert [button.text for button in form.buttons][:2] == ["Requeue…", "Move…"]
    for viewer, address in ((place.sign_in("viewer"), "/jobs?q=status:failed"), (browser, "/jobs")):
        assert "/operations" not in [form.action for form in Document(viewer.get(address).get_data(as_text=True)).forms]


def test_a_list_of_a_queue_is_filtered_by_scan(browser: Browser) -> None:
    response = browser.get("/b/one/queue?name=mail&registry=failed&q=id:*-1")

    assert found(response) == [("one", "one-1")]
    assert "all 3 scanned" in text(response)
    form = next(form for form in Document(response.get_data(as_text=True)).forms if form.action == "/operations")
    assert form.data()["q"] == ["queue:mail status:failed id:*-1"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_filter_works_on_queues_of_any_name(odd_browser: Browser, name: str) -> None:
    response = odd_browser.get("/b/odd/queue", query_string={"name": names.ref(name), "registry": "queued", "q": "desc:say"})

    assert len(found(response)) == 1
    assert "all 1 scanned" in text(response)


def test_a_list_without_a_filter_costs_what_it_did(odd_browser: Browser, odd: tuple[Backend, Tally]) -> None:
    odd_browser.get("/b/odd/queue?name=mail&registry=failed")

    _, cost = spent(odd[1], lambda: odd_browser.get("/b/odd/queue?name=mail&registry=failed"))

    assert cost.round_trips == 1


def test_queues_and_workers_are_filtered_by_name_and_backend(browser: Browser) -> None:
    queues = browser.get("/api/v1/queues", headers={}).status_code
    by_backend = text(browser.get("/queues?q=backend:one"))
    workers = text(browser.get("/workers?q=queue:high+-w-two"))

    assert queues == 401
    assert "/b/one/queue?name=mail" in by_backend
    assert "/b/two/queue?name=mail" not in by_backend
    assert "w-one" in workers.replace('value="worker:w-one"', "")
    assert "w-two" not in workers.replace('value="worker:w-two"', "").replace("-w-two", "")
    assert "No queue matches" not in by_backend
    assert "No worker matches" in text(browser.get("/workers?q=worker:nobody&backend=one"))
    assert "No queue matches" in text(browser.get("/queues?q=nobody&backend=one"))


@pytest.mark.parametrize(
    ("address", "says"), [("/queues?q=desc:a", "Fields here: backend, queue."), ("/workers?q=run:>1s", "queue, worker.")]
)
def test_a_field_that_a_list_has_not_is_explained(browser: Browser, address: str, says: str) -> None:
    page = text(browser.get(address))

    assert "cannot be looked for in this list" in page
    assert says in page
    assert "The list stays unfiltered" in page


def test_the_box_offers_values_seen(browser: Browser) -> None:
    offered = browser.get("/jobs?q=status:failed").get_data(as_text=True)

    for word in ("status:failed", "backend:two", "queue:mail", "fn:app.tasks.send", "error:ValueError"):
        assert f'<option value="{word}">' in offered
    assert '<option value="worker:w-one">' in browser.get("/workers").get_data(as_text=True)


def test_every_page_searches_all_jobs_or_those_of_the_chosen_backends(browser: Browser) -> None:
    everywhere = Document(browser.get("/queues").get_data(as_text=True))
    chosen = Document(browser.get("/queues?backend=one").get_data(as_text=True))

    assert [form.data() for form in everywhere.forms if form.action == "/jobs"] == [{"q": [""]}]
    assert [form.data() for form in chosen.forms if form.action == "/jobs"] == [{"backend": ["one"], "q": [""]}]


def test_the_same_is_json(place: Site) -> None:
    client, headers = place.stranger(), place.token("viewer")

    page = client.get("/api/v1/jobs?q=status:failed&backend=one", headers=headers).json
    mistaken = client.get("/api/v1/jobs?q=quene:mail", headers=headers).json
    filtered = client.get("/api/v1/b/one/queue?name=mail&registry=failed&q=id:*-1", headers=headers).json

    assert [hit["row"]["id"] for hit in page["hits"]] == ["one-0", "one-1", "one-2"]
    assert (page["backends"][0]["scanned"], page["backends"][0]["total"], page["more"], page["acting"]) == (3, 3, [], [])
    assert (mistaken["box"]["at"], mistaken["box"]["mistake"][:20]) == (0, "There is no field qu")
    assert [row["id"] for row in filtered["jobs"]["rows"]] == ["one-1"]
    assert filtered["scan"]["cursor"] == ""


def test_a_backend_without_a_grant_is_not_searched(place: Site) -> None:
    narrow = place.sign_in("viewer", grants=("two",))

    assert {backend for backend, _ in found(narrow.get("/jobs"))} == {"two"}
    assert narrow.get("/jobs?backend=one").status_code == 404


def test_searching_writes_nothing(browser: Browser, client: redis.Redis) -> None:
    client.config_resetstat()

    for address in ("/jobs?q=fn:app.*+error:ValueError", "/jobs?q=one-1", "/b/one/queue?name=mail&registry=failed&q=no", "/queues?q=mail"):
        assert browser.get(address).status_code == 200

    assert written(client) == set()
