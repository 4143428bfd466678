"""What may be wrong with a backend, as facts: read beside its counts, judged by model.attention. What is unknown is None."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What can be wrong, worst first."""

    DOWN = "down"
    SWITCHING = "switching"
    REPLICA = "replica"
    MEMORY = "memory"
    FAILING = "failing"
    UNATTENDED = "unattended"
    LATE = "late"
    LOST = "lost"
    GONE = "gone"
    ABANDONED = "abandoned"
    STUCK = "stuck"
    UNSCHEDULED = "unscheduled"
    CRON_DOUBLED = "cron_doubled"
    CRON_DEAD = "cron_dead"
    SUSPENDED = "suspended"
    CLOCK = "clock"
    EVICTION = "eviction"
    SENTINEL = "sentinel"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that needs a person: subject (a name or a thing) and text say what, cause why or what helps.

    count is how many jobs or workers it is about, queue the queue it is about (None: no single one), worker one that is gone. since is
    when it began as far as is known, until when it ends, or is tried again. code is the Problem's code of what a backend does not
    answer.
    """

    backend: str
    kind: Kind
    subject: str
    text: str
    cause: str = ""
    count: int = 0
    queue: str | None = None
    worker: str = ""
    since: datetime | None = None
    until: datetime | None = None
    code: str = ""

    @property
    def momentary(self) -> frozenset[str]:
        """As of a Problem: its moments are those of one process."""
        return frozenset({"since", "until"} if self.code else ())


@dataclass(frozen=True, slots=True)
class QueueTrouble:
    """One queue's facts. abandoned_at is the first deadline that passed, due_at when its first scheduled job was or is due.

    gone are started jobs before their deadline whose worker is gone (of those looked at, the likeliest first), gone_worker one such
    worker. stuck are jobs seen more than 60 s ago between the queue and a worker. failed_10min and failed_1h are counted back from
    the reading; they are None where the registry does not tell when a job failed.
    """

    queue: str
    abandoned_at: datetime | None = None
    gone: int = 0
    gone_worker: str = ""
    stuck: int = 0
    due_at: datetime | None = None
    failed_10min: int | None = 0
    failed_1h: int | None = 0


@dataclass(frozen=True, slots=True)
class CronFacts:
    """The cron schedulers of a backend: how many are alive, and the names of cron jobs that two of them enqueue.

    last_beat_at is the newest heartbeat while none is alive, last_enqueued_at when a cron job was last enqueued.
    """

    live: int = 0
    doubled: tuple[str, ...] = ()
    last_beat_at: datetime | None = None
    last_enqueued_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Troubles:
    """The facts of one backend, read at one moment; lost are the names of workers that stopped answering."""

    queues: tuple[QueueTrouble, ...] = ()
    lost: tuple[str, ...] = ()
    cron: CronFacts = CronFacts()
