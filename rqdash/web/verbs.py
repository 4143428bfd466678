"""What may be done with jobs, by where they are: the buttons of lists and of a job's page, the usual thing first.

front and move are requeueing at the front and to another queue where jobs ended; the server checks each job's state all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from rqdash.model.job import JobDetail
from rqdash.model.registry import Registry

LISTED: dict[Registry, tuple[str, ...]] = {
    Registry.QUEUED: ("move", "cancel", "delete"),
    Registry.STARTED: ("stop", "requeue"),
    Registry.SCHEDULED: ("enqueue", "move", "reschedule", "cancel", "delete"),
    Registry.DEFERRED: ("enqueue", "cancel", "delete"),
    Registry.FAILED: ("requeue", "front", "move", "delete"),
    Registry.FINISHED: ("delete",),
    Registry.CANCELED: ("requeue", "front", "move", "delete"),
    Registry.INTERMEDIATE: ("rescue",),
}
EDITED = (Registry.QUEUED, Registry.SCHEDULED, Registry.DEFERRED, Registry.FAILED, Registry.FINISHED, Registry.CANCELED)


OF_OPERATIONS = ("requeue", "enqueue", "move", "copy", "cancel", "delete")
"""What an operation may do with any number of jobs; copy goes where move does."""


def bulk(registries: Sequence[Registry]) -> tuple[str, ...]:
    """What may be done with all jobs of a search that looks at these registries; the usual things first."""
    possible = {verb for registry in registries for verb in LISTED.get(registry, ()) if registry is not Registry.STARTED}
    possible |= {"copy"} if "move" in possible else set()
    return tuple(verb for verb in OF_OPERATIONS if verb in possible)


LAST = ("cancel", "delete")


def of_job(job: JobDetail) -> tuple[Registry | None, tuple[str, ...]]:
    """Where a job is to be named as being, and what may be done with it there.

    One that waits for a slot of its rate limit is in no registry; it is named as queued. Of a started job: stop while an execution
    lives, requeue when it is abandoned.
    """
    if job.registry is None and job.row.status == "rate_limited":
        return Registry.QUEUED, ("cancel", "delete")
    if job.registry is None:
        return None, ()
    if job.registry is Registry.STARTED:
        return job.registry, ("requeue",) if job.row.is_expired else ("stop",)
    verbs = LISTED.get(job.registry, ())
    if job.registry not in EDITED:
        return job.registry, verbs
    last = tuple(verb for verb in verbs if verb in LAST)
    return job.registry, (*(verb for verb in verbs if verb not in LAST), "edit", *last)
