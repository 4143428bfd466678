"""How long the actions hold a server: 200 jobs scattered over short and long lists and registries, by its own SLOWLOG."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rqdash.access.actor import Actor
from rqdash.actions import cancel, delete, empty, move, requeue
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, start_server
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry

SIZES = (200, 2_000, 20_000, 100_000)
BATCH = 200
ROUNDS = 5
LIMIT_MS = 5.0
LOGGED_US = 100
"""SLOWLOG's threshold: at 0 it would log each command inside a script too, and that is most of the time then."""

Action = Callable[[Backend, Actor, Sequence[str]], object]


@dataclass(frozen=True, slots=True)
class Case:
    """One action on 200 jobs scattered over a registry; size is how many jobs are in it."""

    name: str
    registry: Registry
    action: Action


def _cancel(backend: Backend, actor: Actor, ids: Sequence[str]) -> object:
    return cancel(backend, actor, queue="mail", registry=Registry.QUEUED, ids=ids)


def _delete(backend: Backend, actor: Actor, ids: Sequence[str]) -> object:
    return delete(backend, actor, queue="mail", registry=Registry.QUEUED, ids=ids)


def _delete_failed(backend: Backend, actor: Actor, ids: Sequence[str]) -> object:
    return delete(backend, actor, queue="mail", registry=Registry.FAILED, ids=ids)


def _move(backend: Backend, actor: Actor, ids: Sequence[str]) -> object:
    return move(backend, actor, queue="mail", registry=Registry.QUEUED, ids=ids, to_queue="slow")


def _to_front(backend: Backend, actor: Actor, ids: Sequence[str]) -> object:
    return move(backend, actor, queue="mail", registry=Registry.QUEUED, ids=ids, to_queue="mail", at_front=True)


def _requeue(backend: Backend, actor: Actor, ids: Sequence[str]) -> object:
    return requeue(backend, actor, queue="mail", registry=Registry.FAILED, ids=ids)


def _empty(backend: Backend, actor: Actor, _ids: Sequence[str]) -> object:
    return empty(backend, actor, queue="mail", as_of=datetime.now(UTC), budget_s=1)


CASES = (
    Case("requeue failed", Registry.FAILED, _requeue),
    Case("delete failed", Registry.FAILED, _delete_failed),
    Case("cancel queued", Registry.QUEUED, _cancel),
    Case("delete queued", Registry.QUEUED, _delete),
    Case("move queued", Registry.QUEUED, _move),
    Case("move to the front", Registry.QUEUED, _to_front),
    Case("empty, one second", Registry.QUEUED, _empty),
)


def run() -> None:
    """Prints a table: the longest that one command of each action held the server."""
    with tempfile.TemporaryDirectory() as folder, _backend(Path(folder)) as (backend, actor, server):
        print(f"{'200 jobs of':<20}" + "".join(f"{size:>12,}" for size in SIZES))
        for case in CASES:
            print(f"{case.name:<20}" + "".join(f"{_measured(case, size, backend, actor, server):>12}" for size in SIZES), flush=True)


@contextmanager
def _backend(folder: Path) -> Iterator[tuple[Backend, Actor, Server]]:
    from rqdash.access.audit import Audit
    from rqdash.store import open_store

    server = start_server(folder / "server")
    profile = Profile(name="bench", host="127.0.0.1", port=server.port)
    retry = Retry(NoBackoff(), 0)
    backend = Backend(profile, reader=server.client(retry=retry), writer=server.client(retry=retry))
    try:
        yield backend, Actor("command line", "bench", "", Audit(open_store("", data_dir=folder))), server
    finally:
        backend.close()
        server.stop()


def _measured(case: Case, size: int, backend: Backend, actor: Actor, server: Server) -> str:
    """The median over the rounds of the longest command, with "!" over 5 ms."""
    longest = []
    with server.client() as client:
        for number in range(ROUNDS):
            ids = _fill(client, case.registry, size)
            chosen = random.Random(number).sample(ids, BATCH)
            client.config_set("slowlog-log-slower-than", LOGGED_US)
            client.slowlog_reset()
            case.action(backend, actor, chosen)
            client.config_set("slowlog-log-slower-than", -1)
            longest.append(max((entry["duration"] for entry in client.slowlog_get(128)), default=0) / 1000)
    median = sorted(longest)[ROUNDS // 2]
    return f"{median:.2f} ms{'!' if median > LIMIT_MS else ''}"


def _fill(client: redis.Redis, registry: Registry, size: int) -> list[str]:
    """Ids of so many jobs with hashes as RQ's, in one list or registry, on a server otherwise empty."""
    # Valkey would free the old data in the background, next to what is measured.
    client.execute_command("FLUSHALL", "SYNC")
    ids = [f"{random.Random(number).getrandbits(128):032x}" for number in range(size)]
    pipeline = client.pipeline(transaction=False)
    for job_id in ids:
        fields = {"status": registry.value, "origin": "mail", "data": b"x" * 300, "enqueued_at": "2026-01-01T00:00:00.000000Z"}
        pipeline.hset(f"rq:job:{job_id}", mapping=fields)
        if registry is Registry.QUEUED:
            pipeline.rpush("rq:queue:mail", job_id)
        else:
            pipeline.zadd(f"rq:{registry}:mail", {job_id: 4e9})
        if len(pipeline) > 20_000:
            pipeline.execute()
    pipeline.execute()
    return ids


if __name__ == "__main__":
    run()
