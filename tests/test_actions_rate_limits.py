"""Slots of rate limits: who goes away gives its slot up, the next one is let in as RQ does it, and real workers run each once."""

from __future__ import annotations

import pytest
import redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.rate_limit import RateLimit, RateLimitRegistry

from rqdash.actions import cancel, delete, enqueue, requeue
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.registry import Registry
from tests.actors import Witness, snapshot, verdicts
from tests.test_actions_safety import impatient
from tests.workers import work

ALLOWED, WAITING = "rq:rl:api:allowed", "rq:rl:api:rate_limited"
AWAY = pytest.mark.parametrize("act", [cancel, delete])


def limited(client: redis.Redis, number: int, *, most: int = 1, queue: str = "mail", **options: object) -> list[str]:
    """Jobs of one rate limit, enqueued by RQ: the first ones hold its slots, the others wait."""
    here = Queue(queue, connection=client)
    ids = [here.enqueue("tests.tasks.note", "order", rate_limit=RateLimit("api", most), **options).id for _ in range(number)]
    # RQ's scores are whole seconds; within one the ids decide, and they are random.
    for age, job_id in enumerate(ids):
        client.zadd(WAITING, {job_id: 1e9 + age}, xx=True)
    return ids


def waiting_list(client: redis.Redis, queue: str = "mail") -> list[str]:
    return [raw.decode() for raw in client.lrange(f"rq:queue:{queue}", 0, -1)]


def members(client: redis.Redis, key: str) -> list[str]:
    return [raw.decode() for raw in client.zrange(key, 0, -1)]


@AWAY
def test_the_oldest_waiter_gets_the_slot_of_a_holder_that_goes_and_all_run_once(
    server: Server, redis_client: redis.Redis, backend: Backend, act: object
) -> None:
    holder, second, third = limited(redis_client, 3)

    outcome = act(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[holder])  # type: ignore[operator]

    assert verdicts(outcome) == ["done"]
    assert (members(redis_client, ALLOWED), members(redis_client, WAITING)) == ([second], [third])
    assert waiting_list(redis_client) == [second]
    assert Job.fetch(second, connection=redis_client).get_status() is JobStatus.QUEUED
    work(server, "mail")
    assert [raw.decode() for raw in redis_client.lrange("order", 0, -1)] == [second, third]
    assert not redis_client.exists(ALLOWED, WAITING)


@AWAY
def test_a_waiter_that_goes_is_let_in_by_nobody(redis_client: redis.Redis, backend: Backend, act: object) -> None:
    holder, waiter, last = limited(redis_client, 3)

    outcome = act(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[waiter])  # type: ignore[operator]

    assert verdicts(outcome) == ["done"]
    assert (members(redis_client, ALLOWED), members(redis_client, WAITING)) == ([holder], [last])
    assert waiting_list(redis_client) == [holder]
    kept = redis_client.hget(f"rq:job:{waiter}", "status")
    assert kept == (b"canceled" if act is cancel else None)
    assert redis_client.zcard("rq:canceled:mail") == (1 if act is cancel else 0)


@AWAY
def test_a_holder_and_its_waiters_that_go_together_let_in_only_who_stays(redis_client: redis.Redis, backend: Backend, act: object) -> None:
    *gone, kept = limited(redis_client, 6, most=2)

    outcome = act(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=gone)  # type: ignore[operator]

    assert verdicts(outcome) == ["done"] * 5
    assert (members(redis_client, ALLOWED), members(redis_client, WAITING)) == ([kept], [])
    assert waiting_list(redis_client) == [kept]


def test_who_is_let_in_goes_to_its_own_queue_and_to_the_front_where_it_asked_for_that(redis_client: redis.Redis, backend: Backend) -> None:
    (holder,) = limited(redis_client, 1)
    other = Queue("slow", connection=redis_client).enqueue("tests.tasks.note", "order").id
    (waiter,) = limited(redis_client, 1, queue="slow", at_front=True)

    cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[holder])

    assert waiting_list(redis_client, "slow") == [waiter, other]


def test_dead_waiters_are_passed_over(redis_client: redis.Redis, backend: Backend) -> None:
    holder, dead, odd, waiter = limited(redis_client, 4)
    redis_client.delete(f"rq:job:{dead}")
    redis_client.hset(f"rq:job:{odd}", "status", "canceled")

    delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[holder])

    assert (members(redis_client, ALLOWED), members(redis_client, WAITING)) == ([waiter], [])
    assert waiting_list(redis_client) == [waiter]


def test_a_slot_that_leaked_becomes_free_with_its_job(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    (holder,) = limited(redis_client, 1)
    work(server, "mail")
    redis_client.zadd(ALLOWED, {holder: 1})
    redis_client.hset("rq:rl:api", "concurrency", 1)
    (waiter,) = limited(redis_client, 1)

    delete(backend, Witness(), queue="mail", registry=Registry.FINISHED, ids=[holder])

    assert waiting_list(redis_client) == [waiter]


def test_what_is_left_is_what_rq_itself_leaves(redis_client: redis.Redis, backend: Backend) -> None:
    holder, *_ = limited(redis_client, 3)
    cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[holder])
    before = (members(redis_client, ALLOWED), members(redis_client, WAITING), waiting_list(redis_client))

    RateLimitRegistry("api", redis_client).cleanup()

    assert (members(redis_client, ALLOWED), members(redis_client, WAITING), waiting_list(redis_client)) == before


@AWAY
@pytest.mark.parametrize("broken", [WAITING, ALLOWED, "rq:rl:api"])
def test_a_job_whose_slot_cannot_be_given_up_is_left_to_rq(redis_client: redis.Redis, backend: Backend, act: object, broken: str) -> None:
    (holder,) = limited(redis_client, 1)
    redis_client.delete(broken)
    redis_client.set(broken, "of another type")
    before = snapshot(redis_client)

    outcome = act(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[holder])  # type: ignore[operator]

    assert verdicts(outcome) == ["rate_limited"]
    assert snapshot(redis_client) == before


def test_a_user_who_may_not_let_the_next_one_in_leaves_the_holder_alone(server: Server, redis_client: redis.Redis) -> None:
    holder, waiter = limited(redis_client, 2)
    redis_client.execute_command("ACL", "SETUSER", "narrow", "on", ">secret", "+@all", "~rq:*", "-zpopmin")
    narrow = impatient(server, username="narrow", password="secret")

    outcome = cancel(narrow, Witness(), queue="mail", registry=Registry.QUEUED, ids=[holder])

    assert verdicts(outcome) == ["rate_limited"]
    assert (members(redis_client, ALLOWED), members(redis_client, WAITING)) == ([holder], [waiter])
    narrow.close()
    redis_client.execute_command("ACL", "DELUSER", "narrow")


def test_a_rate_limited_job_is_never_put_on_a_queue_by_us(redis_client: redis.Redis, backend: Backend) -> None:
    (holder,) = limited(redis_client, 1)
    cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[holder])
    redis_client.hset("rq:job:due", mapping={"status": "scheduled", "data": "x", "rate_limit_key": "api"})
    redis_client.zadd("rq:scheduled:mail", {"due": 4e9})

    outcomes = (
        requeue(backend, Witness(), queue="mail", registry=Registry.CANCELED, ids=[holder]),
        enqueue(backend, Witness(), queue="mail", registry=Registry.SCHEDULED, ids=["due"]),
    )

    assert [verdicts(outcome) for outcome in outcomes] == [["rate_limited"], ["rate_limited"]]
    assert waiting_list(redis_client) == []
