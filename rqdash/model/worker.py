"""A worker as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
    """One worker of one backend. state: busy, idle, suspended, started or lost (its key lapsed, or it is listed without one).

    heartbeat_at is when it last beat: an idle worker beats once in up to 405 s, so only the key's time to live says lost.
    expires_in_s: the key's time to live; working_s: time spent in jobs; failed counts retries too (RQ's counters of this process).
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


@dataclass(frozen=True, slots=True)
class WorkerList:
    """All workers of one backend by name, at most limit of total read. suspended_until is None also when that has no end."""

    backend: str
    as_of: datetime
    workers: tuple[Worker, ...]
    total: int
    is_suspended: bool = False
    suspended_until: datetime | None = None


ORDER = {"lost": 0, "suspended": 1, "busy": 2, "started": 3, "idle": 4}


def by_trouble(worker: Worker) -> tuple[int, str, str]:
    """Sort key, worst first: lost, suspended, busy, started, idle; then backend and name."""
    return (ORDER.get(worker.state, 5), worker.backend, worker.name)
