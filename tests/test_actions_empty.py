"""Empty: the jobs that waited at a moment are deleted in chunks; those that came later, or that must stay, are not."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.rate_limit import RateLimit

from rqdash.actions import empty
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from rqdash.model.outcome import Outcome
from tests.actors import HOSTILE, Witness, snapshot, write_job
from tests.workers import counts, work


def now() -> datetime:
    return datetime.now(UTC)


def fill(client: redis.Redis, number: int, *, enqueued_at: str = "2026-01-01T00:00:00.000000Z") -> list[str]:
    """Ids of so many waiting jobs, in their order."""
    ids = [f"job-{client.llen('rq:queue:mail') + index}" for index in range(number)]
    for job_id in ids:
        write_job(client, job_id, status="queued", enqueued_at=enqueued_at)
    client.rpush("rq:queue:mail", *ids)
    client.sadd("rq:queues", "rq:queue:mail")
    return ids


def counted(outcome: Outcome) -> dict[str, int]:
    return {verdict.value: count for verdict, count in outcome.counts().items()}


def test_an_emptied_queue_runs_nothing_and_keeps_its_registries(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    queue.enqueue("tests.tasks.count", "runs")
    work(server, "mail")
    for _ in range(450):
        queue.enqueue("tests.tasks.count", "runs")

    outcome = empty(backend, Witness(), queue="mail", as_of=now())

    assert (counted(outcome), outcome.left) == ({"done": 450}, 0)
    work(server, "mail")
    assert redis_client.get("runs") == b"1"
    after = counts(server, "mail")
    assert (after["queued"], after["finished"]) == (0, 1)
    assert len(redis_client.keys("rq:job:*")) == 1
    assert [each.name for each in Queue.all(connection=redis_client)] == ["mail"]


def test_jobs_enqueued_after_the_moment_are_never_swept(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    for _ in range(3):
        queue.enqueue("tests.tasks.note", "ran")
    moment = now()
    back = queue.enqueue("tests.tasks.note", "ran")
    front = queue.enqueue("tests.tasks.note", "ran", at_front=True)

    outcome = empty(backend, Witness(), queue="mail", as_of=moment)

    assert (counted(outcome), outcome.left) == ({"done": 3}, 0)
    work(server, "mail")
    assert redis_client.lrange("ran", 0, -1) == [front.id.encode(), back.id.encode()]


def test_young_jobs_among_the_old_keep_their_order(redis_client: redis.Redis, backend: Backend) -> None:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    young = []
    for _ in range(8):
        fill(redis_client, 70)
        young += fill(redis_client, 30, enqueued_at="2026-06-01T00:00:00.000001Z")

    outcome = empty(backend, Witness(), queue="mail", as_of=moment)

    assert counted(outcome) == {"done": 560}
    assert [raw.decode() for raw in redis_client.lrange("rq:queue:mail", 0, -1)] == young


@pytest.mark.parametrize("enqueued_at", ["", "soon", "2026-01-01", "1767225600"])
def test_a_job_without_a_time_is_left_alone(redis_client: redis.Redis, backend: Backend, enqueued_at: str) -> None:
    fill(redis_client, 1, enqueued_at=enqueued_at)

    outcome = empty(backend, Witness(), queue="mail", as_of=now())

    assert (counted(outcome), outcome.left) == ({}, 0)
    assert redis_client.llen("rq:queue:mail") == 1


def test_times_as_old_rq_wrote_them_are_understood(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 1, enqueued_at="2019-01-01T00:00:00Z")

    outcome = empty(backend, Witness(), queue="mail", as_of=now())

    assert counted(outcome) == {"done": 1}


def test_the_moment_may_be_given_in_any_time_zone(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 1, enqueued_at="2026-06-01T12:00:00.000000Z")

    before = empty(backend, Witness(), queue="mail", as_of=datetime.fromisoformat("2026-06-01T16:59:59+05:00"))
    after = empty(backend, Witness(), queue="mail", as_of=datetime.fromisoformat("2026-06-01T17:00:00+05:00"))

    assert (counted(before), counted(after)) == ({}, {"done": 1})


def test_a_moment_without_a_time_zone_is_refused(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 1)

    with pytest.raises(Invalid):
        empty(backend, Witness(), queue="mail", as_of=datetime(2026, 6, 1))  # noqa: DTZ001  what is refused here

    assert redis_client.llen("rq:queue:mail") == 1


def test_what_the_budget_does_not_reach_is_said_to_be_left(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 500)

    outcome = empty(backend, Witness(), queue="mail", as_of=now(), budget_s=0)

    assert (counted(outcome), outcome.left) == ({"done": 100}, 400)
    assert redis_client.llen("rq:queue:mail") == 400


def test_emptying_goes_on_where_it_stopped(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 250)
    moment = now()

    outcomes = [empty(backend, Witness(), queue="mail", as_of=moment, budget_s=0) for _ in range(4)]

    assert [outcome.left for outcome in outcomes] == [150, 50, 0, 0]
    assert [outcome.done for outcome in outcomes] == [100, 100, 50, 0]


def test_jobs_that_must_stay_are_counted_and_stay(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    parent = queue.enqueue("tests.tasks.count", "runs")
    queue.enqueue("tests.tasks.count", "runs", depends_on=parent)
    queue.enqueue("tests.tasks.count", "runs", rate_limit=RateLimit("api", 1))
    late = queue.enqueue("tests.tasks.count", "runs", rate_limit=RateLimit("api", 1))
    running = queue.enqueue("tests.tasks.count", "runs")
    redis_client.zadd(f"rq:executions:{running.id}", {"live": 4e9})
    for _ in range(250):
        queue.enqueue("tests.tasks.count", "runs")

    outcome = empty(backend, Witness(), queue="mail", as_of=now())

    assert counted(outcome) == {"done": 251, "running": 1, "has_dependents": 1}
    # The slot that became free lets the next job in, which is enqueued only then.
    assert queue.get_job_ids() == [parent.id, running.id, late.id]


def test_dead_entries_and_ids_that_stand_twice_go_too(redis_client: redis.Redis, backend: Backend) -> None:
    (job_id,) = fill(redis_client, 1)
    redis_client.rpush("rq:queue:mail", "ghost", job_id)

    outcome = empty(backend, Witness(), queue="mail", as_of=now())

    assert counted(outcome) == {"done": 1, "gone": 2}
    assert redis_client.keys("*") == [b"rq:queues"]


def test_jobs_in_two_minds_and_broken_ones_stay(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 3)
    redis_client.hset("rq:job:job-1", "status", "finished")
    redis_client.delete("rq:job:job-2")
    redis_client.set("rq:job:job-2", "not a hash")

    outcome = empty(backend, Witness(), queue="mail", as_of=now())

    assert counted(outcome) == {"done": 1, "raced": 1, "refused": 1}
    assert redis_client.lrange("rq:queue:mail", 0, -1) == [b"job-1", b"job-2"]


@pytest.mark.parametrize("name", HOSTILE)
def test_of_queues_of_any_name_only_the_one_is_emptied(redis_client: redis.Redis, backend: Backend, name: str) -> None:
    mine, other = (Queue(each, connection=redis_client) for each in (name, f"{name}2"))
    mine.enqueue("tests.tasks.count", "runs")
    job: Job = other.enqueue("tests.tasks.count", "runs")

    outcome = empty(backend, Witness(), queue=name, as_of=now())

    assert outcome.done == 1
    assert redis_client.llen(mine.key) == 0
    assert other.get_job_ids() == [job.id]


def test_emptying_an_empty_queue_changes_nothing(redis_client: redis.Redis, backend: Backend) -> None:
    before = snapshot(redis_client)

    outcome = empty(backend, Witness(), queue="mail", as_of=now())

    assert (counted(outcome), outcome.left) == ({}, 0)
    assert snapshot(redis_client) == before


def test_the_audit_row_says_what_was_deleted_up_to_when(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 2)
    witness = Witness()
    moment = datetime(2026, 6, 1, tzinfo=UTC)

    empty(backend, witness, queue="mail", as_of=moment)

    (row,) = witness.rows
    assert (row.verb, row.queue, row.status) == ("empty", "mail", "done")
    assert row.values == {"as_of": "2026-06-01T00:00:00+00:00"}
    assert Counter(row.outcomes) == Counter(done=2)
