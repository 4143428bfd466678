"""Stops jobs that run now, by a word to the workers that run them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rqdash.access.actor import Actor
from rqdash.actions.batches import carried_out
from rqdash.actions.jobs import named
from rqdash.actions.recording import recorded
from rqdash.actions.scripted import Order
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Invalid
from rqdash.model.names import encoded
from rqdash.model.outcome import JobOutcome, Outcome, Verdict
from rqdash.model.registry import Registry

LOOK_AGAIN_S = 0.05


def stop(backend: Backend, actor: Actor, *, queue: str, ids: Iterable[str], patience_s: float = 1.0) -> Outcome:
    """Tells the workers that run these started jobs to stop them, and looks for up to patience_s whether they did.

    DONE: it runs no more. TOLD: its worker heard it and the job still counts as started; SimpleWorker never obeys. UNHEARD: nobody
    listens. STALE: no live execution, or its worker says that it runs something else. RQ keeps stopped jobs in the failed registry and
    does not retry them. Raises Invalid, ReadOnly or BackendError.
    """
    distinct = tuple(dict.fromkeys(ids))

    def work() -> tuple[Outcome, BackendError | None]:
        if not distinct:
            raise Invalid("No job was named. Tick at least one.", problems={"ids": "none"})
        told, failure = carried_out(backend, Order("stop", queue, Registry.STARTED), ids=distinct)
        return _seen(backend, told, patience_s), failure

    return recorded(backend, actor, verb="stop", queue=queue, values=named(Registry.STARTED, distinct), work=work)


def _seen(backend: Backend, outcome: Outcome, patience_s: float) -> Outcome:
    """The outcome, with what became of the jobs whose workers were told. One round trip a look; a backend that fails ends the looking."""
    waiting = [job.job_id for job in outcome.jobs if job.verdict is Verdict.TOLD]
    stopped: set[str] = set()
    deadline = time.monotonic() + patience_s
    while waiting:
        try:
            stopped.update(_ended(backend, waiting))
        except BackendError:
            break
        waiting = [job_id for job_id in waiting if job_id not in stopped]
        if time.monotonic() >= deadline:
            break
        time.sleep(LOOK_AGAIN_S)
    jobs = tuple(JobOutcome(job.job_id, Verdict.DONE) if job.job_id in stopped else job for job in outcome.jobs)
    return replace(outcome, jobs=jobs)


def _ended(backend: Backend, ids: Sequence[str]) -> list[str]:
    replies = backend.read(*(("HGET", encoded(backend.keys.job(job_id)), "status") for job_id in ids))
    return [job_id for job_id, status in zip(ids, replies, strict=True) if status != b"started"]
