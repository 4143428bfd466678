"""Moving jobs to another backend: what arrives, what stays, and why."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rq import Queue
from rq.job import Job
from rq.rate_limit import RateLimit

from rqdash.actions.transfer import Transfer, carried_over, in_transit, transfer
from rqdash.backends.backend import Backend
from rqdash.errors import Invalid, ReadOnly
from rqdash.model.registry import Registry
from tests.actors import HOSTILE, Witness, snapshot, verdicts, write_job
from tests.stored import EXECUTION, NOW_S, Stored
from tests.transfers import Before, Pair, backend_at, enqueued, failed, journal, moved, places
from tests.workers import counts, schedule, work

ALL = (Registry.QUEUED, Registry.FAILED, Registry.CANCELED, Registry.SCHEDULED)


def test_a_moved_job_runs_once_at_its_destination_and_never_at_its_source(pair: Pair) -> None:
    stays, goes = enqueued(pair.here, 2)

    outcome = moved(pair.source, pair.destination, [goes])

    assert verdicts(outcome) == ["done"]
    assert (outcome.verb, outcome.backend, outcome.queue, outcome.target) == ("move", "here", "mail", "slow on there")
    work(pair.here_server, "mail")
    work(pair.there_server, "slow", prefix="app")
    assert pair.here.lrange("ran", 0, -1) == [stays.encode()]
    assert pair.there.lrange("ran", 0, -1) == [goes.encode()]
    assert counts(pair.there_server, "slow", prefix="app")["finished"] == 1
    assert journal(pair.here) == []
    assert not pair.here.keys(f"*{goes}*")


def test_jobs_arrive_in_the_order_in_which_they_stood(pair: Pair) -> None:
    ids = enqueued(pair.here, 130)
    pair.there.rpush("app:queue:slow", "first")

    moved(pair.source, pair.destination, [*ids[100:], *ids[:99]])

    arrived = [job_id.decode() for job_id in pair.there.lrange("app:queue:slow", 0, -1)]
    assert arrived[0] == "first"
    assert sorted(arrived[1:]) == sorted([*ids[100:], *ids[:99]])
    assert arrived[1:51] == sorted(arrived[1:51], key=ids.index)
    assert pair.here.lrange("rq:queue:mail", 0, -1) == [ids[99].encode()]


def test_jobs_moved_to_the_front_stand_there_in_their_order(pair: Pair) -> None:
    ids = enqueued(pair.here, 120)
    pair.there.rpush("app:queue:slow", "there-before")

    carried_over(pair.source, pair.destination, Transfer("mail", Registry.QUEUED, "slow", at_front=True), ids=ids)

    assert pair.there.lrange("app:queue:slow", 0, -1) == [*(job_id.encode() for job_id in ids), b"there-before"]


def test_a_failed_job_arrives_queued_with_its_results_and_without_its_end(pair: Pair) -> None:
    job_id = failed(pair.here_server, pair.here, failure_ttl=5000)
    results = pair.here.xrange(f"rq:results:{job_id}")

    outcome = moved(pair.source, pair.destination, [job_id], registry=Registry.FAILED)

    assert verdicts(outcome) == ["done"]
    hash_there = pair.there.hgetall(f"app:job:{job_id}")
    assert (hash_there[b"status"], hash_there[b"origin"], hash_there[b"ended_at"], hash_there[b"worker_name"]) == (
        b"queued",
        b"slow",
        b"",
        b"",
    )
    assert b"exc_info" not in hash_there
    assert b"rqdash_move" not in hash_there
    assert pair.there.ttl(f"app:job:{job_id}") == -1
    assert pair.there.xrange(f"app:results:{job_id}") == results
    assert 0 < pair.there.ttl(f"app:results:{job_id}") <= 5000
    work(pair.there_server, "slow", prefix="app")
    assert pair.there.get("runs") == b"1"
    assert counts(pair.here_server, "mail")["failed"] == 0


def test_a_canceled_job_arrives_queued(pair: Pair) -> None:
    (job_id,) = enqueued(pair.here)
    Job.fetch(job_id, connection=pair.here).cancel()

    outcome = moved(pair.source, pair.destination, [job_id], registry=Registry.CANCELED)

    assert verdicts(outcome) == ["done"]
    assert places(pair.there, job_id, prefix="app") == ["app:queue:slow"]
    assert places(pair.here, job_id) == []


def test_a_scheduled_job_is_due_when_it_was(pair: Pair) -> None:
    queue = Queue("mail", connection=pair.here)
    due, later = (queue.enqueue_in(timedelta(seconds=seconds), "tests.tasks.note", "ran").id for seconds in (-1, 3600))
    scores = pair.here.zmscore("rq:scheduled:mail", [due, later])

    outcome = moved(pair.source, pair.destination, [due, later], registry=Registry.SCHEDULED)

    assert verdicts(outcome) == ["done", "done"]
    assert pair.there.zmscore("app:scheduled:slow", [due, later]) == scores
    schedule(pair.there_server, "slow", prefix="app")
    work(pair.there_server, "slow", prefix="app")
    assert pair.there.lrange("ran", 0, -1) == [due.encode()]


def test_a_job_that_a_live_scheduler_is_about_to_enqueue_is_left_to_it(pair: Pair) -> None:
    job = Queue("mail", connection=pair.here).enqueue_in(timedelta(seconds=-1), "tests.tasks.note", "ran")
    pair.here.set("rq:scheduler-lock:mail", "somebody", ex=60)

    assert verdicts(moved(pair.source, pair.destination, [job.id], registry=Registry.SCHEDULED)) == ["raced"]


def test_a_job_that_may_wait_only_so_long_waits_no_longer_there(pair: Pair) -> None:
    (job_id,) = enqueued(pair.here, ttl=5000)
    pair.here.expire(f"rq:job:{job_id}", 60)

    moved(pair.source, pair.destination, [job_id])

    assert 0 < pair.there.ttl(f"app:job:{job_id}") <= 60


def test_a_moved_job_counts_as_enqueued_when_it_arrived(pair: Pair) -> None:
    (job_id,) = enqueued(pair.here)
    moment = datetime.now(UTC)

    moved(pair.source, pair.destination, [job_id])

    enqueued_at = pair.there.hget(f"app:job:{job_id}", "enqueued_at")
    assert datetime.fromisoformat(enqueued_at.decode()) >= moment


def test_what_ties_a_job_to_its_source_is_cut(pair: Pair) -> None:
    fields = {"dependency_ids": '["parent"]', "dependency_id": "parent", "group_id": "letters"}
    Stored(pair.here).waiting("one", **fields)
    pair.here.sadd("rq:job:parent:dependents", "one")
    pair.here.sadd("rq:job::one:dependencies", "parent")
    pair.here.sadd("rq:group:letters", "one")
    pair.here.sadd("rq:groups", "letters")

    outcome = moved(pair.source, pair.destination, ["one"])

    assert verdicts(outcome) == ["done"]
    assert pair.here.keys("*") == [b"rq:queues"]
    assert not pair.there.hmget("app:job:one", list(fields))[0]
    assert not pair.there.exists("app:job::one:dependencies")


def test_fields_that_rqdash_does_not_know_travel_with_the_job(pair: Pair) -> None:
    odd = {"meta": b"\x80\x04}\x94.", b"\xff\xfe": b"\x00\xff", "webhooks": "[]", "": "empty name"}
    Stored(pair.here).waiting("one")
    pair.here.hset("rq:job:one", mapping=odd)

    outcome = moved(pair.source, pair.destination, ["one"])

    assert verdicts(outcome) == ["done"]
    assert pair.there.hmget("app:job:one", list(odd)) == [value if isinstance(value, bytes) else value.encode() for value in odd.values()]


def test_jobs_that_cannot_leave_say_why_and_stay(pair: Pair) -> None:
    stored, queue = Stored(pair.here), Queue("mail", connection=pair.here)
    limited = queue.enqueue("tests.tasks.count", "runs", rate_limit=RateLimit("api", 1)).id
    stored.waiting("parent")
    stored.job("child", status="deferred")
    pair.here.sadd("rq:job:parent:dependents", "child")
    stored.waiting("alive")
    pair.here.zadd("rq:executions:alive", {EXECUTION: 4e9})
    stored.waiting("popped")
    pair.here.lrem("rq:queue:mail", 1, "popped")
    stored.waiting("broken")
    pair.here.set("rq:executions:broken", "in the way")
    before = snapshot(pair.here)

    outcome = moved(pair.source, pair.destination, [limited, "parent", "alive", "popped", "nobody", "broken"])

    assert verdicts(outcome) == ["rate_limited", "has_dependents", "running", "raced", "gone", "refused"]
    assert snapshot(pair.here) == before


def test_a_job_whose_status_is_not_its_registrys_is_stale(pair: Pair) -> None:
    stored = Stored(pair.here)
    stored.failed("one", score=NOW_S * 2)
    pair.here.hset("rq:job:one", "status", "started")

    assert verdicts(moved(pair.source, pair.destination, ["one"], registry=Registry.FAILED)) == ["stale"]


@pytest.mark.parametrize("copy", [False, True])
def test_a_job_that_came_later_than_was_meant_stays(pair: Pair, copy: bool) -> None:
    (meant,) = enqueued(pair.here)
    as_of = datetime.now(UTC)
    (later,) = enqueued(pair.here)
    order = Transfer("mail", Registry.QUEUED, "slow", copy=copy, as_of=as_of)

    outcome, failure = carried_over(pair.source, pair.destination, order, ids=[meant, later])

    assert (verdicts(outcome), failure) == (["done", "stale"], None)
    assert pair.there.llen("app:queue:slow") == 1
    assert pair.here.hget(f"rq:job:{later}", "status") == b"queued"


def test_a_job_of_the_same_id_there_is_never_overwritten(pair: Pair) -> None:
    ids = enqueued(pair.here, 3)
    pair.there.hset(f"app:job:{ids[1]}", "data", "another's")
    pair.there.set(f"app:job:{ids[2]}", "no job at all")

    outcome = moved(pair.source, pair.destination, ids)

    assert verdicts(outcome) == ["done", "conflict", "conflict"]
    assert pair.there.hgetall(f"app:job:{ids[1]}") == {b"data": b"another's"}
    assert pair.there.get(f"app:job:{ids[2]}") == b"no job at all"
    assert pair.here.lrange("rq:queue:mail", 0, -1) == [job_id.encode() for job_id in ids[1:]]


@pytest.mark.parametrize(
    ("versions", "readable"),
    [
        ((), []),
        (("3.0.0",), []),
        (("1.16.2", ""), []),
        (("2.6.1", "1.16.2"), ["a.b"]),
        (("1.16.2",), ["a.b", "a:b"]),
        (("1.16.2", "2.8"), []),
    ],
)
def test_an_id_that_a_worker_there_would_die_of_stays(pair: Pair, versions: tuple[str, ...], readable: list[str]) -> None:
    stored_there = Stored(pair.there, replace(Stored(pair.there).keys, prefix="app"))
    for version in versions:
        stored_there.worker(f"w{version}", queues="slow", version=version)
    for job_id in ("a.b", "a:b", "plain-1"):
        Stored(pair.here).waiting(job_id)

    outcome = moved(pair.source, pair.destination, ["a.b", "a:b", "plain-1"])

    assert [job.job_id for job in outcome.jobs if job.verdict == "done"] == [*readable, "plain-1"]
    assert {job.verdict for job in outcome.jobs} <= {"done", "bad_id"}


def test_a_job_serialized_unlike_those_there_stays(pair: Pair) -> None:
    Stored(pair.here).waiting("pickled")
    Stored(pair.here).waiting("json", data=zlib.compress(json.dumps(["a.b", None, [], {}]).encode()))
    Stored(pair.there, pair.destination.keys).waiting("there", queue="slow")

    assert verdicts(moved(pair.source, pair.destination, ["pickled", "json"])) == ["done", "serializer"]


def test_with_no_job_there_to_compare_with_any_serializer_goes(pair: Pair) -> None:
    Stored(pair.here).waiting("json", data=zlib.compress(json.dumps(["a.b", None, [], {}]).encode()))

    assert verdicts(moved(pair.source, pair.destination, ["json"])) == ["done"]


def test_a_job_that_changes_between_reading_and_leaving_is_read_again(pair: Pair) -> None:
    (job_id,) = enqueued(pair.here)
    pair.destination.guard = Before(lambda: pair.here.hset(f"rq:job:{job_id}", "timeout", 7))

    outcome = moved(pair.source, pair.destination, [job_id])

    assert verdicts(outcome) == ["done"]
    assert pair.there.hget(f"app:job:{job_id}", "timeout") == b"7"


def test_a_job_that_never_stops_changing_is_stale_and_leaves_nothing_there(pair: Pair) -> None:
    (job_id,) = enqueued(pair.here)
    pair.destination.guard = Before(lambda: pair.here.hincrby(f"rq:job:{job_id}", "timeout", 1))

    outcome = moved(pair.source, pair.destination, [job_id])

    assert verdicts(outcome) == ["stale"]
    assert places(pair.here, job_id) == ["rq:queue:mail"]
    assert not pair.there.exists(f"app:job:{job_id}")


def test_a_job_popped_while_it_was_read_stays_with_its_worker(pair: Pair) -> None:
    ids = enqueued(pair.here, 3)
    pair.destination.guard = Before(lambda: pair.here.lrem("rq:queue:mail", 1, ids[0]))

    outcome = moved(pair.source, pair.destination, ids)

    assert verdicts(outcome) == ["raced", "done", "done"]
    assert pair.here.hget(f"rq:job:{ids[0]}", "status") == b"queued"
    assert not pair.there.exists(f"app:job:{ids[0]}")


@pytest.mark.parametrize("name", HOSTILE)
def test_queues_of_any_name_can_be_left_and_reached(pair: Pair, name: str) -> None:
    Stored(pair.here).waiting("one", queue=name)

    outcome, _ = carried_over(pair.source, pair.destination, Transfer(name, Registry.QUEUED, name), ids=["one"])

    assert verdicts(outcome) == ["done"]
    assert places(pair.there, "one", prefix="app") == [f"app:queue:{name}"]
    assert pair.there.sismember("app:queues", f"app:queue:{name}")


@pytest.mark.parametrize("job_id", [*(name for name in HOSTILE if ":" not in name), "\udcff\udcfe"])
def test_ids_of_any_kind_reach_workers_that_read_them(pair: Pair, job_id: str) -> None:
    Stored(pair.there, pair.destination.keys).worker("old", version="2.0.0")
    Stored(pair.here).waiting(job_id)

    outcome = moved(pair.source, pair.destination, [job_id])

    assert verdicts(outcome) == ["done"]
    assert pair.there.lrange("app:queue:slow", 0, -1) == [job_id.encode("utf-8", "surrogateescape")]
    assert journal(pair.here) == []


def test_jobs_far_apart_in_a_long_list_are_found_while_workers_pop(pair: Pair) -> None:
    ids = [f"job-{number}" for number in range(6000)]
    pipeline = pair.here.pipeline(transaction=False)
    for job_id in ids:
        write_job(pipeline, job_id, status="queued")
    pipeline.rpush("rq:queue:mail", *ids)
    pipeline.execute()
    wanted = ids[1500:5900:40]
    pair.destination.guard = Before(lambda: pair.here.lpop("rq:queue:mail", 20))

    outcome = moved(pair.source, pair.destination, wanted[::-1])

    assert set(verdicts(outcome)) == {"done"}
    arrived = [job_id.decode() for job_id in pair.there.lrange("app:queue:slow", 0, -1)]
    assert arrived == wanted


def test_large_jobs_go_a_few_at_a_time_and_whole(pair: Pair) -> None:
    data = [bytes([number]) * 200_000 for number in range(6)]
    for number, one in enumerate(data):
        Stored(pair.here).waiting(f"job-{number}", data=one)
    Stored(pair.here).waiting("huge", data=b"x" * 1_100_000)
    Stored(pair.here).waiting("talkative", meta=b"x" * 1_100_000)

    outcome = moved(pair.source, pair.destination, [*(f"job-{number}" for number in range(6)), "huge", "talkative"])

    assert verdicts(outcome) == ["done"] * 6 + ["refused", "refused"]
    assert [pair.there.hget(f"app:job:job-{number}", "data") for number in range(6)] == data


def test_a_change_in_the_middle_of_a_large_job_is_seen(pair: Pair) -> None:
    data = zlib.compress(bytes(range(256)) * 4000, level=0)
    other = zlib.compress(bytes(range(256)) * 2000 + b"!" + bytes(range(1, 256)) + bytes(range(256)) * 1999, level=0)
    assert (len(data), data != other) == (len(other), True)
    Stored(pair.here).waiting("one", data=data)
    flips = iter((other, data, other, data, other))
    pair.destination.guard = Before(lambda: pair.here.hset("rq:job:one", "data", next(flips, other)))

    assert verdicts(moved(pair.source, pair.destination, ["one"])) == ["stale"]


def test_two_names_of_one_backend_make_a_move_within_it(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    alias = backend_at(pair.here_server.port, name="alias")

    outcome = moved(pair.source, alias, ids)

    assert verdicts(outcome) == ["done", "done"]
    assert pair.here.lrange("rq:queue:slow", 0, -1) == [job_id.encode() for job_id in ids]
    with pytest.raises(Invalid):
        moved(pair.source, alias, ids, to="mail")
    alias.close()


def test_one_server_with_two_prefixes_is_two_backends(pair: Pair) -> None:
    (job_id,) = enqueued(pair.here)
    other = backend_at(pair.here_server.port, name="other", prefix="app")

    outcome = moved(pair.source, other, [job_id])

    assert verdicts(outcome) == ["done"]
    assert (places(pair.here, job_id), places(pair.here, job_id, prefix="app")) == ([], ["app:queue:slow"])
    other.close()


def test_a_read_only_side_refuses_and_nothing_is_done(pair: Pair) -> None:
    ids = enqueued(pair.here, 1)
    before = snapshot(pair.here)
    witness = Witness()
    closed = [
        Backend(replace(one.profile, read_only=True), reader=one.reader, writer=one.writer) for one in (pair.source, pair.destination)
    ]

    for ends in ((closed[0], pair.destination), (pair.source, closed[1])):
        with pytest.raises(ReadOnly):
            transfer(*ends, witness, queue="mail", registry=Registry.QUEUED, ids=ids, to_queue="slow")

    assert snapshot(pair.here) == before
    assert [row.status for row in witness.rows] == ["read_only", "read_only"]


def test_a_destination_that_is_down_takes_nothing(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    down = backend_at(1, name="down")

    outcome, failure = carried_over(pair.source, down, Transfer("mail", Registry.QUEUED, "slow"), ids=ids)

    assert (outcome.jobs, outcome.left) == ((), 2)
    assert failure is not None
    assert failure.backend == "down"
    assert pair.here.llen("rq:queue:mail") == 2


@pytest.mark.parametrize("registry", [registry for registry in Registry if registry not in ALL])
def test_jobs_in_other_registries_cannot_go(pair: Pair, registry: Registry) -> None:
    with pytest.raises(Invalid):
        moved(pair.source, pair.destination, ["one"], registry=registry)


def test_a_move_is_one_row_of_the_audit_log(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    witness = Witness()

    transfer(pair.source, pair.destination, witness, queue="mail", registry=Registry.QUEUED, ids=[*ids, "nobody"], to_queue="slow")

    (row,) = witness.rows
    assert (row.verb, row.backend, row.queue, row.outcomes) == ("move", "here", "mail", {"done": 2, "gone": 1})
    assert row.values == {
        "registry": "queued",
        "jobs": 3,
        "ids": " ".join([*ids, "nobody"]),
        "to_backend": "there",
        "to_queue": "slow",
    }


def test_asked_again_for_the_same_operation_nothing_is_done_twice(pair: Pair) -> None:
    ids = [*enqueued(pair.here, 3), "nobody"]
    order = Transfer("mail", Registry.QUEUED, "slow")
    first, _ = carried_over(pair.source, pair.destination, order, ids=ids, journal="op:1")
    pair.there.flushall()
    again, failure = carried_over(pair.source, pair.destination, order, ids=ids, journal="op:1")

    assert failure is None
    assert again.jobs == first.jobs
    assert verdicts(again) == ["done", "done", "done", "gone"]
    assert not pair.there.keys("app:*")
    assert 0 < pair.here.ttl("rq:rqdash:op:op:1") <= 7 * 24 * 3600
    assert in_transit(pair.source) == ()


@pytest.mark.parametrize(("side", "key"), [("here", "rqdash:mv:out"), ("there", "queue:slow"), ("there", "queues")])
def test_a_key_of_another_type_is_an_error_before_anything_leaves(pair: Pair, side: str, key: str) -> None:
    ids = enqueued(pair.here, 2)
    client, prefix = (pair.there, "app") if side == "there" else (pair.here, "rq")
    client.set(f"{prefix}:{key}", "in the way")

    outcome, failure = carried_over(pair.source, pair.destination, Transfer("mail", Registry.QUEUED, "slow"), ids=ids)

    assert failure is not None
    assert (failure.code, outcome.left) == ("wrong_type", 2)
    assert pair.here.lrange("rq:queue:mail", 0, -1) == [job_id.encode() for job_id in ids]
    assert not pair.there.keys("app:job:*")


@pytest.mark.parametrize(("side", "command"), [("here", "zadd"), ("here", "del"), ("there", "rpush"), ("there", "xadd")])
def test_a_command_the_acl_forbids_is_an_error_before_anything_leaves(pair: Pair, side: str, command: str) -> None:
    ids = enqueued(pair.here, 2)
    client, port, prefix = (pair.here, pair.here_server.port, "rq") if side == "here" else (pair.there, pair.there_server.port, "app")
    rights = {"keys": [f"{prefix}:*"], "commands": ["+@all", f"-{command}"], "reset": True}
    client.acl_setuser("clerk", enabled=True, nopass=True, **rights)
    clerk = backend_at(port, name=side, prefix=prefix, username="clerk", password="any")
    ends = (clerk, pair.destination) if side == "here" else (pair.source, clerk)

    outcome, failure = carried_over(*ends, Transfer("mail", Registry.QUEUED, "slow"), ids=ids)

    assert failure is not None
    assert (failure.code, outcome.left) == ("denied", 2)
    assert pair.here.lrange("rq:queue:mail", 0, -1) == [job_id.encode() for job_id in ids]
    clerk.close()
    client.acl_deluser("clerk")


def test_users_with_only_the_keys_of_rq_can_move(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    clerks = []
    for client, port, prefix in ((pair.here, pair.here_server.port, "rq"), (pair.there, pair.there_server.port, "app")):
        rights = {"keys": [f"{prefix}:*"], "commands": ["+@all", "-@admin", "-keys"], "reset": True}
        client.acl_setuser("clerk", enabled=True, nopass=True, **rights)
        clerks.append(backend_at(port, name=prefix, prefix=prefix, username="clerk", password="any"))

    assert verdicts(moved(*clerks, ids)) == ["done", "done"]
    for clerk, client in zip(clerks, (pair.here, pair.there), strict=True):
        clerk.close()
        client.acl_deluser("clerk")
