"""What Redis holds under a job's id, read within bounds: by script in one round trip, or without scripts in three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.model.registry import Registry
from rqdash.queries import decode
from rqdash.queries.counts import PACKAGE
from rqdash.queries.reading import read_either, read_lenient

PACKED_BYTES = 1024 * 1024
OTHER_BYTES = 65536
LIMITS = {
    "data": PACKED_BYTES,
    "meta": PACKED_BYTES,
    "result": PACKED_BYTES,
    "exc_info": PACKED_BYTES,
    "dependency_ids": OTHER_BYTES,
    "webhooks": OTHER_BYTES,
    **dict.fromkeys(("origin", "worker_name", "dependency_id", "group_id", "rate_limit_key"), OTHER_BYTES),
}
"""Fields read whole up to so many bytes: a name that is cut is another name. Any other is cut to 2 KB, and over 64 KB not read.

A script reads 1 MB of those others, and no results beyond those that come to 1 MB.
"""
SETS = tuple(registry for registry in Registry if registry not in (Registry.QUEUED, Registry.INTERMEDIATE))
FARTHEST = 100_000
"""How far into a queue a job's position is looked for: 1.6 ms of the server's time."""
MOST_WORKERS = 1000
"""How many workers of its queue are looked at for one that lives."""
MOST_RELATIVES = 100
MOST_RESULTS = 10
Stream = list[tuple[bytes, dict[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class Stored:
    """One field: its size in bytes, and its value, cut to 2 KB or whole, or None when it is too large."""

    size: int
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be read once the job's own fields are known, as replies; None where a key is of another type.

    where: its places in the queue's list and in :intermediate, None also where its status tells where it is; then its scores in SETS, and
    those of its executions in the first of them. worker: birth and death of its worker, None without one; executions: a hash each;
    around: see job_around.
    """

    where: Sequence[object]
    worker: object
    executions: Sequence[object]
    around: object


@dataclass(frozen=True, slots=True)
class RawJob:
    """Everything of one job as stored. ttl_ms is PTTL's answer; executions are (execution id, deadline), newest deadline first.

    Of dependents and dependencies at most 100 are read; the totals are the sizes of their sets. seen is what a script read with it.
    """

    fields: dict[str, Stored]
    ttl_ms: int
    dependents: tuple[str, ...]
    dependencies: tuple[str, ...]
    results: Stream
    executions: tuple[tuple[str, float], ...]
    dependents_total: int
    dependencies_total: int
    seen: Seen | None = None

    def value(self, field: str) -> bytes | None:
        return self.fields[field].value if field in self.fields else None

    def size(self, field: str) -> int:
        return self.fields[field].size if field in self.fields else 0


def raw_job(backend: Backend, job_id: str) -> RawJob:
    """The job as stored; without fields when there is no such hash.

    Reads its hash, dependents, dependencies, results (ten) and executions, by script also where it is and what is around it.
    One round trip, or three where scripts are denied.
    """
    return read_either(backend, lambda: _by_script(backend, job_id), otherwise=lambda: _by_pipeline(backend, job_id))


def _by_script(backend: Backend, job_id: str) -> RawJob:
    script = load(PACKAGE, "job", includes=("common", "around"))
    limits = [word for pair in LIMITS.items() for word in pair]
    sets = ",".join("wip" if registry is Registry.STARTED else registry for registry in SETS)
    first = (decode.wire(backend.keys.prefix), decode.wire(job_id), sets, FARTHEST, MOST_WORKERS)
    (reply,) = backend.read(Call(script, arguments=(*first, *limits)))
    fields, *others, where, worker, executions, around = decode.many(reply)
    stored = {decode.name(name): _stored(size, value) for name, size, value in map(decode.many, decode.many(fields))}
    return replace(_raw(stored, others), seen=Seen(decode.many(where), worker, decode.many(executions), around))


def _by_pipeline(backend: Backend, job_id: str) -> RawJob:
    keys = backend.keys
    key = decode.wire(keys.job(job_id))
    names, ttl, dependents, dependencies, results, executions, *sizes = read_lenient(
        backend,
        ("HKEYS", key),
        ("PTTL", key),
        ("SSCAN", decode.wire(keys.dependents(job_id)), 0, "COUNT", MOST_RELATIVES),
        ("SSCAN", decode.wire(keys.dependencies(job_id)), 0, "COUNT", MOST_RELATIVES),
        ("XREVRANGE", decode.wire(keys.results(job_id)), "+", "-", "COUNT", MOST_RESULTS),
        ("ZREVRANGE", decode.wire(keys.executions(job_id)), 0, MOST_RESULTS - 1, "WITHSCORES"),
        ("SCARD", decode.wire(keys.dependents(job_id))),
        ("SCARD", decode.wire(keys.dependencies(job_id))),
    )
    fields = _fields(backend, key, decode.members(names))
    sets = [_scanned(dependents), _scanned(dependencies)]
    return _raw(fields, [ttl, *sets, results, executions, *sizes])


def _fields(backend: Backend, key: bytes, names: Sequence[bytes]) -> dict[str, Stored]:
    sizes = [decode.integer(size) or 0 for size in read_lenient(backend, *(("HSTRLEN", key, name) for name in names))]
    pairs = list(zip(names, sizes, strict=True))
    small = [name for name, size in pairs if size <= LIMITS.get(decode.name(name), OTHER_BYTES)]
    values = dict(zip(small, read_lenient(backend, *(("HGET", key, name) for name in small)), strict=True))
    return {decode.name(name): _stored(size, _cut(name, values.get(name))) for name, size in pairs}


def _cut(name: bytes, value: object) -> object:
    return value[: decode.SHOWN_BYTES] if isinstance(value, bytes) and decode.name(name) not in LIMITS else value


def _stored(size: object, value: object) -> Stored:
    return Stored(decode.integer(size) or 0, value if isinstance(value, bytes) else None)


def _scanned(reply: object) -> Sequence[object]:
    parts = decode.many(reply)
    return decode.many(parts[1]) if len(parts) == 2 else ()


def _raw(fields: dict[str, Stored], others: Sequence[object]) -> RawJob:
    ttl_ms, dependents, dependencies, results, executions, n_dependents, n_dependencies = others
    return RawJob(
        dict(sorted(fields.items())),
        decode.integer(ttl_ms) or 0,
        _names(dependents),
        _names(dependencies),
        decode.entries(results),
        tuple((decode.name(member), score) for member, score in decode.scored(executions)),
        decode.integer(n_dependents) or 0,
        decode.integer(n_dependencies) or 0,
    )


def _names(reply: object) -> tuple[str, ...]:
    return tuple(decode.name(member) for member in sorted(set(decode.members(reply)))[:MOST_RELATIVES])
