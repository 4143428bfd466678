"""What changes jobs where they are: another time, other limits; each where RQ would look for it, and never while a job runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
import redis
from rq import Queue
from rq.job import Job

from rqdash.actions import edit, reschedule
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from rqdash.model.registry import Registry
from tests.actors import Witness, snapshot, verdicts, write_job
from tests.workers import schedule, work

DAY_S = 24 * 3600
PAST = datetime(2026, 1, 1, tzinfo=UTC)


def ended(server: Server, client: redis.Redis, *, fails: bool, **options: object) -> str:
    """The id of a job that a real worker ran."""
    if fails:
        client.set("runs:fails", 1)
    job = Queue("mail", connection=client).enqueue("tests.tasks.count_and_fail", "runs", **options)
    work(server, "mail")
    return job.id


def test_a_rescheduled_job_runs_when_its_new_time_has_come(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    job, later = (queue.enqueue_in(timedelta(days=1), "tests.tasks.count", key) for key in ("now", "later"))

    outcome = reschedule(backend, Witness(), queue="mail", ids=[job.id], at=PAST)
    schedule(server, "mail")
    work(server, "mail")

    assert verdicts(outcome) == ["done"]
    assert redis_client.mget("now", "later") == [b"1", None]
    assert redis_client.zscore("rq:scheduled:mail", later.id) > time.time() + DAY_S - 60


def test_a_job_that_left_the_schedule_is_not_put_back_there(redis_client: redis.Redis, backend: Backend) -> None:
    write_job(redis_client, "queued", status="queued")
    write_job(redis_client, "elsewhere", status="scheduled")
    redis_client.zadd("rq:scheduled:mail", {"queued": 1, "ghost": 1})

    outcome = reschedule(backend, Witness(), queue="mail", ids=["queued", "elsewhere", "ghost"], at=PAST)

    assert verdicts(outcome) == ["stale", "raced", "gone"]
    assert redis_client.zrange("rq:scheduled:mail", 0, -1, withscores=True) == [(b"ghost", 1.0), (b"queued", 1.0)]


def test_a_time_without_a_zone_is_refused(backend: Backend) -> None:
    with pytest.raises(Invalid):
        reschedule(backend, Witness(), queue="mail", ids=["one"], at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_limits_of_a_waiting_job_are_as_rq_reads_them(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs", failure_ttl=5)
    limits = {"timeout": 7, "ttl": 400, "result_ttl": -1, "failure_ttl": None}

    outcome = edit(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id], limits=limits)

    found = Job.fetch(job.id, connection=redis_client)
    assert verdicts(outcome) == ["done"]
    assert (found.timeout, found.ttl, found.result_ttl, found.failure_ttl) == (7, 400, -1, None)
    assert 300 < redis_client.ttl(f"rq:job:{job.id}") <= 400
    assert Queue("mail", connection=redis_client).get_job_ids() == [job.id]


def test_a_waiting_job_may_wait_for_ever_again(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs", ttl=400)

    edit(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[job.id], limits={"ttl": -1})

    assert redis_client.ttl(f"rq:job:{job.id}") == -1


def test_what_is_not_named_stays_and_a_scheduled_job_does_not_expire(redis_client: redis.Redis, backend: Backend) -> None:
    job = Queue("mail", connection=redis_client).enqueue_in(timedelta(days=1), "tests.tasks.count", "runs", job_timeout=9)

    edit(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=[job.id], limits={"ttl": 60})

    assert Job.fetch(job.id, connection=redis_client).timeout == 9
    assert redis_client.ttl(f"rq:job:{job.id}") == -1


@pytest.mark.parametrize(("seconds", "kept"), [(DAY_S, (DAY_S, DAY_S)), (-1, (-1, None)), (None, (500, 500))])
def test_a_finished_job_is_kept_as_long_as_its_result(
    server: Server, redis_client: redis.Redis, backend: Backend, seconds: int | None, kept: tuple[int, int | None]
) -> None:
    left_s, score_s = kept
    job_id = ended(server, redis_client, fails=False, result_ttl=5000)

    outcome = edit(backend, Witness(), queue="mail", registry=Registry.FINISHED, ids=[job_id], limits={"result_ttl": seconds})

    assert verdicts(outcome) == ["done"]
    assert [redis_client.ttl(key) for key in (f"rq:job:{job_id}", f"rq:results:{job_id}")] == pytest.approx([left_s, left_s], abs=5)
    score = redis_client.zscore("rq:finished:mail", job_id)
    assert score == (float("inf") if score_s is None else pytest.approx(time.time() + score_s, abs=5))


@pytest.mark.parametrize(
    ("seconds", "kept"), [(DAY_S, (DAY_S, DAY_S, DAY_S)), (-1, (-1, -1, None)), (None, (365 * DAY_S, -1, 365 * DAY_S))]
)
def test_a_failed_job_is_kept_as_rq_would_have_kept_it(
    server: Server, redis_client: redis.Redis, backend: Backend, seconds: int | None, kept: tuple[int, int, int | None]
) -> None:
    left_s, results_s, score_s = kept
    job_id = ended(server, redis_client, fails=True, failure_ttl=5000)

    edit(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id], limits={"failure_ttl": seconds})

    assert [redis_client.ttl(key) for key in (f"rq:job:{job_id}", f"rq:results:{job_id}")] == pytest.approx([left_s, results_s], abs=5)
    assert redis_client.zscore("rq:failed:mail", job_id) == (-1 if score_s is None else pytest.approx(time.time() + score_s, abs=5))


def test_a_running_job_and_one_that_is_elsewhere_keep_their_limits(redis_client: redis.Redis, backend: Backend) -> None:
    for job_id, status in (("runs", "started"), ("popped", "queued"), ("failed", "failed")):
        write_job(redis_client, job_id, status=status)
    redis_client.zadd("rq:executions:popped", {"live": 4e9})
    before = snapshot(redis_client)

    outcome = edit(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=["runs", "popped", "failed"], limits={"timeout": 1})

    assert verdicts(outcome) == ["raced", "running", "raced"]
    assert snapshot(redis_client) == before


@pytest.mark.parametrize(
    ("registry", "limits"),
    [
        (Registry.QUEUED, {}),
        (Registry.QUEUED, {"timeout": None}),
        (Registry.QUEUED, {"timeout": 0}),
        (Registry.QUEUED, {"ttl": -2}),
        (Registry.QUEUED, {"ttl": 10**12}),
        (Registry.QUEUED, {"status": 1}),
        (Registry.FINISHED, {"result_ttl": 0}),
        (Registry.FAILED, {"failure_ttl": 0}),
        (Registry.STARTED, {"timeout": 1}),
    ],
)
def test_limits_that_rq_could_not_use_are_refused(
    redis_client: redis.Redis, backend: Backend, registry: Registry, limits: dict[str, int | None]
) -> None:
    witness = Witness()

    with pytest.raises(Invalid):
        edit(backend, witness, queue="mail", registry=registry, ids=["one"], limits=limits)

    assert [row.status for row in witness.rows] == ["invalid"]
    assert not redis_client.keys("*")


def test_the_audit_row_holds_the_limits(redis_client: redis.Redis, backend: Backend) -> None:
    write_job(redis_client, "one", status="failed")
    redis_client.zadd("rq:failed:mail", {"one": 4e9})
    witness = Witness()

    edit(backend, witness, queue="mail", registry=Registry.FAILED, ids=["one"], limits={"timeout": 5, "ttl": None})

    assert witness.rows[0].values == {"registry": "failed", "jobs": 1, "ids": "one", "timeout": 5, "ttl": "default"}
