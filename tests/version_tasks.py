"""What the jobs of the version matrix do. It runs in environments of old versions of RQ, where nothing of rqdash is installed."""

from __future__ import annotations

from rq import get_current_job

MENDED = "mended"
RAN = "ran"
"""The list to which every job appends its id as it begins: the order of runs, each as often as it ran."""


def note(*words: object, **named: object) -> str:
    """Runs, and says how it was called."""
    _begun()
    return " ".join(map(str, (*words, *named)))


def fail(*words: object) -> str:
    """Fails until there is a key named mended."""
    job = _begun()
    if not job.connection.exists(MENDED):
        raise LookupError(f"no such customer: {' '.join(map(str, words))}")
    return MENDED


def hold() -> None:
    """Says that it runs, by running:<id>, and goes on until something is pushed to release:<id>, for 150 s at most."""
    job = _begun()
    job.connection.set(f"running:{job.id}", 1)
    job.connection.blpop([f"release:{job.id}"], timeout=150)


def _begun():  # type: ignore[no-untyped-def]
    job = get_current_job()
    job.connection.rpush(RAN, job.id)
    return job
