"""Operations: planned as of a moment, walked item by item, paused, ended, taken over; nothing twice, nothing lost, all counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import select, update

from rqdash.actions import batches
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call
from rqdash.demo.servers import Server
from rqdash.errors import Conflict, Invalid, NotFound, UnknownResult, Unreachable
from rqdash.model.outcome import Verdict
from rqdash.model.search import SearchMistake
from rqdash.operations import claims, ledger, planning, requests
from rqdash.operations.requests import Operations
from rqdash.operations.runner import Planner, Runner
from rqdash.operations.stored import LETTERS
from rqdash.operations.values import Operation, State
from rqdash.store.leases import epoch_now
from rqdash.store.tables import OperationItemRow, OperationRow
from tests.conftest import backend_of
from tests.operating import (
    NEVER,
    Eventful,
    asked,
    eventful,
    fail_jobs,
    mira,
    opened,
    outcomes,
    planned,
    run,
    started,
    waiting,
)
from tests.processes import wait_until
from tests.stored import Stored, iso

ROOT = Path(__file__).parents[1]
KILLED = """
import sys, threading, time
from pathlib import Path
from rqdash.actions import batches
from rqdash.demo.servers import Server
from rqdash.operations.runner import Runner
from tests.operating import NEVER, eventful, opened

batches.BATCH = 100
backend = eventful(Server(Path(), int(sys.argv[2])))

def after(number, call):
    if number == 5:
        print("in the middle of the third item", flush=True)
        time.sleep(600)

backend.after = after
operations = opened(Path(sys.argv[1]), {"live": backend}, url=sys.argv[3])
Runner(operations, lease_s=0.5).turn(NEVER)
"""


@pytest.fixture(autouse=True)
def _two_calls_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a middle of every item then."""
    monkeypatch.setattr(batches, "BATCH", 100)


@pytest.fixture
def live(server: Server) -> Iterator[Eventful]:
    made = eventful(server)
    yield made
    made.close()


@pytest.fixture
def operations(tmp_path: Path, live: Eventful) -> Iterator[Operations]:
    made = opened(tmp_path, {"live": live})
    yield made
    made.records.store.close()


@pytest.fixture
def anywhere(tmp_path: Path, database_url: str, live: Eventful) -> Iterator[Operations]:
    """Operations on SQLite and on PostgreSQL: for what the database itself must get right."""
    made = opened(tmp_path, {"live": live}, url=database_url)
    yield made
    made.records.store.close()


@pytest.fixture
def writes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every item is written down when it has ended, so that a runner hears at once what it is asked."""
    monkeypatch.setattr(ledger, "WRITES_S", 0.0)


def lose_lease(operations: Operations) -> None:
    with operations.records.store.write() as session:
        session.execute(update(OperationRow).values(until_s=epoch_now() - 1))


def test_what_matched_is_previewed_then_done_and_counted(anywhere: Operations, redis_client: redis.Redis) -> None:
    ids = fail_jobs(redis_client, 450)

    preview = planned(anywhere, asked())
    requests.start(anywhere, mira(anywhere), preview.id)
    ended = run(anywhere, preview)

    assert (preview.state, preview.total, preview.items) == (State.PLANNED, 450, 3)
    assert (ended.state, outcomes(ended), ended.left) == (State.DONE, {"done": 450}, 0)
    assert waiting(redis_client) == ids


def test_the_preview_shows_counts_samples_and_what_is_left_alone_and_why(operations: Operations, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    fail_jobs(redis_client, 7)
    stored.waiting("still-waiting")
    stored.running(stored.worker("w"), "runs")

    preview = planned(operations, asked(search="queue:mail"))

    (part,) = preview.parts
    assert (part.name, part.matched, part.problem) == ("live", 7, "")
    assert dict(part.excluded) == {
        "started, which are with a worker; abandoned ones are requeued in the started list of their queue": 1,
        "queued, which cannot be requeued": 1,
    }
    assert [(sample.id, sample.function) for sample in part.samples[:1]] == [("job-00006", "app.tasks.send")]
    assert len(part.samples) == 5


def test_jobs_that_came_after_the_moment_are_not_swept(operations: Operations, redis_client: redis.Redis) -> None:
    moment = datetime.now(UTC) - timedelta(hours=1)
    fail_jobs(redis_client, 3, prefix="old", fails_at=moment)
    fail_jobs(redis_client, 2, prefix="new")

    ended = run(operations, started(operations, asked(as_of=moment)))

    assert outcomes(ended) == {"done": 3}
    assert sorted(waiting(redis_client)) == ["old-00000", "old-00001", "old-00002"]


def test_what_went_away_after_the_preview_is_counted_and_left_alone(operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 6)
    operation = started(operations, asked("delete"))
    redis_client.delete("rq:job:job-00001")
    redis_client.zrem("rq:failed:mail", "job-00002")
    redis_client.hset("rq:job:job-00003", "status", "canceled")

    ended = run(operations, operation)

    assert outcomes(ended) == {"done": 3, "gone": 1, "raced": 1, "stale": 1}
    assert ended.tried == ended.total == 6


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (asked(search="color:red"), SearchMistake),
        (asked(search=""), Invalid),
        (asked(on=()), Invalid),
        (asked("burn"), Invalid),
        (asked("move"), Invalid),
        (asked("copy", to_queue="x"), Invalid),
        (asked("delete", to_backend="other"), Invalid),
        (asked("move", to_queue="mail:intermediate"), Invalid),
        (asked(as_of=datetime(2026, 1, 1)), Invalid),  # noqa: DTZ001  that it has no zone is the point
    ],
    ids=lambda value: "",
)
def test_what_is_no_order_makes_no_operation(tmp_path: Path, backend: Backend, wish: requests.Asked, error: type[Exception]) -> None:
    operations = opened(tmp_path, {"live": backend})

    with pytest.raises(error):
        requests.ask(operations, mira(operations), wish)

    assert operations.records.list(is_visible=lambda _: True) == ()


def test_everything_is_acted_on_when_that_was_chosen(operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 3)
    fail_jobs(redis_client, 2, queue="other", prefix="b")

    ended = run(operations, started(operations, asked("delete", search="", everything=True)))

    assert outcomes(ended) == {"done": 5}
    assert redis_client.zcard("rq:failed:mail") == 0


@pytest.mark.parametrize("at_front", [False, True])
def test_jobs_keep_their_order_over_items(tmp_path: Path, live: Eventful, redis_client: redis.Redis, *, at_front: bool) -> None:
    operations = opened(tmp_path, {"live": live})
    ids = fail_jobs(redis_client, 450)
    Stored(redis_client).waiting("was-there")

    run(operations, started(operations, asked(at_front=at_front)))

    assert waiting(redis_client) == ([*ids, "was-there"] if at_front else ["was-there", *ids])


def test_jobs_move_to_another_queue_and_those_there_already_are_left_alone(operations: Operations, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    now = iso(datetime.now(UTC))
    for number in range(3):
        stored.waiting(f"a-{number}", queue="mail", enqueued_at=now)
        stored.waiting(f"b-{number}", queue="high", enqueued_at=now)

    ended = run(operations, started(operations, asked("move", search="status:queued", to_queue="high")))

    assert outcomes(ended) == {"done": 3}
    assert dict(ended.parts[0].excluded) == {"on that queue already": 3}
    assert waiting(redis_client, "high") == ["b-0", "b-1", "b-2", "a-0", "a-1", "a-2"]


def test_planning_that_takes_longer_than_a_request_goes_on_in_the_background(
    operations: Operations, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_jobs(redis_client, 5)
    monkeypatch.setattr(requests, "AT_ONCE_S", 0.0)

    asked_for = requests.ask(operations, mira(operations), asked())
    was_one = Planner(operations).turn(NEVER)

    assert (asked_for.state, was_one) == (State.PLANNING, True)
    assert operations.records.get(asked_for.id).total == 5


def test_a_planner_that_died_half_way_leaves_nothing_twice(anywhere: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 5)
    operation = planned(anywhere, asked())
    with anywhere.records.store.write() as session:
        session.execute(update(OperationRow).values(state="planning", owner="dead", until_s=epoch_now() - 1))

    Planner(anywhere).turn(NEVER)

    again = anywhere.records.get(operation.id)
    assert (again.state, again.total) == (State.PLANNED, 5)
    assert [line.id for line in anywhere.lines(operation.id)] == [f"job-{number:05d}" for number in range(5)]


def test_too_many_jobs_are_refused_with_a_sentence(
    operations: Operations, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_jobs(redis_client, 5)
    monkeypatch.setattr(planning, "MOST", 4)

    operation = planned(operations, asked())

    assert (operation.state, operation.total) == (State.FAILED, 0)
    assert "Narrow the search" in operation.problem
    assert list(operations.lines(operation.id)) == []


def test_a_backend_that_is_down_read_only_or_gone_is_left_out_and_named(tmp_path: Path, server: Server, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    read_only = backend_of(server, name="archive")
    read_only.profile = replace(read_only.profile, read_only=True)
    down = backend_of(Server(Path(), 1), name="down")
    operations = opened(tmp_path, {"live": backend_of(server), "archive": read_only, "down": down})

    preview = planned(operations, asked(on=("live", "archive", "down", "nobody")))
    ended = run(operations, started(operations, preview.asked))

    problems = {part.name: part.problem for part in preview.parts}
    assert preview.total == 2
    assert problems["live"] == ""
    assert "read-only" in problems["archive"]
    assert "down" in problems["down"]
    assert "deleted" in problems["nobody"]
    assert outcomes(ended) == {"done": 2}


def test_a_protected_backend_is_typed_before_it_starts(tmp_path: Path, server: Server, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    backend = backend_of(server)
    backend.profile = replace(backend.profile, protected=True)
    operations = opened(tmp_path, {"live": backend})
    operation = planned(operations, asked("delete"))

    with pytest.raises(Invalid, match="Type live"):
        requests.start(operations, mira(operations), operation.id, typed=("liv",))

    assert run(operations, operation).state is State.PLANNED
    assert requests.start(operations, mira(operations), operation.id, typed=("live",)).state is State.RUNNING


@pytest.mark.parametrize("change", [{"read_only": True}, {"endpoint_version": 2}, None], ids=["read-only", "elsewhere", "deleted"])
def test_a_backend_that_changed_since_the_preview_is_not_acted_on(
    tmp_path: Path, server: Server, redis_client: redis.Redis, change: dict[str, object] | None
) -> None:
    fail_jobs(redis_client, 3)
    backend = backend_of(server)
    backends: dict[str, Backend] = {"live": backend}
    operations = opened(tmp_path, backends)
    planned_before, running = planned(operations, asked()), started(operations, asked())
    backend.profile = replace(backend.profile, **(change or {}))
    if change is None:
        backends.clear()

    with pytest.raises(Conflict):
        requests.start(operations, mira(operations), planned_before.id)
    ended = run(operations, running)

    assert (ended.state, outcomes(ended)) == (State.FAILED, {"refused": 3})
    assert ended.problem.startswith("live ")
    assert redis_client.zcard("rq:failed:mail") == 3


def test_a_pause_lets_the_item_end_and_a_resume_does_the_rest(
    operations: Operations, live: Eventful, redis_client: redis.Redis, writes_at_once: None
) -> None:
    ids = fail_jobs(redis_client, 600)
    operation = started(operations, asked())
    live.after = lambda number, _: requests.pause(operations, mira(operations), operation.id) if number == 1 else None

    paused = run(operations, operation)
    requests.resume(operations, mira(operations), operation.id)
    ended = run(operations, operation)

    assert (paused.state, outcomes(paused), paused.left) == (State.PAUSED, {"done": 200}, 400)
    assert (ended.state, outcomes(ended)) == (State.DONE, {"done": 600})
    assert waiting(redis_client) == ids


def test_an_operation_ends_after_the_item_it_is_at_and_what_was_done_stays(
    operations: Operations, live: Eventful, redis_client: redis.Redis, writes_at_once: None
) -> None:
    fail_jobs(redis_client, 600)
    operation = started(operations, asked())
    live.after = lambda number, _: requests.cancel(operations, mira(operations), operation.id) if number == 3 else None

    ended = run(operations, operation)

    assert (ended.state, outcomes(ended), ended.left) == (State.CANCELED, {"done": 400}, 200)
    assert len(waiting(redis_client)) == 400
    with pytest.raises(Conflict):
        requests.resume(operations, mira(operations), operation.id)


def test_a_preview_that_nobody_wants_ends_at_once(operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 3)
    operation = planned(operations, asked())

    ended = requests.cancel(operations, mira(operations), operation.id)

    assert ended.state is State.CANCELED
    assert run(operations, operation).tried == 0


def kill_in_the_middle(data_dir: Path, server: Server, *, url: str = "") -> None:
    """A runner in a process of its own is killed after the first half of its third item, of which nothing is written down."""
    arguments = [sys.executable, "-c", KILLED, str(data_dir), str(server.port), url]
    child = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        assert "third item" in child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


def test_a_killed_runner_is_taken_over_and_nothing_is_done_twice(
    anywhere: Operations, server: Server, redis_client: redis.Redis, tmp_path: Path, database_url: str
) -> None:
    ids = fail_jobs(redis_client, 1000)
    operation = started(anywhere, asked())
    kill_in_the_middle(tmp_path, server, url=database_url)
    half_way = len(waiting(redis_client))
    # Workers ran the first of them meanwhile, and they failed again: that is another failure, which nobody asked about.
    again = [redis_client.lpop("rq:queue:mail").decode() for _ in range(3)]
    for job_id in again:
        redis_client.hset(f"rq:job:{job_id}", "status", "failed")
        redis_client.zadd("rq:failed:mail", {job_id: 1e12})

    assert wait_until(lambda: Runner(anywhere).turn(NEVER))
    ended = run(anywhere, operation)

    assert half_way == 500
    assert (ended.state, outcomes(ended)) == (State.DONE, {"done": 1000})
    assert waiting(redis_client) == ids[3:]
    assert sorted(again) == [job_id.decode() for job_id in redis_client.zrange("rq:failed:mail", 0, -1)]


def test_what_a_killed_runner_did_is_counted_when_the_operation_is_ended(
    operations: Operations, server: Server, redis_client: redis.Redis, tmp_path: Path
) -> None:
    fail_jobs(redis_client, 1000)
    operation = started(operations, asked())
    kill_in_the_middle(tmp_path, server)

    requests.cancel(operations, mira(operations), operation.id)
    assert wait_until(lambda: Runner(operations).turn(NEVER))
    ended = operations.records.get(operation.id)

    assert (ended.state, outcomes(ended), ended.left) == (State.CANCELED, {"done": 500}, 500)
    assert len(waiting(redis_client)) == 500


def test_a_runner_that_lost_its_lease_stops_before_the_next_item(
    anywhere: Operations, live: Eventful, redis_client: redis.Redis, writes_at_once: None
) -> None:
    fail_jobs(redis_client, 600)
    operation = started(anywhere, asked())
    slow, other = Runner(anywhere), Runner(anywhere, slice_s=60)
    finished: list[Operation] = []

    def overtake(number: int, _: Call) -> None:
        if number == 1:
            lose_lease(anywhere)
            other.turn(NEVER)
            finished.append(anywhere.records.get(operation.id))

    live.after = overtake
    slow.turn(NEVER)

    assert outcomes(finished[0]) == outcomes(anywhere.records.get(operation.id)) == {"done": 600}
    # The other one's six batches, the first of which the journal answers, and the half item that the slow one was at.
    assert live.writes == 8


def test_two_runners_never_run_the_same_item_twice(anywhere: Operations, live: Eventful, redis_client: redis.Redis) -> None:
    for queue in range(6):
        fail_jobs(redis_client, 500, queue=f"q{queue}", prefix=f"q{queue}")
    running = [started(anywhere, asked(search=f"queue:q{queue} status:failed")) for queue in range(6)]
    seen: Counter[tuple[object, ...]] = Counter()
    live.after = lambda _, call: seen.update([(call.keys, call.arguments[11:])])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: run(anywhere, running[0], Runner(anywhere, slice_s=0.02)), range(2)))

    ended = [anywhere.records.get(operation.id) for operation in running]
    assert [outcomes(operation) for operation in ended] == [{"done": 500}] * 6
    assert set(seen.values()) == {1}
    assert all(len(waiting(redis_client, f"q{queue}")) == 500 for queue in range(6))


def test_of_several_runners_that_ask_at_once_one_gets_an_operation(anywhere: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 1)
    started(anywhere, asked())
    barrier = threading.Barrier(8)

    def take(number: int) -> bool:
        barrier.wait()
        return claims.take(anywhere.records, f"owner-{number}", states=(State.RUNNING,)) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1


def test_a_backend_that_goes_down_in_the_middle_is_waited_for_while_the_others_go_on(
    tmp_path: Path, server: Server, redis_client: redis.Redis, start: Callable[..., Server]
) -> None:
    second = start("--appendonly", "yes")
    with second.client() as client:
        fail_jobs(client, 600, prefix="b")
    fail_jobs(redis_client, 600, prefix="a")
    first, other = backend_of(server, name="a"), eventful(second, name="b")
    other.after = lambda number, _: second.kill() if number == 3 else None
    operations = opened(tmp_path, {"a": first, "b": other})
    operation = started(operations, asked(on=("a", "b")))

    Runner(operations, slice_s=60).turn(NEVER)
    waits = operations.records.get(operation.id)
    second.start()
    assert wait_until(lambda: Runner(operations).turn(NEVER))
    ended = run(operations, operation)

    assert (waits.state, [wait.backend for wait in waits.waits]) == (State.RUNNING, ["b"])
    assert waits.counts["a"] == {Verdict.DONE: 600}
    assert waits.counts["b"][Verdict.DONE] == 200
    assert "b" in waits.waits[0].reason
    assert (ended.state, outcomes(ended), ended.waits) == (State.DONE, {"done": 1200}, ())
    with second.client() as client:
        assert len(waiting(client)) == 600


def test_a_write_without_an_answer_is_asked_about_again_and_not_repeated(
    operations: Operations, live: Eventful, redis_client: redis.Redis
) -> None:
    ids = fail_jobs(redis_client, 300)
    operation = started(operations, asked())

    def deafen(number: int, _: Call) -> None:
        if number == 1:
            raise UnknownResult("live did not answer in time.", backend="live")

    live.after = deafen
    ended = run(operations, operation)
    assert wait_until(lambda: run(operations, operation).state is State.DONE)
    ended = operations.records.get(operation.id)

    assert outcomes(ended) == {"done": 300}
    assert waiting(redis_client) == ids
    assert [event.what for event in ended.events][-3:] == [
        "waits for live: live did not answer in time.",
        "live answers again",
        "came to the end",
    ]


def test_jobs_go_to_another_backend(tmp_path: Path, server: Server, redis_client: redis.Redis, start: Callable[..., Server]) -> None:
    there = start()
    ids = fail_jobs(redis_client, 250)
    operations = opened(tmp_path, {"live": backend_of(server), "there": backend_of(there, name="there")})

    kept = planned(operations, asked("move", to_backend="there"))
    operation = started(operations, asked("move", to_backend="there", to_queue="moved"))
    assert wait_until(lambda: run(operations, operation).state is State.DONE)

    ended = operations.records.get(operation.id)
    assert "No worker of there listens to mail: their jobs will wait there." in kept.parts[0].warnings
    assert [(part.name, part.is_target) for part in ended.parts] == [("live", False), ("there", True)]
    assert outcomes(ended) == {"done": 250}
    assert redis_client.zcard("rq:failed:mail") == 0
    with there.client() as client:
        assert sorted(waiting(client, "moved")) == ids


def test_every_step_is_audited_with_who_asked_and_the_end_with_its_outcomes(operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)

    operation = started(operations, asked())
    run(operations, operation)

    rows = operations.audit.entries()[::-1]
    assert [(row.verb, row.kind, row.name, row.status) for row in rows] == [
        ("plan requeue", "command line", "mira", "done"),
        ("start operation", "command line", "mira", "done"),
        ("requeue", "runner", "runner", "done"),
    ]
    assert {row.values["operation"] for row in rows} == {operation.id}
    assert (rows[-1].values["for"], rows[-1].outcomes) == ("mira", {"done": 2})


def test_the_list_names_every_job_with_its_outcome(operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 3)
    operation = started(operations, asked())
    redis_client.delete("rq:job:job-00001")

    run(operations, operation)

    lines = [(line.backend, line.queue, line.registry, line.id, line.verdict) for line in operations.lines(operation.id)]
    assert lines == [
        ("live", "mail", "failed", "job-00000", Verdict.DONE),
        ("live", "mail", "failed", "job-00001", Verdict.GONE),
        ("live", "mail", "failed", "job-00002", Verdict.DONE),
    ]


def test_any_name_survives(anywhere: Operations, redis_client: redis.Redis) -> None:
    stored, name = Stored(redis_client), "\udcff,\x00'\n🐳"
    stored.queue(name)
    stored.failed(name, queue=name, score=-1, ended_s_ago=10_000)

    ended = run(anywhere, started(anywhere, asked()))

    assert outcomes(ended) == {"bad_id": 1}
    assert [(line.queue, line.id) for line in anywhere.lines(ended.id)] == [(name, name)]


def test_old_previews_end_and_old_lists_go(anywhere: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    forgotten, ended = planned(anywhere, asked()), run(anywhere, started(anywhere, asked("delete")))
    then = datetime.now(UTC) + timedelta(days=31)

    replace(anywhere.records, clock=lambda: then).tidy()

    assert anywhere.records.get(forgotten.id).problem == "Nobody started it within a day."
    assert (outcomes(anywhere.records.get(ended.id)), list(anywhere.lines(ended.id))) == ({"done": 2}, [])


def test_a_preview_older_than_a_day_is_not_started(operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    operation = planned(operations, asked())
    later = replace(operations, records=replace(operations.records, clock=lambda: datetime.now(UTC) + timedelta(days=2)))

    with pytest.raises(Conflict, match="older than a day"):
        requests.start(later, mira(operations), operation.id)


def test_nothing_can_be_asked_of_an_operation_that_is_none(operations: Operations) -> None:
    with pytest.raises(NotFound):
        requests.start(operations, mira(operations), "nobody")


def test_every_verdict_has_a_letter_of_its_own() -> None:
    assert LETTERS.keys() == set(Verdict)
    assert len(set(LETTERS.values())) == len(LETTERS)


def test_what_a_hundred_thousand_jobs_take_in_the_database(tmp_path: Path, backend: Backend, redis_client: redis.Redis) -> None:
    operations = opened(tmp_path, {"live": backend})
    fail_jobs(redis_client, 1000, prefix="0123456789abcdef0123456789abcd")

    operation = planned(operations, asked())

    with operations.records.store.read() as session:
        rows = session.execute(select(OperationItemRow.ids).where(OperationItemRow.operation_id == operation.id)).all()
    assert sum(len(str(row[0])) for row in rows) < 41_000


def test_an_unreachable_backend_is_named_not_raised(tmp_path: Path, live: Eventful, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    operations = opened(tmp_path, {"live": live})
    operation = started(operations, asked())

    def refuse(_number: int, _call: Call) -> None:
        raise Unreachable("live does not answer.", backend="live")

    live.after = refuse
    Runner(operations, first_wait_s=60).turn(NEVER)

    waits = operations.records.get(operation.id)
    assert [(wait.backend, wait.reason, wait.tries) for wait in waits.waits] == [("live", "live does not answer.", 1)]
    assert waits.is_attended
    assert Runner(operations).turn(NEVER) is False


def test_an_operation_that_no_runner_takes_says_so(operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    operation = started(operations, asked())

    with operations.records.store.write() as session:
        session.execute(update(OperationRow).values(touched_s=epoch_now() - 6))

    assert operation.is_attended
    assert not operations.records.get(operation.id).is_attended
