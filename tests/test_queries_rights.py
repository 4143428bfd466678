"""Reads never write: under a read-only ACL user every query works, with scripts and without, and gives the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import NotFound, Refused
from rqdash.model import names
from rqdash.model.queue import ServerFacts
from rqdash.model.registry import Registry
from rqdash.queries.census import census
from rqdash.queries.job import job
from rqdash.queries.jobs import find, jobs
from rqdash.queries.overview import summary
from rqdash.queries.queue import summary_of
from rqdash.queries.sets import resolve_queue, resolve_worker
from rqdash.queries.workers import worker, workers
from tests.commands import ran, written
from tests.conftest import backend_of
from tests.stored import HOSTILE, NOW, variety

READER = "~rq:* +@read +@connection +@scripting +info +time +pubsub|numsub -@write"
NO_SCRIPTS = "~rq:* +@read +@connection -@scripting -info -@write"
JOBS = (
    "waiting-0",
    "child",
    "running-1",
    "running-2",
    "failed-0",
    "failed-old",
    "garbled",
    "zombie-job",
    "canceled-1",
    "popped",
    "due",
    *HOSTILE[:3],
)


@pytest.fixture
def user(redis_client: redis.Redis, server: Server) -> Iterator[Callable[[str], Backend]]:
    """user(rules) is a backend of a user with these ACL rules."""
    backends: list[Backend] = []

    def _user(rules: str) -> Backend:
        name = f"user-{len(backends)}"
        redis_client.execute_command("ACL", "SETUSER", name, "reset", "on", "nopass", *rules.split())
        backends.append(backend_of(server, username=name))
        return backends[-1]

    yield _user
    for number, backend in enumerate(backends):
        backend.close()
        redis_client.execute_command("ACL", "DELUSER", f"user-{number}")


def everything(backend: Backend) -> list[object]:
    """What all queries give, of every queue, registry and some jobs."""
    overview = summary(backend, now=NOW)
    read: list[object] = [overview, census(backend, now=NOW), workers(backend, now=NOW), worker(backend, "busy-1", now=NOW)]
    for queue in overview.queues:
        read.append(summary_of(backend, queue.name, now=NOW))
        read += [jobs(backend, queue.name, registry, offset=0, size=5, now=NOW) for registry in Registry]
    return read + [job(backend, job_id, now=NOW) for job_id in JOBS]


def without_times(value: object) -> object:
    """A value without what the server counts down while it is read."""
    if isinstance(value, list | tuple):
        return [without_times(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        fields = value.__dataclass_fields__
        changing = ("expires_in_s", "server", "suspended_for_s")
        return {name: without_times(getattr(value, name)) for name in fields if name not in changing}
    return value


def test_a_read_only_user_reads_everything_by_script_and_nothing_is_written(
    redis_client: redis.Redis, user: Callable[[str], Backend]
) -> None:
    variety(redis_client)
    backend = user(READER)
    redis_client.config_resetstat()

    read = everything(backend)

    assert len(read) > 100
    assert written(redis_client) == set()
    assert ran(redis_client)["evalsha_ro"] > 100


def test_without_scripts_and_info_pipelines_read_the_same_and_nothing_is_written(
    redis_client: redis.Redis, user: Callable[[str], Backend]
) -> None:
    variety(redis_client)
    by_script = everything(user(READER))
    backend = user(NO_SCRIPTS)
    redis_client.config_resetstat()

    by_pipeline = everything(backend)

    assert without_times(by_pipeline) == without_times(by_script)
    assert written(redis_client) == set()
    assert set(ran(redis_client)) & {"evalsha_ro", "evalsha", "eval"} <= {"evalsha_ro"}
    assert ran(redis_client).get("hget", 0) > 100


def test_a_server_that_denies_info_has_unknown_facts_with_the_reason(redis_client: redis.Redis, user: Callable[[str], Backend]) -> None:
    variety(redis_client)

    facts = summary(user(NO_SCRIPTS), now=NOW).server

    assert replace(facts, unknown=()) == ServerFacts()
    reasons = dict(facts.unknown)
    assert set(reasons) == {"product", "version", "role", "maxmemory_policy", "used_memory_bytes", "keyspaces"}
    assert "may not run info" in reasons["version"]


@pytest.mark.parametrize("scripting", ["+@scripting", "-@scripting"])
def test_a_denied_command_is_named_and_never_shown_as_zero(
    redis_client: redis.Redis, user: Callable[[str], Backend], scripting: str
) -> None:
    variety(redis_client)
    backend = user(f"~rq:* +@read +@connection {scripting} -@write -zcard")

    with pytest.raises(Refused, match="may not run zcard"):
        summary(backend, now=NOW)


def test_another_prefix_is_another_rq(redis_client: redis.Redis, server: Server) -> None:
    variety(redis_client, prefix="{media}")
    backend = backend_of(server, prefix="{media}")

    here, there = everything(backend), summary(backend_of(server), now=NOW)

    assert len(here) > 100
    assert (there.queues, there.workers_total) == ((), 0)
    backend.close()


def test_hostile_names_reach_exactly_their_own_objects(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)

    for name in HOSTILE:
        found = resolve_queue(backend, names.ref(name))
        waiting = jobs(backend, found, Registry.QUEUED, offset=0, size=50, now=NOW)
        failed_id = find(backend, found, Registry.FAILED, names.ref(name or "empty"))
        listener = worker(backend, resolve_worker(backend, names.ref(f"w {name}")), now=NOW)

        assert found == name
        assert [row.id for row in waiting.rows] == [f"job of {name}"]
        assert failed_id == (name or "empty")
        assert job(backend, failed_id, now=NOW).row.queue == name
        assert listener.name == f"w {name}"


def test_a_reference_to_nothing_is_not_found(redis_client: redis.Redis, backend: Backend) -> None:
    variety(redis_client)
    nothing = f"~{names.digest('nothing')}"

    with pytest.raises(NotFound):
        resolve_queue(backend, nothing)
    with pytest.raises(NotFound):
        resolve_worker(backend, nothing)
    with pytest.raises(NotFound):
        find(backend, "mail", Registry.QUEUED, nothing)


@pytest.mark.parametrize("protocol", [2, 3])
def test_both_protocols_give_the_same_with_and_without_scripts(redis_client: redis.Redis, server: Server, protocol: int) -> None:
    variety(redis_client)
    redis_client.execute_command("ACL", "SETUSER", "plain", "reset", "on", "nopass", "~*", "+@all", "-@scripting")
    scripted, plain = backend_of(server, protocol=protocol), backend_of(server, protocol=protocol, username="plain")

    by_script, by_pipeline = everything(scripted), everything(plain)

    redis_client.execute_command("ACL", "DELUSER", "plain")
    assert without_times(by_script) == without_times(by_pipeline)
    scripted.close()
    plain.close()
