"""A census as the sample that is kept of it; the rates come from the counters of workers, compared with the census before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rqdash.history.packing import Sample
from rqdash.history.tiers import MEASURES, Value
from rqdash.model.census import Census, WorkerCount
from rqdash.model.queue import QueueSummary

LONGEST_S = 60.0
"""Over a longer time than this between two censuses nothing is said of a rate: it is a gap."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the last census of a backend said of its workers; counters by name and birth, is_whole when it read all of them."""

    endpoint: int
    at_s: float
    counters: Mapping[tuple[str, str], tuple[int, int]]
    is_whole: bool = True


def before(census: Census, *, endpoint: int) -> Before:
    counters = {(worker.name, worker.born): (worker.finished or 0, worker.failed or 0) for worker in census.workers if worker.born}
    return Before(endpoint, census.as_of.timestamp(), counters, is_whole=len(census.workers) >= census.workers_total)


def sample(census: Census, *, endpoint: int, numbers: Mapping[str, int], last: Before | None) -> Sample:
    """What is kept of a census; numbers are those of its queues."""
    queues = sorted(census.queues, key=lambda queue: numbers[queue.name])
    now_s = census.as_of.timestamp()
    is_whole = len(census.workers) >= census.workers_total
    columns: dict[str, list[Value]] = {name: [] for name in MEASURES}
    for queue in queues:
        values = (queue.queued, oldest_s(queue, now_s), queue.started, queue.failed, queue.workers_busy, queue.workers)
        for name, value in zip(MEASURES, values, strict=True):
            columns[name].append(value if is_whole or name not in ("busy", "workers") else None)
    totals = _totals(census, columns, is_whole=is_whole) | _rates(census, endpoint, last)
    return Sample(endpoint, totals, [numbers[queue.name] for queue in queues], columns)


def oldest_s(queue: QueueSummary, now_s: float) -> Value:
    """The age of the oldest waiting job: 0 when none waits, None when it does not say since when."""
    if not queue.queued:
        return 0
    since = queue.oldest_enqueued_at
    return None if since is None else round(max(now_s - since.timestamp(), 0))


def _totals(census: Census, columns: Mapping[str, list[Value]], *, is_whole: bool) -> dict[str, Value]:
    """Sums over the queues, if all were read. A worker that listens to two queues is one worker."""
    is_counted = len(census.queues) >= census.queues_total
    ages = [age for age in columns["oldest_s"] if age is not None]
    found: dict[str, Value] = {name: sum(value or 0 for value in columns[name]) for name in ("queued", "started", "failed")}
    found["oldest_s"] = max(ages, default=None if columns["oldest_s"] else 0)
    found = found if is_counted else dict.fromkeys(found)
    states = census.states()
    found["busy"] = states.get("busy", 0) if is_whole else None
    found["workers"] = sum(count for state, count in states.items() if state != "lost") if is_whole else None
    return found


def _rates(census: Census, endpoint: int, last: Before | None) -> dict[str, Value]:
    """Jobs a minute since the census before. A worker that was not there then counts from its birth; one that is gone takes along what
    it did since.
    """
    now_s = census.as_of.timestamp()
    if last is None or last.endpoint != endpoint or not 0 < now_s - last.at_s <= LONGEST_S:
        return {}
    finished = failed = 0
    for worker in census.workers:
        more = _gained(worker, last)
        finished, failed = finished + more[0], failed + more[1]
    minutes = (now_s - last.at_s) / 60
    return {"finished_per_min": finished / minutes, "failed_per_min": failed / minutes}


def _gained(worker: WorkerCount, last: Before) -> tuple[int, int]:
    key = (worker.name, worker.born)
    if not worker.born or (key not in last.counters and not last.is_whole):
        return 0, 0
    finished, failed = last.counters.get(key, (0, 0))
    return max((worker.finished or 0) - finished, 0), max((worker.failed or 0) - failed, 0)
