"""What is without a worker: queues in which jobs wait, and started jobs. By script, or by pipeline in three steps; same rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.model.keys import Keys
from rqdash.model.registry import Registry
from rqdash.model.worker import CurrentJob, LeftJob, Unattended, Worker
from rqdash.queries import decode, pages, rows, states
from rqdash.queries.counts import PACKAGE
from rqdash.queries.rows import RawRow
from rqdash.queries.states import WorkerState

CALL = 40
"""Queues one script call reads: with 16 started jobs in each it takes 2 ms, and must not hold the server longer than 5."""
LOOKED_AT = 16
"""Started jobs of a queue that are looked at: a worker that is gone beats no more, so its jobs' deadlines are the first."""
COMMANDS = 2


@dataclass(frozen=True, slots=True)
class RawLeft:
    """An entry of a started registry whose worker is gone, as stored."""

    member: bytes
    score: float
    worker: bytes
    job: RawRow


@dataclass(frozen=True, slots=True)
class Attended:
    """One queue: how many jobs wait, and its started jobs without a worker."""

    queue: str
    waiting: int
    left: tuple[RawLeft, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What the first step found of one queue: how many jobs wait, and the entries to look at with their scores."""

    queue: str
    waiting: int
    entries: Sequence[tuple[bytes, float]]


def by_script(keys: Keys, queues: Sequence[str]) -> list[Call]:
    """The calls whose rows attended() reads, a list of rows a call."""
    script = load(PACKAGE, "attended", includes=("common", "row"))
    first = (decode.wire(keys.prefix), ",".join(rows.FIELDS))
    calls = [queues[start : start + CALL] for start in range(0, len(queues), CALL)]
    return [Call(script, arguments=(*first, *map(decode.wire, part))) for part in calls]


def attended(row: object, *, queue: str) -> Attended:
    """One row of the script."""
    waiting, left = decode.many(row)
    return Attended(queue, decode.integer(waiting) or 0, tuple(_raw_left(entry) for entry in decode.many(left)))


def commands(keys: Keys, queues: Sequence[str]) -> list[Command]:
    """The first step without scripts, COMMANDS a queue."""
    return [command for queue in queues for command in _commands(keys, queue)]


def looked(queues: Sequence[str], replies: Sequence[object]) -> list[Looked]:
    """What the first step found."""
    pairs = zip(queues, replies[::COMMANDS], replies[1::COMMANDS], strict=True)
    return [Looked(queue, decode.integer(size) or 0, decode.scored(entries)) for queue, size, entries in pairs]


def ids(found: Iterable[Looked]) -> list[str]:
    """The jobs whose rows the second step is to read, in order."""
    return [pages.job_id(member, registry=Registry.STARTED)[0] for queue in found for member, _ in queue.entries]


def worker_commands(keys: Keys, jobs: Iterable[RawRow]) -> list[Command]:
    """The third step: whether the workers live that these jobs name."""
    return [("HMGET", decode.wire(keys.worker("")) + worker, "birth", "state") for job in jobs if (worker := _runner(job))]


def of_pipeline(found: Iterable[Looked], jobs: Iterable[RawRow], workers: Iterable[object]) -> list[Attended]:
    """The queues from the three steps; jobs and workers in the order they were asked for."""
    remaining, answers = iter(jobs), iter(workers)
    return [Attended(queue.queue, queue.waiting, tuple(_left(queue, remaining, answers))) for queue in found]


def unattended(queues: Iterable[Attended], workers: Sequence[Worker]) -> tuple[Unattended, ...]:
    """Queues whose jobs nobody waits for, the most jobs first; workers are all that there are."""
    waiting = {queue.queue: queue.waiting for queue in queues if queue.waiting}
    live = [WorkerState(worker.state, ",".join(worker.queues), worker.rq_version) for worker in workers]
    listening = states.listening(live, waiting)
    found = [Unattended(queue, count) for queue, count in waiting.items() if not listening[queue][0]]
    return tuple(sorted(found, key=lambda queue: (-queue.waiting, queue.queue)))


def left_jobs(backend: Backend, queues: Iterable[Attended]) -> tuple[LeftJob, ...]:
    """The started jobs without a worker."""
    return tuple(_left_job(backend, queue.queue, raw) for queue in queues for raw in queue.left)


def _left_job(backend: Backend, queue: str, raw: RawLeft) -> LeftJob:
    job_id, execution_id = pages.job_id(raw.member, registry=Registry.STARTED)
    row = rows.job_row(raw.job, backend=backend, job_id=job_id, queue=queue)
    job = CurrentJob(job_id, execution_id, queue, row.function, row.arguments, row.started_at, row.timeout_s)
    return LeftJob(decode.name(raw.worker), job, decode.at(raw.score))


def _raw_left(entry: object) -> RawLeft:
    member, score, worker, job = decode.many(entry)
    found = [value if isinstance(value, bytes) else b"" for value in (member, worker)]
    return RawLeft(found[0], decode.decimal(score) or 0.0, found[1], rows.raw_row(job))


def _commands(keys: Keys, queue: str) -> tuple[Command, Command]:
    started = decode.wire(keys.registry("started", queue))
    return ("LLEN", decode.wire(keys.queue(queue))), ("ZRANGE", started, 0, LOOKED_AT - 1, "WITHSCORES")


def _left(queue: Looked, jobs: Iterator[RawRow], workers: Iterator[object]) -> Iterator[RawLeft]:
    for member, score in queue.entries:
        job = next(jobs)
        worker = _runner(job)
        if worker and not any(decode.many(next(workers))):
            yield RawLeft(member, score, worker, job)


def _runner(job: RawRow) -> bytes:
    """The worker of a started job, b"" until the job itself says that it has started: so long it names the worker of its last run."""
    return (job.values["worker_name"] or b"") if job.values["status"] == b"started" else b""
