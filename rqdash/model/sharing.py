"""What jobs of several queues share: the groups they were enqueued as, and the rate limits they obey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

GONE = ""
"""The status of a job whose hash is gone."""
HOLDING = ("queued", "started")
"""The statuses in which a job needs its slot of a rate limit."""
LONGEST = 80


@dataclass(frozen=True, slots=True)
class Group:
    """A group: jobs enqueued together. statuses are counted over the members looked at, most first; expired are those that are gone."""

    backend: str
    name: str
    size: int
    looked: int
    statuses: tuple[tuple[str, int], ...]
    expired: int
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A job that holds a slot of a rate limit since held_at; status "" when its hash is gone. is_leaked: it does not need it any more."""

    job_id: str
    queue: str
    status: str
    held_at: datetime | None
    is_leaked: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit. slots are the oldest holders, of holders; queues say where the oldest waiters looked at wait, of waiters.

    concurrency is what the last enqueuer asked for, None when it is unknown.
    """

    backend: str
    key: str
    concurrency: int | None
    holders: int
    slots: tuple[Slot, ...]
    waiters: int
    looked: int
    queues: tuple[tuple[str, int], ...]
    oldest_id: str = ""
    oldest_queue: str = ""
    oldest_at: datetime | None = None

    @property
    def leaked(self) -> int:
        """Of the holders looked at."""
        return sum(slot.is_leaked for slot in self.slots)


@dataclass(frozen=True, slots=True)
class Sharing:
    """Groups and rate limits of one backend, by name. The totals count all there are, of which those asked for were read."""

    backend: str
    groups: tuple[Group, ...]
    groups_read: int
    groups_total: int
    limits: tuple[Limit, ...]
    limits_read: int
    limits_total: int


def tallied(words: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """How often each word occurs, most first, then by name."""
    return tuple(sorted(Counter(words).items(), key=lambda item: (-item[1], item[0])))
