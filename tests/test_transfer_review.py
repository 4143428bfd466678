"""What a review of moves between backends found: failovers, producers who reuse ids, and sweeps that must not go too far."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from rq import Queue
from rq.job import Job

from rqdash.actions.transfer import Transfer, steps, sweep
from rqdash.actions.transfer.move import Move
from rqdash.actions.transfer.preflight import Terms
from rqdash.actions.transfer.settle import Route
from rqdash.demo.servers import Server
from rqdash.model.outcome import Verdict
from rqdash.model.registry import Registry
from tests.actors import verdicts
from tests.processes import wait_until
from tests.test_transfer_crash import ORDER, swept, walk, where
from tests.transfers import Pair, backend_at, enqueued, journal, moved, places
from tests.workers import work


@pytest.fixture
def replica(pair: Pair, start: Callable[..., Server]) -> Server:
    """A replica of the destination that is up to date."""
    pair.there.config_set("repl-diskless-sync-delay", 0)
    found = start("--replicaof", "127.0.0.1", str(pair.there_server.port))
    with found.client() as copy:
        assert wait_until(lambda: copy.info("replication").get("master_link_status") == "up", within_s=10)
        assert wait_until(lambda: pair.there.wait(1, 100) == 1, within_s=10)
    return found


def test_a_job_leaves_the_journal_only_when_a_replica_of_the_destination_has_it(pair: Pair, replica: Server) -> None:
    ids = enqueued(pair.here, 2)
    fresh = backend_at(pair.there_server.port, name="there", prefix="app")
    replica.pause()

    outcome = moved(pair.source, pair.destination, ids)

    assert verdicts(outcome) == ["in_transit"] * 2
    assert len(journal(pair.here)) == 2
    assert {pair.here.hget(f"rq:job:{job_id}", "status") for job_id in ids} == {b"canceled"}
    # That it has arrived already is no answer either.
    assert swept(pair, destination=fresh) == ["in_transit"] * 2
    assert swept(pair, destination=fresh, back=True) == ["in_transit"] * 2
    replica.resume()
    assert wait_until(lambda: swept(pair) == ["done"] * 2, within_s=10)
    assert (journal(pair.here), [where(pair, job_id) for job_id in ids]) == ([], [["app:queue:slow"]] * 2)
    fresh.close()


def test_a_job_lost_by_a_failover_of_its_destination_is_sent_anew(pair: Pair, replica: Server) -> None:
    (job_id,) = enqueued(pair.here)
    replica.pause()
    moved(pair.source, pair.destination, [job_id])
    # What the replica would be as the master: it has nothing of this.
    pair.there.flushall()
    replica.resume()

    assert wait_until(lambda: swept(pair) == ["done"], within_s=10)
    work(pair.there_server, "slow", prefix="app")
    assert pair.there.lrange("ran", 0, -1) == [job_id.encode()]
    assert (journal(pair.here), pair.here.keys("rq:job:*")) == ([], [])


def test_a_producers_new_job_under_the_id_of_one_that_has_left_is_not_sent_along(pair: Pair) -> None:
    queue = Queue("mail", connection=pair.here)
    queue.enqueue("tests.tasks.note", "ran", job_id="one")
    walk(pair, ["one"], until="detach")
    queue.enqueue("tests.tasks.note", "ran", job_id="one")
    pair.there.delete("app:job:one")

    assert swept(pair) == ["gone"]
    assert where(pair, "one") == ["rq:queue:mail"]
    assert pair.here.hmget("rq:job:one", "status", "rqdash_move") == [b"queued", None]


def test_force_leaves_alone_what_has_arrived_though_the_source_fails(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    walk(pair, ids, until="activate")
    pair.here.acl_setuser("clerk", enabled=True, nopass=True, keys=["rq:*"], commands=["+@all", "-srem"], reset=True)
    clerk = backend_at(pair.here_server.port, name="here", username="clerk", password="any")

    outcome, failure = sweep(clerk, lambda *_: pair.destination, back=True, force=True, min_age_s=0.0)

    assert failure is not None
    assert verdicts(outcome) == ["done"] * 2
    assert [where(pair, job_id) for job_id in ids] == [["app:queue:slow"]] * 2
    clerk.close()
    pair.here.acl_deluser("clerk")


def test_force_leaves_alone_what_a_destination_that_answers_only_refuses_to_say(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    walk(pair, ids, until="activate")
    pair.there.acl_setuser("clerk", enabled=True, nopass=True, keys=["app:*"], commands=["+@all", "-evalsha"], reset=True)
    clerk = backend_at(pair.there_server.port, name="there", prefix="app", username="clerk", password="any")

    assert swept(pair, back=True, force=True, destination=clerk) == ["in_transit"] * 2
    assert [where(pair, job_id) for job_id in ids] == [["app:queue:slow"]] * 2
    clerk.close()
    pair.there.acl_deluser("clerk")


def test_force_puts_back_what_goes_to_a_backend_that_cannot_be_reached(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    walk(pair, ids, until="detach")

    assert swept(pair, back=True, force=True, destination=backend_at(1, name="there", prefix="app")) == ["raced"] * 2
    assert [where(pair, job_id) for job_id in ids] == [["rq:queue:mail"]] * 2


def test_what_another_runner_of_an_operation_has_moved_stays_done(pair: Pair) -> None:
    pair.here.hset("rq:rqdash:op:op:1", "one", "done")
    move = Move(Route(pair.source, pair.destination), ORDER, Terms(), journal="op:1")

    assert move.run(["one", "two"]) is None
    assert move.verdicts == {"one": Verdict.DONE, "two": Verdict.GONE}
    assert pair.here.hgetall("rq:rqdash:op:op:1") == {b"one": b"done", b"two": b"gone"}


@pytest.mark.parametrize("step", ["abort", "prepare", "activate"])
@pytest.mark.parametrize(("options", "lasts"), [({}, -1), ({"ttl": 9_000}, 9_000)])
def test_a_job_that_a_producer_enqueues_over_a_parked_copy_lives_as_long_as_it_should(
    pair: Pair, step: str, options: dict[str, int], lasts: int
) -> None:
    enqueued(pair.here, job_id="one")
    (sent,) = walk(pair, ["one"], until="prepare")
    Queue("own", connection=pair.there).enqueue("tests.tasks.note", "ran", job_id="one")
    pair.there.hset("app:job:one", mapping={"status": "queued", **options})
    assert 0 < pair.there.ttl("app:job:one") <= 3600
    actions: dict[str, Callable[[], object]] = {
        "abort": lambda: steps.abort(pair.destination, [("one", sent.token)]),
        "prepare": lambda: moved(pair.source, pair.destination, ["one"]),
        "activate": lambda: steps.activate(pair.destination, [sent.entry(ORDER)]),
    }

    actions[step]()

    found = pair.there.ttl("app:job:one")
    assert found == lasts if lasts < 0 else 3600 < found <= lasts
    assert pair.there.hmget("app:job:one", "status", "rqdash_move") == [b"queued", None]


def test_a_producers_job_that_has_ended_over_a_parked_copy_keeps_the_life_it_was_given(pair: Pair) -> None:
    enqueued(pair.here, job_id="one")
    (sent,) = walk(pair, ["one"], until="prepare")
    pair.there.hset("app:job:one", "status", "finished")
    pair.there.expire("app:job:one", 500)

    steps.abort(pair.destination, [("one", sent.token)])

    assert 0 < pair.there.ttl("app:job:one") <= 500
    assert pair.there.hget("app:job:one", "rqdash_move") is None


def test_a_job_that_cannot_arrive_does_not_keep_the_others(pair: Pair) -> None:
    one, other = enqueued(pair.here, 2)
    walk(pair, [one], until="detach")
    walk(pair, [other], until="detach", order=Transfer("mail", Registry.QUEUED, "fast"))
    pair.there.set("app:queue:slow", "no list")

    outcome, failure = sweep(pair.source, lambda *_: pair.destination, min_age_s=0.0)

    assert verdicts(outcome) == ["in_transit", "done"]
    assert failure is not None
    assert where(pair, other) == ["app:queue:fast"]
    assert len(journal(pair.here)) == 1


@pytest.mark.parametrize(("has_marker", "found"), [(True, "raced"), (False, "in_transit")])
def test_asked_back_nothing_goes_forward_to_a_profile_that_was_changed(pair: Pair, has_marker: bool, found: str) -> None:
    (job_id,) = enqueued(pair.here)
    walk(pair, [job_id], until="detach")
    if not has_marker:
        pair.there.flushall()
    changed = backend_at(pair.there_server.port, name="there", prefix="app", endpoint_version=2)

    assert swept(pair, back=True, destination=changed) == [found]
    assert where(pair, job_id) == (["rq:queue:mail"] if has_marker else [])
    assert has_marker or not pair.there.keys("*")
    changed.close()


def test_a_job_enqueued_to_wait_for_one_on_its_way_keeps_what_it_waits_for(pair: Pair) -> None:
    queue = Queue("mail", connection=pair.here)
    parent = queue.enqueue("tests.tasks.note", "ran")
    (sent,) = walk(pair, [parent.id], until="activate")
    child = queue.enqueue("tests.tasks.note", "ran", depends_on=Job.fetch(parent.id, connection=pair.here))

    assert steps.cleanup(pair.source, [sent.token]) == {sent.token: "has_dependents"}
    assert journal(pair.here) == []
    assert (places(pair.here, child.id), places(pair.here, parent.id)) == (["rq:deferred:mail"], ["rq:canceled:mail"])
    assert pair.here.smembers(f"rq:job:{parent.id}:dependents") == {child.id.encode()}
    assert pair.here.hmget(f"rq:job:{parent.id}", "status", "rqdash_move") == [b"canceled", None]
    assert places(pair.there, parent.id, prefix="app") == ["app:queue:slow"]


@pytest.mark.parametrize("field", ["data", "description", "meta", "exc_info", "result"])
def test_a_job_that_is_too_large_is_refused_before_it_is_read(pair: Pair, field: str) -> None:
    large, small = enqueued(pair.here, 2)
    pair.here.hset(f"rq:job:{large}", field, b"x" * (steps.LARGEST_BYTES + 1))
    before = calls(pair, "hgetall")

    found = steps.snapshot(pair.source, ORDER, [large])

    assert found == {large: "refused"}
    assert calls(pair, "hgetall") == before
    assert verdicts(moved(pair.source, pair.destination, [large, small])) == ["refused", "done"]


def calls(pair: Pair, command: str) -> int:
    return int(pair.here.info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0))


def test_a_job_with_more_fields_or_results_than_rq_writes_is_refused(pair: Pair) -> None:
    wide, long = enqueued(pair.here, 2)
    pair.here.hset(f"rq:job:{wide}", mapping={str(number): 1 for number in range(1_001)})
    pipeline = pair.here.pipeline(transaction=False)
    for _ in range(1_001):
        pipeline.xadd(f"rq:results:{long}", {"type": 1})
    pipeline.execute()

    assert verdicts(moved(pair.source, pair.destination, [wide, long])) == ["refused", "refused"]


def test_a_job_that_a_scheduler_whose_clock_is_ahead_may_enqueue_now_is_left_to_it(pair: Pair) -> None:
    queue = Queue("mail", connection=pair.here)
    soon, later = (queue.enqueue_in(timedelta(seconds=seconds), "tests.tasks.note", "ran").id for seconds in (4, 3600))
    pair.here.set("rq:scheduler-lock:mail", "somebody", ex=60)

    assert verdicts(moved(pair.source, pair.destination, [soon, later], registry=Registry.SCHEDULED)) == ["raced", "done"]
