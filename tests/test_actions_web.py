"""The actions through the web: who is refused what by the server, what is asked first, and the one row each leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from rqdash.demo.servers import HOST, Server
from rqdash.model import names
from rqdash.model.profile import Profile
from tests.contents import contents
from tests.editing import registry
from tests.pages import Document, Form
from tests.site import Browser, Site, site
from tests.stored import Stored

TRIED_IN = {"requeue": "failed", "move": "failed", "delete": "failed", "cancel": "queued", "empty": "queued"}
ASKING = ("move", "delete", "cancel", "empty")
HERE = {"failed": ("failed-1", "failed-2"), "queued": ("waiting-1", "waiting-2")}


def fill(client: redis.Redis) -> None:
    """A queue with two failed and two waiting jobs."""
    stored = Stored(client)
    for job_id in HERE["failed"]:
        stored.failed(job_id, score=float("inf"))
    for job_id in HERE["queued"]:
        stored.waiting(job_id)


@pytest.fixture
def place(tmp_path: Path, server: Server, redis_client: redis.Redis) -> Site:
    """A dashboard with one server under three policies: plain, frozen (read-only) and precious (protected)."""
    fill(redis_client)
    found = site(tmp_path / "data")
    for name, policy in {"plain": {}, "frozen": {"read_only": True}, "precious": {"protected": True}}.items():
        registry(found).create(Profile(name, host=HOST, port=server.port, **policy), by="test")
    return found


def way(verb: str) -> str:
    return "/queue/empty" if verb == "empty" else f"/jobs/{verb}"


def address(verb: str, backend: str) -> str:
    return f"/b/{backend}{way(verb)}"


def queue_page(browser: Browser, verb: str, backend: str = "plain") -> Document:
    return Document(browser.get(f"/b/{backend}/queue?name=mail&registry={TRIED_IN[verb]}").get_data(as_text=True))


def ticked(form: Form, verb: str) -> dict[str, list[str]]:
    """The form as sent with both jobs ticked."""
    return form.data(tick=() if verb == "empty" else [("id", names.to_form(job_id)) for job_id in HERE[TRIED_IN[verb]]])


def made_up(browser: Browser, verb: str) -> dict[str, list[str]]:
    """What somebody sends who was given no form: everything that one would hold, confirmed."""
    ids = [names.to_form(job_id) for job_id in HERE[TRIED_IN[verb]]]
    plain = {"queue": names.to_form("mail"), "registry": TRIED_IN[verb], "to_queue": names.to_form("high"), "confirmed": "1"}
    return {name: [value] for name, value in plain.items()} | {"id": ids, "csrf_token": [browser.token()]}


def body(verb: str, **more: object) -> dict[str, object]:
    """The same as a program sends it."""
    return {"queue": "mail", "registry": TRIED_IN[verb], "ids": list(HERE[TRIED_IN[verb]]), "to_queue": "high", **more}


def asked(browser: Browser, verb: str, backend: str) -> Form:
    """The question that an action is asked before it acts."""
    form = queue_page(browser, verb, backend).form(way(verb))
    answer = browser.client.post(address(verb, backend), data=ticked(form, verb))
    assert answer.status_code == 200
    return Document(answer.get_data(as_text=True)).form(way(verb))


def answered(browser: Browser, form: Form, typed: Mapping[str, str] | None = None) -> tuple[int, str]:
    more = {"to_queue_new": "high"} if "/move" in form.action else {}
    answer = browser.client.post(form.action, data=form.data(typed={**more, **(typed or {})}))
    return answer.status_code, Document(answer.get_data(as_text=True)).text


@pytest.mark.parametrize("verb", TRIED_IN)
def test_a_form_drawn_before_its_backend_was_pointed_elsewhere_does_nothing(
    place: Site, redis_client: redis.Redis, start: Callable[..., Server], verb: str
) -> None:
    browser = place.sign_in("operator")
    form = queue_page(browser, verb).form(way(verb))
    asks = asked(browser, verb, "plain") if verb in ASKING else None
    elsewhere = start()
    with elsewhere.client() as other:
        fill(other)
        stored = registry(place).get("plain")
        registry(place).update("plain", replace(stored, port=elsewhere.port), version=stored.version, by="test")
        before = contents(redis_client), contents(other)

        refused = browser.client.post(address(verb, "plain"), data=ticked(form, verb))
        confirmed = answered(browser, asks) if asks else (409, "points elsewhere")
        program = call(place, verb, "plain", endpoint_version=stored.endpoint_version)

        assert refused.status_code == 409
        assert "plain points elsewhere since this page was drawn, so nothing was done." in refused.get_data(as_text=True)
        assert confirmed[0] == 409
        assert "points elsewhere" in confirmed[1]
        assert program == (409, "stale")
        assert (contents(redis_client), contents(other)) == before


def call(place: Site, verb: str, backend: str, *, role: str = "operator", **more: object) -> tuple[int, str]:
    """The status of an action by the API, and its code or its verb."""
    answer = place.stranger().post(f"/api/v1{address(verb, backend)}", json=body(verb, **more), headers=place.token(role))
    return answer.status_code, answer.json.get("code") or answer.json["verb"]


@pytest.mark.parametrize("verb", TRIED_IN)
def test_the_server_refuses_every_action_on_a_read_only_connection(place: Site, redis_client: redis.Redis, verb: str) -> None:
    browser = place.sign_in("admin")
    before = contents(redis_client)

    offered = [form for form in queue_page(browser, verb, "frozen").forms if way(verb) in str(form)]
    version = str(registry(place).get("frozen").endpoint_version)
    refused = browser.client.post(address(verb, "frozen"), data={**made_up(browser, verb), "endpoint_version": version})
    program = call(place, verb, "frozen")

    assert offered == []
    assert (refused.status_code, program) == (409, (409, "read_only"))
    assert "read-only" in refused.get_data(as_text=True)
    assert contents(redis_client) == before


@pytest.mark.parametrize("verb", TRIED_IN)
def test_the_server_refuses_every_action_of_a_viewer(place: Site, redis_client: redis.Redis, verb: str) -> None:
    browser = place.sign_in("viewer")
    before = contents(redis_client)

    offered = [form for form in queue_page(browser, verb).forms if way(verb) in str(form)]
    version = str(registry(place).get("plain").endpoint_version)
    refused = browser.client.post(address(verb, "plain"), data={**made_up(browser, verb), "endpoint_version": version})
    program = call(place, verb, "plain", role="viewer")

    assert offered == []
    assert (refused.status_code, program) == (403, (403, "denied"))
    assert contents(redis_client) == before
    assert place.access.audit.entries() == ()


@pytest.mark.parametrize("verb", ASKING)
def test_a_protected_connection_asks_for_its_name(place: Site, redis_client: redis.Redis, verb: str) -> None:
    browser = place.sign_in("operator")
    form = asked(browser, verb, "precious")
    before = contents(redis_client)

    refused = [answered(browser, form, {"typed": typed}) for typed in ("", "plain", "PRECIOUS")]
    program = call(place, verb, "precious")
    unchanged = contents(redis_client)
    done = answered(browser, form, {"typed": "precious"})

    assert {status for status, _ in refused} == {400}
    assert all("Type precious to go on: it is protected." in text for _, text in refused)
    assert program == (400, "invalid")
    assert unchanged == before
    assert done[0] == 303
    assert contents(redis_client) != before


def test_requeuing_asks_nothing_even_where_the_rest_asks_for_the_name(place: Site, redis_client: redis.Redis) -> None:
    browser = place.sign_in("operator")
    form = queue_page(browser, "requeue", "precious").form("/jobs/requeue")

    answer = browser.client.post(address("requeue", "precious"), data=ticked(form, "requeue"))

    assert answer.status_code == 303
    assert redis_client.zcard("rq:failed:mail") == 0


@pytest.mark.parametrize("verb", ASKING)
def test_what_asks_first_does_nothing_until_it_is_answered(place: Site, redis_client: redis.Redis, verb: str) -> None:
    before = contents(redis_client)

    asked(place.sign_in("operator"), verb, "plain")

    assert contents(redis_client) == before
    assert place.access.audit.entries() == ()


@pytest.mark.parametrize("verb", TRIED_IN)
def test_an_action_leaves_one_row_of_who_from_where_what_and_how_many(place: Site, verb: str) -> None:
    browser = place.sign_in("operator", name="ada")
    if verb in ASKING:
        answered(browser, asked(browser, verb, "plain"))
    else:
        browser.client.post(address(verb, "plain"), data=ticked(queue_page(browser, verb).form(way(verb)), verb))

    (row,) = place.access.audit.entries()

    assert (row.kind, row.name, row.address) == ("account", "ada", "127.0.0.1")
    assert (row.verb, row.backend, row.queue, row.status) == (verb, "plain", "mail", "done")
    assert dict(row.outcomes) == {"done": 2}
    assert row.ended_at is not None


def test_a_program_is_recorded_by_its_token_and_told_what_became_of_each_job(place: Site, redis_client: redis.Redis) -> None:
    headers = place.token("operator", name="deploy")
    redis_client.zrem("rq:failed:mail", "failed-2")

    answer = place.stranger().post("/api/v1/b/plain/jobs/requeue", json=body("requeue"), headers=headers)
    (row,) = place.access.audit.entries()

    assert answer.status_code == 200
    assert {job["job_id"]: job["verdict"] for job in answer.json["jobs"]} == {"failed-1": "done", "failed-2": "raced"}
    assert answer.json["counts"] == {"done": 1, "raced": 1}
    assert (row.kind, row.name, dict(row.outcomes)) == ("token", "deploy", {"done": 1, "raced": 1})


@pytest.mark.parametrize("verb", ["requeue", "move", "delete", "cancel"])
def test_nothing_ticked_and_more_than_a_page_are_refused_and_do_nothing(place: Site, redis_client: redis.Redis, verb: str) -> None:
    browser = place.sign_in("operator")
    form = queue_page(browser, verb).form(way(verb))
    before = contents(redis_client)
    many = [("id", names.to_form(f"job-{number}")) for number in range(201)]

    nothing, too_many = (browser.client.post(address(verb, "plain"), data=form.data(tick=tick)) for tick in ((), many))

    assert (nothing.status_code, too_many.status_code) == (400, 400)
    assert "No job is ticked." in nothing.get_data(as_text=True)
    assert "At most 200 jobs at once." in too_many.get_data(as_text=True)
    assert contents(redis_client) == before
