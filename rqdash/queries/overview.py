"""The overview: everything of one backend, counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.model.queue import BackendSummary, QueueSummary, ServerFacts
from rqdash.queries import counts, decode, server, states
from rqdash.queries.counts import BATCH, Counted
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.sets import Listed, commands, listed
from rqdash.queries.states import WorkerState

MOST_QUEUES = 2000
MOST_WORKERS = 1000


@dataclass(frozen=True, slots=True)
class _Found:
    """What the first round trip gives; suspended_ms is PTTL's answer: -2 not suspended, -1 for good."""

    queues: Listed
    workers: Listed
    suspended_ms: int
    server: ServerFacts


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one round trip reads: at most 150 queues, and an even share of the workers."""

    queues: Sequence[str]
    workers: Sequence[str]


Read = tuple[list[Counted], list[WorkerState]]


def summary(backend: Backend, *, now: datetime) -> BackendSummary:
    """One backend counted: its queues by name (the first 2,000), its workers (1,000), its server.

    Reads <prefix>:queues, :workers, :suspended, INFO, and per queue its list, registries, scheduler lock and first job; per worker its
    hash. Two round trips for up to 150 queues and one more per 150 further; one more in all where scripts are denied. INFO denied
    makes the server's facts unknown, with the reason.
    """
    found = _found(backend)
    batches = _batches(found.queues.names[:MOST_QUEUES], found.workers.names[:MOST_WORKERS])
    counted, workers = read_either(
        backend, lambda: _by_script(backend, batches, now=now), otherwise=lambda: _by_pipeline(backend, batches, now=now)
    )
    return BackendSummary(
        backend.name,
        now,
        queues=_queues(backend, found.queues.names, counted, workers),
        queues_total=found.queues.total,
        workers=sum(worker.state != "lost" for worker in workers),
        workers_busy=sum(worker.state == "busy" for worker in workers),
        workers_suspended=sum(worker.state == "suspended" for worker in workers),
        workers_lost=sum(worker.state == "lost" for worker in workers),
        workers_total=found.workers.total,
        rq_versions=tuple(sorted({worker.rq_version for worker in workers if worker.rq_version})),
        is_suspended=found.suspended_ms != -2,
        suspended_for_s=found.suspended_ms // 1000 if found.suspended_ms >= 0 else None,
        server=found.server,
    )


def _found(backend: Backend) -> _Found:
    keys = backend.keys
    sets = (*commands(keys.queues), *commands(keys.workers), ("PTTL", decode.wire(keys.suspended)))
    *replies, info = backend.read(*sets, ("INFO",), strict=False)
    queues, scan, workers, worker_scan, suspended = (decode.lenient(reply) for reply in replies)
    return _Found(
        listed(queues, scan, prefix=keys.queue("")),
        listed(workers, worker_scan, prefix=keys.worker("")),
        suspended if isinstance(suspended, int) else -2,
        server.facts(info),
    )


def _batches(queues: Sequence[str], workers: Sequence[str]) -> list[_Batch]:
    starts = range(0, max(len(queues), 1), BATCH)
    share = math.ceil(len(workers) / len(starts))
    return [_Batch(queues[start : start + BATCH], workers[at * share : (at + 1) * share]) for at, start in enumerate(starts)]


def _by_script(backend: Backend, batches: Sequence[_Batch], *, now: datetime) -> Read:
    counted: list[Counted] = []
    workers: list[WorkerState] = []
    for batch in batches:
        of_queues = counts.by_script(backend.keys, batch.queues, now=now)
        replies = backend.read(*of_queues, *states.by_script(backend.keys, batch.workers))
        counted += [counts.counted(row) for rows in replies[: len(of_queues)] for row in decode.many(rows)]
        workers += [states.worker_state(row) for rows in replies[len(of_queues) :] for row in decode.many(rows)]
    return counted, workers


def _by_pipeline(backend: Backend, batches: Sequence[_Batch], *, now: datetime) -> Read:
    rows: list[list[object]] = []
    workers: list[WorkerState] = []
    for batch in batches:
        of_queues = counts.by_pipeline(backend.keys, batch.queues, now=now)
        replies = read_lenient(backend, *of_queues, *states.by_pipeline(backend.keys, batch.workers))
        rows += counts.rows_of(replies[: len(of_queues)])
        workers += [states.worker_state(reply) for reply in replies[len(of_queues) :]]
    moments = read_lenient(backend, *counts.heads(backend.keys, rows))
    return [counts.counted(row) for row in counts.with_heads(rows, moments)], workers


def _queues(backend: Backend, names: Sequence[str], counted: Sequence[Counted], workers: Sequence[WorkerState]) -> tuple[QueueSummary, ...]:
    pairs = list(zip(names, counted, strict=False))
    by_queue = states.listening(workers, [name for name, _ in pairs])
    return tuple(
        counts.summary(backend, name, counts=numbers, workers=by_queue[name][0], workers_busy=by_queue[name][1]) for name, numbers in pairs
    )
