"""Deletes a queue: what is in it, if that is wanted, then its name. A queue that still holds something keeps its name."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from rqdash.access.actor import Actor
from rqdash.actions.batches import BATCH, carried_out
from rqdash.actions.queues import Sweep
from rqdash.actions.recording import Values, recorded
from rqdash.actions.scripted import Order, source
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.errors import BackendError, Invalid
from rqdash.model.names import decoded, encoded
from rqdash.model.outcome import Outcome, Verdict
from rqdash.model.registry import Registry

# Children first: a job that others wait for is not deleted.
EMPTIED = (Registry.DEFERRED, Registry.SCHEDULED, Registry.FAILED, Registry.FINISHED, Registry.CANCELED)
SETS = (*EMPTIED, Registry.STARTED, Registry.READY)


def delete_queue(backend: Backend, actor: Actor, *, queue: str, as_of: datetime, with_jobs: bool = False, budget_s: float = 2.0) -> Outcome:
    """Forgets an empty queue; with_jobs first deletes the jobs in it, for up to budget_s, in batches of 200.

    left: entries that are still in it (its list, its intermediate list, its registries) or that come back to it (jobs that wait for a
    slot of a rate limit); the queue is deleted when there is none. Waiting jobs enqueued after as_of (aware) stay, and so do running
    jobs and those that deferred jobs elsewhere wait for. RQ makes a queue again with the next job enqueued to it. Raises Invalid,
    ReadOnly or BackendError.
    """
    clearing = _Clearing(backend, queue)

    def work() -> tuple[Outcome, BackendError | None]:
        if as_of.tzinfo is None:
            raise Invalid("The moment needs a time zone.", problems={"as_of": "no time zone"})
        failure = clearing.clear(as_of, time.monotonic() + budget_s) if with_jobs else None
        left = 0
        if failure is None:
            try:
                left = _forget(backend, queue)
            except BackendError as error:
                failure = error
        return clearing.outcome(left), failure

    values: Values = {"as_of": as_of.isoformat(), **({"with_jobs": True} if with_jobs else {})}
    return recorded(backend, actor, verb="delete_queue", queue=queue, values=values, work=work)


class _Clearing:
    """Takes everything out of a queue that may be deleted, and keeps count."""

    def __init__(self, backend: Backend, queue: str) -> None:
        self._backend = backend
        self._queue = queue
        self._counted: Counter[Verdict] = Counter()

    def clear(self, as_of: datetime, deadline: float) -> BackendError | None:
        """Empties the registries and then the list, until the deadline; answers what stopped it otherwise."""
        for registry in EMPTIED:
            failure = self._clear_registry(registry, deadline)
            if failure is not None:
                return failure
        sweep = Sweep(self._backend, self._queue, as_of)
        failure = sweep.run(deadline)
        self._counted.update(dict(sweep.outcome().counted))
        return failure

    def outcome(self, left: int) -> Outcome:
        counted = tuple((verdict, self._counted[verdict]) for verdict in Verdict if self._counted[verdict])
        return Outcome("delete_queue", self._backend.name, self._queue, counted=counted, left=left)

    def _clear_registry(self, registry: Registry, deadline: float) -> BackendError | None:
        order, stay, failure = Order("delete", self._queue, registry), 0, None
        while failure is None and time.monotonic() < deadline:
            ids = self._next(order, stay)
            if not ids:
                return None
            outcome, failure = carried_out(self._backend, order, ids=ids)
            self._counted.update(outcome.counts())
            stay += sum(1 for job in outcome.jobs if job.verdict not in (Verdict.DONE, Verdict.GONE))
        return failure

    def _next(self, order: Order, stay: int) -> Sequence[str]:
        """The next entries of a registry, behind those that must stay."""
        (raw,) = self._backend.read(("ZRANGE", source(self._backend, order), stay, stay + BATCH - 1))
        return tuple(decoded(job_id) for job_id in cast("list[bytes]", raw))


def _forget(backend: Backend, queue: str) -> int:
    """How many entries keep a queue from being deleted; it is deleted when that is 0."""
    keys = backend.keys
    sets = (encoded(keys.registry(registry, queue)) for registry in SETS)
    lists = (encoded(keys.queue(queue)), encoded(keys.intermediate(queue)))
    call = Call(load("rqdash.actions", "delete_queue"), (encoded(keys.queues), *lists, *sets), (keys.prefix, encoded(queue)))
    return cast("int", backend.write(call))
