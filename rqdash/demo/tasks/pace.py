"""Time that passes in the demo's jobs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from rq import get_current_job

STEP_S = 0.2


def spend(seconds: float) -> None:
    """Waits, and ends the work horse when its worker is gone: a horse outlives a killed worker."""
    worker = os.getppid()
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if os.getppid() != worker:
            raise SystemExit("The worker is gone.")
        time.sleep(min(left, STEP_S))


def steps(total: int, *, each_s: float) -> Iterator[int]:
    """Counts from 1 to total, each_s seconds a step, and keeps the job's meta["progress"] in percent."""
    job = get_current_job()
    for step in range(1, total + 1):
        spend(each_s)
        if job is not None:
            job.meta["progress"] = 100 * step // total
            job.save_meta()
        yield step
