"""RQ's cron: its schedulers, the jobs they enqueue by the clock, and what is wrong with either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from rqdash.model.job import JobRow

LIVE_S = 120.0
"""A cron scheduler beats at least once a minute; RQ takes one for dead after two."""
BEAT_S = 70.0
"""One that was killed and started anew is listed twice for a while, and the old one does not beat: that doubles nothing."""
OVERDUE_S = 60.0
_LAST = datetime.max.replace(tzinfo=UTC)


class CronState(StrEnum):
    """How a cron job fares, worst first.

    doubled: two schedulers that beat have it: each enqueues it. unattended: no scheduler is alive. overdue: its time is past by over
    a minute. unknown: a live scheduler does not say which jobs it has. scheduled: all is well. dropped: the live schedulers do not have it.
    """

    DOUBLED = "doubled"
    UNATTENDED = "unattended"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    SCHEDULED = "scheduled"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class CronScheduler:
    """A process of rq cron. jobs is how many it has, None when it does not say or says it in a way that cannot be read; then problem."""

    name: str
    is_live: bool
    heartbeat_at: datetime | None = None
    hostname: str = ""
    pid: int | None = None
    created_at: datetime | None = None
    config: str = ""
    jobs: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CronEntry:
    """A job as one scheduler has it; identity is equal for the same job of two schedulers."""

    identity: tuple[object, ...]
    name: str
    function: str
    queue: str
    interval_s: int | None = None
    cron: str = ""
    arguments: str = ""
    options: tuple[tuple[str, str], ...] = ()
    latest_at: datetime | None = None
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CronJob:
    """A cron job of a backend. interval_s or cron says when; cron is in the zone of its scheduler's host.

    schedulers are those that have it, live ones alone where there are any. latest_at may be in the past of a former scheduler.
    function, queue and times are not known of a job of which only the name is left.
    """

    backend: str
    name: str
    state: CronState
    function: str = ""
    queue: str = ""
    interval_s: int | None = None
    cron: str = ""
    arguments: str = ""
    options: tuple[tuple[str, str], ...] = ()
    latest_at: datetime | None = None
    next_at: datetime | None = None
    schedulers: tuple[str, ...] = ()

    @property
    def is_only_a_name(self) -> bool:
        return not self.function


@dataclass(frozen=True, slots=True)
class Cron:
    """The cron of one backend; schedulers by heartbeat, the newest first, jobs worst first and then by next.

    schedulers_total and names_total count what RQ lists, of which so many were read. foreign is how many jobs the package rq-scheduler,
    which is not part of RQ, has there; has_foreign whether one runs.
    """

    backend: str
    schedulers: tuple[CronScheduler, ...]
    jobs: tuple[CronJob, ...]
    schedulers_total: int
    names_total: int
    foreign: int = 0
    has_foreign: bool = False

    @property
    def live(self) -> int:
        return sum(scheduler.is_live for scheduler in self.schedulers)

    @property
    def is_unattended(self) -> bool:
        """Whether there are cron jobs and no live scheduler."""
        return bool(self.jobs) and not self.live

    @property
    def doubled(self) -> int:
        return sum(job.state is CronState.DOUBLED for job in self.jobs)


@dataclass(frozen=True, slots=True)
class CronHistory:
    """What one name of cron jobs made: the newest of total, newest first; at is when each was enqueued."""

    backend: str
    name: str
    jobs: tuple[CronJob, ...]
    spawned: tuple[tuple[datetime | None, JobRow], ...]
    total: int
    as_of: datetime


def is_live(heartbeat_at: datetime | None, *, now: datetime) -> bool:
    return heartbeat_at is not None and (now - heartbeat_at).total_seconds() <= LIVE_S


def together(
    backend: str,
    schedulers: Sequence[tuple[CronScheduler, Sequence[CronEntry]]],
    names: Mapping[str, datetime | None],
    *,
    now: datetime,
) -> tuple[CronJob, ...]:
    """The cron jobs of a backend from what its schedulers have and from the names RQ keeps with when each was last enqueued."""
    held: dict[tuple[object, ...], list[tuple[CronScheduler, CronEntry]]] = {}
    for scheduler, entries in schedulers:
        for entry in {entry.identity: entry for entry in entries}.values():
            held.setdefault(entry.identity, []).append((scheduler, entry))
    found = [_job(backend, holders, now=now, known_at=names.get(holders[0][1].name)) for holders in held.values()]
    seen = {job.name for job in found}
    state = _of_a_name([scheduler for scheduler, _ in schedulers])
    found += [CronJob(backend, name, state, latest_at=at) for name, at in names.items() if name not in seen]
    return tuple(sorted(found, key=by_trouble))


def by_trouble(job: CronJob) -> tuple[int, datetime, str, str]:
    """Worst first, then by next; those without a next at the end."""
    return (list(CronState).index(job.state), job.next_at or _LAST, job.backend, job.name)


def _job(backend: str, holders: Sequence[tuple[CronScheduler, CronEntry]], *, now: datetime, known_at: datetime | None) -> CronJob:
    live = [holder for holder in holders if holder[0].is_live]
    # By name: heartbeats change places all the time, and a page should stay as it is.
    used = sorted(live or holders, key=lambda holder: holder[0].name)
    entry = used[0][1]
    latest = [at for at in (known_at, *(entry.latest_at for _, entry in used)) if at is not None]
    coming = [entry.next_at for _, entry in used if entry.next_at is not None]
    next_at = min(coming, default=None)
    return CronJob(
        backend,
        entry.name,
        _state([scheduler for scheduler, _ in live], next_at, now=now),
        function=entry.function,
        queue=entry.queue,
        interval_s=entry.interval_s,
        cron=entry.cron,
        arguments=entry.arguments,
        options=entry.options,
        latest_at=max(latest, default=None),
        next_at=next_at,
        schedulers=tuple(scheduler.name for scheduler, _ in used),
    )


def _state(live: Sequence[CronScheduler], next_at: datetime | None, *, now: datetime) -> CronState:
    beats = [scheduler.heartbeat_at for scheduler in live if scheduler.heartbeat_at is not None]
    if sum((now - at).total_seconds() <= BEAT_S for at in beats) > 1:
        return CronState.DOUBLED
    if not live:
        return CronState.UNATTENDED
    is_overdue = next_at is not None and now - next_at > timedelta(seconds=OVERDUE_S)
    return CronState.OVERDUE if is_overdue else CronState.SCHEDULED


def _of_a_name(schedulers: Sequence[CronScheduler]) -> CronState:
    """The state of a job of which no scheduler speaks."""
    live = [scheduler for scheduler in schedulers if scheduler.is_live]
    if not live:
        return CronState.UNATTENDED
    return CronState.UNKNOWN if any(scheduler.jobs is None for scheduler in live) else CronState.DROPPED
