"""A process that enqueues the demo's jobs: python -m rqdash.demo.producer LAYOUT."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import redis
from rq import Queue, Retry
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.registry import DeferredJobRegistry

from rqdash.demo.catalog import RECIPES, Recipe, Way
from rqdash.demo.layout import DemoBackend, connection, read_layout

TICK_S = 0.5
PAUSE_S = 2.0
RESULT_TTL_S = 600
FAILURE_TTL_S = 4 * 3600
AT_MOST_WAITING = 400
AT_MOST_DEFERRED = 60
AT_MOST_SCHEDULED = 80
FORGOTTEN = 10
LATEST_S = 6 * 3600
ATTEMPTS = 3
WAITS_S = [10, 30, 120]


@dataclass(slots=True)
class Line:
    """One backend's production: what comes next, and when (monotonic seconds, by position in the catalog)."""

    backend: DemoBackend
    connection: redis.Redis
    random: Random
    due: dict[int, float] = field(default_factory=dict)
    paused_until: float = 0.0


def main(layout: Path) -> None:
    """Produces for every backend of the layout until it is ended; a backend that does not answer is tried again."""
    lines = [Line(backend, connection(backend), Random(backend.name)) for backend in read_layout(layout).values()]
    while True:
        for line in lines:
            tick(line, time.monotonic())
        time.sleep(TICK_S)


def tick(line: Line, now: float) -> None:
    """Makes what is due at now. A server that does not answer pauses the line for 2 s."""
    if now < line.paused_until:
        return
    try:
        for position, recipe in enumerate(RECIPES[line.backend.name]):
            _make_due(line, position, recipe, now)
    except redis.RedisError:
        line.paused_until = now + PAUSE_S


def _make_due(line: Line, position: int, recipe: Recipe, now: float) -> None:
    if position not in line.due:
        count = recipe.at_start
    elif line.due[position] <= now:
        count = 1
    else:
        return
    for _ in range(count):
        produce(line, recipe)
    line.due[position] = now + line.random.expovariate(1 / recipe.every_s)


def produce(line: Line, recipe: Recipe) -> Job | None:
    """Enqueues one job of a recipe, after a job it depends on; None when enough of them wait already."""
    if _is_full(line, recipe):
        return None
    if recipe.way is Way.AFTER and recipe.after is not None:
        first = _enqueue(line, recipe.after)
        return _enqueue(line, recipe, depends_on=first)
    return _enqueue(line, recipe)


def _is_full(line: Line, recipe: Recipe) -> bool:
    queue = Queue(recipe.queue, connection=line.connection)
    if recipe.way is Way.AFTER:
        _forget_oldest(queue.deferred_job_registry)
    if recipe.way is Way.LATER and queue.scheduled_job_registry.get_job_count(cleanup=False) >= AT_MOST_SCHEDULED:
        return True
    return queue.count >= AT_MOST_WAITING


def _forget_oldest(registry: DeferredJobRegistry) -> None:
    """A job behind one that failed waits for ever: beyond the limit the oldest are deleted."""
    if registry.get_job_count(cleanup=False) < AT_MOST_DEFERRED:
        return
    for job_id in registry.get_job_ids(0, FORGOTTEN - 1, cleanup=False):
        with suppress(NoSuchJobError):
            registry.remove(job_id, delete_job=True)


def _enqueue(line: Line, recipe: Recipe, *, depends_on: Job | None = None) -> Job:
    args, kwargs = recipe.arguments(line.random)
    queue = Queue(recipe.queue, connection=line.connection)
    options: dict[str, Any] = {
        "args": args,
        "kwargs": kwargs,
        "job_timeout": recipe.timeout_s,
        "result_ttl": RESULT_TTL_S,
        "failure_ttl": FAILURE_TTL_S,
    }
    if recipe.way is Way.RETRY:
        options["retry"] = Retry(max=ATTEMPTS, interval=WAITS_S)
    if recipe.way is Way.LATER:
        return queue.enqueue_in(timedelta(seconds=line.random.uniform(30, LATEST_S)), recipe.task, **options)
    return queue.enqueue(recipe.task, depends_on=depends_on, **options)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
