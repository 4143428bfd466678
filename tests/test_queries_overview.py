"""The overview and one queue: counts, workers and facts, as RQ counts them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis
from rq import Queue, Retry

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import NotFound
from rqdash.model.queue import QueueSummary
from rqdash.model.registry import TABS, Registry
from rqdash.queries.overview import MOST_QUEUES, summary
from rqdash.queries.queue import summary_of
from rqdash.queries.sets import queue_names
from tests.stored import EXECUTION, NOW, Stored, variety
from tests.workers import counts, work


@pytest.fixture
def stored(redis_client: redis.Redis) -> Stored:
    return Stored(redis_client)


def by_name(backend: Backend) -> dict[str, QueueSummary]:
    return {queue.name: queue for queue in summary(backend, now=NOW).queues}


def test_counts_equal_those_of_rq_after_its_cleanup(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    queue = Queue("mail", connection=redis_client)
    for number in range(3):
        queue.enqueue("tests.tasks.count", "runs")
        queue.enqueue("tests.tasks.no_such_task", number, retry=Retry(max=1, interval=500) if number else None)
    work(server, "mail")
    parent = queue.enqueue("tests.tasks.count", "runs")
    queue.enqueue("tests.tasks.count", "runs", depends_on=parent)
    queue.enqueue("tests.tasks.count", "runs").cancel()
    for registry in ("failed", "finished"):
        redis_client.zadd(f"rq:{registry}:mail", {"expired": 18, "also expired": 17})
    redis_client.zadd("rq:failed:mail", {"never": -1})
    redis_client.zadd("rq:wip:mail", {f"gone:{EXECUTION}": 17})

    ours = summary_of(backend, "mail", now=datetime.now(UTC))
    in_overview = summary(backend, now=datetime.now(UTC)).queues

    assert in_overview == (ours,)
    assert (ours.expired_started, ours.expired_failed, ours.expired_finished) == (1, 2, 2)
    assert (ours.queued, ours.scheduled, ours.deferred, ours.canceled) == (1, 2, 1, 1)
    assert (ours.failed, ours.finished) == (2, 3)
    assert counts(server, "mail") == {registry.value: ours.count(registry) for registry in TABS}


def test_every_queue_is_there_by_name_and_foreign_members_are_not(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = summary(backend, now=NOW)

    names = [queue.name for queue in found.queues]
    assert names == sorted(names, key=lambda name: name.encode("utf-8", "surrogateescape"))
    assert found.queues_total == len(names) == redis_client.scard("rq:queues") - 2
    assert "else" not in names
    assert list(queue_names(backend)) == names


def test_a_queue_says_how_long_its_first_job_waits_and_what_is_overdue(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    mail = by_name(backend)["mail"]

    assert mail.oldest_enqueued_at is not None
    assert (NOW - mail.oldest_enqueued_at).total_seconds() == 599
    assert (mail.overdue, mail.scheduled, mail.has_scheduler, mail.ready, mail.intermediate) == (1, 2, True, 1, 1)


def test_lost_workers_listen_to_nothing(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = summary(backend, now=NOW)
    mail = next(queue for queue in found.queues if queue.name == "mail")

    assert found.workers_lost == 2
    assert found.workers_total == found.workers + 2
    assert (mail.workers, mail.workers_busy) == (2, 2)
    assert summary_of(backend, "mail", now=NOW) == mail
    assert found.rq_versions == ("2.6.1", "3.0.0")


def test_a_queue_with_a_comma_in_its_name_has_its_own_workers(stored: Stored, backend: Backend) -> None:
    for name in ("one,two", "one", "two", "three"):
        stored.waiting(f"in {name}", queue=name)
    stored.worker("w", queues="one,two,three", state="busy")

    found = by_name(backend)

    assert {name: (queue.workers, queue.workers_busy) for name, queue in found.items()} == {
        "one,two": (1, 1),
        "one": (1, 1),
        "two": (1, 1),
        "three": (1, 1),
    }


def test_a_queue_that_rq_no_longer_lists_is_found_while_it_holds_jobs(stored: Stored, backend: Backend) -> None:
    stored.failed("orphan", queue="deleted")

    found = summary_of(backend, "deleted", now=NOW)

    assert (found.failed, found.exists) == (1, False)


def test_a_queue_without_any_key_is_not_found(backend: Backend) -> None:
    with pytest.raises(NotFound):
        summary_of(backend, "nothing", now=NOW)


def test_a_listed_queue_without_jobs_is_there(stored: Stored, backend: Backend) -> None:
    stored.queue("idle")

    found = summary_of(backend, "idle", now=NOW)

    assert (found.queued, found.exists, found.is_unattended) == (0, True, False)


def test_suspension_is_told_with_the_time_left(redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.set("rq:suspended", 1, ex=100)
    for_a_while = summary(backend, now=NOW)
    redis_client.persist("rq:suspended")
    for_good = summary(backend, now=NOW)

    assert for_a_while.is_suspended
    assert for_a_while.suspended_for_s in (99, 100)
    assert (for_good.is_suspended, for_good.suspended_for_s) == (True, None)


def test_an_empty_database_names_those_that_hold_keys(server: Server, backend: Backend) -> None:
    with server.client(db=3) as other:
        other.set("rq:queues", 1)

    found = summary(backend, now=NOW)

    assert (found.queues, found.queues_total, found.is_suspended) == ((), 0, False)
    assert found.server.keyspaces == (3,)
    assert found.server.title.startswith("Valkey ")
    assert (found.server.role, found.server.maxmemory_policy, found.server.unknown) == ("master", "noeviction", ())


def test_over_2000_queues_the_first_2000_are_read_and_all_are_counted(redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.sadd("rq:queues", *(f"rq:queue:q{number:05d}" for number in range(MOST_QUEUES + 7)))

    found = summary(backend, now=NOW)

    assert (len(found.queues), found.queues_total) == (MOST_QUEUES, MOST_QUEUES + 7)
    assert found.queues[-1].name == f"q{MOST_QUEUES - 1:05d}"


def test_a_key_of_another_type_is_empty_and_spoils_nothing(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = by_name(backend)

    assert found["wrong"].queued == 0
    assert found["mail"].count(Registry.QUEUED) == 9
