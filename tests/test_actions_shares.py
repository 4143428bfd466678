"""Several shares of one action, sent one behind the other: a result for each, their journals, their order, and what ends them early."""

from __future__ import annotations

import redis

from rqdash.actions.batches import Result, carried_out_each
from rqdash.actions.pending import Share
from rqdash.actions.scripted import LATER, UNPLACED, Order, request, said
from rqdash.backends.backend import Backend
from rqdash.errors import Switching
from rqdash.model.outcome import Verdict
from rqdash.model.registry import Registry
from tests.operating import fail_jobs
from tests.test_actions_long_lists import KEY, Commotion, ids, order
from tests.test_actions_safety import Switch

__all__ = ["ids"]

REQUEUE = Order("requeue", "mail", Registry.FAILED, to_queue="mail")
MOVE = Order("move", "mail", Registry.QUEUED, to_queue="slow")


def shares(names: list[str], size: int) -> list[Share]:
    return [Share(names[start : start + size], f"op:{start // size}") for start in range(0, len(names), size)]


def test_each_share_has_its_result_and_its_journal(redis_client: redis.Redis, backend: Backend) -> None:
    names = fail_jobs(redis_client, 450)
    redis_client.delete(f"rq:job:{names[3]}")

    results = list(carried_out_each(backend, REQUEUE, [*shares(names, 200), Share(())]))

    assert [(outcome.done, outcome.left, failure) for outcome, failure in results] == [
        (199, 0, None),
        (200, 0, None),
        (50, 0, None),
        (0, 0, None),
    ]
    assert [job.job_id for outcome, _ in results for job in outcome.jobs] == names
    assert [redis_client.hlen(f"rq:rqdash:op:op:{number}") for number in range(3)] == [200, 200, 50]
    assert redis_client.hget("rq:rqdash:op:op:0", names[3]) == b"gone"
    assert order(redis_client) == [name for name in names if name != names[3]]


def test_asked_again_nothing_is_done_twice(redis_client: redis.Redis, backend: Backend) -> None:
    names = fail_jobs(redis_client, 300)
    first = [outcome.counts() for outcome, _ in carried_out_each(backend, REQUEUE, shares(names, 100))]

    again = [outcome.counts() for outcome, _ in carried_out_each(backend, REQUEUE, shares(names, 100))]

    assert first == again == [{Verdict.DONE: 100}] * 3
    assert order(redis_client) == names


def test_a_share_that_may_not_be_begun_is_left_alone(redis_client: redis.Redis, backend: Backend) -> None:
    names = fail_jobs(redis_client, 800)
    results: list[Result] = []

    for result in carried_out_each(backend, REQUEUE, shares(names, 200), go_on=lambda: not results):
        results.append(result)  # noqa: PERF402  it is looked at meanwhile

    # The second was begun before the first had ended.
    assert [outcome.done for outcome, _ in results] == [200, 200]
    assert order(redis_client) == names[:400]
    assert list(carried_out_each(backend, REQUEUE, shares(names[400:], 200), go_on=lambda: False)) == []


def test_a_failure_ends_them_all_and_stands_beside_those_begun(redis_client: redis.Redis, backend: Backend) -> None:
    names = fail_jobs(redis_client, 600)
    backend.guard = Switch(after=3)

    results = list(carried_out_each(backend, REQUEUE, shares(names, 200)))

    assert [(outcome.done, outcome.left) for outcome, _ in results] == [(200, 0), (100, 100)]
    assert [type(failure) for _, failure in results] == [type(None), Switching]
    assert order(redis_client) == names[:300]


def test_shares_along_a_long_list_do_not_each_look_it_through(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    chosen = ids[2_500:17_500:5]
    redis_client.config_resetstat()

    results = list(carried_out_each(backend, MOVE, shares(chosen, 200)))

    assert sum(outcome.done for outcome, _ in results) == len(chosen)
    assert order(redis_client, "rq:queue:slow") == chosen
    used = redis_client.info("commandstats")
    assert used["cmdstat_evalsha"]["calls"] <= len(chosen) / 100 + 5
    assert used["cmdstat_lrange"]["calls"] <= len(chosen) / 100 + 15


def test_shares_keep_their_order_though_workers_pop_meanwhile(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    chosen = ids[9_000:16_000:7]
    backend.guard = Commotion(redis_client)

    results = list(carried_out_each(backend, MOVE, shares(chosen, 200)))

    assert sum(outcome.done for outcome, _ in results) == len(chosen)
    assert order(redis_client, "rq:queue:slow") == chosen


def test_a_call_behind_one_that_left_jobs_does_nothing(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    def asked(names: list[str], row: str) -> dict[str, str]:
        return said(names, backend.write(request(backend, MOVE, names, hints={}, is_last=False, row=row)))

    before, middle = order(redis_client), ids[10_000:10_002]

    assert asked(middle, "ab") == dict.fromkeys(middle, UNPLACED)
    assert asked(ids[:2], "ab") == dict.fromkeys(ids[:2], LATER)

    assert order(redis_client) == before
    assert 0 < redis_client.ttl("rq:rqdash:halt:ab") <= 60
    assert asked(ids[:2], "cd") == {}
    assert order(redis_client, "rq:queue:slow") == ids[:2]
    assert redis_client.llen(KEY) == len(before) - 2
