"""The workers of one backend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.errors import NotFound
from rqdash.model.worker import Worker, WorkerList
from rqdash.queries import decode, rows, worker_rows
from rqdash.queries.counts import BATCH, PACKAGE, parts
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.sets import commands, listed
from rqdash.queries.worker_rows import RawWorker

MOST_WORKERS = 1000
NOT_SUSPENDED = -2


def workers(backend: Backend, *, now: datetime, limit: int = MOST_WORKERS) -> WorkerList:
    """The workers that RQ lists, by name, at most limit, each with what it runs.

    Reads <prefix>:workers and :suspended; per worker its hash, its executions and the job it runs. Two round trips for up to 150
    workers and one more per 150 further; where scripts are denied, four, and three more per 150 further.
    """
    keys = backend.keys
    size, scan, suspended = read_lenient(backend, *commands(keys.workers), ("PTTL", decode.wire(keys.suspended)))
    found = listed(size, scan, prefix=keys.worker(""))
    names = found.names[: max(limit, 0)]
    batches = [names[start : start + BATCH] for start in range(0, len(names), BATCH)]
    raws = [raw for batch in batches for raw in _read(backend, batch)]
    read = (worker_rows.worker(raw, backend=backend, name=name) for name, raw in zip(names, raws, strict=True))
    return WorkerList(backend.name, now, tuple(read), found.total, *suspension(suspended, now=now))


def suspension(reply: object, *, now: datetime) -> tuple[bool, datetime | None]:
    """Whether workers are suspended, and until when to the second (None = no end), from PTTL's answer for <prefix>:suspended."""
    left_ms = reply if isinstance(reply, int) else NOT_SUSPENDED
    until = (now + timedelta(milliseconds=left_ms + 500)).replace(microsecond=0) if left_ms >= 0 else None
    return left_ms != NOT_SUSPENDED, until


def worker(backend: Backend, name: str, *, now: datetime) -> Worker:  # noqa: ARG001  every query takes now; this one has no use for it yet
    """One worker, with what it runs; "lost" when RQ lists it and its hash is gone.

    Raises NotFound when it is neither listed nor has a hash. Two round trips, or four where scripts are denied.
    """
    keys = backend.keys
    (is_listed,) = read_lenient(backend, ("SISMEMBER", decode.wire(keys.workers), decode.wire(keys.worker(name))))
    (raw,) = _read(backend, [name])
    found = worker_rows.worker(raw, backend=backend, name=name)
    if found.state == "lost" and not is_listed:
        raise NotFound(f"{backend.name} has no worker of this name. It may have ended since.")
    return found


def _read(backend: Backend, names: Sequence[str]) -> list[RawWorker]:
    return read_either(backend, lambda: _by_script(backend, names), otherwise=lambda: _by_pipeline(backend, names))


def _by_script(backend: Backend, names: Sequence[str]) -> list[RawWorker]:
    script = load(PACKAGE, "workers", includes=("common", "row"))
    fields = (decode.wire(backend.keys.prefix), ",".join(worker_rows.FIELDS), ",".join(rows.FIELDS))
    replies = backend.read(*(Call(script, arguments=(*fields, *map(decode.wire, part))) for part in parts(names)))
    return [worker_rows.raw_worker(row) for reply in replies for row in decode.many(reply)]


def _by_pipeline(backend: Backend, names: Sequence[str]) -> list[RawWorker]:
    replies = read_lenient(backend, *(command for name in names for command in _commands(backend, name)))
    plain = [(tuple(decode.many(replies[at])), replies[at + 1], replies[at + 2]) for at in range(0, len(replies), 3)]
    composites = [worker_rows.running(values, _executions(scan)) for values, _, scan in plain]
    ids = [worker_rows.job_and_execution(composite)[0] for composite in composites if composite]
    jobs = rows.commands(backend.keys, ids)
    begun = [("HGET", decode.wire(backend.keys.execution("")) + composite, "created_at") for composite in composites if composite]
    replies = read_lenient(backend, *jobs, *begun)
    of_jobs, moments = replies[: len(jobs)], iter(replies[len(jobs) :])
    data = read_lenient(backend, *rows.data_commands(backend.keys, ids, of_jobs))
    raws = iter(rows.raw_rows(of_jobs, data))
    return [
        RawWorker(values, ttl_ms, composite, next(moments), next(raws)) if composite else RawWorker(values, ttl_ms)
        for (values, ttl_ms, _), composite in zip(plain, composites, strict=True)
    ]


def _commands(backend: Backend, name: str) -> list[Command]:
    key = decode.wire(backend.keys.worker(name))
    executions = decode.wire(backend.keys.worker_executions(name))
    return [("HMGET", key, *worker_rows.FIELDS), ("PTTL", key), ("SSCAN", executions, 0, "COUNT", 10)]


def _executions(scan: object) -> list[bytes]:
    parts = decode.many(scan)
    return decode.members(parts[1]) if len(parts) == 2 else []
