"""The overview: everything of one backend, counted."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.backends.backend import Backend
from rqdash.errors import BackendError
from rqdash.model import attention
from rqdash.model.queue import BackendSummary, QueueSummary, ServerFacts
from rqdash.model.trouble import QueueTrouble, Troubles
from rqdash.queries import counts, cron_facts, decode, server, states, trouble
from rqdash.queries.counts import BATCH, Counted
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.sets import Listed, commands, listed
from rqdash.queries.states import WorkerState
from rqdash.queries.workers import suspension

MOST_QUEUES = 2000
MOST_WORKERS = 1000
MOST_LOST = 10
clock = time.time
"""Our own clock, against which the server's is compared."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the first round trip gives; suspended_ms is PTTL's answer: -2 not suspended, -1 for good."""

    queues: Listed
    workers: Listed
    suspended_ms: int
    server: ServerFacts
    cron: cron_facts.Listed


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one round trip reads: at most 150 queues, and an even share of the workers."""

    queues: Sequence[str]
    workers: Sequence[str]


@dataclass(slots=True)
class _Read:
    """What the further round trips give: rows of the queues and of the workers, in their order, and what cron schedulers say."""

    counted: list[Counted] = field(default_factory=list)
    workers: list[WorkerState] = field(default_factory=list)
    troubles: list[object] = field(default_factory=list)
    cron_jobs: dict[bytes, object] = field(default_factory=dict)


def summary(backend: Backend, *, now: datetime) -> BackendSummary:
    """One backend counted: its queues by name (the first 2,000), its workers (1,000), its server, and what needs attention.

    Reads <prefix>:queues, :workers, :suspended, :cron_schedulers, :cron_jobs, INFO, and per queue its list, registries, scheduler lock
    and the jobs at their ends; per worker its hash. Two round trips for up to 150 queues and one more per 150 further; two more in all
    where scripts are denied, and two where two cron schedulers are alive there. INFO denied makes the server's facts unknown, with
    the reason.
    """
    found = _found(backend)
    batches = _batches(found.queues.names[:MOST_QUEUES], found.workers.names[:MOST_WORKERS])
    script, pipeline = (partial(way, backend, batches, found=found, now=now) for way in (_by_script, _by_pipeline))
    read = read_either(backend, script, otherwise=pipeline)
    counted = _summary(backend, found, read, now=now)
    return replace(counted, attention=attention.items(backend.profile, counted, troubles=_troubles(backend, found, read, now=now)))


def _summary(backend: Backend, found: _Found, read: _Read, *, now: datetime) -> BackendSummary:
    workers = read.workers
    return BackendSummary(
        backend.name,
        now,
        queues=_queues(backend, found.queues.names, read.counted, workers),
        queues_total=found.queues.total,
        workers=sum(worker.state != "lost" for worker in workers),
        workers_busy=sum(worker.state == "busy" for worker in workers),
        workers_suspended=sum(worker.state == "suspended" for worker in workers),
        workers_lost=sum(worker.state == "lost" for worker in workers),
        workers_total=found.workers.total,
        rq_versions=tuple(sorted({worker.rq_version for worker in workers if worker.rq_version})),
        is_suspended=found.suspended_ms != -2,
        suspended_for_s=found.suspended_ms // 1000 if found.suspended_ms >= 0 else None,
        suspended_until=suspension(found.suspended_ms, now=now)[1],
        server=found.server,
    )


def _troubles(backend: Backend, found: _Found, read: _Read, *, now: datetime) -> Troubles:
    pairs = zip(found.queues.names, read.troubles, strict=False)
    rows = (trouble.queue_trouble(row, name=name) for name, row in pairs)
    lost = [name for name, worker in zip(found.workers.names, read.workers, strict=False) if worker.state == "lost"]
    return Troubles(
        tuple(row for row in rows if row != QueueTrouble(row.queue)),
        tuple(lost[:MOST_LOST]),
        cron_facts.facts(backend, found.cron, jobs=read.cron_jobs, now=now),
    )


def _found(backend: Backend) -> _Found:
    keys = backend.keys
    sets = (*commands(keys.queues), *commands(keys.workers), ("PTTL", decode.wire(keys.suspended)))
    sent_s = clock()
    *replies, schedulers, cron_jobs, info = backend.read(*sets, *cron_facts.commands(keys), ("INFO",), strict=False)
    skew_s = server.skew_s(info, sent_s=sent_s, answered_s=clock())
    queues, scan, workers, worker_scan, suspended = (decode.lenient(reply) for reply in replies)
    return _Found(
        listed(queues, scan, prefix=keys.queue("")),
        listed(workers, worker_scan, prefix=keys.worker("")),
        suspended if isinstance(suspended, int) else -2,
        replace(server.facts(info), clock_skew_s=skew_s),
        cron_facts.listed(*(None if isinstance(reply, BackendError) else reply for reply in (schedulers, cron_jobs))),
    )


def _batches(queues: Sequence[str], workers: Sequence[str]) -> list[_Batch]:
    starts = range(0, max(len(queues), 1), BATCH)
    share = math.ceil(len(workers) / len(starts))
    return [_Batch(queues[start : start + BATCH], workers[at * share : (at + 1) * share]) for at, start in enumerate(starts)]


def _by_script(backend: Backend, batches: Sequence[_Batch], *, found: _Found, now: datetime) -> _Read:
    read, keys = _Read(), backend.keys
    asked = cron_facts.by_script(backend, found.cron, now=now)
    for batch in batches:
        of_queues = counts.by_script(keys, batch.queues, now=now)
        of_troubles = trouble.by_script(keys, batch.queues, now=now)
        replies = iter(backend.read(*of_queues, *of_troubles, *asked, *states.by_script(keys, batch.workers)))
        read.counted += [counts.counted(row) for _ in of_queues for row in decode.many(next(replies))]
        read.troubles += [row for _ in of_troubles for row in decode.many(next(replies))]
        read.cron_jobs |= cron_facts.lists([next(replies) for _ in asked])
        read.workers += [states.worker_state(row) for rows in replies for row in decode.many(rows)]
        asked = []
    return read


def _by_pipeline(backend: Backend, batches: Sequence[_Batch], *, found: _Found, now: datetime) -> _Read:
    read, keys = _Read(), backend.keys
    rows: list[list[object]] = []
    firsts: list[object] = []
    for batch in batches:
        of_queues, of_troubles = counts.by_pipeline(keys, batch.queues, now=now), trouble.by_pipeline(keys, batch.queues)
        replies = read_lenient(backend, *of_queues, *of_troubles, *states.by_pipeline(keys, batch.workers))
        rows += counts.rows_of(replies[: len(of_queues)])
        firsts += replies[len(of_queues) :][: len(of_troubles)]
        read.workers += [states.worker_state(reply) for reply in replies[len(of_queues) + len(of_troubles) :]]
    names = [name for batch in batches for name in batch.queues]
    heads = counts.heads(keys, rows)
    second = trouble.second(keys, names, firsts=firsts, now=now)
    replies = read_lenient(backend, *heads, *second.commands)
    read.counted = [counts.counted(row) for row in counts.with_heads(rows, replies[: len(heads)])]
    last = trouble.last(keys, second, replies=replies[len(heads) :])
    read.troubles += trouble.rows_of(last, replies=read_lenient(backend, *last.commands))
    read.cron_jobs = cron_facts.by_pipeline(backend, found.cron, now=now)
    return read


def _queues(backend: Backend, names: Sequence[str], counted: Sequence[Counted], workers: Sequence[WorkerState]) -> tuple[QueueSummary, ...]:
    pairs = list(zip(names, counted, strict=False))
    by_queue = states.listening(workers, [name for name, _ in pairs])
    return tuple(
        counts.summary(backend, name, counts=numbers, workers=by_queue[name][0], workers_busy=by_queue[name][1]) for name, numbers in pairs
    )
