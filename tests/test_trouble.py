"""What needs attention, read from a real server: every item is produced, only then, with scripts and without."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import redis
from rq.cron import CronScheduler

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.queue import BackendSummary
from rqdash.model.trouble import Item, Kind
from rqdash.queries import overview
from rqdash.queries.overview import summary
from rqdash.queries.workers import workers
from tests.commands import written
from tests.conftest import backend_of
from tests.round_trips import counted_backend, spent
from tests.stored import EXECUTION, HOSTILE, NOW, NOW_S, Stored, ago
from tests.workers import enqueue, working

NO_SCRIPTS = "reset on nopass ~rq:* +@read +@connection +info -@scripting -@write"
YEAR_S = 31_536_000
PATIENCE_S = 30.0


@pytest.fixture
def stored(redis_client: redis.Redis) -> Stored:
    """A queue that is well: a worker, a scheduler, a running job, old failures."""
    stored = Stored(redis_client)
    stored.waiting("fresh", enqueued_at=ago(2))
    stored.running(stored.worker("w-1", state="busy"), "runs")
    stored.entry("scheduled", stored.job("later", status="scheduled"), NOW_S + 60)
    stored.client.set(stored.keys.scheduler_lock("mail"), "abc", ex=600)
    for number in range(30):
        fail(stored, f"old-{number}", s_ago=7200 + number)
    return stored


@pytest.fixture
def without_scripts(server: Server, redis_client: redis.Redis) -> Iterator[Backend]:
    redis_client.execute_command("ACL", "SETUSER", "plain", *NO_SCRIPTS.split())
    backend = backend_of(server, username="plain")
    yield backend
    backend.close()
    redis_client.execute_command("ACL", "DELUSER", "plain")


def fail(stored: Stored, job_id: str, *, s_ago: float, ttl_s: int = YEAR_S, queue: str = "mail") -> None:
    """A failed job as RQ keeps it."""
    extra = {} if ttl_s == YEAR_S else {"failure_ttl": ttl_s}
    stored.job(job_id, queue=queue, status="failed", ended_at=ago(s_ago), **extra)
    stored.entry("failed", job_id, NOW_S - s_ago + ttl_s, queue=queue)


def unattended(stored: Stored) -> None:
    stored.waiting("alone", queue="reports")


def late(stored: Stored) -> None:
    stored.client.hset(stored.keys.job("fresh"), "enqueued_at", ago(301))


def failing(stored: Stored) -> None:
    for number in range(6):
        fail(stored, f"new-{number}", s_ago=60 + number)
    fail(stored, "before", s_ago=1800)


def failing_with_a_ttl(stored: Stored) -> None:
    """All of the queue's jobs are kept for a day."""
    stored.worker("w-3", queues="short")
    for number in range(6):
        fail(stored, f"short-{number}", s_ago=60 + number, ttl_s=86_400, queue="short")
    stored.queue("short")


def lost(stored: Stored) -> None:
    stored.client.sadd(stored.keys.workers, stored.keys.worker("w-2"))


def gone(stored: Stored) -> None:
    stored.entry("started", f"left:{EXECUTION}", NOW_S + 30)
    stored.job("left", status="started", worker_name="w-9")


def gone_without_a_deadline(stored: Stored) -> None:
    for number in range(9):
        stored.entry("started", f"endless-{number}", math.inf)
        stored.job(f"endless-{number}", status="started", worker_name="w-9" if number == 8 else "w-1")


def abandoned(stored: Stored) -> None:
    stored.entry("started", f"left:{EXECUTION}", NOW_S - 30)


def stuck(stored: Stored) -> None:
    for job_id, s_ago in (("between", 61), ("just", 1)):
        stored.client.rpush(stored.keys.intermediate("mail"), stored.job(job_id))
        stored.client.set(f"{stored.keys.intermediate('mail')}:first_seen:{job_id}", NOW_S - s_ago + 0.25)


def unscheduled(stored: Stored) -> None:
    stored.client.delete(stored.keys.scheduler_lock("mail"))
    stored.entry("scheduled", "due", NOW_S - 90)


def cron_dead(stored: Stored) -> None:
    stored.client.zadd(stored.keys.cron_schedulers, {"host:7:abc": NOW_S - 121})


def cron_gone(stored: Stored) -> None:
    stored.client.zadd(stored.keys.cron_jobs, {"nightly": NOW_S - 86_400})


def cron_doubled(stored: Stored) -> None:
    jobs = [{"func_name": "app.tasks.report", "name": "nightly", "queue_name": "mail", "cron": "0 3 * * *", "interval": None}]
    other = [{**jobs[0], "name": name} for name in ("weekly", "monthly")]
    for name, has in (("a:1:x", jobs), ("b:2:y", [*other, *jobs]), ("c:3:z", "garbled")):
        stored.client.zadd(stored.keys.cron_schedulers, {name: NOW_S - 5})
        stored.client.hset(stored.keys.cron_scheduler(name), "cron_jobs", json.dumps(has))


def suspended(stored: Stored) -> None:
    stored.client.set(stored.keys.suspended, 1)


MAKERS: tuple[tuple[Kind, Callable[[Stored], None]], ...] = (
    (Kind.UNATTENDED, unattended),
    (Kind.LATE, late),
    (Kind.FAILING, failing),
    (Kind.FAILING, failing_with_a_ttl),
    (Kind.LOST, lost),
    (Kind.GONE, gone),
    (Kind.GONE, gone_without_a_deadline),
    (Kind.ABANDONED, abandoned),
    (Kind.STUCK, stuck),
    (Kind.UNSCHEDULED, unscheduled),
    (Kind.CRON_DEAD, cron_dead),
    (Kind.CRON_DEAD, cron_gone),
    (Kind.CRON_DOUBLED, cron_doubled),
    (Kind.SUSPENDED, suspended),
)


def kinds(found: BackendSummary) -> list[Kind]:
    return [item.kind for item in found.attention]


def one(backend: Backend, *, now: datetime = NOW) -> Item:
    (item,) = summary(backend, now=now).attention
    return item


def test_what_is_well_needs_nobody(stored: Stored, backend: Backend, without_scripts: Backend) -> None:
    assert summary(backend, now=NOW).attention == ()
    assert summary(without_scripts, now=NOW).attention == ()


@pytest.mark.parametrize(("kind", "make"), MAKERS, ids=[make.__name__ for _, make in MAKERS])
def test_each_trouble_is_one_item_with_scripts_and_without(
    kind: Kind, make: Callable[[Stored], None], stored: Stored, backend: Backend, without_scripts: Backend
) -> None:
    make(stored)
    stored.client.config_resetstat()

    by_script, by_pipeline = summary(backend, now=NOW), summary(without_scripts, now=NOW)

    assert kinds(by_script) == [kind]
    assert by_script.attention == by_pipeline.attention
    assert written(stored.client) == set()


def test_the_items_say_how_much_since_when_and_who(stored: Stored, backend: Backend) -> None:
    for make in (failing, gone, abandoned, stuck, unscheduled, cron_doubled):
        make(stored)

    found = {item.kind: item for item in summary(backend, now=NOW).attention}

    assert found[Kind.FAILING].text == "6 jobs failed in 10 min, 1 in the 50 min before."
    assert found[Kind.STUCK].count == 1
    assert found[Kind.UNSCHEDULED].text == "1 of 2 jobs scheduled is overdue, and no scheduler runs."
    assert found[Kind.UNSCHEDULED].since == datetime.fromtimestamp(NOW_S - 90, UTC)
    assert found[Kind.ABANDONED].since == datetime.fromtimestamp(NOW_S - 30, UTC)
    assert (found[Kind.CRON_DOUBLED].subject, found[Kind.CRON_DOUBLED].count) == ("nightly", 1)


def test_a_worker_that_is_gone_is_named(stored: Stored, backend: Backend) -> None:
    gone(stored)

    item = one(backend)

    assert (item.queue, item.count, item.worker) == ("mail", 1, "w-9")


def test_a_job_taken_again_and_not_yet_begun_has_not_lost_the_worker_of_its_last_run(
    stored: Stored, backend: Backend, without_scripts: Backend
) -> None:
    gone(stored)
    stored.job("left", status="queued", worker_name="w-9")

    assert summary(backend, now=NOW).attention == ()
    assert summary(without_scripts, now=NOW).attention == ()
    assert [workers(each, now=NOW).left for each in (backend, without_scripts)] == [(), ()]


def test_failures_kept_for_ever_do_not_tell_when_and_are_no_alarm(stored: Stored, backend: Backend) -> None:
    stored.worker("w-3", queues="kept")
    for number in range(20):
        stored.failed(f"kept-{number}", queue="kept", score=-1)
    stored.queue("kept")

    assert summary(backend, now=NOW).attention == ()


def test_one_cron_scheduler_or_two_with_other_jobs_are_well(stored: Stored, backend: Backend) -> None:
    for name in ("nightly", "hourly"):
        stored.client.zadd(stored.keys.cron_schedulers, {name: NOW_S - 5})
        stored.client.hset(stored.keys.cron_scheduler(name), "cron_jobs", json.dumps([{"func_name": name, "queue_name": "mail"}]))

    assert summary(backend, now=NOW).attention == ()


def test_a_clock_that_is_off_is_told_with_the_direction(stored: Stored, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "clock", lambda: time.time() + 65)

    item = one(backend)

    assert item.kind is Kind.CLOCK
    assert item.text.endswith("behind rqdash’s.")


def test_a_server_that_may_drop_jobs_or_is_nearly_full_says_so(start: Callable[..., Server]) -> None:
    evicting, full = start("--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"), start("--maxmemory", "1mb")

    found = [one(backend_of(server), now=datetime.now(UTC)) for server in (evicting, full)]

    assert [item.kind for item in found] == [Kind.EVICTION, Kind.MEMORY]
    assert found[0].text == "is allkeys-lru: Redis may drop jobs."


def test_hostile_names_are_kept_whole(redis_client: redis.Redis, backend: Backend, without_scripts: Backend) -> None:
    stored = Stored(redis_client)
    for name in HOSTILE:
        stored.waiting(f"job of {name}", queue=name)
        stored.entry("started", f"left {name}:{EXECUTION}", NOW_S + 30, queue=name)
        stored.job(f"left {name}", queue=name, status="started", worker_name=f"w {name}")

    by_script, by_pipeline = summary(backend, now=NOW).attention, summary(without_scripts, now=NOW).attention

    assert by_script == by_pipeline
    assert {item.queue for item in by_script if item.kind is Kind.GONE} == set(HOSTILE)
    assert {item.worker for item in by_script if item.kind is Kind.GONE} == {f"w {name}" for name in HOSTILE}


def test_trouble_costs_no_further_round_trip(server: Server, stored: Stored) -> None:
    for _, make in MAKERS:
        make(stored)
    backend, tally = counted_backend(server)
    summary(backend, now=NOW)

    found, cost = spent(tally, lambda: summary(backend, now=NOW))

    assert cost.round_trips == 2
    assert len(set(kinds(found))) >= 9
    backend.close()


def test_no_script_reads_more_than_it_may_hold_the_server_for(server: Server, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    for queue in range(75):
        name = f"q{queue}"
        stored.queue(name)
        for number in range(12):
            stored.entry("started", f"{name}-{number}", NOW_S + 1 + number, queue=name)
            stored.job(f"{name}-{number}", queue=name, worker_name=f"gone-{number}")
            fail(stored, f"f-{name}-{number}", s_ago=10, queue=name)
            redis_client.rpush(stored.keys.intermediate(name), f"taken-{number}")
    backend = backend_of(server)
    redis_client.config_resetstat()

    summary(backend, now=NOW)

    calls = sum(fields["calls"] for name, fields in redis_client.info("commandstats").items() if name != "cmdstat_info")
    assert calls < 75 * 45
    backend.close()


def test_a_killed_worker_is_lost_with_its_job_as_soon_as_redis_says_so(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    enqueue(server, "mail", "tests.tasks.hold", "runs")
    with working(server, "mail") as process:
        wait_for(lambda: redis_client.exists("runs:running"))
        before = summary(backend, now=datetime.now(UTC)).attention
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        (key,) = redis_client.smembers("rq:workers")
        redis_client.pexpire(key, 1)
        wait_for(lambda: not redis_client.exists(key))

        found = summary(backend, now=datetime.now(UTC))
        redis_client.rpush("runs", "end of its work horse")

    assert before == ()
    assert kinds(found) == [Kind.LOST, Kind.GONE]
    assert {f"rq:worker:{item.worker}".encode() for item in found.attention} == {key}


def test_two_real_cron_schedulers_with_the_same_job_are_said_and_one_is_not(redis_client: redis.Redis, backend: Backend) -> None:
    first, second = (CronScheduler(connection=redis_client, name=name) for name in ("a", "b"))
    for scheduler in (first, second):
        scheduler.register(len, "mail", args=([],), interval=60)
    first.register_birth()
    alone = summary(backend, now=datetime.now(UTC)).attention
    second.register_birth()

    doubled = one(backend, now=datetime.now(UTC))

    assert alone == ()
    assert (doubled.kind, doubled.count) == (Kind.CRON_DOUBLED, 1)


def wait_for(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.02)
