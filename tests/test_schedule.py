"""Scheduled jobs as they are read: merged by due time, overdue for a reason, retries and repeats, whatever version wrote them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis
from rq import Queue
from rq.scheduler import RQScheduler

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.schedule import Holder, Scheduled, together
from rqdash.model.schedule_search import FIELDS, taker
from rqdash.model.search import search
from rqdash.queries import schedule as query
from rqdash.queries.schedule import Asked
from tests.commands import written
from tests.round_trips import counted_backend, spent
from tests.stored import HOSTILE, NOW, Stored, ago, packed
from tests.timed import NAME_2_10, Timed, both_ways


@pytest.fixture
def timed(redis_client: redis.Redis) -> Timed:
    return Timed(Stored(redis_client))


def scheduled(backend: Backend, most: int = 50, q: str = "") -> Scheduled:
    found = search(q, fields=FIELDS)
    return query.scheduled(backend, Asked(most, found.on_queue, taker(found)), now=NOW)


def ids(found: Scheduled) -> list[str]:
    return [item.job.id for item in found.jobs]


def test_jobs_of_all_queues_are_one_list_by_due_time(backend: Backend, timed: Timed) -> None:
    for number, queue in enumerate(("mail", "slow", "mail", "high")):
        timed.due(f"job-{number}", 100 - number, queue=queue)
    timed.stored.waiting("not scheduled")

    found = scheduled(backend)

    assert ids(found) == ["job-3", "job-2", "job-1", "job-0"]
    assert (found.total, found.looked, found.until, found.overdue) == (4, 4, None, 0)
    assert {queue.name: queue.total for queue in found.queues} == {"mail": 2, "slow": 1, "high": 1}


def test_an_overdue_job_says_whether_a_scheduler_holds_the_lock_of_its_queue(backend: Backend, timed: Timed) -> None:
    for queue in ("named", "pid", "nobody"):
        timed.due(f"late in {queue}", -60, queue=queue)
        timed.due(f"due now in {queue}", -2, queue=queue)
    timed.lock("named")
    timed.lock("pid", pid=4711)

    found = scheduled(backend)

    late = {item.job.queue: item.holder for item in found.jobs if item.is_overdue}
    assert late == {"named": Holder(NAME_2_10, "worker-7", 1007), "pid": Holder("", "", 4711), "nobody": None}
    assert [queue.name for queue in found.unheld] == ["nobody"]
    assert found.overdue == 3


def test_retries_and_repeats_are_marked(backend: Backend, timed: Timed) -> None:
    timed.due("first", 1)
    timed.due("retry", 2, ended_at=ago(60), number_of_retries=1, retries_left=2)
    timed.due("retry of an old version", 3, ended_at=ago(60), retries_left=2)
    timed.due("repeat", 4, ended_at=ago(60), repeats_left=3)
    timed.due("will repeat", 5, repeats_left=4)

    found = {item.job.id: (item.is_retry, item.has_run, item.repeats_left) for item in scheduled(backend).jobs}

    assert found == {
        "first": (False, False, None),
        "retry": (True, True, None),
        "retry of an old version": (True, True, None),
        "repeat": (False, True, 3),
        "will repeat": (False, False, 4),
    }


def test_garbled_jobs_ghosts_and_scores_are_rows_and_no_errors(backend: Backend, timed: Timed) -> None:
    timed.due("garbled", 1, data=b"\xff", status=b"\xff", ended_at="yesterday", repeats_left="many")
    timed.stored.entry("scheduled", "ghost", timed.now_s + 2)
    timed.stored.entry("scheduled", "never", float("inf"))
    timed.stored.client.set(timed.stored.keys.job("wrong type"), "no hash")
    timed.stored.entry("scheduled", "wrong type", timed.now_s + 3)
    timed.stored.queue("wrong")
    timed.stored.client.set(timed.stored.keys.registry("scheduled", "wrong"), "no set")
    timed.stored.client.hset(timed.stored.keys.scheduler_lock("mail"), "no", "string")

    found = scheduled(backend)

    assert [(item.job.id, item.job.exists, item.due_at is None) for item in found.jobs] == [
        ("garbled", True, False),
        ("ghost", False, False),
        ("wrong type", False, False),
        ("never", False, True),
    ]


def test_hostile_names_of_queues_and_ids_come_through(backend: Backend, timed: Timed) -> None:
    for name in HOSTILE:
        timed.due(f"id {name}", 10, queue=name)
        timed.lock(name, pid=7)

    found = scheduled(backend)

    assert sorted(item.job.id for item in found.jobs) == sorted(f"id {name}" for name in HOSTILE)
    assert all(item.holder == Holder("", "", 7) for item in found.jobs)


def test_a_search_looks_at_the_first_and_says_how_many(backend: Backend, timed: Timed) -> None:
    for number in range(30):
        timed.due(f"job-{number}", number, data=packed("app.other" if number % 10 else "app.wanted"))
    timed.due("elsewhere", 5, queue="slow", data=packed("app.wanted"))

    by_function = scheduled(backend, 20, "fn:app.wanted")
    by_queue = scheduled(backend, 20, "queue:slow")
    by_word = scheduled(backend, 20, "-fn:app.other -queue:slow job-1")

    assert ids(by_function) == ["job-0", "elsewhere", "job-10"]
    assert (by_function.looked, by_function.total) == (20, 31)
    assert (ids(by_queue), by_queue.total) == (["elsewhere"], 1)
    assert ids(by_word) == ["job-10"]


def test_what_is_not_read_of_a_long_queue_is_never_skipped_over(backend: Backend, timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MOST_ENTRIES", 40)
    for number in range(30):
        timed.due(f"early-{number}", number, queue="early")
    for number in range(5):
        timed.due(f"late-{number}", 1000 + number, queue="late")

    found = scheduled(backend, 30)

    assert ids(found) == [f"early-{number}" for number in range(20)]
    assert found.until == found.jobs[-1].due_at
    jobs, until = together([found])
    assert (len(jobs), until) == (20, found.until)


def test_two_backends_are_merged_up_to_where_both_are_whole(backend: Backend, timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        timed.due(f"here-{number}", number * 10, queue="here")
    here = scheduled(backend)
    monkeypatch.setattr(query, "MOST_ENTRIES", 0)
    cut = scheduled(backend, 40)

    jobs, until = together([here, cut])

    assert len(jobs) == 40
    assert until == cut.until
    assert jobs == tuple(sorted(jobs, key=lambda job: job.key))


def test_both_ways_of_reading_agree_and_neither_writes(server: Server, timed: Timed) -> None:
    timed.due("a", -10, repeats_left=2)
    timed.due("b", 10, queue="slow", data=b"x" * 9000)
    timed.due("c", 10, queue="old")
    timed.lock("slow")
    timed.lock("old", pid=7)
    timed.stored.entry("scheduled", "ghost", timed.now_s + 2)
    with both_ways(server) as backends:
        timed.stored.client.config_resetstat()

        found = [query.timetable(backend, Asked(50), now=NOW) for backend in backends]

        assert found[0] == found[1]
        assert written(timed.stored.client) == set()


def test_a_page_costs_four_round_trips_whatever_the_number_of_jobs(server: Server, timed: Timed) -> None:
    for number in range(200):
        timed.due(f"job-{number}", number, queue=f"queue-{number % 20}")
    backend, tally = counted_backend(server)
    scheduled(backend, 200)

    found, sent = spent(tally, lambda: scheduled(backend, 200))

    assert len(found.jobs) == 200
    assert sent.round_trips == 4
    backend.close()


def test_what_rq_schedules_is_read_with_its_scheduler(backend: Backend, redis_client: redis.Redis) -> None:
    queue = Queue("mail", connection=redis_client)
    late = queue.enqueue_in(timedelta(seconds=-60), "tests.tasks.note", "ran")
    queue.enqueue_in(timedelta(days=1), "tests.tasks.note", "ran")
    scheduler = RQScheduler(["mail"], connection=redis_client)
    now = datetime.now(UTC)

    alone = query.scheduled(backend, Asked(50), now=now)
    scheduler.register_birth()
    scheduler.acquire_locks()
    held = query.scheduled(backend, Asked(50), now=now)
    scheduler.enqueue_scheduled_jobs()
    after = query.scheduled(backend, Asked(50), now=now)

    assert (ids(alone)[0], alone.overdue, [found.name for found in alone.unheld]) == (late.id, 1, ["mail"])
    assert [item.holder for item in held.jobs] == [Holder(scheduler.name, scheduler.hostname, scheduler.pid)] * 2
    assert (after.total, after.overdue) == (1, 0)
