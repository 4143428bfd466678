"""The pages and the API of operations: previewed, started with the names typed, followed, ended; shown to those who may see all of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from werkzeug.test import TestResponse

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model import names
from rqdash.model.registry import Registry
from rqdash.model.search import within
from rqdash.operations import requests
from rqdash.operations.requests import Operations
from rqdash.operations.runner import Runner
from rqdash.operations.values import Operation, State
from tests.conftest import backend_of
from tests.operating import NEVER, fail_jobs, opened, outcomes, waiting
from tests.pages import Document
from tests.site import Browser, Site, site
from tests.stored import HOSTILE, Stored


@pytest.fixture
def backends(server: Server) -> Iterator[dict[str, Backend]]:
    """Two on one server, one of them protected."""
    protected = backend_of(server, name="orders")
    protected.profile = replace(protected.profile, protected=True)
    made = {"live": backend_of(server), "orders": protected}
    yield made
    for backend in made.values():
        backend.close()


@pytest.fixture
def dashboard(tmp_path: Path, backends: dict[str, Backend]) -> Site:
    return site(tmp_path, backends)


@pytest.fixture
def operations(dashboard: Site, tmp_path: Path, backends: dict[str, Backend]) -> Operations:
    """The same operations, as another process has them, in which a runner runs."""
    return opened(tmp_path, backends)


def form(verb: str = "requeue", *, on: str = "live", q: str = "status:failed", **more: str) -> dict[str, str]:
    return {"verb": verb, "on": on, "q": q, "as_of": datetime.now(UTC).isoformat(), **more}


def asked_for(browser: Browser, fields: dict[str, str]) -> str:
    """The path of the operation that a form makes."""
    response = browser.post("/operations", fields)
    assert response.status_code == 303, response.get_data(as_text=True)
    return response.headers["Location"]


def newest(operations: Operations) -> Operation:
    return operations.records.list(is_visible=lambda _: True)[0]


def text(response: TestResponse) -> str:
    return Document(response.get_data(as_text=True)).text


def run(operations: Operations) -> None:
    while Runner(operations, first_wait_s=0.01).turn(NEVER):
        pass


def test_a_preview_then_a_start_then_the_outcome(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    ids = fail_jobs(redis_client, 250)
    browser = dashboard.sign_in("operator")

    path = asked_for(browser, form())
    preview = browser.get(path)
    start = Document(preview.get_data(as_text=True)).form(f"{path}/start")
    started = browser.post(start.action, {"why": "after the outage"})
    running = text(browser.get(path))
    run(operations)
    done = text(browser.get(path))

    assert "Requeue 250 jobs" in text(preview)
    assert "job-00249" in preview.get_data(as_text=True)
    assert (started.status_code, started.headers["Location"]) == (303, path)
    assert "0 of 250 done" in running
    assert "250 of 250 done" in done
    assert "after the outage" in done
    assert waiting(redis_client) == ids


def test_a_move_without_a_target_asks_where_to(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 3)
    Stored(redis_client).queue("high")
    browser = dashboard.sign_in("operator")

    asking = browser.post("/operations", form("move"))
    target = Document(asking.get_data(as_text=True)).form("/operations")
    without = browser.post("/operations", target.data())
    planned = browser.post("/operations", target.data(typed={"to_queue": names.to_form("high")}))

    assert (asking.status_code, without.status_code, planned.status_code) == (200, 400, 303)
    assert "where to?" in text(asking)
    assert "Choose where the jobs go" in text(without)
    assert newest(operations).asked.to_queue == "high"


def test_a_protected_backend_is_typed(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    browser = dashboard.sign_in("operator")
    path = asked_for(browser, form("delete", on="orders"))

    wrong = browser.post(f"{path}/start", {"typed": "order"})
    assert newest(operations).state is State.PLANNED
    right = browser.post(f"{path}/start", {"typed": "orders"})

    assert "orders is protected. Type its name" in text(browser.get(path)) or right.status_code == 303
    assert (wrong.status_code, right.status_code) == (400, 303)
    assert "Type orders to go on" in text(wrong)


def test_pause_resume_and_end(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    browser = dashboard.sign_in("operator")
    path = asked_for(browser, form())
    browser.post(f"{path}/start")

    words = []
    for verb in ("pause", "resume", "pause"):
        browser.post(f"{path}/{verb}")
        words.append(newest(operations).state)
    refused = browser.post(f"{path}/start")
    browser.post(f"{path}/cancel")
    run(operations)

    assert words == [State.PAUSING, State.RUNNING, State.PAUSING]
    assert refused.status_code == 409
    assert "pausing now" in text(refused)
    assert newest(operations).state is State.CANCELED
    assert redis_client.zcard("rq:failed:mail") == 2


def test_the_list_shows_what_there_is_and_pages_back(
    dashboard: Site, operations: Operations, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rqdash.web.operations.PAGE", 2)
    browser = dashboard.sign_in("operator")
    empty = text(browser.get("/operations"))
    fail_jobs(redis_client, 2)
    paths = [asked_for(browser, form(q=f"status:failed id:job-*{number}")) for number in range(3)]

    first = Document(browser.get("/operations").get_data(as_text=True))
    older = next(link.href for link in first.links if "before=" in link.href)
    second = Document(browser.get(older).get_data(as_text=True))

    assert "No operations yet" in empty
    assert [link.href for link in first.links if link.href in paths] == [paths[2], paths[1]]
    assert [link.href for link in second.links if link.href in paths] == [paths[0]]


def test_who_may_not_see_every_backend_of_an_operation_sees_nothing_of_it(
    dashboard: Site, operations: Operations, redis_client: redis.Redis
) -> None:
    fail_jobs(redis_client, 2)
    path = asked_for(dashboard.sign_in("operator"), form("copy", to_backend="orders"))
    half = dashboard.sign_in("admin", grants=("live",))

    answers = [
        half.get(path),
        half.get(f"{path}/outcomes"),
        *(half.post(f"{path}/{verb}") for verb in ("start", "pause", "resume", "cancel")),
    ]
    api, headers = dashboard.stranger(), dashboard.token("admin", grants=("live",))
    unseen, nobody = api.get(f"/api/v1{path}", headers=headers), api.get("/api/v1/operations/nobody", headers=headers)

    assert {answer.status_code for answer in answers} == {404}
    assert (unseen.status_code, unseen.json) == (404, nobody.json)
    assert path not in half.get("/operations").get_data(as_text=True)
    assert newest(operations).state is State.PLANNED


def test_a_backend_that_the_caller_may_not_see_is_none(dashboard: Site, operations: Operations) -> None:
    browser = dashboard.sign_in("operator", grants=("live",))

    answers = [browser.post("/operations", form(on="orders")), browser.post("/operations", form("move", to_backend="orders"))]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert operations.records.list(is_visible=lambda _: True) == ()


def test_a_viewer_sees_an_operation_and_no_button(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    path = asked_for(dashboard.sign_in("operator"), form())
    viewer = dashboard.sign_in("viewer")

    page = viewer.get(path)
    refused = [viewer.post("/operations", form()), viewer.post(f"{path}/start")]

    assert page.status_code == 200
    assert [found.action for found in Document(page.get_data(as_text=True)).forms if found.method == "post"] == []
    assert [answer.status_code for answer in refused] == [403, 403]
    assert newest(operations).state is State.PLANNED


def test_nothing_matching_is_said_and_cannot_be_started(dashboard: Site, redis_client: redis.Redis) -> None:
    browser = dashboard.sign_in("operator")
    path = asked_for(browser, form())

    page, start = text(browser.get(path)), browser.post(f"{path}/start")

    assert "Nothing matches" in page
    assert start.status_code == 409


def test_acting_on_everything_is_a_choice_of_its_own(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    browser = dashboard.sign_in("operator")

    without = browser.post("/operations", form("delete", q=""))
    with_it = browser.post("/operations", form("delete", q="", all="1"))

    assert (without.status_code, with_it.status_code) == (400, 303)
    assert newest(operations).total == 2


@pytest.mark.parametrize("as_of", ["", "yesterday", "2026-01-01T00:00:00"])
def test_the_moment_has_a_zone(dashboard: Site, as_of: str) -> None:
    response = dashboard.sign_in("operator").post("/operations", form() | {"as_of": as_of})

    assert response.status_code == 400


def test_a_moment_to_come_is_now(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    asked_for(dashboard.sign_in("operator"), form() | {"as_of": later})

    assert newest(operations).asked.as_of <= datetime.now(UTC)


def test_a_queue_of_any_name_is_acted_on_alone(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    stored, browser = Stored(redis_client), dashboard.sign_in("operator")
    for number, name in enumerate(HOSTILE):
        stored.queue(name)
        stored.failed(f"of-{number}", queue=name, score=-1, ended_s_ago=100_000)

    for number, name in enumerate(HOSTILE):
        path = asked_for(browser, form(q=within("", queue=name, registry=Registry.FAILED)))
        browser.post(f"{path}/start")
        run(operations)

        assert browser.get(path).status_code == 200
        assert outcomes(newest(operations)) == {"done": 1}
        assert redis_client.hget(f"rq:job:of-{number}", "status") == b"queued"


def test_the_list_of_jobs_can_be_downloaded(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 3)
    stored = Stored(redis_client)
    stored.queue('=HYPERLINK("x")')
    stored.failed("\udcff,job", queue='=HYPERLINK("x")', score=-1, ended_s_ago=100_000)
    browser = dashboard.sign_in("operator")
    path = asked_for(browser, form("delete"))
    redis_client.delete("rq:job:job-00001")
    browser.post(f"{path}/start")
    run(operations)

    as_json = browser.get(f"{path}/outcomes")
    as_csv = browser.get(f"{path}/outcomes?format=csv&verdict=gone")
    whole = browser.get(f"{path}/outcomes?format=csv").get_data(as_text=True)

    found = {line["id"]: line["outcome"] for line in as_json.json}
    assert found == {"job-00000": "done", "job-00001": "gone", "job-00002": "done", "\udcff,job": "done"}
    assert list(csv.reader(io.StringIO(as_csv.get_data(as_text=True))))[1:] == [["live", "mail", "failed", "job-00001", "gone"]]
    assert "attachment" in as_csv.headers["Content-Disposition"]
    assert "'=HYPERLINK" in whole
    assert "\\udcff,job" in whole


def test_the_list_of_a_preview_says_that_nothing_is_known_yet(dashboard: Site, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 1)
    browser = dashboard.sign_in("operator")
    path = asked_for(browser, form())

    left, empty = browser.get(f"{path}/outcomes").json, browser.get(f"{path}/outcomes?verdict=done")

    assert left == [{"backend": "live", "queue": "mail", "registry": "failed", "id": "job-00000", "outcome": "left"}]
    assert empty.json == []


def test_a_program_asks_starts_and_follows(dashboard: Site, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    client, headers = dashboard.stranger(), dashboard.token("operator")
    body = {"verb": "delete", "on": ["live", "orders"], "q": "status:failed"}

    made = client.post("/api/v1/operations", json=body, headers=headers)
    path = f"/api/v1/operations/{made.json['operation']['id']}"
    refused = client.post(f"{path}/start", json={}, headers=headers)
    started = client.post(f"{path}/start", json={"typed": ["orders"], "why": "test"}, headers=headers)
    run(operations)
    ended = client.get(path, headers=headers).json["operation"]
    listed = client.get("/api/v1/operations", headers=headers).json

    assert (made.status_code, made.json["operation"]["state"], made.json["operation"]["total"]) == (200, "planned", 4)
    assert (refused.status_code, "Type orders" in refused.json["message"]) == (400, True)
    assert started.json["operation"]["state"] == "running"
    # Both names are one database: what went by one is not there any more by the other.
    assert (ended["state"], ended["tally"]["done"], ended["tried"]) == ("done", 2, 4)
    assert [row["operation"]["id"] for row in listed["rows"]] == [ended["id"]]


def test_a_program_that_does_not_say_where_to_is_told(dashboard: Site, operations: Operations) -> None:
    body = {"verb": "move", "on": ["live"], "q": "status:failed"}

    response = dashboard.stranger().post("/api/v1/operations", json=body, headers=dashboard.token("operator"))

    assert response.status_code == 400
    assert response.json["problems"] == {"to_queue": "missing"}


def test_a_page_without_scripts_reloads_itself_only_while_something_changes(
    dashboard: Site, operations: Operations, redis_client: redis.Redis
) -> None:
    fail_jobs(redis_client, 1)
    browser = dashboard.sign_in("operator")
    path = asked_for(browser, form())

    pages = [browser.get(path).get_data(as_text=True)]
    browser.post(f"{path}/start")
    pages.append(browser.get(path).get_data(as_text=True))
    run(operations)
    pages.append(browser.get(path).get_data(as_text=True))

    assert ['http-equiv="refresh"' in page for page in pages] == [False, True, False]


def test_a_backend_that_is_down_is_named_in_the_preview(dashboard: Site, tmp_path: Path, redis_client: redis.Redis) -> None:
    down = site(tmp_path / "down", {"down": backend_of(Server(Path(), 1), name="down")})
    browser = down.sign_in("operator")

    path = asked_for(browser, form(on="down"))

    page = text(browser.get(path))
    assert "left out" in page
    assert "Nothing matches" in page


def test_planning_in_the_background_is_said_to_be_under_way(
    dashboard: Site, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "AT_ONCE_S", 0.0)
    browser = dashboard.sign_in("operator")

    path = asked_for(browser, form())

    assert "Looking for the jobs that match" in text(browser.get(path))
