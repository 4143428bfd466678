"""A queue and its registries, counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rqdash.model.registry import Registry
from rqdash.model.trouble import Item


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """One queue of one backend, as counted at one moment.

    Counts leave out expired entries, so they equal RQ's own after its cleanup; expired ones are told apart. None means unknown.
    is_suspended and suspended_until (None = no end) speak of all workers of the backend, departing of all its jobs on their way to
    another backend; only a page of this one queue reads them.
    """

    backend: str
    name: str
    queued: int = 0
    started: int = 0
    scheduled: int = 0
    deferred: int = 0
    failed: int = 0
    finished: int = 0
    canceled: int = 0
    ready: int = 0
    intermediate: int = 0
    expired_started: int = 0
    expired_failed: int = 0
    expired_finished: int = 0
    overdue: int = 0
    oldest_enqueued_at: datetime | None = None
    workers: int = 0
    workers_busy: int = 0
    has_scheduler: bool = False
    exists: bool = True
    is_suspended: bool = False
    suspended_until: datetime | None = None
    departing: int = 0

    def count(self, registry: Registry) -> int:
        """Entries of one registry, expired ones left out."""
        counts = {
            Registry.QUEUED: self.queued,
            Registry.STARTED: self.started,
            Registry.SCHEDULED: self.scheduled,
            Registry.DEFERRED: self.deferred,
            Registry.FAILED: self.failed,
            Registry.FINISHED: self.finished,
            Registry.CANCELED: self.canceled,
            Registry.READY: self.ready,
            Registry.INTERMEDIATE: self.intermediate,
        }
        return counts[registry]

    def expired(self, registry: Registry) -> int:
        """Entries whose deadline has passed and that a worker's maintenance has not removed yet."""
        expired = {
            Registry.STARTED: self.expired_started,
            Registry.FAILED: self.expired_failed,
            Registry.FINISHED: self.expired_finished,
        }
        return expired.get(registry, 0)

    @property
    def is_unattended(self) -> bool:
        """Jobs wait and no worker listens."""
        return self.queued > 0 and self.workers == 0


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself; "" or None is unknown, and unknown says why by fact.

    maxmemory_bytes is 0 without a limit. clock_skew_s is by how much its clock is ahead of rqdash's, at least, in whole seconds.
    """

    product: str = ""
    version: str = ""
    role: str = ""
    maxmemory_policy: str = ""
    used_memory_bytes: int | None = None
    maxmemory_bytes: int | None = None
    clock_skew_s: int | None = None
    keyspaces: tuple[int, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        return f"{self.product} {self.version}".strip()

    def why_unknown(self, fact: str) -> str:
        """The reason why a fact is unknown; "" when it is known."""
        return dict(self.unknown).get(fact, "")


@dataclass(frozen=True, slots=True)
class BackendSummary:
    """One backend at one moment: its queues by name, its workers counted, its server.

    queues_total is how many there are; queues holds those read (all up to 2,000). Workers whose hash is gone count as lost and
    not among workers; workers_total is how many RQ lists, of which at most 1,000 are read. attention is what is wrong, worst first.
    """

    backend: str
    as_of: datetime
    queues: tuple[QueueSummary, ...] = ()
    queues_total: int = 0
    workers: int = 0
    workers_busy: int = 0
    workers_suspended: int = 0
    workers_lost: int = 0
    workers_total: int = 0
    rq_versions: tuple[str, ...] = ()
    is_suspended: bool = False
    suspended_for_s: int | None = None
    suspended_until: datetime | None = None
    server: ServerFacts = ServerFacts()
    attention: tuple[Item, ...] = ()

    def total(self, registry: Registry) -> int:
        return sum(queue.count(registry) for queue in self.queues)

    @property
    def oldest(self) -> QueueSummary | None:
        """The queue whose first job waits longest."""
        waiting = [queue for queue in self.queues if queue.oldest_enqueued_at]
        return min(waiting, key=lambda queue: queue.oldest_enqueued_at or self.as_of, default=None)


def by_trouble(queue: QueueSummary, *, as_of: datetime) -> tuple[int, float, int, str, str]:
    """Sort key, worst first: unattended, then oldest waiting, then most failed, then by name."""
    age_s = (as_of - queue.oldest_enqueued_at).total_seconds() if queue.oldest_enqueued_at else 0.0
    return (0 if queue.is_unattended else 1, -age_s, -queue.failed, queue.backend, queue.name)
