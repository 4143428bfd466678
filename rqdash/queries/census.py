"""What the history keeps of one backend, read as cheaply as can be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.model.census import Census, WorkerCount
from rqdash.queries import counts, decode, states
from rqdash.queries.counts import BATCH, PACKAGE, Counted, parts
from rqdash.queries.overview import MOST_QUEUES, MOST_WORKERS
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.sets import commands, listed
from rqdash.queries.states import WorkerState
from rqdash.queries.workers import suspension

FIELDS = (*states.FIELDS, "successful_job_count", "failed_job_count")

Rows = tuple[list[Counted], list[Sequence[object]]]


def census(backend: Backend, *, now: datetime) -> Census:
    """One backend counted: its queues by name (the first 2,000) and its workers (1,000).

    Reads <prefix>:queues, :workers, :suspended, and per queue its list, registries and the job at its head; per worker its hash. Two
    round trips for up to 150 queues or workers and one more per 150 further; where scripts are denied one more per 150.
    """
    keys = backend.keys
    replies = read_lenient(backend, *commands(keys.queues), *commands(keys.workers), ("PTTL", decode.wire(keys.suspended)))
    queues = listed(replies[0], replies[1], prefix=keys.queue(""))
    workers = listed(replies[2], replies[3], prefix=keys.worker(""))
    names, known = queues.names[:MOST_QUEUES], workers.names[:MOST_WORKERS]
    counted, hashes = _rows(backend, names, known, now=now)
    pairs = list(zip(names, counted, strict=False))
    by_queue = states.listening([_state(row) for row in hashes], names)
    return Census(
        backend.name,
        now,
        tuple(counts.summary(backend, name, counts=row, workers=by_queue[name][0], workers_busy=by_queue[name][1]) for name, row in pairs),
        queues.total,
        tuple(_worker(name, row) for name, row in zip(known, hashes, strict=False)),
        workers.total,
        suspension(replies[4], now=now)[0],
    )


def _rows(backend: Backend, queues: Sequence[str], workers: Sequence[str], *, now: datetime) -> Rows:
    found: Rows = ([], [])
    for start in range(0, max(len(queues), len(workers)), BATCH):
        some = (queues[start : start + BATCH], workers[start : start + BATCH])
        script, pipeline = (partial(way, backend, *some, now=now) for way in (_by_script, _by_pipeline))
        rows, hashes = read_either(backend, script, otherwise=pipeline)
        found[0].extend(rows)
        found[1].extend(hashes)
    return found


def _by_script(backend: Backend, queues: Sequence[str], workers: Sequence[str], *, now: datetime) -> Rows:
    keys = backend.keys
    of_queues = counts.by_script(keys, queues, now=now)
    script = load(PACKAGE, "hashes", includes=("common",))
    of_workers = [Call(script, arguments=(",".join(FIELDS), *(decode.wire(keys.worker(name)) for name in part))) for part in parts(workers)]
    replies = [decode.many(reply) for reply in backend.read(*of_queues, *of_workers)]
    rows = [counts.counted(row) for reply in replies[: len(of_queues)] for row in reply]
    return rows, [decode.many(row) for reply in replies[len(of_queues) :] for row in reply]


def _by_pipeline(backend: Backend, queues: Sequence[str], workers: Sequence[str], *, now: datetime) -> Rows:
    keys = backend.keys
    of_queues = counts.by_pipeline(keys, queues, now=now)
    of_workers: list[Command] = [("HMGET", decode.wire(keys.worker(name)), *FIELDS) for name in workers]
    replies = read_lenient(backend, *of_queues, *of_workers)
    rows = counts.rows_of(replies[: len(of_queues)])
    heads = read_lenient(backend, *counts.heads(keys, rows))
    return [counts.counted(row) for row in counts.with_heads(rows, heads)], [decode.many(row) for row in replies[len(of_queues) :]]


def _state(row: Sequence[object]) -> WorkerState:
    return states.worker_state(row[: len(states.FIELDS)])


def _worker(name: str, row: Sequence[object]) -> WorkerCount:
    birth, state, _, _, finished, failed = row if len(row) == len(FIELDS) else (None,) * len(FIELDS)
    found = states.state_of(birth=birth, state=state)
    return WorkerCount(name, decode.text(birth, limit=40), found, decode.integer(finished) or 0, decode.integer(failed) or 0)
