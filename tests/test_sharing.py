"""Groups and rate limits as they are read: what became of a group's jobs, who holds a slot, and slots nobody needs."""

from __future__ import annotations

import pytest
import redis
from rq import Queue
from rq.group import Group
from rq.rate_limit import RateLimit, RateLimitRegistry

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.sharing import Limit, Sharing, Slot
from rqdash.queries import groups as groups_query
from rqdash.queries import sharing as query
from tests.commands import written
from tests.round_trips import counted_backend, spent
from tests.stored import EXECUTION, HOSTILE, NOW, Stored
from tests.timed import Timed, both_ways


@pytest.fixture
def timed(redis_client: redis.Redis) -> Timed:
    return Timed(Stored(redis_client))


def sharing(backend: Backend) -> Sharing:
    return query.sharing(backend, now=NOW)


def limit(backend: Backend, key: str = "acme") -> Limit:
    return next(found for found in sharing(backend).limits if found.key == key)


def test_a_group_counts_what_became_of_its_jobs_on_all_queues(backend: Backend, timed: Timed) -> None:
    for number, status in enumerate(("finished", "finished", "failed", "queued")):
        timed.stored.job(f"job-{number}", status=status, queue="mail" if number else "slow")
    timed.group("night", [*(f"job-{number}" for number in range(4)), "expired"])

    (group,) = sharing(backend).groups

    assert (group.size, group.looked, group.expired) == (5, 5, 1)
    assert group.statuses == (("finished", 2), ("failed", 1), ("queued", 1))
    assert group.queues == ("mail", "slow")


def test_of_a_large_group_a_part_is_looked_at_and_said_so(backend: Backend, timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_query, "MOST_MEMBERS", 20)
    timed.group("large", [timed.stored.job(f"job-{number}") for number in range(300)])

    (group,) = sharing(backend).groups

    assert (group.size, group.looked) == (300, 20)
    assert sum(count for _, count in group.statuses) == 20


def test_a_rate_limit_says_who_holds_and_who_waits_where(backend: Backend, timed: Timed) -> None:
    timed.stored.job("runs", status="started", queue="mail")
    timed.stored.job("next", status="queued", queue="slow")
    for number in range(3):
        timed.stored.job(f"waits-{number}", status="rate_limited", queue="mail" if number else "slow")
    timed.limit("acme", 2, holding=("runs", "next"), waiting=("waits-0", "waits-1", "waits-2"))

    found = limit(backend)

    assert (found.concurrency, found.holders, found.waiters, found.leaked) == (2, 2, 3, 0)
    assert [(slot.job_id, slot.status, slot.queue) for slot in found.slots] == [("runs", "started", "mail"), ("next", "queued", "slow")]
    assert found.queues == (("mail", 2), ("slow", 1))
    assert found.oldest_id == "waits-0"
    assert found.oldest_at is not None
    assert (NOW - found.oldest_at).total_seconds() == pytest.approx(60)


def test_a_slot_is_leaked_when_its_job_neither_waits_nor_runs_and_no_execution_lives(backend: Backend, timed: Timed) -> None:
    client, keys = timed.stored.client, timed.stored.keys
    for job_id, status in (("ended", "finished"), ("running still", "canceled"), ("queued", "queued"), ("abandoned", "failed")):
        timed.stored.job(job_id, status=status)
    client.zadd(keys.executions("running still"), {EXECUTION: timed.now_s + 60})
    client.zadd(keys.executions("abandoned"), {EXECUTION: timed.now_s - 60})
    timed.limit("acme", 9, holding=("ended", "running still", "queued", "abandoned", "expired"))

    leaked = [slot.job_id for slot in limit(backend).slots if slot.is_leaked]

    assert leaked == ["ended", "abandoned", "expired"]


def test_garbled_limits_and_groups_are_rows_and_no_errors(backend: Backend, timed: Timed) -> None:
    client, keys = timed.stored.client, timed.stored.keys
    client.sadd(keys.groups, "empty", "wrong type")
    client.set(keys.group("wrong type"), "no set")
    timed.group("odd", [timed.stored.job("garbled", status=b"\xff"), "wrong"])
    client.set(keys.job("wrong"), "no hash")
    client.sadd(keys.rate_limits, "nothing")
    client.set(keys.rate_limit("nothing"), "no hash")
    timed.limit("many", 1)
    client.hset(keys.rate_limit("many"), "concurrency", "many")

    found = sharing(backend)

    assert [(group.name, group.expired, group.statuses) for group in found.groups] == [("odd", 1, (("\ufffd", 1),))]
    assert [(limit.key, limit.concurrency, limit.slots) for limit in found.limits] == [("many", None, ()), ("nothing", None, ())]


def test_hostile_names_come_through(backend: Backend, timed: Timed) -> None:
    for name in HOSTILE:
        job_id = timed.stored.job(f"job of {name}", queue=name, status="started")
        timed.group(name, [job_id])
        timed.limit(name, 1, holding=[job_id])

    found = sharing(backend)

    assert sorted(group.name for group in found.groups) == sorted(HOSTILE)
    assert sorted(limit.key for limit in found.limits) == sorted(HOSTILE)
    assert {slot.queue for limit in found.limits for slot in limit.slots} == set(HOSTILE)


def test_names_are_chosen_before_any_is_read(backend: Backend, timed: Timed) -> None:
    for number in range(120):
        timed.group(f"group-{number:03}", [timed.stored.job(f"job-{number}")])

    everything = sharing(backend)
    some = query.sharing(backend, now=NOW, takes=lambda name: name.endswith("9"))

    assert (len(everything.groups), everything.groups_read, everything.groups_total) == (100, 100, 120)
    assert (len(some.groups), some.groups_read, some.groups_total) == (12, 12, 12)


def test_both_ways_of_reading_agree_and_neither_writes(server: Server, timed: Timed) -> None:
    timed.group("night", [timed.stored.job("a", status="failed"), "gone"])
    timed.stored.running("w", "b")
    timed.limit("acme", 2, holding=("a", "b", "gone"), waiting=("a", "gone"))
    timed.limit("free", 2)
    with both_ways(server) as backends:
        timed.stored.client.config_resetstat()

        found = [sharing(backend) for backend in backends]

        assert found[0] == found[1]
        assert written(timed.stored.client) == set()


def test_a_page_costs_three_round_trips(server: Server, timed: Timed) -> None:
    for number in range(40):
        timed.group(f"group-{number}", [timed.stored.job(f"job-{number}")])
        timed.limit(f"limit-{number}", 1, holding=[f"job-{number}"])
    backend, tally = counted_backend(server)
    sharing(backend)

    _, sent = spent(tally, lambda: sharing(backend))

    assert sent.round_trips == 3
    backend.close()


def test_what_rq_itself_writes_is_read(backend: Backend, redis_client: redis.Redis) -> None:
    queue = Queue("mail", connection=redis_client)
    group = Group(connection=redis_client, name="night")
    group.enqueue_many(queue, [Queue.prepare_data("tests.tasks.note", ("ran",)) for _ in range(3)])
    limited = [queue.enqueue("tests.tasks.note", "ran", rate_limit=RateLimit("acme", 1)) for _ in range(3)]

    found = sharing(backend)
    RateLimitRegistry("acme", redis_client).release_and_enqueue(limited[0].id)
    released = limit(backend)

    assert [(group.name, group.size, group.statuses) for group in found.groups] == [("night", 3, (("queued", 3),))]
    (before,) = found.limits
    assert (before.concurrency, before.holders, before.waiters, before.queues) == (1, 1, 2, (("mail", 2),))
    assert [(slot.job_id, slot.is_leaked) for slot in before.slots] == [(limited[0].id, False)]
    assert released.waiters == 1
    assert [type(slot) for slot in released.slots] == [Slot]
