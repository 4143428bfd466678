"""The page of what happens by the clock, put together from what each backend has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rqdash.model import schedule as model
from rqdash.model.cron import Cron, CronJob, CronScheduler, by_trouble
from rqdash.model.reply import Coverage, Problem, Reply, coverage
from rqdash.model.schedule import Scheduled, ScheduledJob, ScheduledQueue, Timetable
from rqdash.model.schedule_search import takes_cron
from rqdash.model.search import Search
from rqdash.queries.cron import MOST_NAMES
from rqdash.web.marks import Mark, mark
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Page
from rqdash.web.searching import MOST_WORDS, Box, words

WINDOW = 500
"""Scheduled jobs of one backend that the merged list goes through; the page of each queue lists all of its own."""
MOST_CRON = 100
MOST_SCHEDULERS = 50
MOST_UNHELD = 20
"""Rows of the page: it is read anew every few seconds."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A backend that did not answer, and why: nothing of it is on the page."""

    mark: Mark
    problem: Problem


@dataclass(frozen=True, slots=True)
class CronRow:
    mark: Mark
    job: CronJob


@dataclass(frozen=True, slots=True)
class SchedulerRow:
    mark: Mark
    scheduler: CronScheduler


@dataclass(frozen=True, slots=True)
class CronWarning:
    """What is wrong with the cron of one backend: jobs and no live scheduler, jobs that are enqueued twice, a scheduler not of RQ.

    unread_schedulers and unread_names are listed and were not read.
    """

    mark: Mark
    is_unattended: bool
    doubled: int
    foreign: int
    has_foreign: bool
    unread_schedulers: int
    unread_names: int


@dataclass(frozen=True, slots=True)
class Unheld:
    """A queue whose overdue jobs nobody will enqueue."""

    mark: Mark
    queue: ScheduledQueue


@dataclass(frozen=True, slots=True)
class Covered:
    """How many of a backend's scheduled jobs were looked at, in how many of its queues."""

    mark: Mark
    looked: int
    total: int
    queues_read: int
    queues_total: int


@dataclass(frozen=True, slots=True)
class ScheduledRow:
    mark: Mark
    scheduled: ScheduledJob


@dataclass(frozen=True, slots=True)
class SchedulePage(Page):
    """cron are the worst 100 of cron_total that match; rows are one page of the scheduled jobs, by due time.

    total counts the scheduled jobs of the backends that answered. until: up to when none is missing, None when that goes for the list.
    """

    coverage: Coverage
    absent: tuple[Absent, ...]
    cron: tuple[CronRow, ...]
    cron_total: int
    schedulers: tuple[SchedulerRow, ...]
    live: int
    warnings: tuple[CronWarning, ...]
    rows: tuple[ScheduledRow, ...]
    total: int
    overdue: int
    unheld: tuple[Unheld, ...]
    covered: tuple[Covered, ...]
    until: datetime | None
    pager: Pager
    box: Box
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Asking:
    """What of the answers is shown; is_narrowed: whether jobs were judged one by one."""

    search: Search
    box: Box
    page: int
    size: int
    is_narrowed: bool
    now: datetime


def page_of(replies: Sequence[Reply[Timetable]], asking: Asking) -> SchedulePage:
    """The page of what the backends answered."""
    marks = {reply.name: mark(reply.profile) for reply in replies}
    parts = [reply.value for reply in replies if reply.is_ok and reply.value is not None]
    cron = sorted((job for part in parts for job in part.cron.jobs if takes_cron(asking.search, job)), key=by_trouble)
    jobs, until = model.together([part.scheduled for part in parts])
    total = sum(part.scheduled.total for part in parts)
    is_counted = asking.is_narrowed or until is not None
    pages = pager(page=asking.page, size=asking.size, total=len(jobs) if is_counted else min(total, WINDOW))
    shown = jobs[pages.offset : pages.offset + pages.size]
    return SchedulePage(
        coverage=coverage(replies),
        absent=tuple(Absent(marks[reply.name], reply.problem) for reply in replies if reply.problem is not None),
        cron=tuple(CronRow(marks[job.backend], job) for job in cron[:MOST_CRON]),
        cron_total=len(cron),
        schedulers=_schedulers(marks, parts)[:MOST_SCHEDULERS],
        live=sum(part.cron.live for part in parts),
        warnings=tuple(found for part in parts if (found := _warning(marks[part.cron.backend], part.cron)) is not None),
        rows=tuple(ScheduledRow(marks[found.job.backend], found) for found in shown),
        total=total,
        overdue=sum(part.scheduled.overdue for part in parts),
        unheld=tuple(Unheld(marks[part.cron.backend], queue) for part in parts for queue in part.scheduled.unheld)[:MOST_UNHELD],
        covered=tuple(_covered(marks[part.cron.backend], part.scheduled) for part in parts),
        until=until,
        pager=pages,
        box=replace(asking.box, words=_words(marks, cron, jobs)),
        as_of=asking.now,
    )


def _schedulers(marks: Mapping[str, Mark], parts: Sequence[Timetable]) -> tuple[SchedulerRow, ...]:
    """Dead ones first."""
    rows = [SchedulerRow(marks[part.cron.backend], scheduler) for part in parts for scheduler in part.cron.schedulers]
    return tuple(sorted(rows, key=lambda row: (row.scheduler.is_live, row.mark.name, row.scheduler.name)))


def _warning(whose: Mark, cron: Cron) -> CronWarning | None:
    found = CronWarning(
        whose,
        cron.is_unattended,
        cron.doubled,
        cron.foreign,
        cron.has_foreign,
        max(cron.schedulers_total - len(cron.schedulers), 0),
        max(cron.names_total - MOST_NAMES, 0),
    )
    is_quiet = found == CronWarning(
        whose, is_unattended=False, doubled=0, foreign=0, has_foreign=False, unread_schedulers=0, unread_names=0
    )
    return None if is_quiet else found


def _covered(whose: Mark, found: Scheduled) -> Covered:
    return Covered(whose, found.looked, found.total, found.names_read, found.names_total)


def _words(marks: Mapping[str, Mark], cron: Sequence[CronJob], jobs: Sequence[ScheduledJob]) -> tuple[str, ...]:
    found = (
        *words("backend", marks),
        *words("queue", (*(job.queue for job in cron), *(found.job.queue for found in jobs))),
        *words("fn", (*(job.function for job in cron), *(found.job.function for found in jobs))),
    )
    return found[:MOST_WORDS]
