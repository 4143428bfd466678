"""The overview: everything of one backend, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.model.queue import BackendSummary, QueueSummary, ServerFacts
from rqdash.queries import counts, decode, server, states
from rqdash.queries.counts import BATCH, Counted
from rqdash.queries.reading import read_lenient
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
    """What one round trip reads: at most 150 queues, and groups of at most 150 workers."""

    queues: tuple[str, ...]
    workers: tuple[tuple[str, ...], ...]


Read = tuple[list[Counted], list[WorkerState]]


def summary(backend: Backend, *, now: datetime) -> BackendSummary:
    """One backend counted: its queues by name (the first 2,000), its workers (1,000), its server.

    Reads <prefix>:queues, :workers, :suspended, INFO, and per queue its list, registries, scheduler lock and first job; per worker its
    hash. Two round trips for up to 150 queues and one more per 150 further; one more in all where scripts are denied. INFO denied
    makes the server's facts unknown, with the reason.
    """
    found = _found(backend)
    batches = _batches(found.queues.names[:MOST_QUEUES], found.workers.names[:MOST_WORKERS])
    counted, workers = backend.scripted(
        lambda: _by_script(backend, batches, now=now), otherwise=lambda: _by_pipeline(backend, batches, now=now)
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
    groups = [tuple(workers[start : start + BATCH]) for start in range(0, len(workers), BATCH)]
    starts = range(0, max(len(queues), 1), BATCH)
    step = len(starts)
    return [_Batch(tuple(queues[start : start + BATCH]), tuple(groups[index::step])) for index, start in enumerate(starts)]


def _by_script(backend: Backend, batches: Sequence[_Batch], *, now: datetime) -> Read:
    counted: list[Counted] = []
    workers: list[WorkerState] = []
    for batch in batches:
        calls = [states.by_script(backend.keys, group) for group in batch.workers]
        rows, *states_read = backend.read(counts.by_script(backend.keys, batch.queues, now=now), *calls)
        counted += map(counts.counted, decode.many(rows))
        workers += [states.worker_state(row) for group in states_read for row in decode.many(group)]
    return counted, workers


def _by_pipeline(backend: Backend, batches: Sequence[_Batch], *, now: datetime) -> Read:
    rows: list[list[object]] = []
    workers: list[WorkerState] = []
    for batch in batches:
        commands_of_queues = counts.by_pipeline(backend.keys, batch.queues, now=now)
        of_workers = [command for group in batch.workers for command in states.by_pipeline(backend.keys, group)]
        replies = read_lenient(backend, *commands_of_queues, *of_workers)
        rows += counts.rows_of(replies[: len(commands_of_queues)])
        workers += [states.worker_state(reply) for reply in replies[len(commands_of_queues) :]]
    heads = counts.heads(backend.keys, rows)
    moments = read_lenient(backend, *heads)
    return [counts.counted(row) for row in counts.with_heads(rows, moments)], workers


def _queues(backend: Backend, names: Sequence[str], counted: Sequence[Counted], workers: Sequence[WorkerState]) -> tuple[QueueSummary, ...]:
    pairs = list(zip(names, counted, strict=False))
    by_queue = states.listening(workers, [name for name, _ in pairs])
    return tuple(
        counts.summary(backend, name, counts=numbers, workers=by_queue[name][0], workers_busy=by_queue[name][1]) for name, numbers in pairs
    )
