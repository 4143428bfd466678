"""Delete: a job leaves Redis with everything RQ keeps of it, unless it runs or others wait for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from rq import Queue
from rq.group import Group
from rq.job import Job

from rqdash.actions import delete
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from rqdash.model.registry import Registry
from tests.actors import HOSTILE, Witness, snapshot, verdicts, write_job
from tests.processes import wait_until
from tests.workers import counts, work, working


def _queued(server: Server, queue: Queue) -> Job:
    return queue.enqueue("tests.tasks.count", "runs")


def _scheduled(server: Server, queue: Queue) -> Job:
    return queue.enqueue_in(timedelta(hours=1), "tests.tasks.count", "runs")


def _deferred(server: Server, queue: Queue) -> Job:
    parent = queue.enqueue_in(timedelta(hours=1), "tests.tasks.count", "runs")
    return queue.enqueue("tests.tasks.count", "runs", depends_on=parent)


def _finished(server: Server, queue: Queue) -> Job:
    job = queue.enqueue("tests.tasks.count", "runs")
    work(server, queue.name)
    return job


def _failed(server: Server, queue: Queue) -> Job:
    job = queue.enqueue("tests.tasks.does_not_exist")
    work(server, queue.name)
    return job


def _canceled(server: Server, queue: Queue) -> Job:
    job = queue.enqueue("tests.tasks.count", "runs")
    job.cancel()
    return job


MADE: dict[Registry, Callable[[Server, Queue], Job]] = {
    Registry.QUEUED: _queued,
    Registry.SCHEDULED: _scheduled,
    Registry.DEFERRED: _deferred,
    Registry.FINISHED: _finished,
    Registry.FAILED: _failed,
    Registry.CANCELED: _canceled,
}


@pytest.mark.parametrize("registry", MADE)
def test_nothing_is_left_of_a_deleted_job(server: Server, redis_client: redis.Redis, backend: Backend, registry: Registry) -> None:
    job = MADE[registry](server, Queue("mail", connection=redis_client))

    outcome = delete(backend, Witness(), queue="mail", registry=registry, ids=[job.id])

    assert verdicts(outcome) == ["done"]
    assert not redis_client.keys(f"*{job.id}*")
    assert counts(server, "mail")[registry.value] == 0
    assert not [key for key in redis_client.keys("rq:job:*:dependents") if redis_client.sismember(key, job.id)]


@pytest.mark.parametrize("registry", MADE)
def test_a_second_delete_says_gone(server: Server, redis_client: redis.Redis, backend: Backend, registry: Registry) -> None:
    job = MADE[registry](server, Queue("mail", connection=redis_client))
    delete(backend, Witness(), queue="mail", registry=registry, ids=[job.id])
    before = snapshot(redis_client)

    outcome = delete(backend, Witness(), queue="mail", registry=registry, ids=[job.id])

    assert verdicts(outcome) == ["gone"]
    assert snapshot(redis_client) == before


def test_the_other_jobs_of_the_queue_still_run(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    jobs = [queue.enqueue("tests.tasks.note", "ran") for _ in range(5)]

    delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[jobs[0].id, jobs[2].id])

    work(server, "mail")
    assert redis_client.lrange("ran", 0, -1) == [jobs[index].id.encode() for index in (1, 3, 4)]


def test_a_started_job_is_refused_and_ends_as_it_would(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.hold", "gate")
    with working(server, "mail") as worker:
        assert wait_until(lambda: bool(redis_client.exists("gate:running")))

        outcome = delete(backend, Witness(), queue="mail", registry=Registry.STARTED, ids=[job.id, "nobody"])

        assert verdicts(outcome) == ["running", "gone"]
        redis_client.rpush("gate", 1)
        worker.communicate(timeout=30)
    assert counts(server, "mail")["finished"] == 1


def test_a_started_job_that_ended_meanwhile_is_no_longer_there(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    job = _finished(server, Queue("mail", connection=redis_client))

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.STARTED, ids=[job.id])

    assert verdicts(outcome) == ["raced"]
    assert redis_client.exists(job.key)


def test_a_canceled_job_that_still_runs_is_not_deleted(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.hold", "gate")
    with working(server, "mail") as worker:
        assert wait_until(lambda: bool(redis_client.exists("gate:running")))
        job.cancel()

        outcome = delete(backend, Witness(), queue="mail", registry=Registry.CANCELED, ids=[job.id])

        assert verdicts(outcome) == ["running"]
        assert redis_client.exists(job.key)
        redis_client.rpush("gate", 1)
        worker.communicate(timeout=30)


def test_a_job_that_others_wait_for_stays(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    parent = queue.enqueue("tests.tasks.count", "parent")
    queue.enqueue("tests.tasks.count", "child", depends_on=parent)

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[parent.id])

    assert verdicts(outcome) == ["has_dependents"]
    work(server, "mail")
    assert redis_client.mget("parent", "child") == [b"1", b"1"]


def test_dependents_that_no_longer_wait_do_not_hinder(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    parent = queue.enqueue("tests.tasks.count", "parent")
    redis_client.sadd(parent.dependents_key, "vanished", queue.enqueue("tests.tasks.count", "other").id)

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[parent.id])

    assert verdicts(outcome) == ["done"]


def test_more_dependents_than_can_be_looked_up_count_as_waiting(redis_client: redis.Redis, backend: Backend) -> None:
    parent = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "parent")
    redis_client.sadd(parent.dependents_key, *(f"vanished-{number}" for number in range(51)))

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[parent.id])

    assert verdicts(outcome) == ["has_dependents"]


def test_many_jobs_with_many_relatives_are_all_answered(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    jobs = [queue.enqueue("tests.tasks.count", "runs") for _ in range(100)]
    for job in jobs:
        redis_client.sadd(job.dependents_key, *(f"vanished-{number}" for number in range(50)))

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id for job in jobs])

    assert verdicts(outcome) == ["done"] * 100
    assert redis_client.keys("rq:*") == [b"rq:queues"]


def test_a_group_forgets_a_deleted_job_and_is_forgotten_with_its_last(redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    data = [Queue.prepare_data("tests.tasks.count", ["runs"]) for _ in range(2)]
    first, last = Group.create(redis_client, "letters").enqueue_many(queue, data)

    delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[first.id])

    assert redis_client.smembers("rq:group:letters") == {last.id.encode()}
    delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[last.id])
    assert not redis_client.exists("rq:group:letters", "rq:groups")


def test_a_job_whose_group_is_gone_is_deleted(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs", group_id="vanished")

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id])

    assert verdicts(outcome) == ["done"]


def test_executions_left_behind_go_with_the_job(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    job = _failed(server, Queue("mail", connection=redis_client))
    redis_client.zadd(f"rq:executions:{job.id}", {"dead": 1.0})
    redis_client.hset(f"rq:execution:{job.id}:dead", "id", "dead")
    redis_client.zadd("rq:wip:mail", {f"{job.id}:dead": 1.0})

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job.id])

    assert verdicts(outcome) == ["done"]
    assert not redis_client.exists("rq:wip:mail")
    assert not redis_client.keys(f"*{job.id}*")


def test_a_dead_entry_goes_with_the_results_that_outlived_its_job(redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.zadd("rq:failed:mail", {"ghost": 1.0})
    redis_client.xadd("rq:results:ghost", {"type": 2})
    redis_client.rpush("rq:queue:mail", "ghost")

    outcomes = [delete(backend, Witness(), queue="mail", registry=where, ids=["ghost"]) for where in (Registry.FAILED, Registry.QUEUED)]

    assert [verdicts(outcome) for outcome in outcomes] == [["gone"], ["gone"]]
    assert not redis_client.keys("*")


def test_a_vanished_job_that_still_runs_is_left_alone(redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.zadd("rq:failed:mail", {"ghost": 1.0})
    redis_client.zadd("rq:executions:ghost", {"live": 4e9})
    before = snapshot(redis_client)

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=["ghost"])

    assert verdicts(outcome) == ["running"]
    assert snapshot(redis_client) == before


@pytest.mark.parametrize("job_id", [*HOSTILE, "\udcff\udcfe"])
def test_an_id_of_any_kind_reaches_exactly_its_own_job(redis_client: redis.Redis, backend: Backend, job_id: str) -> None:
    for each in (job_id, f"{job_id}2", "a", "x"):
        raw = each.encode("utf-8", "surrogateescape")
        redis_client.hset(b"rq:job:" + raw, mapping={"status": "failed", "data": "x", "origin": "mail"})
        redis_client.zadd("rq:failed:mail", {raw: 4e9})

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])

    assert verdicts(outcome) == ["done"]
    assert redis_client.zcard("rq:failed:mail") == 3
    assert len(redis_client.keys("rq:job:*")) == 3


def test_an_id_that_spells_another_key_of_rq_is_refused(redis_client: redis.Redis, backend: Backend) -> None:
    write_job(redis_client, "parent", status="failed")
    redis_client.sadd("rq:job:parent:dependents", "child")
    redis_client.zadd("rq:failed:mail", {"parent:dependents": 4e9})
    before = snapshot(redis_client)

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=["parent:dependents"])

    assert verdicts(outcome) == ["refused"]
    assert snapshot(redis_client) == before


@pytest.mark.parametrize("registry", [Registry.READY, Registry.INTERMEDIATE])
def test_jobs_on_their_way_cannot_be_deleted(backend: Backend, registry: Registry) -> None:
    with pytest.raises(Invalid):
        delete(backend, Witness(), queue="mail", registry=registry, ids=["one"])
