"""A job as it is read: one row of a list, and everything of one page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from rqdash.model.failure import Failure
from rqdash.model.payload import Call, Shown
from rqdash.model.registry import Registry

ARRIVALS = {
    Registry.QUEUED: "enqueued_at",
    Registry.INTERMEDIATE: "enqueued_at",
    Registry.STARTED: "started_at",
    Registry.FAILED: "ended_at",
    Registry.FINISHED: "ended_at",
    Registry.CANCELED: "canceled_at",
}
"""The field that says when a job came to its registry; of the others when it was created."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """One row of a list. status is RQ's word or whatever stands there; exists is False when the hash is gone.

    function comes from the job's data, read symbolically ("" = unreadable); arguments is one line taken from the description.
    due_at: scheduled; expires_at: when the registry entry lapses (None = never); is_expired: it has lapsed, or the job is abandoned.
    noticed_at: when the newest result of a failed job was written: RQ leaves one that it found abandoned without ended_at.
    canceled_at: of a canceled job. error_end: how the text of its error ends, for pages alone.
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
    noticed_at: datetime | None = None
    canceled_at: datetime | None = None
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
    error_end: str = field(default="", metadata={"in_json": False})

    @property
    def came(self) -> tuple[datetime | None, str]:
        """When it came to where it is, and what that moment is where it is another one than the list asks for: "noticed", "created"."""
        at: datetime | None = getattr(self, ARRIVALS[self.registry]) if self.registry in ARRIVALS else self.created_at
        if at is None and self.registry is Registry.FAILED and self.noticed_at:
            return self.noticed_at, "noticed"
        return (at, "") if at or not self.created_at else (self.created_at, "created")

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
    """A job that this one waits for, or that waits for it; status "" when its hash is gone, registry None when that is unknown.

    description: the function where RQ wrote it, else what somebody wrote.
    """

    id: str
    status: str = ""
    description: str = ""
    queue: str = ""
    registry: Registry | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the timeline; kind: waited, deferred, scheduled, attempt. A step under way has no end."""

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
class Spent:
    """Where a job's time went, in seconds: before its first attempt, between attempts, in attempts that have ended; None = no such step.

    whole_s is from the first moment known to the last end, None while a step is under way.
    """

    waited_s: float | None = None
    between_s: float | None = None
    ran_s: float | None = None
    attempts: int = 0
    whole_s: float | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """What a worker calls when a job ends so: success, failure or stopped; function is its import path."""

    event: str
    function: str
    timeout_s: int | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request sent when a job ends so. Of the URL what is secret is left out, of the headers only their names are kept.

    Whether one was delivered is not recorded by RQ.
    """

    url: str
    event: str
    method: str = ""
    headers: tuple[str, ...] = ()
    timeout_s: int | None = None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A rate limit as one of its jobs sees it: whether it holds a slot, or how many wait before it (position, 0 = next)."""

    key: str
    concurrency: int | None = None
    holders: int = 0
    waiters: int = 0
    held_at: datetime | None = None
    waits_at: datetime | None = None
    is_holder: bool = False
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a job's future depends on beyond itself. is_attended: whether a live worker listens to its queue, None = unknown.

    group_size: jobs in its group, expired ones among them; None without a group.
    """

    is_suspended: bool = False
    has_scheduler: bool = False
    is_attended: bool | None = None
    group_size: int | None = None
    limit: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class Policies:
    """What a job was enqueued with for its ends: retries, repeats and lifetimes, in seconds; None is RQ's default, -1 for ever."""

    retries_left: int | None = None
    retry_intervals: tuple[int, ...] = ()
    repeats_left: int | None = None
    repeat_intervals: tuple[int, ...] = ()
    result_ttl_s: int | None = None
    failure_ttl_s: int | None = None
    ttl_s: int | None = None
    allows_failures: bool = False


@dataclass(frozen=True, slots=True)
class Prospect:
    """Something that will happen to a job, or that keeps it from happening; at: when, where that is known."""

    text: str
    at: datetime | None = None
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class JobDetail:
    """Everything one page shows of a job.

    registry: where it is now (None = in no list or registry); position: 0 = next to run. fields: the hash's other fields as text,
    values that cannot be text described. removed_at: when the hash lapses, to the second, None = never. Of dependencies and dependents
    at most 100 are here; the totals count all. arguments is the profile's policy: shown, described or hidden.
    """

    SAYS: ClassVar = ("expires_in_s",)

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
    dependencies_total: int
    dependents_total: int
    timeline: tuple[Step, ...]
    spent: Spent
    fields: tuple[tuple[str, str], ...]
    removed_at: datetime | None
    policies: Policies
    group_id: str
    around: Surroundings
    callbacks: tuple[Callback, ...]
    webhooks: tuple[Webhook, ...]
    is_worker_gone: bool
    data_bytes: int
    arguments: str
    as_of: datetime
    prospects: tuple[Prospect, ...] = ()

    @property
    def expires_in_s(self) -> float | None:
        """Until the hash lapses, from when it was read."""
        return (self.removed_at - self.as_of).total_seconds() if self.removed_at else None
