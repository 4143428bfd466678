"""The workers of one backend, and what is without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.errors import NotFound
from rqdash.model.worker import Worker, WorkerList
from rqdash.queries import attended, decode, rows, worker_rows, workers_by_pipeline
from rqdash.queries.attended import Attended
from rqdash.queries.counts import PACKAGE, parts
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.sets import Listed, commands, listed
from rqdash.queries.worker_rows import RawWorker

MOST_WORKERS = 1000
MOST_QUEUES = 2000
BATCH = 200
"""Workers, and queues, one round trip may read: as many as a wall shows at once."""
NOT_SUSPENDED = -2


@dataclass(slots=True)
class Found:
    """What the further round trips give, in the order of the names."""

    workers: list[RawWorker] = field(default_factory=list)
    queues: list[Attended] = field(default_factory=list)


def workers(backend: Backend, *, now: datetime, limit: int = MOST_WORKERS) -> WorkerList:
    """The workers that RQ lists, by name, at most limit, each with what it runs; and of the first 2,000 queues what is without a worker.

    Reads <prefix>:workers, :queues and :suspended; per worker its hash, its executions and the job it runs; per queue the length of its
    list and up to 16 entries of its started registry with their workers. Two round trips for up to 200 workers and queues and one more per
    200 further; where scripts are denied, four, and three more per 200 further.
    """
    keys = backend.keys
    sets = (*commands(keys.workers), *commands(keys.queues), ("PTTL", decode.wire(keys.suspended)))
    size, scan, queues_size, queues_scan, suspended = read_lenient(backend, *sets)
    found = listed(size, scan, prefix=keys.worker(""))
    queues = listed(queues_size, queues_scan, prefix=keys.queue("")).names[:MOST_QUEUES]
    names = found.names[: max(limit, 0)]
    raw = read_found(backend, names, queues)
    read = [worker_rows.worker(row, backend=backend, name=name) for name, row in zip(names, raw.workers, strict=True)]
    made = WorkerList(backend.name, now, tuple(read), found.total, *suspension(suspended, now=now))
    left = attended.left_jobs(backend, raw.queues)
    return replace(made, unattended=attended.unattended(raw.queues, read) if _is_whole(found, read) else None, left=left)


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
    (raw,) = read_found(backend, [name], []).workers
    found = worker_rows.worker(raw, backend=backend, name=name)
    if found.state == "lost" and not is_listed:
        raise NotFound(f"{backend.name} has no worker of this name. It may have ended since.")
    return found


def read_found(backend: Backend, names: Sequence[str], queues: Sequence[str]) -> Found:
    """These workers and queues as stored; one round trip for up to 200 of both, three where scripts are denied."""
    found = Found()
    for start in range(0, max(len(names), len(queues)), BATCH):
        part, of_queues = names[start : start + BATCH], queues[start : start + BATCH]
        script, pipeline = (partial(way, backend, part, of_queues) for way in (_by_script, workers_by_pipeline.read))
        raws, read = read_either(backend, script, otherwise=pipeline)
        found.workers += raws
        found.queues += read
    return found


def _is_whole(found: Listed, read: Sequence[Worker]) -> bool:
    """Whether all workers there are were read: only then is it known who listens to a queue."""
    return found.is_whole and len(read) >= found.total


def _by_script(backend: Backend, names: Sequence[str], queues: Sequence[str]) -> tuple[list[RawWorker], list[Attended]]:
    script = load(PACKAGE, "workers", includes=("common", "row"))
    fields = (decode.wire(backend.keys.prefix), ",".join(worker_rows.FIELDS), ",".join(rows.FIELDS))
    calls = [Call(script, arguments=(*fields, *map(decode.wire, part))) for part in parts(names)]
    replies = backend.read(*calls, *attended.by_script(backend.keys, queues))
    raws = [worker_rows.raw_worker(row) for reply in replies[: len(calls)] for row in decode.many(reply)]
    read = [row for reply in replies[len(calls) :] for row in decode.many(reply)]
    return raws, [attended.attended(row, queue=queue) for queue, row in zip(queues, read, strict=True)]
