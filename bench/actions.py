"""How long the actions hold a server: 200 jobs scattered over short and long lists and registries, by its own SLOWLOG."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench.snapshots import kept, restored
from bench.tables import Table, Verdict
from rqdash.access.actor import Actor
from rqdash.access.audit import Audit
from rqdash.actions import cancel, delete, empty, move, requeue
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry
from rqdash.store import open_store

BATCH = 200
LIMIT_MS = 5.0
LOGGED_US = 100
"""SLOWLOG's threshold: at 0 it would log each command inside a script too, and that is most of the time then."""

Action = Callable[[Backend, Actor, Sequence[str]], object]


@dataclass(frozen=True, slots=True)
class Case:
    """One action on 200 jobs scattered over a registry."""

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


def table(sizes: Sequence[int], *, rounds: int) -> Table:
    """The longest that one call of each action held the server, the median of the rounds, by the list's or registry's size."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        store = open_store("", data_dir=folder)
        actor = Actor("command line", "bench", "", Audit(store))
        dumps = {
            (registry, size): kept(folder, f"{registry}-{size}", make=_filler(registry, size))
            for registry in (Registry.QUEUED, Registry.FAILED)
            for size in sizes
        }
        found = {
            (case.name, size): median(_longest_ms(dumps[case.registry, size], case, actor, number) for number in range(rounds))
            for case in CASES
            for size in sizes
        }
        store.close()
    rows = [(case.name, *(round(found[case.name, size], 2) for size in sizes)) for case in CASES]
    longest = {case.name: max(found[case.name, size] for size in sizes) for case in CASES}
    verdicts = [Verdict(f"{name}, 200 jobs", f"{ms:.1f} ms", f"{LIMIT_MS:.0f} ms", ms <= LIMIT_MS) for name, ms in longest.items()]
    head = (f"{BATCH} jobs of", *(f"{size:,}" for size in sizes))
    return Table("The longest call of an action, ms", head, rows, f"By SLOWLOG, the median of {rounds} rounds.", verdicts)


def _longest_ms(dump: Path, case: Case, actor: Actor, number: int) -> float:
    with restored(dump) as server, _backend(server) as backend, server.client() as client:
        name = "rq:queue:mail" if case.registry is Registry.QUEUED else f"rq:{case.registry}:mail"
        stored = client.lrange(name, 0, -1) if case.registry is Registry.QUEUED else client.zrange(name, 0, -1)
        chosen = random.Random(number).sample([raw.decode() for raw in stored], BATCH)
        client.config_set("slowlog-log-slower-than", LOGGED_US)
        client.slowlog_reset()
        case.action(backend, actor, chosen)
        client.config_set("slowlog-log-slower-than", -1)
        return max((entry["duration"] for entry in client.slowlog_get(128)), default=0) / 1000


@contextmanager
def _backend(server: Server) -> Iterator[Backend]:
    profile, retry = Profile(name="bench", host="127.0.0.1", port=server.port), Retry(NoBackoff(), 0)
    backend = Backend(profile, reader=server.client(retry=retry), writer=server.client(retry=retry))
    try:
        yield backend
    finally:
        backend.close()


def _filler(registry: Registry, size: int) -> Callable[[redis.Redis], None]:
    """So many jobs with hashes as RQ's, in one list or registry."""

    def make(client: redis.Redis) -> None:
        with client.pipeline(transaction=False) as pipeline:
            for number in range(size):
                job_id = f"{random.Random(number).getrandbits(128):032x}"
                fields = {"status": registry.value, "origin": "mail", "data": b"x" * 300, "enqueued_at": "2026-01-01T00:00:00.000000Z"}
                pipeline.hset(f"rq:job:{job_id}", mapping=fields)
                if registry is Registry.QUEUED:
                    pipeline.rpush("rq:queue:mail", job_id)
                else:
                    pipeline.zadd(f"rq:{registry}:mail", {job_id: 4e9})
                if len(pipeline) > 20_000:
                    pipeline.execute()
            pipeline.execute()

    return make
