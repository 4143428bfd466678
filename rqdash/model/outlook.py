"""What will happen to a job next, and what keeps it from happening."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from rqdash.model.duration import duration, number
from rqdash.model.job import JobDetail, Prospect, RateLimit
from rqdash.model.registry import Registry

WAITING = ("created", "queued", "scheduled", "rate_limited", "ready_to_enqueue")
"""Statuses in which a worker is still to come."""
ENDED_BADLY = ("failed", "stopped", "canceled")
SOON = timedelta(minutes=2)
"""An entry of a registry and the job's hash lapse at the same time but for a few seconds; that is said once."""


def outlook(job: JobDetail) -> tuple[Prospect, ...]:
    """What comes next, in order: what the job's state leads to, what is in its way, how long it is kept."""
    next_steps = _STEPS.get(job.row.status, _nothing)(job)
    return (*next_steps, *_in_the_way(job), *_afterwards(job), *_kept(job))


def _queued(job: JobDetail) -> Iterator[Prospect]:
    if job.registry is Registry.INTERMEDIATE:
        yield Prospect("A worker has taken it and is about to start it. Should that worker be gone, RQ fails the job a minute later.")
    elif job.registry is not Registry.QUEUED:
        yield Prospect("It says that it is queued and is not in its queue: no worker will find it.", is_warning=True)
    elif job.position:
        yield Prospect(f"It starts after {_counted(job.position, 'other job', 'other jobs')} of its queue.")
    else:
        yield Prospect("It is the next of its queue to start.")


def _scheduled(job: JobDetail) -> Iterator[Prospect]:
    row, left = job.row, job.policies.retries_left
    is_again = bool(row.started_at or row.ended_at)
    # A job may have both, retries for its failures and repeats after its successes: its last result says which this is.
    is_retry = job.results[0].kind != "successful" if job.results else left is not None
    if is_again and is_retry:
        what = f"It is tried again, with {_counted(left or 0, 'retry', 'retries')} left after that"
    else:
        what = "It runs again, as it was told to repeat" if is_again else "It is put on its queue"
    is_overdue = bool(row.due_at and row.due_at <= job.as_of)
    yield Prospect(f"{what}. It is overdue since" if is_overdue else what, row.due_at, is_overdue)
    if not job.around.has_scheduler:
        yield Prospect("No scheduler watches its queue: it stays scheduled until a worker starts with one.", is_warning=True)


def _deferred(job: JobDetail) -> Iterator[Prospect]:
    waits_for = [other for other in job.dependencies if other.status not in ("", "finished")]
    more = job.dependencies_total - len(job.dependencies)
    broken = [other for other in waits_for if other.status in ENDED_BADLY]
    if waits_for or more > 0:
        at_least = "at least " if more > 0 else ""
        yield Prospect(f"It is put on its queue when {at_least}{_counted(len(waits_for), 'job', 'jobs')} it waits for have ended.")
    else:
        yield Prospect("All it waited for is over and nothing puts it on its queue by itself.", is_warning=True)
    if broken and not job.policies.allows_failures:
        text = f"{number(len(broken))} of these ended without finishing: it goes on waiting until they are run again and finish."
        yield Prospect(text, is_warning=True)


def _started(job: JobDetail) -> Iterator[Prospect]:
    row, policies = job.row, job.policies
    deadline = next((execution.deadline_at for execution in job.executions), None) or row.expires_at
    if row.is_expired or job.is_worker_gone:
        again = "tries it again" if policies.retries_left else "moves it to the failed registry"
        yield Prospect(f"It is abandoned: the next clean-up by a worker of its queue {again}.", deadline, is_warning=True)
        return
    if row.started_at and row.timeout_s:
        yield Prospect("Its timeout ends it, if it still runs.", row.started_at + timedelta(seconds=row.timeout_s))
    if deadline:
        yield Prospect("It counts as abandoned, unless its worker reports before.", deadline)
    if policies.retries_left:
        yield Prospect(f"If it fails, it is tried again {_spaced(policies.retries_left, policies.retry_intervals)}.")


def _limited(job: JobDetail) -> Iterator[Prospect]:
    limit = job.around.limit
    if limit is None or limit.position is None:
        yield Prospect("It waits for a slot of its rate limit and is not among those that wait for one.", is_warning=True)
        return
    before = "It gets the next free slot" if not limit.position else f"It gets a slot after {_counted(limit.position, 'other', 'others')}"
    yield Prospect(f"{before} of its rate limit; {_slots(limit)}.")


def _ready(job: JobDetail) -> Iterator[Prospect]:  # noqa: ARG001  one signature for every status
    yield Prospect("What it waited for has ended: the next clean-up by a worker of RQ 3.0 puts it on its queue.")


def _failed(job: JobDetail) -> Iterator[Prospect]:
    if job.around.limit is not None and job.around.limit.is_holder:
        yield Prospect("It still holds a slot of its rate limit.", is_warning=True)
    yield Prospect("It does not run again unless somebody requeues it.")


def _finished(job: JobDetail) -> Iterator[Prospect]:  # noqa: ARG001  one signature for every status
    yield Prospect("It is done and does not run again.")


def _nothing(job: JobDetail) -> Iterator[Prospect]:
    yield Prospect(f"RQ has no status {job.row.status[:40]!r}: what becomes of it is unknown." if job.row.status else "It has no status.")


def _in_the_way(job: JobDetail) -> Iterator[Prospect]:
    if job.row.status not in WAITING:
        return
    if job.around.is_suspended:
        yield Prospect("The workers are suspended: none takes another job until they are resumed.", is_warning=True)
    if job.around.is_attended is False:
        yield Prospect("No worker listens to its queue.", is_warning=True)


def _afterwards(job: JobDetail) -> Iterator[Prospect]:
    policies = job.policies
    if policies.repeats_left and job.row.status in (*WAITING, "deferred", "started"):
        yield Prospect(f"After it succeeds it runs again {_spaced(policies.repeats_left, policies.repeat_intervals)}.")
    if job.row.status in ENDED_BADLY and job.dependents_total:
        jobs = _counted(job.dependents_total, "job waits", "jobs wait")
        yield Prospect(f"{jobs} for this one; what did not allow it to fail stays deferred.", is_warning=True)


def _kept(job: JobDetail) -> Iterator[Prospect]:
    """When its entry and its hash go; with neither, that it stays."""
    removed_at = job.removed_at
    lapses_at = job.row.expires_at if job.registry in (Registry.FAILED, Registry.FINISHED) else None
    if lapses_at and job.registry and not job.row.is_expired and (removed_at is None or abs(lapses_at - removed_at) > SOON):
        yield Prospect(f"It leaves the {job.registry.value} registry.", lapses_at)
    if removed_at:
        still = ", started or not" if job.row.status in ("created", "queued") else ""
        yield Prospect(f"It is removed from Redis{still}.", removed_at)
    elif job.row.status in ("finished", *ENDED_BADLY):
        yield Prospect("It is kept until somebody deletes it.")


def _slots(limit: RateLimit) -> str:
    if limit.concurrency is None:
        return f"{_counted(limit.holders, 'job holds', 'jobs hold')} one, of how many is unknown"
    return f"{number(limit.holders)} of {number(limit.concurrency)} are held, {number(limit.waiters)} wait"


def _spaced(times: int, intervals: tuple[int, ...]) -> str:
    """ "2 times, after 1 m 00 s and 5 m 00 s": RQ uses the last interval for all that have none of their own."""
    after = " and ".join(duration(interval) for interval in intervals[:5])
    return f"{_counted(times, 'time', 'times')}{f', after {after}' if any(intervals) else ', at once'}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{number(count)} {one if count == 1 else many}"


_STEPS: dict[str, Callable[[JobDetail], Iterator[Prospect]]] = {
    "created": _queued,
    "queued": _queued,
    "scheduled": _scheduled,
    "deferred": _deferred,
    "started": _started,
    "rate_limited": _limited,
    "ready_to_enqueue": _ready,
    "failed": _failed,
    "stopped": _failed,
    "canceled": _failed,
    "finished": _finished,
}
