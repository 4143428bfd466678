"""Suspending all workers of a backend, and resuming them, with real ones."""

from __future__ import annotations

import pytest
import redis
from rq import Queue, Worker
from rq.suspension import is_suspended

from rqdash.actions import resume, suspend
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import Invalid
from tests.actors import Witness
from tests.processes import wait_until
from tests.workers import working


def test_an_idle_worker_takes_one_more_job_and_the_rest_when_it_is_resumed(
    server: Server, redis_client: redis.Redis, backend: Backend
) -> None:
    queue = Queue("mail", connection=redis_client)
    with working(server, "mail", stays=True):
        assert wait_until(lambda: [worker.get_state() for worker in Worker.all(connection=redis_client)] == ["idle"])

        suspended = suspend(backend, Witness())
        first, second = (queue.enqueue("tests.tasks.note", "order").id for _ in range(2))
        assert wait_until(lambda: [worker.get_state() for worker in Worker.all(connection=redis_client)] == ["suspended"])
        ran_while_suspended = redis_client.lrange("order", 0, -1)
        resumed = resume(backend, Witness())

        assert wait_until(lambda: redis_client.llen("order") == 2)
    assert (suspended.done, resumed.done) == (1, 1)
    assert ran_while_suspended == [first.encode()]
    assert redis_client.lrange("order", 0, -1) == [first.encode(), second.encode()]


def test_a_suspension_may_have_an_end_which_a_second_one_sets_anew(redis_client: redis.Redis, backend: Backend) -> None:
    suspend(backend, Witness(), for_s=600)
    first = redis_client.ttl("rq:suspended")
    suspend(backend, Witness(), for_s=60)
    second = redis_client.ttl("rq:suspended")
    suspend(backend, Witness())

    assert (500 < first <= 600, 0 < second <= 60, redis_client.ttl("rq:suspended")) == (True, True, -1)
    assert is_suspended(redis_client)


def test_resuming_what_is_not_suspended_changes_nothing(redis_client: redis.Redis, backend: Backend) -> None:
    outcome = resume(backend, Witness())

    assert {verdict.value: count for verdict, count in outcome.counts().items()} == {"raced": 1}
    assert not redis_client.keys("*")


@pytest.mark.parametrize("seconds", [0, -1, 31 * 24 * 3600])
def test_a_time_that_makes_no_sense_is_refused(redis_client: redis.Redis, backend: Backend, seconds: int) -> None:
    with pytest.raises(Invalid):
        suspend(backend, Witness(), for_s=seconds)

    assert not redis_client.keys("*")


def test_the_audit_row_says_how_long(backend: Backend) -> None:
    witness = Witness()

    suspend(backend, witness, for_s=60)

    (row,) = witness.rows
    assert (row.verb, row.backend, row.queue, row.values, row.outcomes) == ("suspend", "live", "", {"for_s": 60}, {"done": 1})
