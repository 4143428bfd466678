"""A job as it is read: one row of a list, and everything of one page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rqdash.model.failure import Failure
from rqdash.model.payload import Call, Shown
from rqdash.model.registry import Registry


@dataclass(frozen=True, slots=True)
class JobRow:
    """One row of a list. status is RQ's word or whatever stands there; exists is False when the hash is gone.

    function comes from the job's data, read symbolically ("" = unreadable); arguments is one line taken from the description.
    due_at: scheduled; expires_at: when the registry entry lapses (None = never); is_expired: it has lapsed, or the job is abandoned.
    """

    backend: str
    id: str
    queue: str
    registry: Registry | None = None
    exists: bool = True
    status: str = ""
    function: str = ""
    arguments: str = ""
    description: str = ""
    created_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None
    is_expired: bool = False
    worker: str = ""
    execution_id: str = ""
    timeout_s: int | None = None
    attempt: int | None = None
    attempts: int | None = None
    error_type: str = ""
    error_message: str = ""

    @property
    def waited_s(self) -> float | None:
        return (self.started_at - self.enqueued_at).total_seconds() if self.started_at and self.enqueued_at else None

    @property
    def ran_s(self) -> float | None:
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None


@dataclass(frozen=True, slots=True)
class JobList:
    """One page of a registry of a queue. total is the registry's size without expired entries, or None when unknown.

    scanned is how many entries were looked at to order this page; ordered says by what ("enqueue order", "newest end first", ...).
    expired counts the entries whose deadline has passed; they are listed after the others.
    """

    backend: str
    queue: str
    registry: Registry
    rows: tuple[JobRow, ...]
    total: int | None
    offset: int
    size: int
    as_of: datetime
    scanned: int = 0
    ordered: str = ""
    expired: int = 0

    @property
    def has_next(self) -> bool:
        return self.total is not None and self.offset + self.size < self.total + self.expired


@dataclass(frozen=True, slots=True)
class Result:
    """One entry of a job's result stream. kind: successful, failed, stopped, retried, max_retries_exceeded or unknown."""

    kind: str
    created_at: datetime | None
    worker: str = ""
    value: Shown | None = None
    failure: Failure | None = None
    execution_id: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """An attempt under way: by which worker, since when; deadline_at is when it counts as abandoned."""

    id: str
    worker: str = ""
    created_at: datetime | None = None
    heartbeat_at: datetime | None = None
    deadline_at: datetime | None = None
    is_expired: bool = False


@dataclass(frozen=True, slots=True)
class Relative:
    """A job that this one waits for, or that waits for it; status "" when its hash is gone."""

    id: str
    status: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the timeline; kind: created, waited, deferred, scheduled, attempt, ended."""

    kind: str
    label: str
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    worker: str = ""
    share_start: float = 0.0
    share: float = 0.0

    @property
    def took_s(self) -> float | None:
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None


@dataclass(frozen=True, slots=True)
class JobDetail:
    """Everything one page shows of a job.

    registry: where it is now (None = in no list or registry); position: 0 = next to run. fields: the hash's other fields as text,
    values that cannot be text described. expires_in_s: of the hash, None = never.
    """

    row: JobRow
    call: Call
    registry: Registry | None
    position: int | None
    meta: Shown | None
    failure: Failure | None
    results: tuple[Result, ...]
    executions: tuple[ExecutionRow, ...]
    dependencies: tuple[Relative, ...]
    dependents: tuple[Relative, ...]
    timeline: tuple[Step, ...]
    fields: tuple[tuple[str, str], ...]
    expires_in_s: float | None
    retries_left: int | None
    result_ttl_s: int | None
    failure_ttl_s: int | None
    ttl_s: int | None
    group_id: str
    rate_limit_key: str
    callbacks: tuple[tuple[str, str], ...]
    is_worker_gone: bool
    data_bytes: int
    as_of: datetime
