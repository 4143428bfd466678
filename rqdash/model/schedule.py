"""Jobs that wait for their time, of one backend and of several together, and who is to enqueue them then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rqdash.model.cron import Cron
from rqdash.model.job import JobRow

OVERDUE_S = 5.0
"""RQ's scheduler looks every second."""
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the scheduler's lock of a queue. name and host are "" for RQ before 2.10, whose locks hold a process id."""

    name: str = ""
    host: str = ""
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class ScheduledQueue:
    """A queue with scheduled jobs: how many, how many of them are overdue, and who enqueues them, None when nobody does."""

    name: str
    total: int
    overdue: int = 0
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A scheduled job; due_at None is never. holder is its queue's; repeats_left is None for a job that does not repeat."""

    job: JobRow
    due_at: datetime | None
    is_overdue: bool
    holder: Holder | None = None
    repeats_left: int | None = None

    @property
    def is_retry(self) -> bool:
        """Whether it ran before and waits for another attempt; RQ before 2.3 counts the attempts left alone, and knows no repeats."""
        is_counted = self.job.attempts is not None and self.repeats_left is None
        return self.has_run and ((self.job.attempt or 0) > 1 or is_counted)

    @property
    def has_run(self) -> bool:
        return self.job.ended_at is not None

    @property
    def key(self) -> tuple[datetime, str, str, str]:
        """What jobs are sorted by."""
        return (self.due_at or _LAST, self.job.backend, self.job.queue, self.job.id)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The jobs of a backend that are due first, in order; queues are those that hold any, most overdue first.

    total counts all of the queues asked for, of which looked were read. Up to until no job is missing; None: none is missing at all before
    the last of jobs. names_total is how many queues RQ lists, of which names_read were asked.
    """

    backend: str
    queues: tuple[ScheduledQueue, ...]
    jobs: tuple[ScheduledJob, ...]
    total: int
    looked: int
    until: datetime | None
    names_read: int
    names_total: int
    as_of: datetime

    @property
    def overdue(self) -> int:
        return sum(queue.overdue for queue in self.queues)

    @property
    def unheld(self) -> tuple[ScheduledQueue, ...]:
        """Queues with overdue jobs that nobody will enqueue."""
        return tuple(queue for queue in self.queues if queue.overdue and queue.holder is None)


@dataclass(frozen=True, slots=True)
class Timetable:
    """What a backend does by the clock."""

    cron: Cron
    scheduled: Scheduled


def together(parts: Sequence[Scheduled]) -> tuple[tuple[ScheduledJob, ...], datetime | None]:
    """The jobs of several backends by due time, and up to when none is missing among them: what comes later is left out."""
    until = min((part.until for part in parts if part.until is not None), default=None)
    jobs = (job for part in parts for job in part.jobs)
    kept = (job for job in jobs if until is None or (job.due_at is not None and job.due_at <= until))
    return tuple(sorted(kept, key=lambda job: job.key)), until
