"""Whatever a mover that dies, or an answer that is lost, leaves behind: every job ends in one place, and nothing is left on the way."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import redis
from rq import Queue

from rqdash.actions.transfer import Transfer, carried_over, in_transit, is_due, steps, sweep
from rqdash.actions.transfer.steps import Parcel, Sent
from rqdash.actions.transfer.wire import Step, call
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError
from rqdash.model.registry import Registry
from tests.actors import verdicts
from tests.stored import Stored
from tests.transfers import Between, Pair, backend_at, enqueued, failed, journal, moved, places
from tests.workers import work

ORDER = Transfer("mail", Registry.QUEUED, "slow")
STEPS = ("prepare", "detach", "activate", "cleanup", "forget")


def walk(pair: Pair, ids: list[str], *, until: str, order: Transfer = ORDER) -> list[Sent]:
    """Takes the steps of a move up to one and dies there."""
    parcels = steps.snapshot(pair.source, order, ids)
    sent = [Sent(job_id, job_id, str(uuid.uuid4()), parcel) for job_id, parcel in parcels.items() if isinstance(parcel, Parcel)]
    assert len(sent) == len(ids)
    tokens = [one.token for one in sent]
    actions: tuple[Callable[[], object], ...] = (
        lambda: steps.prepare(pair.destination, order, sent),
        lambda: detach(pair, order, sent),
        lambda: steps.activate(pair.destination, [one.entry(order) for one in sent]),
        lambda: steps.cleanup(pair.source, tokens),
        lambda: steps.forget(pair.destination, tokens),
    )
    for action, _ in zip(actions, range(STEPS.index(until) + 1), strict=False):
        action()
    return sent


def detach(pair: Pair, order: Transfer, sent: list[Sent]) -> None:
    found = steps.detach(pair.source, order, sent, destination=pair.destination, hints={}, is_last=True, journal="", replicated=False)
    assert set(found.verdicts.values()) == {"done"}


def swept(pair: Pair, *, back: bool = False, force: bool = False, destination: Backend | None = None) -> list[str]:
    known = {"id of there": destination or pair.destination}
    outcome, _ = sweep(pair.source, lambda profile_id, _name: known.get(profile_id), back=back, force=force, min_age_s=0.0)
    return verdicts(outcome)


def where(pair: Pair, job_id: str) -> list[str]:
    """Every list and registry that holds a job, on either server."""
    return [*places(pair.here, job_id), *places(pair.there, job_id, prefix="app")]


@pytest.mark.parametrize("step", STEPS)
def test_a_mover_that_dies_after_a_step_leaves_every_job_in_one_place(pair: Pair, step: str) -> None:
    ids = enqueued(pair.here, 3)
    walk(pair, ids, until=step)

    swept(pair)

    target = "rq:queue:mail" if step == "prepare" else "app:queue:slow"
    assert [where(pair, job_id) for job_id in ids] == [[target]] * 3
    assert journal(pair.here) == []
    if step != "prepare":
        assert not pair.here.keys("rq:job:*")
        assert {pair.there.hget(f"app:job:{job_id}", "status") for job_id in ids} == {b"queued"}


@pytest.mark.parametrize("step", STEPS)
def test_what_had_not_arrived_can_be_put_back_and_what_had_goes_forward(pair: Pair, step: str) -> None:
    ids = enqueued(pair.here, 3)
    walk(pair, ids, until=step)

    found = swept(pair, back=True)

    target = "app:queue:slow" if step in ("activate", "cleanup", "forget") else "rq:queue:mail"
    assert found == {"detach": ["raced"] * 3, "activate": ["done"] * 3}.get(step, [])
    assert [where(pair, job_id) for job_id in ids] == [[target]] * 3
    assert journal(pair.here) == []


def test_sweeping_again_changes_nothing(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    walk(pair, ids, until="detach")
    swept(pair)

    assert swept(pair) == []
    assert swept(pair, back=True) == []
    assert [where(pair, job_id) for job_id in ids] == [["app:queue:slow"]] * 2


def test_jobs_that_were_finished_by_the_sweeper_stand_in_their_order(pair: Pair) -> None:
    ids = enqueued(pair.here, 30)
    walk(pair, ids, until="detach")

    swept(pair)

    assert pair.there.lrange("app:queue:slow", 0, -1) == [job_id.encode() for job_id in ids]


def test_jobs_put_back_stand_at_the_front_in_their_order_as_they_were(pair: Pair) -> None:
    ids = enqueued(pair.here, 30)
    before = [pair.here.hgetall(f"rq:job:{job_id}") for job_id in ids]
    walk(pair, ids[:20], until="detach")

    swept(pair, back=True)

    assert pair.here.lrange("rq:queue:mail", 0, -1) == [job_id.encode() for job_id in ids]
    assert [pair.here.hgetall(f"rq:job:{job_id}") for job_id in ids] == before
    assert not pair.there.keys("app:job:*")


def test_a_failed_job_put_back_is_where_it_was_with_what_was_left_of_its_life(pair: Pair) -> None:
    job_id = failed(pair.here_server, pair.here, failure_ttl=5000)
    score = pair.here.zscore("rq:failed:mail", job_id)
    walk(pair, [job_id], until="detach", order=Transfer("mail", Registry.FAILED, "slow"))
    assert pair.here.ttl(f"rq:job:{job_id}") == -1

    swept(pair, back=True)

    assert pair.here.zscore("rq:failed:mail", job_id) == score
    assert pair.here.hget(f"rq:job:{job_id}", "status") == b"failed"
    assert 4000 < pair.here.ttl(f"rq:job:{job_id}") <= 5000


def test_a_job_on_its_way_is_in_no_list_and_no_worker_of_either_side_touches_it(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    walk(pair, ids, until="detach")

    work(pair.here_server, "mail")
    work(pair.there_server, "slow", prefix="app")

    assert [where(pair, job_id) for job_id in ids] == [[], []]
    assert not pair.here.exists("ran")
    assert [(job.job_id, job.queue, job.to_queue, job.destination) for job in in_transit(pair.source)] == [
        (job_id, "mail", "slow", "there") for job_id in ids
    ]
    assert swept(pair) == ["done", "done"]
    work(pair.there_server, "slow", prefix="app")
    assert pair.there.lrange("ran", 0, -1) == [job_id.encode() for job_id in ids]


@pytest.mark.parametrize("registry", [Registry.QUEUED, Registry.SCHEDULED, Registry.FAILED])
def test_a_parked_copy_that_has_expired_is_parked_anew(pair: Pair, registry: Registry) -> None:
    stored, order = Stored(pair.here), Transfer("mail", registry, "slow")
    stored.waiting("one") if registry is Registry.QUEUED else stored.job("one", status=registry.value)
    if registry is not Registry.QUEUED:
        stored.entry(registry.value, "one", 4e9)
    results = pair.here.xadd("rq:results:one", {"type": 1})
    (sent,) = walk(pair, ["one"], until="detach", order=order)
    pair.there.delete("app:job:one", "app:results:one")

    assert swept(pair) == ["done"]
    there = pair.there.hgetall("app:job:one")
    assert there[b"data"] == sent.parcel.data
    assert pair.there.xrange("app:results:one")[0][0] == results
    assert where(pair, "one") == ["app:scheduled:slow" if registry is Registry.SCHEDULED else "app:queue:slow"]
    assert not pair.here.keys("rq:job:*")


def test_a_job_whose_id_was_taken_while_it_was_away_is_put_back(pair: Pair) -> None:
    (job_id,) = enqueued(pair.here)
    walk(pair, [job_id], until="detach")
    pair.there.delete(f"app:job:{job_id}")
    Stored(pair.there, pair.destination.keys).waiting(job_id, queue="other")

    assert swept(pair) == ["conflict"]
    assert where(pair, job_id) == ["rq:queue:mail", "app:queue:other"]
    assert pair.here.hget(f"rq:job:{job_id}", "status") == b"queued"


def test_a_job_deleted_on_its_way_after_its_copy_expired_is_gone(pair: Pair) -> None:
    (job_id,) = enqueued(pair.here)
    walk(pair, [job_id], until="detach")
    pair.there.delete(f"app:job:{job_id}")
    pair.here.delete(f"rq:job:{job_id}")

    assert swept(pair) == ["gone"]
    assert (journal(pair.here), where(pair, job_id)) == ([], [])


def test_a_producer_that_reuses_the_id_meanwhile_keeps_its_new_job(pair: Pair) -> None:
    Queue("mail", connection=pair.here).enqueue("tests.tasks.note", "ran", job_id="one")
    walk(pair, ["one"], until="activate")
    Queue("mail", connection=pair.here).enqueue("tests.tasks.note", "ran", job_id="one")

    assert swept(pair) == ["done"]
    assert places(pair.here, "one") == ["rq:queue:mail"]
    assert pair.here.hmget("rq:job:one", "status", "rqdash_move") == [b"queued", None]


def test_what_was_called_off_never_arrives_however_late_it_comes(pair: Pair) -> None:
    ids = enqueued(pair.here, 1)
    (sent,) = walk(pair, ids, until="detach")
    late = [call(pair.destination, step) for step in (_prepare(sent), _activate(sent))]
    swept(pair, back=True)

    replies = [pair.destination.write(one) for one in late]

    assert replies == [[b"aborted"], [b"aborted"]]
    assert where(pair, ids[0]) == ["rq:queue:mail"]


def _prepare(sent: Sent) -> Step:
    words = [word for pair_of in sent.parcel.pairs() for word in pair_of]
    return Step("prepare", [sent.there], ORDER.leaving(), more=[sent.token, len(words), *words, 0])


def _activate(sent: Sent) -> Step:
    return Step("activate", [sent.there], ORDER.leaving(), more=[sent.token, 0, 0, ""])


def test_a_detach_that_comes_too_late_does_nothing(pair: Pair) -> None:
    ids = enqueued(pair.here, 1)
    (sent,) = walk(pair, ids, until="prepare")
    assert steps.fence(pair.source, [sent.token]) == {sent.token: "void"}

    found = steps.detach(pair.source, ORDER, [sent], destination=pair.destination, hints={}, is_last=True, journal="", replicated=False)

    assert found.verdicts == {ids[0]: "raced"}
    assert where(pair, ids[0]) == ["rq:queue:mail"]


def test_a_copy_parked_by_a_mover_that_died_is_in_the_way_for_ten_seconds_at_most(pair: Pair) -> None:
    ids = enqueued(pair.here, 1)
    (sent,) = walk(pair, ids, until="prepare")

    assert verdicts(moved(pair.source, pair.destination, ids)) == ["conflict"]
    pair.there.hincrbyfloat(f"app:rqdash:mv:in:{sent.token}", "at", -11)
    assert verdicts(moved(pair.source, pair.destination, ids)) == ["done"]
    assert steps.activate(pair.destination, [sent.entry(ORDER)]) == {sent.token: "aborted"}
    assert where(pair, ids[0]) == ["app:queue:slow"]


def test_a_destination_that_does_not_answer_keeps_its_jobs_on_the_way(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    walk(pair, ids, until="detach")
    down = backend_at(1, name="there", prefix="app")

    assert swept(pair, destination=down) == ["in_transit", "in_transit"]
    assert swept(pair, back=True, destination=down) == ["in_transit", "in_transit"]
    assert not is_due(pair.source, lambda *_: down, min_age_s=0.0)
    assert is_due(pair.source, lambda *_: pair.destination, min_age_s=0.0)
    assert swept(pair) == ["done", "done"]


def test_what_goes_to_a_backend_that_is_gone_for_good_can_be_put_back_by_force(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    walk(pair, ids, until="detach")

    outcome, _ = sweep(pair.source, lambda *_: None, back=True, force=True, min_age_s=0.0)

    assert verdicts(outcome) == ["raced", "raced"]
    assert pair.here.lrange("rq:queue:mail", 0, -1) == [job_id.encode() for job_id in ids]


@pytest.mark.parametrize("has_marker", [True, False])
def test_a_profile_that_points_elsewhere_now_gets_only_what_it_knows_of(pair: Pair, has_marker: bool) -> None:
    ids = enqueued(pair.here, 1)
    walk(pair, ids, until="detach")
    if not has_marker:
        pair.there.flushall()
    moved_profile = backend_at(pair.there_server.port, name="there", prefix="app", endpoint_version=2)

    found = swept(pair, destination=moved_profile)

    assert found == (["done"] if has_marker else ["in_transit"])
    assert where(pair, ids[0]) == (["app:queue:slow"] if has_marker else [])
    moved_profile.close()


def test_young_moves_are_left_to_their_movers(pair: Pair) -> None:
    walk(pair, enqueued(pair.here, 1), until="detach")

    outcome, failure = sweep(pair.source, lambda *_: pair.destination)

    assert (outcome.jobs, failure) == ((), None)
    assert len(journal(pair.here)) == 1


@pytest.fixture
def far(pair: Pair) -> Iterator[tuple[Between, Between]]:
    """Both servers behind proxies that can lose an answer."""
    proxies = (Between(pair.here_server).start(), Between(pair.there_server).start())
    yield proxies
    for proxy in proxies:
        proxy.stop()


@pytest.mark.parametrize("step", STEPS)
def test_a_lost_answer_is_asked_for_and_never_guessed(pair: Pair, far: tuple[Between, Between], step: str) -> None:
    ids = enqueued(pair.here, 2)
    side = 0 if step in ("detach", "cleanup") else 1
    expected, target = ([], "rq:queue:mail") if step == "prepare" else (["done", "done"], "app:queue:slow")
    ends = (
        backend_at(far[0].port, name="here", timeout_s=0.4),
        backend_at(far[1].port, name="there", prefix="app", timeout_s=0.4),
    )
    far[side].lose = call(ends[side], Step(step, (), told={})).script.sha.encode()
    for client, one in ((pair.here, pair.source), (pair.there, pair.destination)):
        client.script_load(call(one, Step(step, (), told={})).script.source)

    outcome, failure = carried_over(*ends, ORDER, ids=ids)

    assert far[side].lost.wait(5)
    assert verdicts(outcome) == expected
    assert outcome.left == 2 - len(expected)
    assert (failure is None) == (step in ("activate", "forget"))
    swept(pair)
    assert [where(pair, job_id) for job_id in ids] == [[target]] * 2
    assert journal(pair.here) == []
    for one in ends:
        one.close()


def test_a_key_of_another_type_in_a_jobs_place_keeps_nobody_on_the_way(pair: Pair) -> None:
    ids = enqueued(pair.here, 3)
    walk(pair, ids, until="activate")
    pair.here.delete(f"rq:job:{ids[1]}")
    pair.here.set(f"rq:job:{ids[1]}", "somebody else's")

    assert swept(pair) == ["done"] * 3

    assert journal(pair.here) == []
    assert pair.here.keys("rq:job:*") == [f"rq:job:{ids[1]}".encode()]


@pytest.mark.parametrize("step", ["prepare", "detach", "activate", "cleanup"])
def test_a_server_that_hangs_at_any_step_makes_no_second_job(pair: Pair, step: str) -> None:
    ids = enqueued(pair.here, 2)
    hurried = (
        backend_at(pair.here_server.port, name="here", timeout_s=0.3),
        backend_at(pair.there_server.port, name="there", prefix="app", timeout_s=0.3),
    )
    side = 0 if step in ("detach", "cleanup") else 1
    server = (pair.here_server, pair.there_server)[side]
    sha = call(hurried[side], Step(step, (), told={})).script.sha
    write = hurried[side].write

    def hang(one, **options):  # type: ignore[no-untyped-def]
        if one.script.sha == sha:
            server.pause()
        return write(one, **options)

    hurried[side].write = hang  # type: ignore[method-assign]

    outcome, failure = carried_over(*hurried, ORDER, ids=ids, journal="op:1")
    server.resume()

    assert failure is not None
    assert set(verdicts(outcome)) <= {"done", "unknown", "in_transit"}
    swept(pair)
    again, failure = carried_over(pair.source, pair.destination, ORDER, ids=ids, journal="op:1")
    assert failure is None
    assert verdicts(again) == ["done", "done"]
    assert [where(pair, job_id) for job_id in ids] == [["app:queue:slow"]] * 2
    assert journal(pair.here) == []
    for one in hurried:
        one.close()


def test_an_operation_that_is_resumed_finishes_what_had_left(pair: Pair) -> None:
    ids = enqueued(pair.here, 3)
    down = backend_at(pair.there_server.port, name="there", prefix="app")
    write, sha = down.write, call(down, Step("activate", (), told={})).script.sha

    def die(one, **options):  # type: ignore[no-untyped-def]
        if one.script.sha == sha:
            raise KeyboardInterrupt
        return write(one, **options)

    down.write = die  # type: ignore[method-assign]
    with suppress(KeyboardInterrupt):
        carried_over(pair.source, down, ORDER, ids=ids, journal="op:1")
    assert pair.here.hvals("rq:rqdash:op:op:1") == [b"in_transit"] * 3

    outcome, failure = carried_over(pair.source, pair.destination, ORDER, ids=ids, journal="op:1")

    assert failure is None
    assert verdicts(outcome) == ["done"] * 3
    assert pair.here.hvals("rq:rqdash:op:op:1") == [b"done"] * 3
    assert pair.there.lrange("app:queue:slow", 0, -1) == [job_id.encode() for job_id in ids]


def test_an_operation_is_told_what_the_sweeper_did_with_its_jobs(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    parcels = steps.snapshot(pair.source, ORDER, ids)
    sent = [Sent(job_id, job_id, str(uuid.uuid4()), parcel) for job_id, parcel in parcels.items() if isinstance(parcel, Parcel)]
    steps.prepare(pair.destination, ORDER, sent)
    steps.detach(pair.source, ORDER, sent, destination=pair.destination, hints={}, is_last=True, journal="op:1", replicated=False)

    swept(pair, back=True)
    outcome, _ = carried_over(pair.source, pair.destination, ORDER, ids=ids, journal="op:1")

    assert verdicts(outcome) == ["raced", "raced"]
    assert [where(pair, job_id) for job_id in ids] == [["rq:queue:mail"]] * 2


def test_a_failing_source_ends_a_sweep_with_its_failure(pair: Pair) -> None:
    outcome, failure = sweep(backend_at(1, name="here"), lambda *_: pair.destination)

    assert outcome.jobs == ()
    assert isinstance(failure, BackendError)


def test_with_replicas_the_commit_waits_for_one(pair: Pair, start: Callable[..., object]) -> None:
    ids = enqueued(pair.here, 2)
    pair.here.config_set("repl-diskless-sync-delay", 0)
    replica = start("--replicaof", "127.0.0.1", str(pair.here_server.port))
    with replica.client() as copy:  # type: ignore[attr-defined]
        wait_for(lambda: copy.info("replication").get("master_link_status") == "up")

        outcome = moved(pair.source, pair.destination, ids)

        assert verdicts(outcome) == ["done", "done"]
        assert pair.here.info("commandstats")["cmdstat_wait"]["calls"] >= 1
        wait_for(lambda: not copy.keys("rq:job:*"))


def wait_for(holds: Callable[[], object]) -> None:
    from tests.processes import wait_until

    assert wait_until(holds, within_s=10)


def test_a_user_who_may_not_wait_for_replicas_can_still_move(pair: Pair, redis_client: redis.Redis) -> None:
    ids = enqueued(pair.here, 1)
    pair.here.acl_setuser("clerk", enabled=True, nopass=True, keys=["rq:*"], commands=["+@all", "-wait"], reset=True)
    clerk = backend_at(pair.here_server.port, name="here", username="clerk", password="any")
    (sent,) = walk(pair, ids, until="prepare")

    found = steps.detach(clerk, ORDER, [sent], destination=pair.destination, hints={}, is_last=True, journal="", replicated=True)

    assert found.verdicts == {ids[0]: "done"}
    clerk.close()
    pair.here.acl_deluser("clerk")
