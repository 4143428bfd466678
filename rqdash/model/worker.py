"""A worker as it is read, and what is without one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rqdash.model.job import JobRow

STOPS_EXECUTIONS = 3
"""The first version of RQ whose workers know stop-execution; older ones ignore it."""


@dataclass(frozen=True, slots=True)
class CurrentJob:
    """What a worker runs now; function and arguments as in JobRow."""

    id: str
    execution_id: str = ""
    queue: str = ""
    function: str = ""
    arguments: str = ""
    started_at: datetime | None = None
    timeout_s: int | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker of one backend. state: busy, idle, suspended, started, lost (its key lapsed, or it is listed without one), or ended.

    heartbeat_at is when it last beat: an idle worker beats once in up to 405 s, so only the key's time to live says lost.
    expires_in_s: the key's time to live; working_s: time spent in jobs; failed counts retries too (RQ's counters of this process).
    shutdown_asked_at: when it was asked to end after its job; ended_at: when it said good-bye, which RQ keeps for a minute.
    """

    backend: str
    name: str
    state: str
    queues: tuple[str, ...] = ()
    pid: int | None = None
    hostname: str = ""
    address: str = ""
    rq_version: str = ""
    python_version: str = ""
    birth_at: datetime | None = None
    heartbeat_at: datetime | None = None
    expires_in_s: float | None = None
    successful: int | None = None
    failed: int | None = None
    working_s: float | None = None
    is_shutting_down: bool = False
    current: CurrentJob | None = None
    shutdown_asked_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def python(self) -> str:
        """Its Python as major.minor: a patch release changes nothing that a job sees. "" when it did not say."""
        return ".".join(self.python_version.split(" ")[0].split(".")[:2])[:12]

    @property
    def stops_executions(self) -> bool:
        """Whether its RQ knows stop-execution; one whose version is unknown may."""
        major = self.rq_version.partition(".")[0]
        return not major.isdecimal() or int(major) >= STOPS_EXECUTIONS

    def per_minute(self, as_of: datetime) -> float | None:
        """Jobs a minute on average since it started, by its counters; None when that is unknown."""
        up_s = self._up_s(as_of)
        if up_s is None or self.successful is None:
            return None
        return 60 * (self.successful + (self.failed or 0)) / up_s

    def working_percent(self, as_of: datetime) -> int | None:
        """Of its life, how much it has spent in jobs, the current one included; RQ counts a job's time when it ends."""
        up_s = self._up_s(as_of)
        if up_s is None or self.working_s is None:
            return None
        began_at = self.current.started_at if self.current else None
        now_s = max((as_of - began_at).total_seconds(), 0) if began_at else 0
        return min(round(100 * (self.working_s + now_s) / up_s), 100)

    def _up_s(self, as_of: datetime) -> float | None:
        """How long it has been up, in seconds; None when that is unknown, or it is no more."""
        if self.birth_at is None or self.state in ("lost", "ended"):
            return None
        return max((as_of - self.birth_at).total_seconds(), 1.0)


@dataclass(frozen=True, slots=True)
class Unattended:
    """A queue with jobs that wait and no live worker that listens."""

    queue: str
    waiting: int


@dataclass(frozen=True, slots=True)
class LeftJob:
    """A started job whose worker is gone; deadline_at is when RQ takes it for abandoned, None when never."""

    worker: str
    job: CurrentJob
    deadline_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WorkerList:
    """All workers of one backend by name, at most limit of total read. suspended_until is None also when that has no end.

    unattended and left are told of the first 2,000 queues; unattended is None when not all workers were read. Of each queue's started
    jobs the 16 are looked at whose workers beat longest ago.
    """

    backend: str
    as_of: datetime
    workers: tuple[Worker, ...]
    total: int
    is_suspended: bool = False
    suspended_until: datetime | None = None
    unattended: tuple[Unattended, ...] | None = ()
    left: tuple[LeftJob, ...] = ()


@dataclass(frozen=True, slots=True)
class Attends:
    """A queue of a worker, and how many jobs wait in it."""

    queue: str
    waiting: int


@dataclass(frozen=True, slots=True)
class Recent:
    """Jobs that a worker ran, newest end first, at most 20; scanned of total entries were looked at."""

    rows: tuple[JobRow, ...]
    scanned: int
    total: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class WorkerDetail:
    """Everything one page shows of a worker. is_suspended: all workers of its backend are.

    listeners: how many listen to its commands, None when nobody may ask, with why. queues in the worker's order, at most 200; of a
    worker that is lost those that still list it. left: started jobs that it left when it was lost.
    """

    worker: Worker
    is_listed: bool
    is_suspended: bool
    listeners: int | None
    why_unknown: str
    queues: tuple[Attends, ...]
    left: tuple[LeftJob, ...]
    recent: Recent
    as_of: datetime


ORDER = {"lost": 0, "suspended": 1, "busy": 2, "started": 3, "idle": 4}


def by_trouble(worker: Worker) -> tuple[int, str, str]:
    """Sort key, worst first: lost, suspended, busy, started, idle; then backend and name."""
    return (ORDER.get(worker.state, 5), worker.backend, worker.name)
