"""Enqueue now: scheduled and deferred jobs are on a queue at once, in one place only, and run once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import DeferredJobRegistry, ScheduledJobRegistry

from rqdash.actions import enqueue, requeue
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from rqdash.model.registry import Registry
from tests.actors import Witness, verdicts, write_job
from tests.workers import counts, schedule, work

SOON = timedelta(hours=1)


def test_a_scheduled_job_runs_now_and_not_again_when_its_time_comes(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    job, later = (queue.enqueue_in(SOON, "tests.tasks.count", key) for key in ("now", "later"))

    outcome = enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=[job.id])
    work(server, "mail")
    schedule(server, "mail")
    work(server, "mail")

    assert verdicts(outcome) == ["done"]
    assert redis_client.mget("now", "later") == [b"1", None]
    assert ScheduledJobRegistry(queue=queue).get_job_ids() == [later.id]
    assert counts(server, "mail")["finished"] == 1


@pytest.mark.parametrize("score", ["inf", "now"])
def test_a_deferred_job_runs_now_and_not_again_when_its_parent_ends(
    server: Server, redis_client: redis.Redis, backend: Backend, score: str
) -> None:
    queue = Queue("mail", connection=redis_client)
    parent = queue.enqueue_in(SOON, "tests.tasks.count", "parent")
    child = queue.enqueue("tests.tasks.count", "child", depends_on=parent)
    # Versions differ in what they write there: an expiry, or the moment.
    redis_client.zadd("rq:deferred:mail", {child.id: float("inf") if score == "inf" else datetime.now(UTC).timestamp()})

    outcome = enqueue(backend, Witness(), queue="mail", registry=Registry.DEFERRED, ids=[child.id])
    enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=[parent.id])
    work(server, "mail")

    assert verdicts(outcome) == ["done"]
    assert redis_client.mget("parent", "child") == [b"1", b"1"]
    assert DeferredJobRegistry(queue=queue).get_job_ids() == []
    assert not redis_client.exists(f"rq:job:{parent.id}:dependents")


def test_an_enqueued_job_looks_as_rq_leaves_it_and_its_queue_is_listed(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue_in(SOON, "tests.tasks.count", "runs", ttl=500)
    redis_client.delete("rq:queues")

    enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=[job.id])

    found = Job.fetch(job.id, connection=redis_client)
    assert found.get_status() is JobStatus.QUEUED
    assert found.enqueued_at is not None
    assert 400 < redis_client.ttl(f"rq:job:{job.id}") <= 500
    assert redis_client.smembers("rq:queues") == {b"rq:queue:mail"}


def test_jobs_are_enqueued_in_the_order_named_at_the_front_or_on_another_queue(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    ids = [queue.enqueue_in(SOON, "tests.tasks.count", "runs").id for _ in range(4)]
    waiting = queue.enqueue("tests.tasks.count", "runs").id

    enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=ids[:2], at_front=True)
    enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=ids[2:], to_queue="slow")

    assert queue.get_job_ids() == [*ids[:2], waiting]
    assert Queue("slow", connection=redis_client).get_job_ids() == ids[2:]
    assert Job.fetch(ids[3], connection=redis_client).origin == "slow"


def test_a_job_that_the_scheduler_took_meanwhile_is_not_enqueued_twice(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    job = queue.enqueue_in(SOON, "tests.tasks.count", "runs")
    enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=[job.id])

    outcome = enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=[job.id])

    assert verdicts(outcome) == ["raced"]
    assert queue.get_job_ids() == [job.id]


def test_an_id_that_would_end_a_worker_is_not_enqueued(redis_client: redis.Redis, backend: Backend) -> None:
    write_job(redis_client, "a.b", status="scheduled")
    redis_client.zadd("rq:scheduled:mail", {"a.b": 4e9})

    outcome = enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=["a.b"])

    assert verdicts(outcome) == ["bad_id"]
    assert redis_client.zcard("rq:scheduled:mail") == 1


@pytest.mark.parametrize("registry", sorted(set(Registry) - {Registry.SCHEDULED, Registry.DEFERRED}))
def test_only_scheduled_and_deferred_jobs_can_be_enqueued(backend: Backend, registry: Registry) -> None:
    with pytest.raises(Invalid):
        enqueue(backend, Witness(), queue="mail", registry=registry, ids=["one"])


def test_failed_jobs_are_requeued_on_another_queue(redis_client: redis.Redis, backend: Backend) -> None:
    write_job(redis_client, "one", status="failed")
    redis_client.zadd("rq:failed:mail", {"one": 4e9})
    witness = Witness()

    outcome = requeue(backend, witness, queue="mail", registry=Registry.FAILED, ids=["one"], to_queue="slow")

    assert verdicts(outcome) == ["done"]
    assert redis_client.lrange("rq:queue:slow", 0, -1) == [b"one"]
    assert redis_client.hget("rq:job:one", "origin") == b"slow"
    assert witness.rows[0].values["to_queue"] == "slow"
