"""Move: jobs go to another queue of the same backend, or to the front of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.rate_limit import RateLimit

from rqdash.actions import move
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from rqdash.model.registry import Registry
from tests.actors import HOSTILE, Witness, snapshot, verdicts, write_job
from tests.workers import counts, schedule, work


def test_a_moved_job_runs_once_in_its_new_queue_and_never_in_the_old(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    jobs = [queue.enqueue("tests.tasks.note", "ran") for _ in range(3)]

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[jobs[1].id], to_queue="slow")

    assert verdicts(outcome) == ["done"]
    assert outcome.target == "slow"
    work(server, "mail")
    assert redis_client.lrange("ran", 0, -1) == [jobs[0].id.encode(), jobs[2].id.encode()]
    work(server, "slow")
    assert redis_client.lrange("ran", 2, -1) == [jobs[1].id.encode()]
    assert (counts(server, "mail")["finished"], counts(server, "slow")["finished"]) == (2, 1)


def test_moving_to_a_queue_nobody_has_used_makes_it_visible(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")

    move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id], to_queue="new")

    assert sorted(queue.name for queue in Queue.all(connection=redis_client)) == ["mail", "new"]
    assert Job.fetch(job.id, connection=redis_client).origin == "new"


def test_moving_nothing_makes_no_queue(redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.rpush("rq:queue:mail", "ghost")

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=["ghost", "nobody"], to_queue="new")

    assert verdicts(outcome) == ["gone", "gone"]
    assert not redis_client.keys("*")


@pytest.mark.parametrize("at_front", [True, False])
def test_moved_jobs_keep_the_order_in_which_they_stood(redis_client: redis.Redis, backend: Backend, at_front: bool) -> None:
    queue, slow = (Queue(name, connection=redis_client) for name in ("mail", "slow"))
    ids = [queue.enqueue("tests.tasks.count", "runs").id for _ in range(6)]
    there = slow.enqueue("tests.tasks.count", "runs").id

    move(
        backend,
        Witness(),
        queue="mail",
        registry=Registry.QUEUED,
        ids=[ids[4], ids[1], ids[3]],
        to_queue="slow",
        at_front=at_front,
    )

    moved = [ids[1], ids[3], ids[4]]
    assert slow.get_job_ids() == ([*moved, there] if at_front else [there, *moved])
    assert queue.get_job_ids() == [ids[0], ids[2], ids[5]]


def test_jobs_moved_to_the_front_of_their_own_queue_run_first(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    ids = [queue.enqueue("tests.tasks.note", "ran").id for _ in range(5)]
    enqueued_at = redis_client.hget(f"rq:job:{ids[3]}", "enqueued_at")

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[ids[4], ids[3]], to_queue="mail", at_front=True)

    assert verdicts(outcome) == ["done", "done"]
    assert redis_client.hget(f"rq:job:{ids[3]}", "enqueued_at") == enqueued_at
    work(server, "mail")
    assert redis_client.lrange("ran", 0, -1) == [ids[index].encode() for index in (3, 4, 0, 1, 2)]


def test_a_failed_job_moved_is_requeued_elsewhere(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.set("runs:fails", 1)
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count_and_fail", "runs", failure_ttl=100)
    work(server, "mail")
    redis_client.delete("runs:fails", "runs")

    outcome = move(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job.id], to_queue="slow")

    assert verdicts(outcome) == ["done"]
    assert redis_client.ttl(job.key) == -1
    work(server, "slow")
    assert redis_client.get("runs") == b"1"
    assert (counts(server, "mail")["failed"], counts(server, "slow")["finished"]) == (0, 1)


def test_a_canceled_job_moved_runs_elsewhere(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")
    job.cancel()

    outcome = move(backend, Witness(), queue="mail", registry=Registry.CANCELED, ids=[job.id], to_queue="slow")

    assert verdicts(outcome) == ["done"]
    work(server, "mail", "slow")
    assert redis_client.get("runs") == b"1"
    assert counts(server, "mail")["canceled"] == 0


def test_a_scheduled_job_moved_is_due_when_it_was(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    due, later = (queue.enqueue_in(timedelta(seconds=seconds), "tests.tasks.note", "ran") for seconds in (-1, 3600))
    scores = redis_client.zmscore("rq:scheduled:mail", [due.id, later.id])

    outcome = move(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=[due.id, later.id], to_queue="slow")

    assert verdicts(outcome) == ["done", "done"]
    assert redis_client.zmscore("rq:scheduled:slow", [due.id, later.id]) == scores
    assert Job.fetch(later.id, connection=redis_client).get_status() is JobStatus.SCHEDULED
    schedule(server, "mail", "slow")
    work(server, "mail", "slow")
    assert redis_client.lrange("ran", 0, -1) == [due.id.encode()]
    assert (counts(server, "slow")["finished"], counts(server, "slow")["scheduled"]) == (1, 1)


def test_a_job_popped_between_page_and_click_stays_with_its_worker(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    jobs = [queue.enqueue("tests.tasks.count", "runs") for _ in range(2)]
    redis_client.lmove("rq:queue:mail", "rq:queue:mail:intermediate", "LEFT", "RIGHT")
    before = snapshot(redis_client)

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[jobs[0].id], to_queue="slow")

    assert verdicts(outcome) == ["raced"]
    assert snapshot(redis_client) == before


def test_a_job_that_may_wait_only_so_long_waits_no_longer_elsewhere(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs", ttl=5000)
    redis_client.expire(job.key, 60)

    move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id], to_queue="slow")

    assert 0 < redis_client.ttl(job.key) <= 60


def test_a_moved_job_counts_as_enqueued_when_it_was_moved(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")
    moment = datetime.now(UTC)

    move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id], to_queue="slow")

    moved = Job.fetch(job.id, connection=redis_client)
    assert moved.enqueued_at is not None
    assert moved.enqueued_at >= moment


def test_rate_limited_jobs_and_ids_that_would_end_a_worker_stay(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    job = queue.enqueue("tests.tasks.count", "runs", rate_limit=RateLimit("api", 1))
    write_job(redis_client, "a.b", status="queued")
    redis_client.rpush(queue.key, "a.b")

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id, "a.b"], to_queue="slow")

    assert verdicts(outcome) == ["rate_limited", "bad_id"]
    assert redis_client.llen(queue.key) == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_a_queue_of_any_name_gets_the_job(redis_client: redis.Redis, backend: Backend, name: str) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")

    move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id], to_queue=name)

    assert redis_client.lrange(f"rq:queue:{name}", 0, -1) == [job.id.encode()]
    assert Job.fetch(job.id, connection=redis_client).origin == name


def test_the_audit_row_says_where_to(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")
    witness = Witness()

    move(backend, witness, queue="mail", registry=Registry.QUEUED, ids=[job.id], to_queue="slow")

    assert [row.values for row in witness.rows] == [{"registry": "queued", "jobs": 1, "ids": job.id, "to_queue": "slow"}]
    assert [row.outcomes for row in witness.rows] == [{"done": 1}]


@pytest.mark.parametrize(
    ("registry", "at_front"), [(Registry.QUEUED, False), (Registry.FAILED, True), (Registry.CANCELED, True), (Registry.SCHEDULED, True)]
)
def test_a_move_to_the_same_queue_is_refused(backend: Backend, registry: Registry, at_front: bool) -> None:
    with pytest.raises(Invalid):
        move(backend, Witness(), queue="mail", registry=registry, ids=["one"], to_queue="mail", at_front=at_front)


@pytest.mark.parametrize("registry", [Registry.STARTED, Registry.DEFERRED, Registry.FINISHED, Registry.READY, Registry.INTERMEDIATE])
def test_jobs_in_other_registries_cannot_be_moved(backend: Backend, registry: Registry) -> None:
    with pytest.raises(Invalid):
        move(backend, Witness(), queue="mail", registry=registry, ids=["one"], to_queue="slow")
