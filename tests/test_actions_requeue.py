"""Requeue: failed and canceled jobs go back on their queue, and a real worker runs each once."""

from __future__ import annotations

import pytest
import redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.rate_limit import RateLimit

from rqdash.actions import requeue
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from rqdash.model.outcome import Verdict
from rqdash.model.registry import Registry
from tests.actors import HOSTILE, Witness, verdicts
from tests.conftest import backend_of
from tests.workers import counts, enqueue, work


def failed(server: Server, client: redis.Redis, *, number: int = 1, **options: object) -> list[str]:
    """Ids of jobs that failed in a real worker, and would succeed now."""
    client.set("runs:fails", 1)
    queue = Queue("mail", connection=client)
    ids = [queue.enqueue("tests.tasks.count_and_fail", "runs", **options).id for _ in range(number)]
    work(server, "mail")
    client.delete("runs:fails", "runs")
    return ids


def test_a_requeued_failed_job_runs_once_and_counts_as_rq_counts(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    ids = failed(server, redis_client, number=3)

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=ids[:2])

    assert verdicts(outcome) == ["done", "done"]
    after = counts(server, "mail")
    assert (after["queued"], after["failed"]) == (2, 1)
    work(server, "mail")
    assert redis_client.get("runs") == b"2"
    assert counts(server, "mail") == {"queued": 0, "started": 0, "scheduled": 0, "deferred": 0, "failed": 1, "finished": 2, "canceled": 0}


def test_a_requeued_job_looks_as_rq_leaves_it(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    (job_id,) = failed(server, redis_client)
    redis_client.hset(f"rq:job:{job_id}", "exc_info", "an old trace")

    requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    job = Job.fetch(job_id, connection=redis_client)
    assert job.get_status() is JobStatus.QUEUED
    assert (job.origin, job.started_at, job.ended_at) == ("mail", None, None)
    assert job.enqueued_at is not None
    assert job.enqueued_at > job.created_at
    assert not redis_client.hexists(f"rq:job:{job_id}", "exc_info")


def test_a_requeued_job_does_not_vanish_with_its_failure_ttl(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    (job_id,) = failed(server, redis_client, failure_ttl=100)
    before = redis_client.ttl(f"rq:job:{job_id}")

    requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert before > 0
    assert redis_client.ttl(f"rq:job:{job_id}") == -1


def test_a_requeued_job_that_may_only_wait_so_long_waits_no_longer(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    (job_id,) = failed(server, redis_client, ttl=5000)

    requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert 4000 < redis_client.ttl(f"rq:job:{job_id}") <= 5000


def test_a_deleted_queue_is_listed_again_when_one_of_its_jobs_is_requeued(
    server: Server, redis_client: redis.Redis, backend: Backend
) -> None:
    (job_id,) = failed(server, redis_client)
    Queue("mail", connection=redis_client).delete()

    requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert [queue.name for queue in Queue.all(connection=redis_client)] == ["mail"]
    work(server, "mail")
    assert redis_client.get("runs") == b"1"


def test_jobs_requeued_at_the_front_run_first_and_in_their_order(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    ids = [queue.enqueue("tests.tasks.note", "order").id for _ in range(450)]
    for job_id in ids:
        Job.fetch(job_id, connection=redis_client).cancel()
    waiting = queue.enqueue("tests.tasks.note", "order").id

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.CANCELED, ids=ids, at_front=True)

    assert outcome.done == 450
    assert [job.job_id for job in outcome.jobs] == ids
    assert queue.get_job_ids() == [*ids, waiting]


def test_jobs_requeued_at_the_back_run_last_and_in_their_order(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    jobs = [queue.enqueue("tests.tasks.note", "order") for _ in range(250)]
    for job in jobs:
        job.cancel()
    waiting = queue.enqueue("tests.tasks.note", "order").id

    requeue(backend, Witness(), queue="mail", registry=Registry.CANCELED, ids=[job.id for job in jobs])

    assert queue.get_job_ids() == [waiting, *(job.id for job in jobs)]


def test_a_requeued_job_that_waited_for_another_runs_only_once(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    parent = queue.enqueue("tests.tasks.count", "parent")
    child = queue.enqueue("tests.tasks.count", "child", depends_on=parent)
    child.cancel()

    requeue(backend, Witness(), queue="mail", registry=Registry.CANCELED, ids=[child.id])

    work(server, "mail")
    assert redis_client.mget("parent", "child") == [b"1", b"1"]


def test_a_second_requeue_does_nothing(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    (job_id,) = failed(server, redis_client)
    requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert verdicts(outcome) == ["raced"]
    assert Queue("mail", connection=redis_client).get_job_ids() == [job_id]


def test_an_id_named_twice_is_requeued_once(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    (job_id,) = failed(server, redis_client)

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id, job_id])

    assert verdicts(outcome) == ["done"]
    assert Queue("mail", connection=redis_client).get_job_ids() == [job_id]


def test_an_entry_whose_job_is_gone_is_removed_and_said_to_be_gone(redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.zadd("rq:failed:mail", {"ghost": 4e9, "zombie": 4e9})
    redis_client.hset("rq:job:zombie", "last_heartbeat", "2026-01-01T00:00:00.000000Z")

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=["ghost", "zombie"])

    assert verdicts(outcome) == ["gone", "gone"]
    assert not redis_client.exists("rq:failed:mail", "rq:queue:mail", "rq:queues")


@pytest.mark.parametrize("job_id", ["a.b", "user@host", "a:b", "a b", "", "näh", "x\n"])
def test_an_id_that_would_end_a_worker_is_never_queued(redis_client: redis.Redis, backend: Backend, job_id: str) -> None:
    redis_client.hset(f"rq:job:{job_id}", mapping={"status": "failed", "data": "x", "origin": "mail"})
    redis_client.zadd("rq:failed:mail", {job_id: 4e9})

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert verdicts(outcome) == ["bad_id"]
    assert redis_client.zcard("rq:failed:mail") == 1
    assert not redis_client.exists("rq:queue:mail")


def test_a_rate_limited_job_is_left_to_rq(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    (job_id,) = failed(server, redis_client, rate_limit=RateLimit("api", 1))

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert verdicts(outcome) == ["rate_limited"]
    assert redis_client.zcard("rq:failed:mail") == 1


def test_a_stopped_job_is_requeued_from_the_failed_registry(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    (job_id,) = failed(server, redis_client)
    redis_client.hset(f"rq:job:{job_id}", "status", "stopped")

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert verdicts(outcome) == ["done"]


def test_a_job_in_two_minds_is_stale(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    (job_id,) = failed(server, redis_client)
    redis_client.hset(f"rq:job:{job_id}", "status", "finished")

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert verdicts(outcome) == ["stale"]
    assert redis_client.zcard("rq:failed:mail") == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_queue_of_any_name_gets_its_own_job_back(redis_client: redis.Redis, backend: Backend, name: str) -> None:
    job = Queue(name, connection=redis_client).enqueue("tests.tasks.count", "runs")
    job.cancel()

    outcome = requeue(backend, Witness(), queue=name, registry=Registry.CANCELED, ids=[job.id])

    assert outcome.done == 1
    assert redis_client.lrange(f"rq:queue:{name}", 0, -1) == [job.id.encode()]


def test_a_queue_name_that_is_not_utf8_works(redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.hset("rq:job:one", mapping={"status": "failed", "data": "x"})
    redis_client.zadd(b"rq:failed:\xff\xfe", {"one": 4e9})

    outcome = requeue(backend, Witness(), queue="\udcff\udcfe", registry=Registry.FAILED, ids=["one"])

    assert outcome.done == 1
    assert redis_client.lrange(b"rq:queue:\xff\xfe", 0, -1) == [b"one"]
    assert redis_client.smembers("rq:queues") == {b"rq:queue:\xff\xfe"}


def test_another_key_prefix_is_a_world_of_its_own(server: Server, redis_client: redis.Redis) -> None:
    redis_client.set("runs:fails", 1)
    job_id = enqueue(server, "mail", "tests.tasks.count_and_fail", "runs", prefix="{app}.rq")
    work(server, "mail", prefix="{app}.rq")
    redis_client.delete("runs:fails", "runs")
    other = backend_of(server, prefix="{app}.rq")

    outcome = requeue(other, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert verdicts(outcome) == [Verdict.DONE]
    assert not [key for key in redis_client.keys("rq:*") if not key.startswith(b"{app}")]
    work(server, "mail", prefix="{app}.rq")
    assert redis_client.get("runs") == b"1"
    assert counts(server, "mail", prefix="{app}.rq")["finished"] == 1
    other.close()


@pytest.mark.parametrize("registry", sorted(set(Registry) - {Registry.FAILED, Registry.CANCELED, Registry.STARTED}))
def test_only_failed_canceled_and_started_jobs_can_be_requeued(backend: Backend, registry: Registry) -> None:
    witness = Witness()

    with pytest.raises(Invalid):
        requeue(backend, witness, queue="mail", registry=registry, ids=["one"])

    assert [row.status for row in witness.rows] == ["invalid"]


def test_requeue_of_nothing_is_refused(backend: Backend) -> None:
    with pytest.raises(Invalid):
        requeue(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[])


def test_the_audit_row_says_what_came_of_the_jobs(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    ids = failed(server, redis_client, number=2)
    witness = Witness()

    requeue(backend, witness, queue="mail", registry=Registry.FAILED, ids=[*ids, "nobody"], at_front=True)

    (row,) = witness.rows
    assert (row.verb, row.backend, row.queue, row.status) == ("requeue", "live", "mail", "done")
    assert row.values == {"registry": "failed", "jobs": 3, "ids": f"{ids[0]} {ids[1]} nobody", "at_front": True}
    assert row.outcomes == {"done": 2, "gone": 1}
