"""What the jobs of tests do. Real workers run them in their own processes and leave their traces in Redis."""

from __future__ import annotations

from rq import get_current_job
from rq.job import Job


def count(key: str) -> int:
    """Counts its runs under a key."""
    return int(_job().connection.incr(key))


def count_and_fail(key: str) -> None:
    """Counts its runs, and fails while <key>:fails exists."""
    connection = _job().connection
    connection.incr(key)
    if connection.exists(f"{key}:fails"):
        raise ValueError(f"{key} was told to fail")


def note(key: str) -> None:
    """Appends its job's id to a list: the order of runs."""
    job = _job()
    job.connection.rpush(key, job.id)


def hold(key: str) -> None:
    """Says that it runs, by <key>:running, and goes on running until something is pushed to the key, for 30 s at most."""
    connection = _job().connection
    connection.set(f"{key}:running", 1)
    connection.blpop([key], timeout=30)


def _job() -> Job:
    job = get_current_job()
    if job is None:
        raise RuntimeError("Tasks of tests run in a worker.")
    return job
