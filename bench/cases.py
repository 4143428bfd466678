"""The pages that are measured, the same for everybody: which rows of which list."""

from __future__ import annotations

from dataclasses import dataclass

import redis

HOT = "hot"
"""The queue that holds half of the jobs."""


@dataclass(frozen=True, slots=True)
class Case:
    """One page. kind: overview, workers, list or job; rows as asked for; offset a multiple of them; job_id for kind job."""

    name: str
    kind: str
    rows: int = 0
    registry: str = ""
    offset: int = 0
    job_id: str = ""

    @property
    def page(self) -> int:
        """The page's number, from 1."""
        return self.offset // self.rows + 1 if self.rows else 1

    @property
    def must_win(self) -> bool:
        """Whether it must be five times as fast as the rivals', not only as fast: pages of a whole backend and lists of 100."""
        return self.kind in ("overview", "workers") or (self.kind == "list" and self.rows == 100)


def cases(client: redis.Redis, *, queues: int, workers: int) -> tuple[Case, ...]:
    """The pages of a server that bench.seed filled: start, middle and end of its long list, its failed jobs, two jobs."""
    listed = tuple(
        Case(f"list of {rows}, {place} of {waiting:,}", "list", rows, "queued", offset)
        for rows in (50, 100)
        for place, waiting, offset in _places(int(client.llen(f"rq:queue:{HOT}")), rows)
    )
    failed = tuple(Case(f"failed with errors, {rows}", "list", rows, "failed") for rows in (50, 100))
    (middle,) = client.lrange(f"rq:queue:{HOT}", 100, 100)
    (ended,) = client.zrevrange(f"rq:failed:{HOT}", 5, 5)
    return (
        Case(f"overview, {queues} queues", "overview", queues),
        *listed,
        *failed,
        Case(f"workers, {workers}", "workers", workers),
        Case("job, queued", "job", job_id=middle.decode()),
        Case("job, failed", "job", job_id=ended.decode()),
    )


def _places(waiting: int, rows: int) -> tuple[tuple[str, int, int], ...]:
    last = max(waiting - 1, 0) // rows * rows
    return ("start", waiting, 0), ("middle", waiting, last // 2 // rows * rows), ("end", waiting, last)
