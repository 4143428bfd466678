"""The scheduled jobs of all queues of a backend by due time, and which scheduler looks after each queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.model.job import JobRow
from rqdash.model.registry import Registry
from rqdash.model.schedule import OVERDUE_S, Holder, Scheduled, ScheduledJob, ScheduledQueue, Timetable
from rqdash.queries import counts, decode, rows
from rqdash.queries.cron import cron
from rqdash.queries.due_rows import DueRow, due_rows
from rqdash.queries.overview import MOST_QUEUES
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.sets import Listed, commands, listed

MOST_ENTRIES = 5_000
"""Entries of all queues together that one reading merges."""
FEWEST = 20
"""Entries read of each queue however many queues there are."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which scheduled jobs are wanted: the first most by due time, of the queues that on_queue takes.

    With takes, the first most are looked at and those are given that it takes.
    """

    most: int
    on_queue: Callable[[str], bool] = field(default=lambda _: True)
    takes: Callable[[JobRow], bool] | None = None


def timetable(backend: Backend, asked: Asked, *, now: datetime) -> Timetable:
    """The cron jobs of a backend and its scheduled jobs: cron() and scheduled(), one after the other."""
    return Timetable(cron(backend, now=now), scheduled(backend, asked, now=now))


def scheduled(backend: Backend, asked: Asked, *, now: datetime) -> Scheduled:
    """The scheduled jobs that are due first, over the queues RQ lists (the first 2,000 by name).

    Reads <prefix>:queues; per queue :scheduled:<queue> and :scheduler-lock:<queue> with the scheduler it names; the jobs. One round trip
    for the names, one per 150 queues, one for the entries and one per 200 jobs; where scripts are denied one more of the second and the
    last kind.
    """
    known = listed(*read_lenient(backend, *commands(backend.keys.queues)), prefix=backend.keys.queue(""))
    chosen = [name for name in known.names[:MOST_QUEUES] if asked.on_queue(name)]
    starts = range(0, len(chosen), counts.BATCH)
    queues = [queue for start in starts for queue in _sizes(backend, chosen[start : start + counts.BATCH], now=now)]
    found, until = _entries(backend, queues, most=asked.most)
    jobs = _jobs(backend, found, {queue.name: queue for queue in queues}, now=now)
    if asked.takes is not None:
        takes = asked.takes
        jobs = [job for job in jobs if takes(job.job)]
    return _whole(backend, queues, jobs, known, until=until, looked=len(found), now=now)


def _whole(
    backend: Backend,
    queues: Sequence[ScheduledQueue],
    jobs: Sequence[ScheduledJob],
    known: Listed,
    *,
    until: datetime | None,
    looked: int,
    now: datetime,
) -> Scheduled:
    return Scheduled(
        backend.name,
        tuple(sorted(queues, key=lambda queue: (-queue.overdue, queue.name))),
        tuple(jobs),
        total=sum(queue.total for queue in queues),
        looked=looked,
        until=until,
        names_read=min(len(known.names), MOST_QUEUES),
        names_total=known.total,
        as_of=now,
    )


def _sizes(backend: Backend, names: Sequence[str], *, now: datetime) -> list[ScheduledQueue]:
    """The queues that hold scheduled jobs."""
    overdue_s = repr(now.timestamp() - OVERDUE_S)
    read = read_either(
        backend, partial(_sizes_by_script, backend, names, overdue_s), otherwise=partial(_sizes_by_pipeline, backend, names, overdue_s)
    )
    return [ScheduledQueue(name, total, overdue, _holder(lock, who)) for name, total, overdue, lock, who in read]


def _holder(lock: object, who: object) -> Holder | None:
    """Who a lock names: a process id up to RQ 2.9, since then a scheduler that says its host and process."""
    if not isinstance(lock, bytes):
        return None
    host, pid = [*decode.many(who), None, None][:2]
    is_pid = lock.isdigit() and len(lock) < 10
    return Holder("" if is_pid else decode.name(lock[:200]), decode.text(host), decode.integer(lock if is_pid else pid))


Size = tuple[str, int, int, object, object]


def _sizes_by_script(backend: Backend, names: Sequence[str], overdue_s: str) -> list[Size]:
    script = load(counts.PACKAGE, "schedule", includes=("common",))
    parts = counts.parts(names)
    first = (decode.wire(backend.keys.prefix), overdue_s)
    replies = backend.read(*(Call(script, arguments=(*first, *map(decode.wire, part))) for part in parts))
    found = [(part, decode.many(row)) for part, reply in zip(parts, replies, strict=True) for row in decode.many(reply)]
    return [
        (part[(decode.integer(at) or 1) - 1], decode.integer(total) or 0, decode.integer(overdue) or 0, lock, who)
        for part, (at, total, overdue, lock, who) in found
    ]


def _sizes_by_pipeline(backend: Backend, names: Sequence[str], overdue_s: str) -> list[Size]:
    keys = backend.keys
    asked = []
    for name in names:
        key = _key(backend, name)
        asked += [("ZCARD", key), ("ZCOUNT", key, "-inf", overdue_s), ("GET", decode.wire(keys.scheduler_lock(name)))]
    replies = read_lenient(backend, *asked)
    locks = replies[2::3]
    named = list(dict.fromkeys(lock for lock in locks if isinstance(lock, bytes)))
    start = decode.wire(keys.scheduler(""))
    who = dict(zip(named, read_lenient(backend, *(("HMGET", start + lock, "hostname", "pid") for lock in named)), strict=True))
    found = zip(names, replies[::3], replies[1::3], locks, strict=True)
    return [
        (name, total, decode.integer(overdue) or 0, lock, who.get(lock) if isinstance(lock, bytes) else None)
        for name, size, overdue, lock in found
        if (total := decode.integer(size) or 0)
    ]


Entry = tuple[str, bytes, float]
"""Queue, member and score."""


def _entries(backend: Backend, queues: Sequence[ScheduledQueue], *, most: int) -> tuple[list[Entry], datetime | None]:
    """The first entries of the queues, and up to when none is missing where a queue holds more than was read of it."""
    each = min(most, max(FEWEST, MOST_ENTRIES // max(len(queues), 1)))
    replies = read_lenient(backend, *(("ZRANGE", _key(backend, queue.name), 0, each - 1, "WITHSCORES") for queue in queues))
    read = [(queue, decode.scored(reply)) for queue, reply in zip(queues, replies, strict=True)]
    found = sorted(((queue.name, *pair) for queue, pairs in read for pair in pairs), key=lambda entry: (entry[2], entry[0], entry[1]))
    cut = [pairs[-1][1] for queue, pairs in read if pairs and queue.total > len(pairs)]
    kept = [entry for entry in found if not cut or entry[2] <= min(cut)][:most]
    # With as many as were wanted, what was not read comes after them all.
    return kept, None if len(kept) == most or not cut else decode.at(min(cut))


def _jobs(backend: Backend, found: Sequence[Entry], queues: dict[str, ScheduledQueue], *, now: datetime) -> list[ScheduledJob]:
    due = due_rows(backend, [decode.name(member) for _, member, _ in found])
    return [_job(backend, entry, row, queues[entry[0]], now=now) for entry, row in zip(found, due, strict=True)]


def _job(backend: Backend, entry: Entry, due: DueRow, queue: ScheduledQueue, *, now: datetime) -> ScheduledJob:
    _, member, score = entry
    due_at = decode.at(score)
    row = rows.job_row(due.row, backend=backend, job_id=decode.name(member), queue=queue.name, registry=Registry.SCHEDULED, due_at=due_at)
    return ScheduledJob(row, due_at, score <= now.timestamp() - OVERDUE_S, queue.holder, due.repeats_left)


def _key(backend: Backend, queue: str) -> bytes:
    return decode.wire(backend.keys.registry(Registry.SCHEDULED, queue))
