"""RQ's cron: schedulers with their jobs, and the history of one name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.errors import NotFound
from rqdash.model import names, redaction
from rqdash.model.cron import Cron, CronEntry, CronHistory, CronJob, CronScheduler, is_live, together
from rqdash.queries import decode, rows
from rqdash.queries.counts import PACKAGE
from rqdash.queries.cron_entries import entries
from rqdash.queries.due_rows import due_rows
from rqdash.queries.reading import read_either, read_lenient

MOST_SCHEDULERS = 50
MOST_NAMES = 500
LARGEST_BYTES = 131_072
ALL_BYTES = 524_288
"""Of one scheduler's list of jobs, and of all lists: more is not read."""
MOST_SPAWNED = 50
FIELDS = ("hostname", "pid", "created_at", "config_file")
UNSAID = "It does not say which jobs it has: RQ before 2.7 does not."
TOO_LARGE = "Its list of jobs is larger than is read."
GARBLED = "Its list of jobs cannot be read."


def cron(backend: Backend, *, now: datetime) -> Cron:
    """The cron schedulers of a backend, at most 50 and 512 KB of their lists, and the names of cron jobs last enqueued, at most 500.

    Reads <prefix>:cron_schedulers, :cron_scheduler:<name> each, :cron_jobs, and what the package rq-scheduler keeps. One round trip;
    three where scripts are denied.
    """
    reply = read_either(backend, lambda: _by_script(backend), otherwise=lambda: _by_pipeline(backend))
    total, listed, names_total, known, foreign, lock = decode.many(reply)
    schedulers = [_scheduler(backend, row, now=now) for row in decode.many(listed)]
    moments = {decode.name(member): decode.at(score) for member, score in decode.scored(known)}
    return Cron(
        backend.name,
        tuple(scheduler for scheduler, _ in schedulers),
        together(backend.name, schedulers, moments, now=now),
        decode.integer(total) or 0,
        decode.integer(names_total) or 0,
        decode.integer(foreign) or 0,
        has_foreign=bool(lock),
    )


def history(backend: Backend, reference: str, *, now: datetime) -> CronHistory:
    """What a name of cron jobs has enqueued: the newest 50, newest first. RQ before 2.12 keeps none.

    reference is the name or its ~<sha256>. Raises NotFound when neither a scheduler nor RQ's list has the name, nor a history. The round
    trips of cron(), one for <prefix>:cron_job:<name>:jobs and one for its jobs, two where scripts are denied.
    """
    found = cron(backend, now=now)
    name = _resolved(found.jobs, reference)
    key = decode.wire(backend.keys.cron_history(name))
    size, newest = read_lenient(backend, ("ZCARD", key), ("ZREVRANGE", key, 0, MOST_SPAWNED - 1, "WITHSCORES"))
    jobs = tuple(job for job in found.jobs if job.name == name)
    spawned = decode.scored(newest)
    if not jobs and not spawned:
        raise NotFound(f"{backend.name} has no cron job of this name. It may have been given up since.")
    ids = [decode.name(member) for member, _ in spawned]
    read = [
        rows.job_row(due.row, backend=backend, job_id=job_id, queue="") for job_id, due in zip(ids, due_rows(backend, ids), strict=True)
    ]
    moments = [decode.at(score) for _, score in spawned]
    return CronHistory(backend.name, name, jobs, tuple(zip(moments, read, strict=True)), decode.integer(size) or 0, now)


def _resolved(jobs: Sequence[CronJob], reference: str) -> str:
    return next((job.name for job in jobs if names.matches(reference, job.name)), reference)


def _scheduler(backend: Backend, row: object, *, now: datetime) -> tuple[CronScheduler, tuple[CronEntry, ...]]:
    name, score, values, size, raw = decode.many(row)
    hostname, pid, created_at, config = [*decode.many(values), *[None] * len(FIELDS)][: len(FIELDS)]
    heartbeat_at = decode.at(score)
    found = CronScheduler(
        decode.name(name),
        is_live(heartbeat_at, now=now),
        heartbeat_at,
        hostname=decode.text(hostname),
        pid=decode.integer(pid),
        created_at=decode.when(created_at),
        config=decode.text(config),
    )
    if not isinstance(raw, bytes):
        return replace(found, problem=TOO_LARGE if size else UNSAID), ()
    jobs = entries(raw, redaction.of(backend.profile))
    return (replace(found, problem=GARBLED), ()) if jobs is None else (replace(found, jobs=len(jobs)), jobs)


def _by_script(backend: Backend) -> object:
    script = load(PACKAGE, "cron", includes=("common",))
    limits = (MOST_SCHEDULERS, MOST_NAMES, LARGEST_BYTES, ALL_BYTES)
    (reply,) = backend.read(Call(script, arguments=(decode.wire(backend.keys.prefix), *limits)))
    return reply


def _by_pipeline(backend: Backend) -> object:
    keys = backend.keys
    schedulers, known = decode.wire(keys.cron_schedulers), decode.wire(keys.cron_jobs)
    total, listed, names_total, moments, foreign, lock = read_lenient(
        backend,
        ("ZCARD", schedulers),
        ("ZREVRANGE", schedulers, 0, MOST_SCHEDULERS - 1, "WITHSCORES"),
        ("ZCARD", known),
        ("ZREVRANGE", known, 0, MOST_NAMES - 1, "WITHSCORES"),
        ("ZCARD", decode.wire(keys.foreign_schedule)),
        ("EXISTS", decode.wire(keys.foreign_lock)),
    )
    return [total, _hashes(backend, decode.scored(listed)), names_total, moments, foreign, lock]


def _hashes(backend: Backend, listed: Sequence[tuple[bytes, float]]) -> list[object]:
    """The schedulers' rows as the script gives them."""
    hashes = [decode.wire(backend.keys.cron_scheduler("")) + name for name, _ in listed]
    asked: list[Command] = [command for key in hashes for command in (("HMGET", key, *FIELDS), ("HSTRLEN", key, "cron_jobs"))]
    replies = read_lenient(backend, *asked)
    sizes = [decode.integer(size) or 0 for size in replies[1::2]]
    left, wanted = ALL_BYTES, []
    for key, size in zip(hashes, sizes, strict=True):
        if 0 < size <= min(LARGEST_BYTES, left):
            wanted.append(key)
            left -= size
    lists = dict(zip(wanted, read_lenient(backend, *(("HGET", key, "cron_jobs") for key in wanted)), strict=True))
    return [
        [name, score, values, size, lists.get(key)]
        for (name, score), key, values, size in zip(listed, hashes, replies[::2], sizes, strict=True)
    ]
