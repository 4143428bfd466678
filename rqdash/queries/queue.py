"""One queue, counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.errors import NotFound
from rqdash.model.queue import QueueSummary
from rqdash.queries import counts, decode, states
from rqdash.queries.counts import Counted
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.states import WorkerState

MOST_WORKERS = 1000

Read = tuple[Counted, bool, list[WorkerState]]


def summary_of(backend: Backend, name: str, *, now: datetime) -> QueueSummary:
    """One queue's counts, with the live workers that listen to it (of the first 1,000).

    Reads its list and registries, its first job, <prefix>:workers:<queue> and those workers' hashes. One round trip, or two where
    scripts are denied. Raises NotFound when RQ lists no such queue and none of its keys exists.
    """
    counted, is_listed, workers = read_either(
        backend, lambda: _by_script(backend, name, now=now), otherwise=lambda: _by_pipeline(backend, name, now=now)
    )
    if counted.is_empty and not is_listed:
        raise NotFound(f"{backend.name} has no queue of this name. It may have been deleted, or its prefix differs.")
    live = [worker for worker in workers if worker.state != "lost"]
    busy = sum(worker.state == "busy" for worker in live)
    return counts.summary(backend, name, counts=counted, workers=len(live), workers_busy=busy, is_listed=is_listed)


def _by_script(backend: Backend, name: str, *, now: datetime) -> Read:
    script = load(counts.PACKAGE, "queue", includes=("common", "tally"))
    words = (decode.wire(backend.keys.prefix), counts.seconds(now), decode.wire(name), ",".join(states.FIELDS), MOST_WORKERS)
    (reply,) = backend.read(Call(script, arguments=words))
    row, is_listed, workers = decode.many(reply)
    return counts.counted(row), bool(is_listed), [states.worker_state(worker) for worker in decode.many(workers)]


def _by_pipeline(backend: Backend, name: str, *, now: datetime) -> Read:
    keys = backend.keys
    replies = read_lenient(
        backend,
        *counts.by_pipeline(keys, [name], now=now),
        ("SISMEMBER", decode.wire(keys.queues), decode.wire(keys.queue(name))),
        ("SSCAN", decode.wire(keys.queue_workers(name)), 0, "COUNT", MOST_WORKERS),
    )
    *counted, is_listed, scan = replies
    rows = counts.rows_of(counted)
    workers = _workers(backend, scan)
    heads = counts.heads(keys, rows)
    replies = read_lenient(backend, *(("HMGET", worker, *states.FIELDS) for worker in workers), *heads)
    found = [states.worker_state(reply) for reply in replies[: len(workers)]]
    (row,) = counts.with_heads(rows, replies[len(workers) :])
    return counts.counted(row), bool(is_listed), found


def _workers(backend: Backend, scan: object) -> Sequence[bytes]:
    parts = decode.many(scan)
    start = decode.wire(backend.keys.worker(""))
    return [key for key in decode.members(parts[1] if len(parts) == 2 else ())[:MOST_WORKERS] if key.startswith(start)]
