"""Operations at their edges: failures newer than the preview, journals that are lost, items that outlast a lease, names to type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import select, update

from rqdash.actions import batches
from rqdash.backends.scripts import Call
from rqdash.demo.servers import Server
from rqdash.errors import Invalid, Switching, Unreachable
from rqdash.model.profile import Profile
from rqdash.model.protection import names_to_type
from rqdash.operations import requests
from rqdash.operations.requests import Operations
from rqdash.operations.runner import Runner
from rqdash.operations.values import Operation, State
from rqdash.store.tables import OperationRow
from tests.conftest import backend_of
from tests.operating import NEVER, Eventful, asked, eventful, fail_jobs, mira, opened, outcomes, planned, run, started, waiting
from tests.processes import wait_until
from tests.stored import NOW_S, Stored
from tests.transfers import Pair

LEASE_S = 0.3


@pytest.fixture
def live(server: Server) -> Iterator[Eventful]:
    backend = eventful(server)
    yield backend
    backend.close()


@pytest.fixture
def operations(tmp_path: Path, live: Eventful) -> Operations:
    return opened(tmp_path, {"live": live})


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH", 100)


def row_of(operations: Operations, operation: Operation) -> OperationRow:
    with operations.records.store.read() as session:
        found = session.scalar(select(OperationRow).where(OperationRow.id == operation.id))
        assert found is not None
        session.expunge(found)
        return found


def test_a_failure_newer_than_the_preview_keeps_its_evidence(operations: Operations, redis_client: redis.Redis) -> None:
    stored, as_of = Stored(redis_client), datetime.fromtimestamp(NOW_S - 60, UTC)
    stored.queue("mail")
    for job_id in ("same", "other"):
        stored.failed(job_id, trace="TimeoutError: too slow", ended_s_ago=300)
    operation = started(operations, asked("delete", search="error:TimeoutError", as_of=as_of))
    # A colleague requeued one, and it failed again, of something else.
    stored.failed("other", trace="ValueError: no such customer", ended_s_ago=30)

    ended = run(operations, operation)

    assert outcomes(ended) == {"done": 1, "stale": 1}
    assert redis_client.zrange("rq:failed:mail", 0, -1) == [b"other"]
    assert redis_client.exists("rq:job:other", "rq:results:other") == 2


@pytest.mark.usefixtures("small_batches")
def test_what_the_database_knows_to_be_done_is_not_done_again_when_the_journal_is_lost(
    operations: Operations, live: Eventful, redis_client: redis.Redis
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    ids = fail_jobs(redis_client, 200, fails_at=long_ago)
    operation = started(operations, asked())

    def after(number: int, call: Call) -> None:
        if number == 1:
            assert waiting(redis_client) == ids[:100]
            # The rest is away for a moment, and memory is short; the hundred ran and failed as they were.
            redis_client.delete("rq:queue:mail", *redis_client.keys("rq:rqdash:op:*"))
            fail_jobs(redis_client, 200, fails_at=long_ago)
        elif number == 2:
            redis_client.delete(*redis_client.keys("rq:rqdash:op:*"))
            raise Unreachable("live does not answer.", backend="live")

    live.after = after

    wait_until(lambda: run(operations, operation).state is State.DONE)

    ended = operations.records.get(operation.id)
    assert waiting(redis_client) == ids[100:]
    assert outcomes(ended) == {"done": 100, "raced": 100}
    assert ended.tried == ended.total == 200


def test_the_lease_is_renewed_while_an_item_is_worked_on(operations: Operations, live: Eventful, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 3)
    operation = started(operations, asked())

    def after(_number: int, _call: Call) -> None:
        held = row_of(operations, operation)
        assert held.owner == "first"
        wait_until(lambda: row_of(operations, operation).until_s > held.until_s)

    live.after = after

    ended = run(operations, operation, Runner(operations, lease_s=LEASE_S, owner="first"))

    assert (ended.state, outcomes(ended)) == (State.DONE, {"done": 3})


def test_a_runner_whose_operation_was_taken_over_stops_renewing_and_goes_no_further(
    operations: Operations, live: Eventful, redis_client: redis.Redis
) -> None:
    fail_jobs(redis_client, 450)
    operation = started(operations, asked())

    def after(number: int, _call: Call) -> None:
        if number == 1:
            with operations.records.store.write() as session:
                session.execute(update(OperationRow).values(owner="second"))

    live.after = after

    Runner(operations, lease_s=LEASE_S, owner="first").turn(NEVER)

    assert row_of(operations, operation).owner == "second"
    assert operations.records.get(operation.id).tried == 0


def test_a_copy_to_a_protected_backend_asks_for_its_name_alone(tmp_path: Path, pair: Pair, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 2)
    for backend in (pair.source, pair.destination):
        backend.profile = replace(backend.profile, protected=True)
    operations = opened(tmp_path, {"here": pair.source, "there": pair.destination})

    copy, move = (planned(operations, asked(verb, on=("here",), to_backend="there")) for verb in ("copy", "move"))

    assert requests.protected(operations, copy) == ("there",)
    assert requests.protected(operations, move) == ("there", "here")
    with pytest.raises(Invalid, match="Type there to go on"):
        requests.start(operations, mira(operations), copy.id)
    assert requests.start(operations, mira(operations), copy.id, typed=("there",)).state is State.RUNNING


def test_a_backend_protected_since_the_preview_is_asked_about(tmp_path: Path, server: Server, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 1)
    backend = backend_of(server)
    operations = opened(tmp_path, {"live": backend})
    operation = planned(operations, asked("delete"))
    backend.profile = replace(backend.profile, protected=True)

    with pytest.raises(Invalid, match="Type live to go on: it is protected"):
        requests.start(operations, mira(operations), operation.id)

    assert operations.records.get(operation.id).state is State.PLANNED


@pytest.mark.parametrize(
    ("is_copy", "source", "destination", "expected"),
    [
        (False, True, True, ("there", "here")),
        (False, True, False, ("here",)),
        (False, False, True, ("there",)),
        (True, True, True, ("there",)),
        (True, True, False, ()),
    ],
)
def test_names_are_those_of_where_jobs_go_and_of_where_they_leave(
    is_copy: bool,
    source: bool,
    destination: bool,
    expected: tuple[str, ...],
) -> None:
    here, there = Profile("here", protected=source), Profile("there", protected=destination)

    assert names_to_type([here], there, copy=is_copy) == expected


def test_an_item_that_failed_is_tried_again_before_those_behind_it(
    operations: Operations, live: Eventful, redis_client: redis.Redis
) -> None:
    names = fail_jobs(redis_client, 800)
    asked_at: list[int] = []

    def admit() -> None:
        asked_at.append(len(asked_at))
        if len(asked_at) == 2:
            raise Switching("live is switching its master.", backend="live", stage="role")

    live.guard.admit = admit  # type: ignore[method-assign]
    operation = started(operations, asked("requeue"))

    run(operations, operation, Runner(operations, first_wait_s=0.0))

    assert waiting(redis_client) == names
