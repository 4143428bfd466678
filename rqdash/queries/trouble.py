"""What may be wrong with queues: by script, or by pipeline where scripts are denied. Both give the same rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rqdash.backends.backend import Command
from rqdash.backends.scripts import Call, load
from rqdash.model.keys import Keys
from rqdash.model.registry import Registry
from rqdash.model.trouble import QueueTrouble
from rqdash.queries import decode, pages
from rqdash.queries.counts import PACKAGE, seconds

CALL = 40
"""Queues one script call reads: where all of them are in trouble it takes 1.5 ms, and must not hold the server longer than 5."""
FIRST = 8
LOOKED_AT = 3
TAKEN = 3
TAKEN_S = 60
"""RQ takes a job for stuck when it first saw it so long ago between the queue and a worker."""
FAILURE_TTL_S = 31_536_000
"""How long RQ keeps a failed job unless it is told otherwise."""
COMMANDS = 5


@dataclass(frozen=True, slots=True)
class First:
    """What the first commands give of one queue: the started jobs to look at, ids taken, the last failed with its score."""

    passed_s: float | None
    looked_at: Sequence[bytes]
    taken: Sequence[bytes]
    failed: tuple[bytes, float] | None
    due_s: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the second commands add: the workers of the jobs looked at, and the failure TTL where scores tell when jobs failed."""

    first: First
    workers: Sequence[bytes]
    stuck: int
    failure_ttl_s: int | None


@dataclass(frozen=True, slots=True)
class Second:
    """The second commands, and of which queues."""

    names: tuple[str, ...]
    firsts: tuple[First, ...]
    now_s: int
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Last:
    """The last commands, and of which queues."""

    known: tuple[Known, ...]
    commands: tuple[Command, ...]


def by_script(keys: Keys, names: Sequence[str], *, now: datetime) -> list[Call]:
    """The calls whose rows queue_trouble() reads, a list of rows a call."""
    script = load(PACKAGE, "trouble", includes=("common",))
    first = (decode.wire(keys.prefix), seconds(now))
    parts = [names[start : start + CALL] for start in range(0, len(names), CALL)]
    return [Call(script, arguments=(*first, *map(decode.wire, part))) for part in parts]


def by_pipeline(keys: Keys, names: Sequence[str]) -> list[Command]:
    """The first commands, COMMANDS a queue, for second()."""
    return [command for name in names for command in _commands(keys, name)]


def second(keys: Keys, names: Sequence[str], *, firsts: Sequence[object], now: datetime) -> Second:
    """What to send once the replies to by_pipeline are there."""
    now_s = seconds(now)
    found = [_first(firsts[start : start + COMMANDS], now_s) for start in range(0, len(firsts), COMMANDS)]
    commands: list[Command] = []
    for name, first in zip(names, found, strict=True):
        jobs = [_job(keys, pages.job_id(member, registry=Registry.STARTED)[0]) for member in first.looked_at]
        commands += [("HMGET", job, "worker_name", "status") for job in jobs]
        seen = decode.wire(keys.intermediate(name)) + b":first_seen:"
        commands += [("GET", seen + job_id) for job_id in first.taken]
        commands += [("HGET", _job(keys, decode.name(first.failed[0])), "failure_ttl")] if first.failed else []
    return Second(tuple(names), tuple(found), now_s, tuple(commands))


def last(keys: Keys, asked: Second, *, replies: Sequence[object]) -> Last:
    """What to send once the replies to second() are there."""
    answers = iter(replies)
    known = tuple(_known(first, answers, asked.now_s) for first in asked.firsts)
    commands: list[Command] = []
    for name, queue in zip(asked.names, known, strict=True):
        commands += [("HMGET", decode.wire(keys.worker("")) + worker, "birth", "state") for worker in queue.workers]
        if queue.failure_ttl_s is not None:
            failed, at_s = decode.wire(keys.registry("failed", name)), asked.now_s + queue.failure_ttl_s
            commands += [("ZCOUNT", failed, at_s - back_s, at_s + TAKEN_S) for back_s in (600, 3600)]
    return Last(known, tuple(commands))


def rows_of(asked: Last, *, replies: Sequence[object]) -> list[list[object]]:
    """The script's rows, from the replies to last()."""
    answers = iter(replies)
    return [_row(queue, answers) for queue in asked.known]


def queue_trouble(row: object, *, name: str) -> QueueTrouble:
    """One row of the script, or of rows_of."""
    abandoned, gone, worker, stuck, due, recently, in_hour = [*decode.many(row), *[None] * 7][:7]
    return QueueTrouble(
        name,
        abandoned_at=decode.at(abandoned),
        gone=decode.integer(gone) or 0,
        gone_worker=decode.name(worker),
        stuck=decode.integer(stuck) or 0,
        due_at=decode.at(due),
        failed_10min=decode.integer(recently),
        failed_1h=decode.integer(in_hour),
    )


def _commands(keys: Keys, name: str) -> list[Command]:
    started, failed, scheduled = (decode.wire(keys.registry(registry, name)) for registry in ("started", "failed", "scheduled"))
    return [
        ("ZRANGE", started, 0, FIRST - 1, "WITHSCORES"),
        ("ZREVRANGE", started, 0, 0, "WITHSCORES"),
        ("LRANGE", decode.wire(keys.intermediate(name)), 0, TAKEN - 1),
        ("ZREVRANGE", failed, 0, 0, "WITHSCORES"),
        ("ZRANGE", scheduled, 0, 0, "WITHSCORES"),
    ]


def _first(replies: Sequence[object], now_s: int) -> First:
    started, newest = decode.scored(replies[0]), decode.scored(replies[1])
    if len(started) == FIRST and newest and newest[0][1] == math.inf:
        started = [*started, newest[0]]
    ahead = [(member, score) for member, score in started if score > now_s]
    looked_at = [member for place, (member, score) in enumerate(ahead) if place < LOOKED_AT or score == math.inf]
    passed_s = next((score for _, score in started if 0 <= score <= now_s), None)
    failed, due = decode.scored(replies[3]), decode.scored(replies[4])
    return First(passed_s, looked_at, decode.members(replies[2]), failed[0] if failed else None, due[0][1] if due else None)


def _known(first: First, answers: Iterator[object], now_s: int) -> Known:
    workers = [_runner(decode.many(next(answers))) for _ in first.looked_at]
    seen = [decode.duration_s(next(answers)) for _ in first.taken]
    ttl_s = decode.integer(next(answers)) if first.failed else None
    ttl_s = FAILURE_TTL_S if ttl_s is None else ttl_s
    tells_when = first.failed is not None and first.failed[1] >= 0 and ttl_s >= 0
    stuck = sum(at is not None and now_s - at > TAKEN_S for at in seen)
    return Known(first, [name for name in workers if name], stuck, ttl_s if tells_when else None)


def _runner(values: Sequence[object]) -> bytes:
    """The worker of a started job, b"" until the job itself says that it has started: so long it names the worker of its last run."""
    worker, status = values if len(values) == 2 else (None, None)
    return worker if isinstance(worker, bytes) and status == b"started" else b""


def _row(queue: Known, answers: Iterator[object]) -> list[object]:
    gone = [worker for worker in queue.workers if not any(decode.many(next(answers)))]
    unknown = None if queue.first.failed else 0
    counts = (next(answers), next(answers)) if queue.failure_ttl_s is not None else (unknown, unknown)
    return [queue.first.passed_s, len(gone), gone[0] if gone else None, queue.stuck, queue.first.due_s, *counts]


def _job(keys: Keys, job_id: str) -> bytes:
    return decode.wire(keys.job(job_id))
