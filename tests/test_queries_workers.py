"""Workers: their states, what they run in RQ's old and new form, and those that are lost."""

from __future__ import annotations

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import NotFound
from rqdash.model.worker import Worker
from rqdash.queries.workers import worker, workers
from tests.processes import wait_until
from tests.stored import EXECUTION, NOW, Stored, variety
from tests.workers import enqueue, working


def by_name(backend: Backend) -> dict[str, Worker]:
    return {found.name: found for found in workers(backend, now=NOW).workers}


def test_a_real_worker_is_shown_with_the_job_it_runs(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    job_id = enqueue(server, "mail", "tests.tasks.hold", "gate", job_timeout=60)

    with working(server, "mail", "high"):
        assert wait_until(lambda: redis_client.exists("gate:running"))
        (found,) = workers(backend, now=NOW).workers
        redis_client.rpush("gate", 1)

    assert (found.state, found.queues, found.rq_version) == ("busy", ("mail", "high"), "3.0.0")
    assert found.current is not None
    assert (found.current.id, found.current.function, found.current.arguments) == (job_id, "tests.tasks.hold", "'gate'")
    assert (found.current.queue, found.current.timeout_s) == ("mail", 60)
    assert found.current.started_at is not None
    assert found.expires_in_s is not None


def test_workers_are_listed_by_name_without_foreign_members(redis_client: redis.Redis, backend: Backend) -> None:
    stored = Stored(redis_client)
    for name in ("b", "a", "c"):
        stored.worker(name)
    redis_client.sadd("rq:workers", "somebody:else")

    found = workers(backend, now=NOW, limit=2)

    assert ([each.name for each in found.workers], found.total) == (["a", "b"], 3)


def test_listed_workers_without_a_hash_of_their_own_are_lost(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = by_name(backend)

    assert [found[name].state for name in ("lost-1", "zombie", "busy-1", "old")] == ["lost", "lost", "busy", "busy"]
    assert (found["lost-1"].queues, found["lost-1"].current, found["lost-1"].pid) == ((), None, None)


def test_what_a_worker_runs_is_known_in_rqs_new_and_old_form(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    new, old = by_name(backend)["busy-1"].current, by_name(backend)["old"].current

    assert new is not None
    assert (new.id, new.execution_id, new.function, new.arguments, new.queue) == ("running-1", EXECUTION, "app.tasks.send", "7", "mail")
    assert new.started_at is not None
    assert (NOW - new.started_at).total_seconds() == 30
    assert old is not None
    assert (old.id, old.execution_id, old.timeout_s) == ("running-2", "", 180)


def test_a_worker_without_a_state_has_just_started(redis_client: redis.Redis, backend: Backend) -> None:
    Stored(redis_client).worker("young")
    redis_client.hdel("rq:worker:young", "state")

    assert worker(backend, "young", now=NOW).state == "started"


def test_a_warm_shutdown_under_way_is_told(redis_client: redis.Redis, backend: Backend) -> None:
    Stored(redis_client).worker("leaving", state="busy", shutdown_requested_date="2026-11-23T17:39:00.000000Z")

    assert worker(backend, "leaving", now=NOW).is_shutting_down


def test_garbled_numbers_are_unknown_and_spoil_nothing(redis_client: redis.Redis, backend: Backend) -> None:
    stored = Stored(redis_client)
    stored.worker("odd", pid="many", successful_job_count="1e3", total_working_time="inf", birth="yesterday", hostname=b"\xff\xfe")
    stored.worker("fine")

    found = by_name(backend)

    odd = found["odd"]
    assert (odd.pid, odd.successful, odd.working_s, odd.birth_at, odd.hostname) == (None, None, None, None, "\ufffd\ufffd")
    assert found["fine"].pid == 41


def test_suspension_is_told_with_the_workers(redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.set("rq:suspended", 1)

    assert workers(backend, now=NOW).is_suspended


def test_a_lost_worker_has_a_page_while_it_is_listed_and_an_unknown_one_has_none(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    assert worker(backend, "lost-1", now=NOW).state == "lost"
    with pytest.raises(NotFound):
        worker(backend, "nobody", now=NOW)
