"""The journal of an operation: what a call settled is kept by that call, and asked again it is answered and not done again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from rqdash.actions import Order, carried_out
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import BackendError
from rqdash.model.registry import Registry
from tests.actors import snapshot, verdicts, write_job
from tests.test_actions_safety import Freeze, impatient

JOURNAL = "op-1:0"
KEY = "rq:rqdash:op:op-1:0"
WEEK_S = 7 * 24 * 3600
DELETE = Order("delete", "mail", Registry.FAILED)
REQUEUE = Order("requeue", "mail", Registry.FAILED, to_queue="mail")


def fill(client: redis.Redis, count: int = 3) -> list[str]:
    """Ids of so many failed jobs."""
    ids = [f"job-{number}" for number in range(count)]
    for job_id in ids:
        write_job(client, job_id, status="failed")
        client.zadd("rq:failed:mail", {job_id: 4e9})
    return ids


@pytest.fixture
def hurried(server: Server) -> Iterator[Backend]:
    live = impatient(server)
    yield live
    server.resume()
    live.close()


def test_every_verdict_of_a_call_is_kept_for_a_week(redis_client: redis.Redis, backend: Backend) -> None:
    ids = fill(redis_client)
    redis_client.hset("rq:job:job-1", "status", "finished")

    outcome, failure = carried_out(backend, DELETE, ids=[*ids, "nobody"], journal=JOURNAL)

    assert (verdicts(outcome), failure) == (["done", "stale", "done", "gone"], None)
    assert redis_client.hgetall(KEY) == {b"job-0": b"done", b"job-1": b"stale", b"job-2": b"done", b"nobody": b"gone"}
    assert WEEK_S - 60 < redis_client.ttl(KEY) <= WEEK_S


def test_without_a_journal_no_key_of_ours_is_written(redis_client: redis.Redis, backend: Backend) -> None:
    carried_out(backend, DELETE, ids=fill(redis_client))

    assert not redis_client.keys("rq:rqdash:*")


def test_asked_again_a_call_answers_what_it_did_and_touches_nothing(redis_client: redis.Redis, backend: Backend) -> None:
    ids = fill(redis_client)
    carried_out(backend, REQUEUE, ids=ids, journal=JOURNAL)
    # They ran and failed once more meanwhile: the same operation must not requeue them a second time.
    redis_client.delete("rq:queue:mail")
    fill(redis_client)
    before = snapshot(redis_client)

    outcome, _ = carried_out(backend, REQUEUE, ids=ids, journal=JOURNAL)

    assert verdicts(outcome) == ["done"] * 3
    assert snapshot(redis_client) == before


def test_ids_without_a_verdict_are_acted_on_beside_those_that_have_one(redis_client: redis.Redis, backend: Backend) -> None:
    ids = fill(redis_client, 4)
    redis_client.hset(KEY, mapping={"job-0": "raced", "job-2": "done"})

    outcome, _ = carried_out(backend, REQUEUE, ids=ids, journal=JOURNAL)

    assert verdicts(outcome) == ["raced", "done", "done", "done"]
    assert redis_client.lrange("rq:queue:mail", 0, -1) == [b"job-1", b"job-3"]


@pytest.mark.parametrize("order", [REQUEUE, DELETE])
def test_a_call_whose_answer_was_lost_is_answered_the_second_time_and_done_once(
    server: Server, redis_client: redis.Redis, backend: Backend, hurried: Backend, order: Order
) -> None:
    ids = fill(redis_client, 250)
    carried_out(hurried, order, ids=["nobody"])  # opens the connection
    hurried.guard = Freeze(server, at=1)

    lost, failure = carried_out(hurried, order, ids=ids, journal=JOURNAL)
    server.resume()
    again, _ = carried_out(backend, order, ids=ids, journal=JOURNAL)

    assert isinstance(failure, BackendError)
    assert set(verdicts(lost)) == {"unknown"}
    assert verdicts(again) == ["done"] * 250
    assert redis_client.llen("rq:queue:mail") == (250 if order is REQUEUE else 0)
    assert redis_client.hlen(KEY) == 250


def test_what_a_call_could_not_settle_is_not_kept(redis_client: redis.Redis, backend: Backend) -> None:
    ids = [f"job-{number}" for number in range(5_000)]
    pipeline = redis_client.pipeline(transaction=False)
    for job_id in ids:
        pipeline.hset(f"rq:job:{job_id}", mapping={"status": "queued", "data": "x"})
    pipeline.rpush("rq:queue:mail", *ids)
    pipeline.execute()

    outcome, _ = carried_out(backend, Order("cancel", "mail", Registry.QUEUED), ids=["nobody", *ids[2_000:2_300]], journal=JOURNAL)

    assert outcome.done == 300
    assert set(redis_client.hvals(KEY)) == {b"done", b"gone"}
    assert redis_client.hlen(KEY) == 301


def test_two_journals_do_not_know_each_other(redis_client: redis.Redis, backend: Backend) -> None:
    ids = fill(redis_client, 1)
    carried_out(backend, REQUEUE, ids=ids, journal="op-1:0")

    outcome, _ = carried_out(backend, REQUEUE, ids=ids, journal="op-2:0")

    assert verdicts(outcome) == ["raced"]


def test_a_journal_of_another_type_stops_the_call_before_it_acts(redis_client: redis.Redis, backend: Backend) -> None:
    ids = fill(redis_client, 1)
    redis_client.set(KEY, "no hash")
    before = snapshot(redis_client)

    _, failure = carried_out(backend, REQUEUE, ids=ids, journal=JOURNAL)

    assert isinstance(failure, BackendError)
    assert snapshot(redis_client) == before


@pytest.mark.parametrize("rights", [["%R~rq:rqdash:*"], ["~rq:rqdash:*", "-expire"]])
def test_a_user_who_may_not_keep_a_journal_acts_on_nothing(server: Server, redis_client: redis.Redis, rights: list[str]) -> None:
    ids = fill(redis_client, 1)
    keys = ["~rq:job:*", "~rq:failed:*", "~rq:queue*", "~rq:executions:*", "~rq:wip:*"]
    redis_client.execute_command("ACL", "SETUSER", "narrow", "on", ">secret", "+@all", *keys, *rights)
    narrow = impatient(server, username="narrow", password="secret")

    _, failure = carried_out(narrow, REQUEUE, ids=ids, journal=JOURNAL)

    assert isinstance(failure, BackendError)
    assert redis_client.zcard("rq:failed:mail") == 1
    narrow.close()
    redis_client.execute_command("ACL", "DELUSER", "narrow")
