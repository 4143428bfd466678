"""Jobs that run, or seem to: stopped by their real workers, put back when their worker is gone, and left alone while it lives."""

from __future__ import annotations

import time

import pytest
import redis
from rq import Queue
from rq.job import Job, JobStatus

from rqdash.actions import requeue, rescue, stop
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from rqdash.model.registry import Registry
from tests.actors import Witness, snapshot, verdicts, write_job
from tests.processes import wait_until
from tests.workers import counts, work, working

EXECUTION = "0123456789abcdef0123456789abcdef"
PAST, FUTURE = 1e9, 4e9


def abandoned(client: redis.Redis, job_id: str, *, deadline: float = PAST, bare: bool = False, **fields: str) -> str:
    """A job whose worker was killed while it ran it: as RQ since 2.0 leaves it, or as 1.x does (bare)."""
    write_job(client, job_id, status="started", worker_name="gone", **fields)
    member = job_id if bare else f"{job_id}:{EXECUTION}"
    client.zadd("rq:wip:mail", {member: deadline})
    if not bare:
        client.hset(f"rq:execution:{member}", mapping={"id": EXECUTION, "worker_name": "gone"})
        client.zadd(f"rq:executions:{job_id}", {EXECUTION: deadline})
        client.sadd("rq:worker:gone:executions", member)
    return job_id


def test_a_running_job_is_stopped_by_its_worker_and_counts_as_stopped(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.hold", "held")
    with working(server, "mail"):
        assert wait_until(lambda: bool(redis_client.exists("held:running")))

        outcome = stop(backend, Witness(), queue="mail", ids=[job.id], patience_s=10)

        assert verdicts(outcome) == ["done"]
        assert wait_until(lambda: redis_client.zscore("rq:failed:mail", job.id) is not None)
    assert Job.fetch(job.id, connection=redis_client).get_status() is JobStatus.STOPPED
    assert counts(server, "mail")["failed"] == 1


def test_a_simple_worker_is_told_and_goes_on(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.hold", "held")
    with working(server, "mail", kind="SimpleWorker") as worker:
        assert wait_until(lambda: bool(redis_client.exists("held:running")))

        outcome = stop(backend, Witness(), queue="mail", ids=[job.id], patience_s=0.3)

        assert verdicts(outcome) == ["told"]
        redis_client.rpush("held", "go on")
        worker.wait(timeout=20)
    assert Job.fetch(job.id, connection=redis_client).get_status() is JobStatus.FINISHED


@pytest.mark.parametrize("version", ["3.0", "2.12", "2.0", "1.16"])
def test_the_worker_is_found_as_each_version_names_it(redis_client: redis.Redis, backend: Backend, version: str) -> None:
    abandoned(redis_client, "one", deadline=FUTURE, bare=version == "1.16")
    redis_client.hset("rq:job:one", "worker_name", "w")
    redis_client.delete("rq:worker:gone:executions")
    if version == "3.0":
        redis_client.sadd("rq:worker:w:executions", f"one:{EXECUTION}")
    else:
        redis_client.hset("rq:worker:w", "current_job", "one")
    if version in ("3.0", "2.12"):
        redis_client.hset(f"rq:execution:one:{EXECUTION}", "worker_name", "w")
    else:
        redis_client.hdel(f"rq:execution:one:{EXECUTION}", "worker_name")
    heard = redis_client.pubsub()
    heard.subscribe("rq:pubsub:w")
    heard.get_message(timeout=5)

    outcome = stop(backend, Witness(), queue="mail", ids=["one"], patience_s=0)

    assert verdicts(outcome) == ["told"]
    message = heard.get_message(timeout=5)
    heard.close()
    assert message is not None
    assert message["data"] == b'{"job_id":"one","command":"stop-job"}' or message["data"] == b'{"command":"stop-job","job_id":"one"}'


def test_nobody_listening_is_said(redis_client: redis.Redis, backend: Backend) -> None:
    abandoned(redis_client, "one", deadline=FUTURE)

    outcome = stop(backend, Witness(), queue="mail", ids=["one"], patience_s=0)

    assert verdicts(outcome) == ["unheard"]


def test_jobs_that_no_live_worker_runs_are_not_stopped(redis_client: redis.Redis, backend: Backend) -> None:
    abandoned(redis_client, "abandoned")
    abandoned(redis_client, "elsewhere", deadline=FUTURE)
    redis_client.srem("rq:worker:gone:executions", f"elsewhere:{EXECUTION}")
    write_job(redis_client, "ended", status="finished", worker_name="gone")
    before = snapshot(redis_client)

    outcome = stop(backend, Witness(), queue="mail", ids=["abandoned", "elsewhere", "ended", "nobody"], patience_s=0)

    assert verdicts(outcome) == ["stale", "stale", "raced", "gone"]
    assert snapshot(redis_client) == before


@pytest.mark.parametrize("bare", [False, True])
def test_an_abandoned_job_runs_again_and_nothing_of_its_execution_is_left(
    server: Server, redis_client: redis.Redis, backend: Backend, bare: bool
) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")
    redis_client.delete("rq:queue:mail")
    data = redis_client.hget(f"rq:job:{job.id}", "data")
    abandoned(redis_client, job.id, bare=bare)
    redis_client.hset(f"rq:job:{job.id}", "data", data)

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.STARTED, ids=[job.id])

    assert verdicts(outcome) == ["done"]
    assert not redis_client.exists("rq:wip:mail", f"rq:executions:{job.id}", "rq:worker:gone:executions")
    assert not redis_client.keys("rq:execution:*")
    work(server, "mail")
    assert redis_client.get("runs") == b"1"
    assert counts(server, "mail")["finished"] == 1


@pytest.mark.parametrize("bare", [False, True])
def test_a_job_with_a_live_execution_is_not_requeued(redis_client: redis.Redis, backend: Backend, bare: bool) -> None:
    abandoned(redis_client, "one", bare=bare)
    redis_client.zadd("rq:executions:one", {"f" * 32: FUTURE})
    before = snapshot(redis_client)

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.STARTED, ids=["one"])

    assert verdicts(outcome) == ["running"]
    assert snapshot(redis_client) == before


def test_started_jobs_within_their_deadline_or_ended_are_not_requeued(redis_client: redis.Redis, backend: Backend) -> None:
    abandoned(redis_client, "old", deadline=FUTURE, bare=True)
    abandoned(redis_client, "ended")
    redis_client.hset("rq:job:ended", "status", "failed")
    abandoned(redis_client, "a.b")
    abandoned(redis_client, "limited", rate_limit_key="api")
    before = snapshot(redis_client)

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.STARTED, ids=["old", "ended", "a.b", "limited", "nobody"])

    assert verdicts(outcome) == ["running", "stale", "bad_id", "rate_limited", "gone"]
    assert snapshot(redis_client) == before


def test_an_entry_whose_job_is_gone_leaves_the_started_registry(redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.zadd("rq:wip:mail", {f"ghost:{EXECUTION}": PAST})

    outcome = requeue(backend, Witness(), queue="mail", registry=Registry.STARTED, ids=["ghost"])

    assert verdicts(outcome) == ["gone"]
    assert not redis_client.exists("rq:wip:mail", "rq:queue:mail")


def stuck(client: redis.Redis, *ids: str) -> None:
    for job_id in ids:
        write_job(client, job_id, status="queued")
    client.rpush("rq:queue:mail:intermediate", *ids)


def attend(client: redis.Redis) -> None:
    """A worker that lives and listens to the queue."""
    client.sadd("rq:workers:mail", "rq:worker:w")
    client.hset("rq:worker:w", "birth", "2026-01-01T00:00:00.000000Z")


def test_jobs_stuck_where_no_worker_lives_come_back_to_the_front_and_run(
    server: Server, redis_client: redis.Redis, backend: Backend
) -> None:
    queue = Queue("mail", connection=redis_client)
    popped, also, waiting = (queue.enqueue("tests.tasks.note", "order").id for _ in range(3))
    for _ in range(2):
        redis_client.lmove("rq:queue:mail", "rq:queue:mail:intermediate", "LEFT", "RIGHT")
    redis_client.set(f"rq:queue:mail:intermediate:first_seen:{popped}", "1000000000.5")
    redis_client.delete("rq:queues")

    outcome = rescue(backend, Witness(), queue="mail", ids=[popped, also])

    assert verdicts(outcome) == ["done", "done"]
    assert queue.get_job_ids() == [popped, also, waiting]
    assert redis_client.smembers("rq:queues") == {b"rq:queue:mail"}
    assert not redis_client.keys("rq:queue:mail:intermediate*")
    work(server, "mail")
    assert [raw.decode() for raw in redis_client.lrange("order", 0, -1)] == [popped, also, waiting]


def test_where_a_worker_lives_a_job_is_stuck_once_it_was_seen_a_minute_ago(redis_client: redis.Redis, backend: Backend) -> None:
    stuck(redis_client, "old", "young", "new")
    attend(redis_client)
    redis_client.set("rq:queue:mail:intermediate:first_seen:old", time.time() - 61)
    redis_client.set("rq:queue:mail:intermediate:first_seen:young", time.time() - 5)

    outcome = rescue(backend, Witness(), queue="mail", ids=["old", "young", "new"])

    assert verdicts(outcome) == ["done", "early", "early"]
    assert redis_client.lrange("rq:queue:mail", 0, -1) == [b"old"]
    assert redis_client.lrange("rq:queue:mail:intermediate", 0, -1) == [b"young", b"new"]
    # What RQ's maintenance would have noted, for it and for the next attempt.
    assert float(redis_client.get("rq:queue:mail:intermediate:first_seen:new")) == pytest.approx(time.time(), abs=10)
    assert redis_client.ttl("rq:queue:mail:intermediate:first_seen:new") > 80_000


def test_a_job_that_was_started_meanwhile_or_is_gone_is_not_put_back(redis_client: redis.Redis, backend: Backend) -> None:
    stuck(redis_client, "started", "elsewhere")
    redis_client.hset("rq:job:started", "status", "started")
    redis_client.lrem("rq:queue:mail:intermediate", 1, "elsewhere")
    redis_client.rpush("rq:queue:mail:intermediate", "ghost")

    outcome = rescue(backend, Witness(), queue="mail", ids=["started", "elsewhere", "ghost"])

    assert verdicts(outcome) == ["raced", "raced", "gone"]
    assert redis_client.lrange("rq:queue:mail:intermediate", 0, -1) == [b"started"]
    assert not redis_client.exists("rq:queue:mail")


def test_stopping_nothing_is_refused(backend: Backend) -> None:
    with pytest.raises(Invalid):
        stop(backend, Witness(), queue="mail", ids=[])
