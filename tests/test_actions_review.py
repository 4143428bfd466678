"""Actions at their edges: what came later than was meant, what a scheduler has in hand, the middle of very long lists, many parents."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from rqdash.actions import Order, cancel, carried_out, delete, empty, enqueue, move, reschedule
from rqdash.backends.backend import Backend
from rqdash.demo.servers import HOST, Server
from rqdash.model import names
from rqdash.model.outcome import Outcome
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry
from tests.actors import Witness, snapshot, verdicts, write_job
from tests.editing import registry
from tests.pages import Document
from tests.site import Browser, Site, site
from tests.stored import Stored, iso

AS_OF = datetime(2026, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)
BEFORE, AFTER = iso(AS_OF), iso(AS_OF + timedelta(microseconds=1))
PLACES = {
    Registry.QUEUED: ("enqueued_at", ("cancel", "delete", "move")),
    Registry.SCHEDULED: ("ended_at", ("enqueue", "delete")),
    Registry.DEFERRED: ("created_at", ("cancel",)),
    Registry.FAILED: ("ended_at", ("requeue", "delete")),
    Registry.FINISHED: ("ended_at", ("delete",)),
}
KEY = "rq:queue:mail"


def place(client: redis.Redis, job_id: str, where: Registry, *, score: float = 4e9, **fields: str) -> None:
    write_job(client, job_id, status=where.value, **fields)
    if where is Registry.QUEUED:
        client.rpush(KEY, job_id)
    else:
        client.zadd(f"rq:{where.value}:mail", {job_id: score})


@pytest.mark.parametrize(("where", "verb"), [(where, verb) for where, (_, verbs) in PLACES.items() for verb in verbs])
@pytest.mark.parametrize("created_at", ["", BEFORE], ids=["judged", "simple"])
def test_what_came_after_the_moment_that_is_meant_is_left_alone(
    redis_client: redis.Redis, backend: Backend, where: Registry, verb: str, created_at: str
) -> None:
    field = PLACES[where][0]
    moments = {"old": BEFORE, "whole-second": "2026-05-01T12:00:00Z", "new": AFTER, "next-second": "2026-05-01T12:00:01Z", "odd": "soon"}
    for job_id, moment in moments.items():
        # Without created_at each job is judged in full, with it by a look at its fields.
        plain = {"created_at": created_at} if created_at else {}
        place(redis_client, job_id, where, **{"enqueued_at": "", **plain, field: moment})
    if field != "created_at" and where in (Registry.SCHEDULED, Registry.FAILED):
        redis_client.hset("rq:job:odd", "created_at", AFTER)

    outcome, _ = carried_out(backend, Order(verb, "mail", where, to_queue="slow", as_of=AS_OF), ids=list(moments))

    assert verdicts(outcome) == ["done", "done", "stale", "stale", "stale"]


def test_a_canceled_job_came_when_its_registry_says(redis_client: redis.Redis, backend: Backend) -> None:
    for job_id, late_s in (("old", 0), ("new", 1)):
        place(redis_client, job_id, Registry.CANCELED, score=AS_OF.timestamp() + late_s, created_at=BEFORE)

    outcome, _ = carried_out(backend, Order("delete", "mail", Registry.CANCELED, as_of=AS_OF), ids=["old", "new"])

    assert verdicts(outcome) == ["done", "stale"]


def test_a_failed_job_without_an_end_came_when_its_result_was_written(redis_client: redis.Redis, backend: Backend) -> None:
    at_ms = int(AS_OF.timestamp() * 1000)
    for job_id, result in (("old", at_ms), ("new", at_ms + 1)):
        place(redis_client, job_id, Registry.FAILED, created_at=BEFORE, ended_at="")
        redis_client.xadd(f"rq:results:{job_id}", {"type": 2}, id=f"{result}-0")

    outcome, _ = carried_out(backend, Order("delete", "mail", Registry.FAILED, as_of=AS_OF), ids=["old", "new"])

    assert verdicts(outcome) == ["done", "stale"]


ON_SCHEDULED: dict[str, Callable[[Backend, list[str]], Outcome]] = {
    "enqueue": lambda backend, ids: enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=ids),
    "cancel": lambda backend, ids: cancel(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=ids),
    "delete": lambda backend, ids: delete(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=ids),
    "move": lambda backend, ids: move(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=ids, to_queue="slow"),
    "reschedule": lambda backend, ids: reschedule(backend, Witness(), queue="mail", ids=ids, at=datetime(2030, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("verb", ON_SCHEDULED)
@pytest.mark.parametrize("fields", [{}, {"created_at": BEFORE}], ids=["judged", "simple"])
def test_a_due_job_is_left_to_the_scheduler_that_has_its_queue(
    redis_client: redis.Redis, backend: Backend, verb: str, fields: dict[str, str]
) -> None:
    for job_id, in_s in (("overdue", -60), ("due-at-once", 3), ("later", 3600)):
        place(redis_client, job_id, Registry.SCHEDULED, score=time.time() + in_s, **fields)
    redis_client.set("rq:scheduler-lock:mail", "somebody", ex=60)

    held = ON_SCHEDULED[verb](backend, ["overdue", "due-at-once", "later"])
    redis_client.delete("rq:scheduler-lock:mail")
    free = ON_SCHEDULED[verb](backend, ["overdue", "due-at-once"])

    assert verdicts(held) == ["raced", "raced", "done"]
    assert verdicts(free) == ["done", "done"]


@pytest.mark.parametrize(("where", "other"), [("scheduled", "finished"), ("finished", "scheduled")])
def test_a_job_that_waits_for_its_next_repeat_leaves_both_its_registries(
    redis_client: redis.Redis, backend: Backend, where: str, other: str
) -> None:
    write_job(redis_client, "repeats", status="finished")
    for name in (where, other):
        redis_client.zadd(f"rq:{name}:mail", {"repeats": 4e9, "stays": 4e9})

    outcome = delete(backend, Witness(), queue="mail", registry=Registry(where), ids=["repeats"])

    assert verdicts(outcome) == ["done"]
    assert redis_client.zrange(f"rq:{where}:mail", 0, -1) == redis_client.zrange(f"rq:{other}:mail", 0, -1) == [b"stays"]


def test_a_finished_job_whose_repeat_a_scheduler_has_in_hand_stays(redis_client: redis.Redis, backend: Backend) -> None:
    write_job(redis_client, "repeats", status="finished")
    redis_client.zadd("rq:finished:mail", {"repeats": 4e9})
    redis_client.zadd("rq:scheduled:mail", {"repeats": 1})
    redis_client.set("rq:scheduler-lock:mail", "somebody", ex=60)
    before = snapshot(redis_client)

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.FINISHED, ids=["repeats"])

    assert verdicts(outcome) == ["raced"]
    assert snapshot(redis_client) == before


def fill_list(client: redis.Redis, length: int, jobs: list[int]) -> list[str]:
    """A list of so many entries of which those at these places have a hash; their ids."""
    for start in range(0, length, 50_000):
        client.rpush(KEY, *(f"job-{number:06}" for number in range(start, min(length, start + 50_000))))
    ids = [f"job-{number:06}" for number in jobs]
    for job_id in ids:
        write_job(client, job_id, status="queued", created_at=BEFORE)
    return ids


def test_the_middle_of_a_very_long_list_is_refused_and_the_rest_is_done_in_its_order(redis_client: redis.Redis, backend: Backend) -> None:
    length = 320_000
    near, middle, far = [100_000, 140_000], [159_000, 161_000], [190_000, 300_000]
    ids = fill_list(redis_client, length, [*near, *middle, *far])
    redis_client.config_resetstat()

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=ids, to_queue="slow")

    assert verdicts(outcome) == ["done", "done", "refused", "refused", "done", "done"]
    assert redis_client.lrange("rq:queue:slow", 0, -1) == [job_id.encode() for job_id in (*ids[:2], *ids[4:])]
    assert redis_client.llen(KEY) == length - 4
    assert redis_client.lpos(KEY, ids[2]) == 159_000 - 2
    assert redis_client.info("commandstats")["cmdstat_lrem"]["calls"] == 2


def test_to_the_front_they_come_in_their_order_over_several_calls(redis_client: redis.Redis, backend: Backend) -> None:
    ids = fill_list(redis_client, 280_000, [100_000, 139_000, 141_000, 180_000])

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=ids, to_queue="mail", at_front=True)

    assert verdicts(outcome) == ["done"] * 4
    assert redis_client.lrange(KEY, 0, 4) == [job_id.encode() for job_id in (*ids, "job-000000")]
    assert redis_client.llen(KEY) == 280_000


def test_a_job_that_waits_for_too_many_others_is_refused(redis_client: redis.Redis, backend: Backend) -> None:
    place(redis_client, "child", Registry.DEFERRED)
    redis_client.sadd("rq:job::child:dependencies", *(f"parent-{number}" for number in range(2_001)))
    before = snapshot(redis_client)

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.DEFERRED, ids=["child"])

    assert verdicts(outcome) == ["refused"]
    assert snapshot(redis_client) == before


def test_jobs_with_many_parents_are_done_over_several_calls(redis_client: redis.Redis, backend: Backend) -> None:
    ids = [f"child-{number}" for number in range(3)]
    for job_id in ids:
        place(redis_client, job_id, Registry.DEFERRED)
        redis_client.sadd(f"rq:job::{job_id}:dependencies", *(f"{job_id}-parent-{number}" for number in range(900)))
    redis_client.sadd("rq:job:child-2-parent-7:dependents", "child-2")
    cancel(backend, Witness(), queue="mail", registry=Registry.DEFERRED, ids=["nobody"])  # loads the script
    redis_client.config_resetstat()

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.DEFERRED, ids=ids)

    assert verdicts(outcome) == ["done"] * 3
    assert redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] == 2
    assert not redis_client.exists("rq:job:child-2-parent-7:dependents")


def test_emptying_still_takes_everything_that_waited(redis_client: redis.Redis, backend: Backend) -> None:
    ids = [f"job-{number}" for number in range(250)]
    for job_id in ids:
        place(redis_client, job_id, Registry.QUEUED, enqueued_at=BEFORE)
    place(redis_client, "young", Registry.QUEUED, enqueued_at=AFTER)

    outcome = empty(backend, Witness(), queue="mail", as_of=AS_OF)

    assert (outcome.done, outcome.left) == (250, 0)
    assert redis_client.lrange(KEY, 0, -1) == [b"young"]


@pytest.fixture
def dashboard(tmp_path: Path, server: Server, redis_client: redis.Redis) -> Site:
    """Two databases of one server; both connections are protected."""
    Stored(redis_client).failed("failed-1", score=float("inf"))
    found = site(tmp_path / "data")
    for number, name in enumerate(("here", "there")):
        registry(found).create(Profile(name, host=HOST, port=server.port, db=number, protected=True), by="test")
    return found


def question(dashboard: Site) -> tuple[Browser, dict[str, object]]:
    """A browser, and what the form posts that asks for the details of a move to the other connection."""
    browser = dashboard.sign_in("operator")
    chosen = {"queue": names.to_form("mail"), "registry": "failed", "id": names.to_form("failed-1"), "endpoint_version": "1"}
    asked = browser.post("/b/here/jobs/move", {**chosen, "confirmed": "1", "to_backend": "there"})
    form = Document(asked.get_data(as_text=True)).form("/jobs/move")
    data = form.data(typed={"to_backend": "there", "to_queue_new": "mended"})
    return browser, {**dict(data), "typed": ["there", "here"]}


def test_a_move_asks_for_the_names_of_both_protected_ends(dashboard: Site, redis_client: redis.Redis) -> None:
    browser, data = question(dashboard)

    answers = [browser.client.post("/b/here/jobs/move", data={**data, "typed": typed}) for typed in ("here", "there", ["there", "here"])]

    assert [answer.status_code for answer in answers] == [400, 400, 303]
    assert not redis_client.exists("rq:failed:mail")


def test_a_copy_asks_for_the_name_of_where_it_goes_alone(dashboard: Site, redis_client: redis.Redis) -> None:
    browser, data = question(dashboard)

    answers = [browser.client.post("/b/here/jobs/move", data={**data, "copies": "1", "typed": typed}) for typed in ("here", "there")]

    assert [answer.status_code for answer in answers] == [400, 303]
    assert redis_client.exists("rq:failed:mail")


def test_a_move_to_a_connection_that_points_elsewhere_since_is_not_made(dashboard: Site, redis_client: redis.Redis) -> None:
    browser, data = question(dashboard)
    stored = registry(dashboard).get("there")
    registry(dashboard).update("there", replace(stored, db=5), version=stored.version, by="test")
    before = snapshot(redis_client)

    answer = browser.client.post("/b/here/jobs/move", data=data)

    assert answer.status_code == 409
    assert "there points elsewhere since this page was drawn" in answer.get_data(as_text=True)
    assert snapshot(redis_client) == before
