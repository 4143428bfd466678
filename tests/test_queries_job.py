"""One job: everything Redis holds of it, read within bounds and never executed."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
import redis
from rq import Queue

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import NotFound
from rqdash.model.job import JobDetail, Relative
from rqdash.model.registry import Registry
from rqdash.queries.job import job
from rqdash.queries.job_fields import raw_job
from tests.conftest import backend_of
from tests.stored import EXECUTION, NOW, NOW_S, TRACE, Stored, ago, packed, variety
from tests.workers import work


@pytest.fixture
def stored(redis_client: redis.Redis) -> Stored:
    return Stored(redis_client)


def detail(backend: Backend, job_id: str) -> JobDetail:
    return job(backend, job_id, now=NOW)


def test_a_job_that_really_failed_shows_its_call_error_and_attempt(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    redis_client.set("runs:fails", 1)
    made = Queue("mail", connection=redis_client).enqueue("tests.tasks.count_and_fail", "runs", meta={"tenant": "acme"})
    work(server, "mail")

    found = detail(backend, made.id)

    assert (found.row.status, found.registry, found.position) == ("failed", Registry.FAILED, None)
    assert (found.call.function, [shown.text for shown in found.call.args]) == ("tests.tasks.count_and_fail", ["'runs'"])
    assert found.failure is not None
    assert (found.failure.type, found.failure.message) == ("ValueError", "runs was told to fail")
    assert (found.row.error_type, found.meta is not None and found.meta.text) == ("ValueError", "{'tenant': 'acme'}")
    assert [result.kind for result in found.results] == ["failed"]
    assert [(step.kind, step.label) for step in found.timeline] == [("waited", "Waited in mail"), ("attempt", "Attempt 1, ValueError")]
    assert found.is_worker_gone
    assert found.removed_at is not None


def test_a_job_that_really_finished_shows_its_return_value(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    made = Queue("mail", connection=redis_client).enqueue("tests.tasks.count", "runs")
    work(server, "mail")

    found = detail(backend, made.id)

    assert found.registry is Registry.FINISHED
    assert [(result.kind, result.value.text if result.value else "") for result in found.results] == [("successful", "1")]
    assert (found.failure, found.row.error_type) == (None, "")


def test_a_waiting_job_says_its_position_and_who_waits_for_it(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = detail(backend, "waiting-3")
    first = detail(backend, "waiting-0")

    assert (found.registry, found.position) == (Registry.QUEUED, 3)
    assert first.dependents == (Relative("child", "deferred", "app.tasks.send", "mail", Registry.DEFERRED),)


def test_what_a_job_waits_for_is_named_even_when_it_is_gone(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = detail(backend, "child")

    assert found.dependencies == (Relative("waiting-0", "queued", "app.tasks.send", "mail", Registry.QUEUED), Relative("nobody"))
    assert found.registry is Registry.DEFERRED


def test_a_running_job_shows_its_execution_and_that_its_worker_lives(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = detail(backend, "running-1")

    (execution,) = found.executions
    assert (execution.id, execution.worker, execution.is_expired) == (EXECUTION, "busy-1", False)
    assert (found.registry, found.row.execution_id, found.is_worker_gone) == (Registry.STARTED, EXECUTION, False)
    assert [(step.kind, step.ended_at) for step in found.timeline][-1] == ("attempt", None)


def test_a_running_job_of_an_old_version_is_found_in_its_registry(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    assert detail(backend, "running-2").registry is Registry.STARTED


def test_the_registry_that_fits_the_status_is_where_the_job_is(stored: Stored, backend: Backend) -> None:
    stored.waiting("job")
    stored.entry("canceled", "job", NOW_S)

    assert detail(backend, "job").registry is Registry.QUEUED
    stored.client.hset("rq:job:job", "status", "canceled")
    assert detail(backend, "job").registry is Registry.CANCELED


def test_a_job_in_no_list_is_in_no_registry(stored: Stored, backend: Backend) -> None:
    stored.job("lost")

    found = detail(backend, "lost")

    assert (found.registry, found.position) == (None, None)


def test_a_job_whose_hash_is_gone_is_not_found(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    for job_id in ("ghost", "wrong-type", "", "a:b"):
        with pytest.raises(NotFound):
            detail(backend, job_id)


def test_a_zombie_without_data_is_shown_as_what_it_is(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    found = detail(backend, "zombie-job")

    assert (found.call.function, found.row.status, found.timeline) == ("", "", ())
    assert found.call.problem
    assert [name for name, _ in found.fields] == ["last_heartbeat"]


def test_large_fields_are_described_and_not_read(stored: Stored, backend: Backend) -> None:
    stored.waiting("job", data=b"x" * 1_500_000, meta=b"y" * 1_500_000, note="z" * 100_000, short_note="n" * 3000)

    found = detail(backend, "job")

    fields = dict(found.fields)
    assert found.call.problem == "unknown, 1.4 MB: more than is read"
    assert found.meta is not None
    assert found.meta.problem
    assert found.data_bytes == 1_500_000
    assert fields["note"] == "98 KB: more than is read"
    assert fields["short_note"] == f"{'n' * 2048}… (2.9 KB)"
    assert max(map(len, fields.values())) < 2100


def test_headers_of_webhooks_are_hidden(stored: Stored, backend: Backend) -> None:
    hook = {"url": "https://hooks.example/done", "job_status": "finished", "headers": {"Authorization": "Bearer s3cret"}}
    stored.waiting("job", webhooks=json.dumps([hook]))
    stored.waiting("odd", webhooks='{"headers": "s3cret"')

    shown, odd = dict(detail(backend, "job").fields)["webhooks"], dict(detail(backend, "odd").fields)["webhooks"]

    assert "https://hooks.example/done" in shown
    assert "Authorization" in shown
    assert "s3cret" not in shown + odd


def test_old_results_and_errors_are_read_from_the_hash(stored: Stored, backend: Backend) -> None:
    stored.job("done", status="finished", result=b"\x80\x04K\x07.", ended_at=ago(1), started_at=ago(2))
    stored.job("broken", status="failed", exc_info=zlib.compress(TRACE.encode()))

    done, broken = detail(backend, "done"), detail(backend, "broken")

    assert [(result.kind, result.value.text if result.value else "") for result in done.results] == [("successful", "7")]
    assert broken.failure is not None
    assert broken.failure.type == "ValueError"


def test_every_kind_of_result_is_named_newest_first(stored: Stored, backend: Backend) -> None:
    stored.job("job", status="failed")
    for kind in (1, 2, 3, 4, 5, 9):
        stored.client.xadd("rq:results:job", {"type": kind, "worker_name": "w", "execution_started_at": 1.5, "execution_ended_at": "x"})

    found = detail(backend, "job").results

    assert [result.kind for result in found] == ["unknown", "max_retries_exceeded", "retried", "stopped", "failed", "successful"]
    assert found[0].started_at is not None
    assert found[0].ended_at is None


def test_garbage_in_every_field_is_shown_and_raises_nothing(stored: Stored, backend: Backend) -> None:
    fields = ("data", "meta", "result", "exc_info", "dependency_ids", "webhooks", "created_at", "enqueued_at", "started_at", "timeout")
    for garbage in (b"\xff\xfe\x00", b"", b"[" * 50_000, b"\x80\x04Nr\xff\xff\xff\x7f.", '["\\ud800"]', "9" * 400, "inf", "nan"):
        stored.job("job", **dict.fromkeys((*fields, "number_of_retries", "result_ttl", "ttl", "origin", "worker_name"), garbage))
        stored.client.xadd(
            "rq:results:job", {"type": garbage, "exc_string": garbage, "return_value": garbage, "execution_started_at": garbage}
        )

        found = detail(backend, "job")

        assert json.dumps(found.fields).isascii()
        assert all(value.encode() for _, value in found.fields if value)


def test_nothing_is_unpickled(stored: Stored, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("never") / "made"
    evil = b"cposix\nsystem\n(S'touch " + str(target).encode() + b"'\ntR."
    stored.failed("job")
    stored.client.hset("rq:job:job", mapping={"data": zlib.compress(evil), "meta": evil, "result": evil})
    stored.client.xadd("rq:results:job", {"type": 1, "return_value": base64.b64encode(evil)})

    found = detail(backend, "job")

    assert found.meta is not None
    assert not target.exists()


def test_the_position_is_found_on_a_server_without_lpos(start: object) -> None:
    assert callable(start)
    server = start("--rename-command", "LPOS", "")
    with server.client() as client:
        stored = Stored(client)
        stored.waiting("first", data=packed())
        stored.waiting("second")
    backend = backend_of(server)

    assert [detail(backend, job_id).position for job_id in ("first", "second")] == [0, 1]
    backend.close()


def test_of_much_under_one_id_only_so_much_is_read(backend: Backend, redis_client: redis.Redis) -> None:
    redis_client.hset("rq:job:a", mapping={"status": "failed", "origin": "mail", "data": packed("app.send")})
    redis_client.hset("rq:job:a", mapping={f"other-{number}": "y" * 60_000 for number in range(50)})
    for number in range(12):
        redis_client.xadd("rq:results:a", {"type": "2", "exc_string": str(number)}, id=f"{number + 1}-1")
    redis_client.hset("rq:job:b", "data", packed("app.send"))
    for number in (1, 2, 3):
        redis_client.xadd("rq:results:b", {"type": "2", "exc_string": "z" * 900_000}, id=f"{number}-1")

    raw = raw_job(backend, "a")

    others = [field for name, field in raw.fields.items() if name.startswith("other-")]
    assert sum(field.value is not None for field in others) == 17
    assert {field.size for field in others} == {60_000}
    assert [entry_id for entry_id, _ in raw.results] == [f"{number + 1}-1".encode() for number in range(11, 1, -1)]
    assert [entry_id for entry_id, _ in raw_job(backend, "b").results] == [b"3-1", b"2-1"]
