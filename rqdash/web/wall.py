"""What the wall of workers is made of: a row each, groups of them with what they do together, and what is without a worker."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rqdash.model import worker as workers_model
from rqdash.model.reply import Problem, Reply
from rqdash.model.search import Search
from rqdash.model.spread import Odd, odd
from rqdash.model.worker import LeftJob, Worker, WorkerList
from rqdash.web.marks import Mark, mark

Key = tuple[str, Mark | None]
"""A group's name, and whose it is."""
Member = tuple[Key, "WorkerRow"]
GROUPS = ("backend", "host", "queue")
MOST_WITHOUT = 20
NOT_ODD = Odd()


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker as the wall shows it. per_minute and working_percent are averages since it started, by its own counters.

    odd: what others of a queue of its run that it does not; left: started jobs of its that were found without it.
    """

    mark: Mark
    worker: Worker
    per_minute: float | None = None
    working_percent: int | None = None
    odd: Odd = NOT_ODD
    left: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Workers of one backend, host or queue; mark is None for a host, which may serve several backends.

    Of its total, rows start up to stop of the page are shown. per_minute sums what its workers do, on their other queues too: of a
    queue it is an estimate, and too high where they have several.
    """

    name: str
    mark: Mark | None
    start: int
    stop: int
    total: int
    busy: int
    lost: int
    per_minute: float | None
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """What is without a worker: a queue in which so many jobs wait, or a started job whose worker is gone."""

    mark: Mark
    queue: str
    waiting: int = 0
    left: LeftJob | None = None


@dataclass(frozen=True, slots=True)
class DownWorkers:
    """A backend that did not answer, with how many workers it last had, as far as this process knows."""

    momentary: ClassVar[frozenset[str]] = frozenset({"last_known"})
    mark: Mark
    problem: Problem
    last_known: int | None
    as_of: datetime | None


def worker_rows(replies: Sequence[Reply[WorkerList]]) -> tuple[WorkerRow, ...]:
    """The workers of the backends that answered, worst first."""
    rows = [row for reply in replies if reply.is_ok and reply.value is not None for row in _rows(mark(reply.profile), reply.value)]
    return tuple(sorted(rows, key=lambda row: workers_model.by_trouble(row.worker)))


def without(replies: Sequence[Reply[WorkerList]], search: Search) -> tuple[Without, ...]:
    """What is without a worker where a search asks: started jobs first, then queues, of each backend the worst first."""
    fresh = [(mark(reply.profile), reply.value) for reply in replies if reply.is_ok and reply.value is not None]
    found = [Without(whose, left.job.queue, left=left) for whose, listed in fresh for left in listed.left]
    found += [Without(whose, queue.queue, queue.waiting) for whose, listed in fresh for queue in listed.unattended or ()]
    return tuple(item for item in found if search.on_backend(item.mark.name) and search.on_queue(item.queue))


def unjudged(replies: Sequence[Reply[WorkerList]]) -> tuple[Mark, ...]:
    """The backends of whose workers not all were read: who listens to their queues is unknown."""
    return tuple(mark(reply.profile) for reply in replies if reply.is_ok and reply.value is not None and reply.value.unattended is None)


def grouped(rows: Sequence[WorkerRow], by: str) -> tuple[Member, ...]:
    """The rows with the group each is in, by group, worst first within one; a worker of several queues is in several groups.

    Without by all are in one group, worst first.
    """
    if not by:
        return tuple((("", None), row) for row in rows)
    members = [(key, row) for row in rows for key in _keys(row, by)]
    return tuple(sorted(members, key=lambda member: _order(member[0])))


def groups(members: Sequence[Member], *, offset: int, size: int) -> tuple[Group, ...]:
    """The groups that one page of the members shows some of."""
    whole: defaultdict[Key, list[WorkerRow]] = defaultdict(list)
    for key, row in members:
        whole[key].append(row)
    shown = Counter(key for key, _ in members[offset : offset + size])
    found, start = [], 0
    for key, count in shown.items():
        found.append(_group(key, whole[key], start, start + count))
        start += count
    return tuple(found)


def per_minute(rows: Iterable[WorkerRow]) -> float | None:
    """What workers do a minute together, as far as they say; None when none does."""
    known = [row.per_minute for row in rows if row.per_minute is not None]
    return round(sum(known), 2) if known else None


def _rows(whose: Mark, listed: WorkerList) -> Iterable[WorkerRow]:
    others, left = odd(listed.workers), Counter(job.worker for job in listed.left)
    for worker in listed.workers:
        rate = worker.per_minute(listed.as_of)
        yield WorkerRow(
            whose,
            worker,
            None if rate is None else round(rate, 2),
            worker.working_percent(listed.as_of),
            others.get(worker.name, NOT_ODD),
            left[worker.name],
        )


def _keys(row: WorkerRow, by: str) -> list[Key]:
    if by == "queue":
        return [(queue, row.mark) for queue in dict.fromkeys(row.worker.queues)] or [("", row.mark)]
    return [(row.worker.hostname, None)] if by == "host" else [(row.mark.name, row.mark)]


def _order(key: Key) -> tuple[str, str]:
    name, whose = key
    return (whose.name if whose else "", name)


def _group(key: Key, rows: Sequence[WorkerRow], start: int, stop: int) -> Group:
    states = Counter(row.worker.state for row in rows)
    versions = tuple(sorted({row.worker.rq_version for row in rows if row.worker.rq_version}))
    return Group(key[0], key[1], start, stop, len(rows), states["busy"], states["lost"], per_minute(rows), versions)
