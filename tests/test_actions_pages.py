"""The later actions through the web: what each page offers, asks and says, and what a program is answered."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
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
from tests.stored import EXECUTION, Stored

SAYING = "/b/plain"
DAY_S = 24 * 3600


@pytest.fixture
def place(tmp_path: Path, server: Server, redis_client: redis.Redis) -> Site:
    """A dashboard with a plain backend, a protected one, a read-only one (all the same data) and another database."""
    fill(redis_client)
    found = site(tmp_path / "data")
    policies = {
        "plain": {},
        "precious": {"protected": True},
        "frozen": {"read_only": True},
        "other": {"db": 1},
        "vault": {"db": 2, "protected": True},
    }
    for name, policy in policies.items():
        registry(found).create(Profile(name, host=HOST, port=server.port, **policy), by="test")
    return found


def fill(client: redis.Redis) -> None:
    stored = Stored(client)
    stored.failed("failed-1", score=float("inf"))
    stored.failed("failed-2", score=float("inf"))
    stored.waiting("waiting-1")
    stored.entry("scheduled", stored.job("due", status="scheduled"), 4e9)
    stored.entry("deferred", stored.job("child", status="deferred"), float("inf"))
    stored.client.rpush(stored.keys.intermediate("mail"), stored.job("popped"))
    stored.running(stored.worker("w", queues="slow", state="busy"), "runs")
    stored.entry("started", f"runs:{EXECUTION}", 4e9)
    client.zadd("rq:executions:runs", {EXECUTION: 4e9})
    stored.entry("started", stored.job("lost", status="started"), 1e9)


@pytest.fixture
def operator(place: Site) -> Browser:
    return place.sign_in("operator", name="ada")


def page(browser: Browser, where: str, backend: str = "plain") -> Document:
    return Document(browser.get(f"/b/{backend}/{where}").get_data(as_text=True))


def of(registry_name: str) -> str:
    return f"queue?name=mail&registry={registry_name}"


def pressed(browser: Browser, form: Form, verb: str, *ids: str, **typed: str) -> Document:
    """Ticks jobs, presses a button of a form; the question it leads to, or the page after the action with what it says."""
    button = next(button for button in form.buttons if (button.action or form.action).endswith(verb))
    ticks = [("id", names.to_form(job_id)) for job_id in ids]
    data = form.data(tick=[*ticks, *([button.field] if button.field else [])], typed=typed)
    return landed(browser, browser.client.post(button.action or form.action, data=data))


def landed(browser: Browser, answer: object) -> Document:
    status, text = answer.status_code, answer.get_data(as_text=True)  # type: ignore[attr-defined]
    if status == 303:
        text = browser.get(answer.headers["Location"]).get_data(as_text=True)  # type: ignore[attr-defined]
    assert status in (200, 303, 400), text
    return Document(text)


def call(
    place: Site, path: str, body: dict[str, object], *, backend: str = "plain", role: str = "operator"
) -> tuple[int, dict[str, object]]:
    answer = place.stranger().post(f"/api/v1/b/{backend}/{path}", json=body, headers=place.token(role))
    return answer.status_code, answer.json


def test_scheduled_and_deferred_jobs_are_enqueued_without_a_question(operator: Browser, redis_client: redis.Redis) -> None:
    scheduled = pressed(operator, page(operator, of("scheduled")).form("/jobs/enqueue"), "/enqueue", "due")
    deferred = pressed(operator, page(operator, of("deferred")).form("/jobs/enqueue"), "/enqueue", "child")

    assert "Enqueued 1 job of mail on plain." in scheduled.text
    assert "Enqueued 1 job of mail on plain." in deferred.text
    assert redis_client.lrange("rq:queue:mail", 0, -1) == [b"waiting-1", b"due", b"child"]


def test_failed_jobs_are_requeued_at_the_front_by_a_button_of_its_own(operator: Browser, redis_client: redis.Redis) -> None:
    form = page(operator, of("failed")).form("/jobs/requeue")
    front = form.button("Requeue at the front")
    data = form.data(tick=[("id", names.to_form("failed-2")), front.field])

    operator.client.post(front.action, data=data)

    assert redis_client.lrange("rq:queue:mail", 0, -1) == [b"failed-2", b"waiting-1"]


def test_a_new_time_is_asked_for_and_given_in_utc_or_in_minutes(operator: Browser, redis_client: redis.Redis) -> None:
    question = pressed(operator, page(operator, of("scheduled")).form("/jobs/reschedule"), "/reschedule", "due")
    form = question.form("/jobs/reschedule")

    nothing = pressed(operator, form, "/reschedule")
    unchanged = redis_client.zscore("rq:scheduled:mail", "due")
    said = pressed(operator, form, "/reschedule", at="2031-01-02T03:04:05")
    at = redis_client.zscore("rq:scheduled:mail", "due")
    pressed(operator, form, "/reschedule", minutes="90")

    assert "Reschedule 1 scheduled job of mail" in question.text
    assert "The new time is missing" in nothing.text
    assert unchanged == 4e9
    assert "Rescheduled 1 job of mail on plain." in said.text
    assert at == datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    assert redis_client.zscore("rq:scheduled:mail", "due") == pytest.approx(time.time() + 90 * 60, abs=30)


def test_limits_are_shown_and_only_those_that_differ_are_written(operator: Browser, redis_client: redis.Redis) -> None:
    redis_client.expire("rq:job:failed-1", 50)
    question = pressed(operator, page(operator, "job?id=failed-1").form("/jobs/edit"), "/edit")
    form = question.form("/jobs/edit")

    wrong = pressed(operator, form, "/edit", timeout="soon")
    said = pressed(operator, form, "/edit", timeout="-1", result_ttl="60")

    assert dict(form.fields)["timeout"] == "180"
    assert "timeout must be a whole number" in wrong.text
    assert "Changed the limits of 1 job of mail on plain." in said.text
    assert redis_client.hmget("rq:job:failed-1", "timeout", "result_ttl", "ttl", "failure_ttl") == [b"-1", b"60", None, None]
    assert redis_client.ttl("rq:job:failed-1") <= 50


def test_a_running_job_is_stopped_after_a_question_and_an_abandoned_one_requeued(operator: Browser, redis_client: redis.Redis) -> None:
    running, lost = page(operator, "job?id=runs"), page(operator, "job?id=lost")

    question = pressed(operator, running.form("/jobs/stop"), "/stop")
    said = pressed(operator, question.form("/jobs/stop"), "/stop")
    requeued = pressed(operator, lost.form("/jobs/requeue"), "/requeue")

    assert "Stop 1 started job of mail?" in question.text
    assert "A SimpleWorker ignores this" in question.text
    assert "1 not reached: nobody was listening." in said.text
    assert "Requeued 1 job of mail on plain." in requeued.text
    assert redis_client.zrange("rq:wip:mail", 0, -1) == [f"runs:{EXECUTION}".encode()]


def test_a_stuck_job_is_put_back(operator: Browser, redis_client: redis.Redis) -> None:
    said = pressed(operator, page(operator, of("intermediate")).form("/jobs/rescue"), "/rescue", "popped")

    assert "Put back 1 job of mail on plain." in said.text
    assert redis_client.lrange("rq:queue:mail", 0, -1) == [b"popped", b"waiting-1"]


def test_a_job_that_waits_for_a_slot_is_canceled_on_its_own_page(operator: Browser, redis_client: redis.Redis) -> None:
    Stored(redis_client).job("limited", status="rate_limited", rate_limit_key="api")
    redis_client.zadd("rq:rl:api:rate_limited", {"limited": 1})

    question = pressed(operator, page(operator, "job?id=limited").form("/jobs/cancel"), "/cancel")
    said = pressed(operator, question.form("/jobs/cancel"), "/cancel")

    assert "Canceled 1 job of mail on plain." in said.text
    assert redis_client.zcard("rq:canceled:mail") == 1
    assert not redis_client.exists("rq:rl:api:rate_limited")


def test_a_queue_is_deleted_only_when_what_it_holds_may_go_too(operator: Browser, redis_client: redis.Redis) -> None:
    question = pressed(operator, page(operator, of("queued")).form("/queue/delete"), "/delete")
    form = question.form("/queue/delete")

    refused = pressed(operator, form, "/delete")
    kept = redis_client.smembers("rq:queues")
    held = pressed(operator, form, "/delete", with_jobs="1")
    redis_client.delete("rq:wip:mail", "rq:queue:mail:intermediate")
    gone = pressed(operator, form, "/delete", with_jobs="1")

    assert "Delete the queue mail, which holds 8 jobs?" in question.text
    assert "It holds 8 jobs. Choose that they are deleted with it" in refused.text
    assert kept == {b"rq:queue:mail"}
    assert "the queue stays: 3 entries are still in it" in held.text
    assert "Deleted the queue mail on plain." in gone.text
    assert redis_client.smembers("rq:queues") == set()


def test_workers_are_suspended_for_a_while_and_resumed(operator: Browser, redis_client: redis.Redis) -> None:
    workers = Document(operator.get("/workers?backend=plain").get_data(as_text=True))
    question = pressed(operator, workers.form("/suspend"), "/suspend")
    form = question.form("/suspend")

    suspended = pressed(operator, form, "/suspend", for_s="600")
    left = redis_client.ttl("rq:suspended")
    on_queue = page(operator, of("queued"))
    resumed = pressed(operator, suspended.form("/resume"), "/resume")

    assert "Each idle worker takes one more job" in question.text
    assert "Suspended the workers of plain." in suspended.text
    assert "All workers of plain are suspended." in suspended.text
    assert 500 < left <= 600
    assert "suspended until" in on_queue.text.lower()
    assert "Resumed the workers of plain." in resumed.text
    assert not redis_client.exists("rq:suspended")


def test_jobs_go_to_another_connection_after_a_second_question(operator: Browser, redis_client: redis.Redis, server: Server) -> None:
    question = pressed(operator, page(operator, of("failed")).form("/jobs/move"), "/move", "failed-1")
    second = pressed(operator, question.form("/jobs/move"), "/move", to_backend="other")

    said = pressed(operator, second.form("/jobs/move"), "/move", to_queue_new="mended")

    assert "Each job is copied, taken out here, then queued there." in second.text
    assert "Moved 1 job of mail on plain to mended on other." in said.text
    assert redis_client.zrange("rq:failed:mail", 0, -1) == [b"failed-2"]
    with server.client(db=1) as other:
        assert other.lrange("rq:queue:mended", 0, -1) == [b"failed-1"]


def test_a_protected_destination_asks_for_its_name(operator: Browser, redis_client: redis.Redis) -> None:
    question = pressed(operator, page(operator, of("failed")).form("/jobs/move"), "/move", "failed-1")
    second = pressed(operator, question.form("/jobs/move"), "/move", to_backend="vault")

    refused = pressed(operator, second.form("/jobs/move"), "/move", to_queue_new="mended", typed="plain")
    unchanged = redis_client.zcard("rq:failed:mail")
    said = pressed(operator, second.form("/jobs/move"), "/move", to_queue_new="mended", typed="vault")

    assert "Type vault to go on: it is protected." in refused.text
    assert unchanged == 2
    assert "Moved 1 job of mail on plain to mended on vault." in said.text


def test_nobody_moves_jobs_to_a_backend_without_a_grant(place: Site, redis_client: redis.Redis) -> None:
    narrow = place.sign_in("operator", grants=("plain",))
    question = pressed(narrow, page(narrow, of("failed")).form("/jobs/move"), "/move", "failed-1")
    form = question.form("/jobs/move")

    answer = narrow.client.post(form.action, data=form.data(typed={"to_backend": "other", "asked_of": "other", "to_queue_new": "x"}))

    assert "To backend" not in question.text
    assert answer.status_code == 404
    assert redis_client.zcard("rq:failed:mail") == 2


def test_the_queue_without_a_name_can_be_picked(operator: Browser, redis_client: redis.Redis) -> None:
    Stored(redis_client).queue("")
    question = pressed(operator, page(operator, of("failed")).form("/jobs/move"), "/move", "failed-1")

    pressed(operator, question.form("/jobs/move"), "/move", to_queue="~")

    assert redis_client.lrange("rq:queue:", 0, -1) == [b"failed-1"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("jobs/stop", {"registry": "started", "ids": ["runs"]}),
        ("queue/delete", {"with_jobs": True}),
        ("suspend", {}),
    ],
)
def test_what_destroys_asks_a_program_for_the_name_of_a_protected_backend(
    place: Site, redis_client: redis.Redis, path: str, body: dict
) -> None:  # type: ignore[type-arg]
    before = contents(redis_client)

    status, said = call(place, path, {"queue": "mail", **body}, backend="precious")

    assert (status, said["code"]) == (400, "invalid")
    assert "Type precious" in str(said["message"])
    assert contents(redis_client) == before


WRITES = (
    ("jobs/enqueue", {"registry": "scheduled", "ids": ["due"]}),
    ("jobs/reschedule", {"registry": "scheduled", "ids": ["due"], "at": "2031-01-01T00:00:00Z"}),
    ("jobs/edit", {"registry": "failed", "ids": ["failed-1"], "timeout": 5}),
    ("jobs/stop", {"registry": "started", "ids": ["runs"]}),
    ("jobs/rescue", {"registry": "intermediate", "ids": ["popped"]}),
    ("queue/delete", {"with_jobs": True}),
    ("suspend", {"for_s": 60}),
    ("resume", {}),
)


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_viewers_and_read_only_backends_are_refused(place: Site, redis_client: redis.Redis, path: str, body: dict[str, object]) -> None:
    before = contents(redis_client)

    viewer = call(place, path, {"queue": "mail", **body}, role="viewer")
    frozen = call(place, path, {"queue": "mail", **body}, backend="frozen")

    assert (viewer[0], viewer[1]["code"]) == (403, "denied")
    assert (frozen[0], frozen[1]["code"]) == (409, "read_only")
    assert contents(redis_client) == before


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_a_program_is_answered_with_counts_and_leaves_one_row(place: Site, path: str, body: dict[str, object]) -> None:
    status, said = call(place, path, {"queue": "mail", **body})

    (row,) = place.access.audit.entries()
    assert status == 200
    assert said["counts"] == dict(row.outcomes)
    assert row.backend == "plain"


def test_a_program_must_say_that_jobs_go_with_their_queue_and_give_a_time_its_zone(place: Site, redis_client: redis.Redis) -> None:
    before = contents(redis_client)

    queue = call(place, "queue/delete", {"queue": "mail"})
    no_zone = call(place, "jobs/reschedule", {"queue": "mail", "registry": "scheduled", "ids": ["due"], "at": "2031-01-01T00:00:00"})
    elsewhere = call(place, "jobs/stop", {"queue": "mail", "registry": "failed", "ids": ["failed-1"]})

    assert (queue[0], no_zone[0], elsewhere[0]) == (409, 400, 400)
    assert contents(redis_client) == before


def test_a_suspension_ends_by_itself_where_that_was_asked(place: Site, redis_client: redis.Redis) -> None:
    call(place, "suspend", {"for_s": 60})

    workers = place.stranger().get("/api/v1/workers?backend=plain", headers=place.token("viewer")).json

    (state,) = workers["suspensions"]
    until = datetime.fromisoformat(state["until"])
    assert state["is_suspended"] is True
    assert timedelta(seconds=30) < until - datetime.now(UTC) <= timedelta(seconds=61)
