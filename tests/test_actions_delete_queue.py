"""Deleting a queue: never with jobs in it that nobody would see again, and only with those that were to go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.rate_limit import RateLimit

from rqdash.actions import delete_queue
from rqdash.backends.backend import Backend
from rqdash.errors import Invalid
from rqdash.model.outcome import Outcome
from tests.actors import HOSTILE, Witness, snapshot, write_job


def now() -> datetime:
    return datetime.now(UTC)


def counted(outcome: Outcome) -> dict[str, int]:
    return {verdict.value: count for verdict, count in outcome.counts().items()}


def fill(client: redis.Redis) -> None:
    """A job in each registry that can be emptied, and two that wait."""
    queue = Queue("mail", connection=client)
    for _ in range(2):
        queue.enqueue("tests.tasks.count", "runs")
    queue.enqueue_in(timedelta(days=1), "tests.tasks.count", "runs")
    parent = queue.enqueue("tests.tasks.count", "runs")
    queue.enqueue("tests.tasks.count", "runs", depends_on=parent)
    for registry in ("failed", "finished", "canceled"):
        write_job(client, registry, status=registry)
        client.zadd(f"rq:{registry}:mail", {registry: 4e9, f"ghost of {registry}": 4e9})


@pytest.mark.parametrize("name", HOSTILE)
def test_an_empty_queue_is_forgotten(redis_client: redis.Redis, backend: Backend, name: str) -> None:
    redis_client.sadd("rq:queues", f"rq:queue:{name}", "rq:queue:other")

    outcome = delete_queue(backend, Witness(), queue=name, as_of=now())

    assert (outcome.left, counted(outcome)) == (0, {})
    assert redis_client.smembers("rq:queues") == {b"rq:queue:other"}


@pytest.mark.parametrize(
    "key", ["rq:queue:mail:intermediate", "rq:queue:mail", *(f"rq:{kind}:mail" for kind in ("wip", "failed", "ready"))]
)
def test_a_queue_that_holds_anything_keeps_its_name(redis_client: redis.Redis, backend: Backend, key: str) -> None:
    redis_client.sadd("rq:queues", "rq:queue:mail")
    if key.startswith("rq:queue"):
        redis_client.rpush(key, "one")
    else:
        redis_client.zadd(key, {"one": 1})
    before = snapshot(redis_client)

    outcome = delete_queue(backend, Witness(), queue="mail", as_of=now())

    assert outcome.left == 1
    assert snapshot(redis_client) == before


def test_with_its_jobs_nothing_is_left_of_it(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client)

    outcome = delete_queue(backend, Witness(), queue="mail", as_of=now(), with_jobs=True)

    assert (outcome.left, counted(outcome)) == (0, {"done": 8, "gone": 3})
    assert redis_client.keys("*") == []


def test_jobs_that_run_or_that_others_wait_for_keep_it(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client)
    parent = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")
    Queue("slow", connection=redis_client).enqueue("tests.tasks.count", "runs", depends_on=parent)
    write_job(redis_client, "runs", status="started")
    redis_client.zadd("rq:wip:mail", {"runs": 4e9})

    outcome = delete_queue(backend, Witness(), queue="mail", as_of=now(), with_jobs=True)

    assert (outcome.left, counted(outcome)["has_dependents"]) == (2, 1)
    assert b"rq:queue:mail" in redis_client.smembers("rq:queues")
    assert Job.exists(parent.id, connection=redis_client)


def test_jobs_enqueued_after_the_question_stay(redis_client: redis.Redis, backend: Backend) -> None:
    asked = now()
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")

    outcome = delete_queue(backend, Witness(), queue="mail", as_of=asked, with_jobs=True)

    assert (outcome.left, counted(outcome)) == (1, {})
    assert Queue("mail", connection=redis_client).get_job_ids() == [job.id]


def test_a_job_that_waits_for_a_slot_would_come_back_unseen_and_keeps_it(redis_client: redis.Redis, backend: Backend) -> None:
    Queue("slow", connection=redis_client).enqueue("tests.tasks.count", "runs", rate_limit=RateLimit("api", 1))
    Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs", rate_limit=RateLimit("api", 1))

    outcome = delete_queue(backend, Witness(), queue="mail", as_of=now())

    assert outcome.left == 1
    assert b"rq:queue:mail" in redis_client.smembers("rq:queues")


def test_no_time_left_leaves_the_rest_and_the_queue(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client)

    outcome = delete_queue(backend, Witness(), queue="mail", as_of=now(), with_jobs=True, budget_s=0)

    assert outcome.left > 0
    assert b"rq:queue:mail" in redis_client.smembers("rq:queues")


def test_a_moment_without_a_zone_is_refused(backend: Backend) -> None:
    with pytest.raises(Invalid):
        delete_queue(backend, Witness(), queue="mail", as_of=datetime(2026, 1, 1))  # noqa: DTZ001
