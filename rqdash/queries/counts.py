"""Counts queues: by script or by pipeline where scripts are denied. Both give the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.model.keys import Keys
from rqdash.model.queue import QueueSummary
from rqdash.queries import decode

PACKAGE = "rqdash.queries"
BATCH = 150
"""Queues, or workers, one round trip may read."""
CALL = 75
"""Queues, or workers, one script call reads: it must not hold the server longer than 5 ms, and takes 1 to 2."""
REGISTRIES = ("started", "failed", "finished", "scheduled", "deferred", "canceled", "ready")
COUNTED_DUE = REGISTRIES[:4]
"""Registries whose scores are compared with now: deadlines in the first three, due times in the last."""
COMMANDS = 2 + len(REGISTRIES) + len(COUNTED_DUE) + 2


@dataclass(frozen=True, slots=True)
class Counted:
    """One queue's raw numbers; sizes by REGISTRIES, due by COUNTED_DUE."""

    queued: int
    intermediate: int
    sizes: tuple[int, ...]
    due: tuple[int, ...]
    has_scheduler: bool
    oldest_enqueued_at: datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether none of the queue's keys exists."""
        return not (self.queued or self.intermediate or any(self.sizes))


def by_script(keys: Keys, names: Sequence[str], *, now: datetime) -> list[Call]:
    """The calls whose rows counted() reads, a list of rows a call."""
    script = load(PACKAGE, "counts", includes=("common", "tally"))
    first = (decode.wire(keys.prefix), seconds(now))
    return [Call(script, arguments=(*first, *map(decode.wire, part))) for part in parts(names)]


def by_pipeline(keys: Keys, names: Sequence[str], *, now: datetime) -> list[Command]:
    """The commands whose replies rows_of() reads, COMMANDS a queue; the last gives the first job's id."""
    return [command for name in names for command in _commands(keys, name, seconds(now))]


def rows_of(replies: Sequence[object]) -> list[list[object]]:
    """The replies to by_pipeline, a row a queue, in the script's order; the last value is the id of the first job."""
    return [list(replies[start : start + COMMANDS]) for start in range(0, len(replies), COMMANDS)]


def heads(keys: Keys, rows: Sequence[Sequence[object]]) -> list[Command]:
    """The commands that read when the first job of each row was enqueued, for with_heads."""
    return [("HGET", decode.wire(keys.job(decode.name(row[-1]))), "enqueued_at") for row in rows if isinstance(row[-1], bytes)]


def with_heads(rows: Sequence[Sequence[object]], replies: Sequence[object]) -> list[list[object]]:
    """The rows with the first job's id replaced by its enqueued_at, as the script gives them."""
    moments = iter(replies)
    return [[*row[:-1], next(moments) if isinstance(row[-1], bytes) else None] for row in rows]


def counted(row: object) -> Counted:
    """One row of the script, or of with_heads."""
    values = decode.many(row)
    numbers = [decode.integer(value) or 0 for value in values[:-1]]
    first, last = 2 + len(REGISTRIES), 2 + len(REGISTRIES) + len(COUNTED_DUE)
    return Counted(numbers[0], numbers[1], tuple(numbers[2:first]), tuple(numbers[first:last]), bool(numbers[-1]), decode.when(values[-1]))


def summary(backend: Backend, name: str, *, counts: Counted, workers: int, workers_busy: int, is_listed: bool = True) -> QueueSummary:
    """A queue's summary: counts without expired entries, as RQ counts after its cleanup."""
    sizes = dict(zip(REGISTRIES, counts.sizes, strict=True))
    due = dict(zip(COUNTED_DUE, counts.due, strict=True))
    return QueueSummary(
        backend.name,
        name,
        queued=counts.queued,
        started=max(sizes["started"] - due["started"], 0),
        scheduled=sizes["scheduled"],
        deferred=sizes["deferred"],
        failed=max(sizes["failed"] - due["failed"], 0),
        finished=max(sizes["finished"] - due["finished"], 0),
        canceled=sizes["canceled"],
        ready=sizes["ready"],
        intermediate=counts.intermediate,
        expired_started=due["started"],
        expired_failed=due["failed"],
        expired_finished=due["finished"],
        overdue=due["scheduled"],
        oldest_enqueued_at=counts.oldest_enqueued_at,
        workers=workers,
        workers_busy=workers_busy,
        has_scheduler=counts.has_scheduler,
        exists=is_listed,
    )


def parts(names: Sequence[str]) -> list[Sequence[str]]:
    """The names in groups of what one script call reads."""
    return [names[start : start + CALL] for start in range(0, len(names), CALL)]


def seconds(now: datetime) -> int:
    """now as RQ compares it with scores: whole seconds since 1970."""
    return int(now.timestamp())


def _commands(keys: Keys, name: str, now_s: int) -> list[Command]:
    zsets = [decode.wire(keys.registry(registry, name)) for registry in REGISTRIES]
    return [
        ("LLEN", decode.wire(keys.queue(name))),
        ("LLEN", decode.wire(keys.intermediate(name))),
        *(("ZCARD", zset) for zset in zsets),
        *(("ZCOUNT", zset, 0, now_s) for zset in zsets[: len(COUNTED_DUE)]),
        ("EXISTS", decode.wire(keys.scheduler_lock(name))),
        ("LINDEX", decode.wire(keys.queue(name)), 0),
    ]
