"""Cancel: queued, scheduled and deferred jobs do not run, and are kept as canceled."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.rate_limit import RateLimit

from rqdash.actions import cancel
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from rqdash.model.registry import Registry
from tests.actors import HOSTILE, Witness, snapshot, verdicts
from tests.processes import wait_until
from tests.workers import counts, schedule, work, working


def test_a_canceled_job_does_not_run_and_the_others_do(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    jobs = [queue.enqueue("tests.tasks.note", "ran") for _ in range(4)]

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[jobs[1].id, jobs[3].id])

    assert verdicts(outcome) == ["done", "done"]
    assert jobs[1].get_status() is JobStatus.CANCELED
    work(server, "mail")
    assert redis_client.lrange("ran", 0, -1) == [jobs[0].id.encode(), jobs[2].id.encode()]
    after = counts(server, "mail")
    assert (after["queued"], after["finished"], after["canceled"]) == (0, 2, 2)


def test_a_canceled_scheduled_job_is_not_enqueued_when_it_is_due(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    jobs = [queue.enqueue_in(timedelta(seconds=-1), "tests.tasks.note", "ran") for _ in range(2)]

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=[jobs[0].id])

    assert verdicts(outcome) == ["done"]
    schedule(server, "mail")
    work(server, "mail")
    assert redis_client.lrange("ran", 0, -1) == [jobs[1].id.encode()]


def test_a_canceled_deferred_job_is_released_by_no_parent(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    parents = [queue.enqueue("tests.tasks.count", "parents") for _ in range(2)]
    child = queue.enqueue("tests.tasks.count", "child", depends_on=parents)
    other = queue.enqueue("tests.tasks.count", "other", depends_on=parents)

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.DEFERRED, ids=[child.id])

    assert verdicts(outcome) == ["done"]
    assert [redis_client.smembers(parent.dependents_key) for parent in parents] == [{other.id.encode()}] * 2
    work(server, "mail")
    assert redis_client.mget("parents", "child", "other") == [b"2", None, b"1"]
    assert counts(server, "mail")["canceled"] == 1


def test_a_job_popped_between_page_and_click_is_left_to_its_worker(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    jobs = [queue.enqueue("tests.tasks.count", "runs") for _ in range(3)]
    redis_client.lpop("rq:queue:mail")
    before = snapshot(redis_client)

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[jobs[0].id])

    assert verdicts(outcome) == ["raced"]
    assert snapshot(redis_client) == before


def test_a_job_that_runs_is_not_canceled(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    job = queue.enqueue("tests.tasks.hold", "gate")
    with working(server, "mail") as worker:
        assert wait_until(lambda: bool(redis_client.exists("gate:running")))

        outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id])

        assert verdicts(outcome) == ["running"]
        redis_client.rpush("gate", 1)
        worker.communicate(timeout=30)
    after = counts(server, "mail")
    assert (after["finished"], after["canceled"]) == (1, 0)


def test_a_job_of_rq_1_that_runs_is_not_touched(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")
    redis_client.zadd("rq:wip:mail", {job.id: 4e9})

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id])

    assert verdicts(outcome) == ["running"]


def test_a_job_that_ended_meanwhile_is_no_longer_there(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")
    work(server, "mail")
    before = snapshot(redis_client)

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id])

    assert verdicts(outcome) == ["raced"]
    assert snapshot(redis_client) == before


def test_a_job_of_a_rate_limit_that_holds_no_slot_can_be_canceled(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    job = queue.enqueue("tests.tasks.count", "runs", rate_limit=RateLimit("api", 1))
    redis_client.delete("rq:rl:api:allowed")

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id])

    assert verdicts(outcome) == ["done"]


def test_an_id_that_stands_in_the_list_twice_leaves_it_altogether(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    job, other = (queue.enqueue("tests.tasks.count", "runs") for _ in range(2))
    redis_client.rpush(queue.key, job.id)

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id])

    assert verdicts(outcome) == ["done"]
    assert queue.get_job_ids() == [other.id]


def test_a_second_cancel_does_nothing(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")
    cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id])
    before = snapshot(redis_client)

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id])

    assert verdicts(outcome) == ["raced"]
    assert snapshot(redis_client) == before


def test_the_time_of_canceling_is_the_score_rq_writes(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    ours, theirs = (queue.enqueue("tests.tasks.count", "runs") for _ in range(2))

    cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[ours.id])

    theirs.cancel()
    scores = {job_id.decode(): score for job_id, score in redis_client.zrange("rq:canceled:mail", 0, -1, withscores=True)}
    assert scores[ours.id] == int(scores[ours.id])
    assert abs(scores[ours.id] - scores[theirs.id]) < 60


@pytest.mark.parametrize("name", HOSTILE)
def test_in_a_queue_of_any_name_only_its_own_job_is_canceled(redis_client: redis.Redis, backend: Backend, name: str) -> None:
    queues = [Queue(other, connection=redis_client) for other in (name, f"{name}2")]
    jobs = [queue.enqueue("tests.tasks.count", "runs") for queue in queues]

    outcome = cancel(backend, Witness(), queue=name, registry=Registry.QUEUED, ids=[job.id for job in jobs])

    assert verdicts(outcome) == ["done", "raced"]
    assert Job.fetch(jobs[1].id, connection=redis_client).get_status() is JobStatus.QUEUED


@pytest.mark.parametrize("registry", sorted(set(Registry) - {Registry.QUEUED, Registry.SCHEDULED, Registry.DEFERRED}))
def test_only_jobs_that_wait_can_be_canceled(backend: Backend, registry: Registry) -> None:
    with pytest.raises(Invalid):
        cancel(backend, Witness(), queue="mail", registry=registry, ids=["one"])
