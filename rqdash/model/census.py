"""One backend counted for its history: less than a page reads, and the counters of its workers besides."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from rqdash.model.queue import QueueSummary


@dataclass(frozen=True, slots=True)
class WorkerCount:
    """One worker that RQ lists: its state ("lost" without a hash), and its counters since it was born. born is "" when unknown."""

    name: str
    born: str
    state: str
    finished: int | None = None
    failed: int | None = None


@dataclass(frozen=True, slots=True)
class Census:
    """A backend at one moment. Of queues_total queues and workers_total workers, those read."""

    backend: str
    as_of: datetime
    queues: tuple[QueueSummary, ...] = ()
    queues_total: int = 0
    workers: tuple[WorkerCount, ...] = ()
    workers_total: int = 0
    is_suspended: bool = False

    def states(self) -> dict[str, int]:
        """How many workers there are in each state."""
        return dict(Counter(worker.state for worker in self.workers))
