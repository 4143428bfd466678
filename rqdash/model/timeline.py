"""A job's life as steps on one line, from its moments and its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from rqdash.model.job import JobRow, Result, Spent, Step

AT_ONCE = timedelta(seconds=1)
"""RQ takes a moment between creating and enqueueing a job; less than this is no step of its own."""
ENDS = ("started", "finished", "failed", "stopped", "canceled")
WAITING = {"deferred": "Deferred", "scheduled": "Scheduled", "rate_limited": "Rate limited"}


def timeline(row: JobRow, results: Sequence[Result], *, now: datetime, has_dependencies: bool | None = None) -> tuple[Step, ...]:
    """The steps, oldest first: what the job waited for, each attempt, the waits between. A step under way has no end.

    results are newest first, as RQ keeps the last ten; those before RQ 2.8 hold no times, so of them only the last attempt is known.
    has_dependencies tells a job that waited for others from one that waited for its time; None when that is unknown.
    share_start and share place a step on the whole from the first moment known to the last, or now; both are 0 to 1.
    """
    attempts = _attempts(row, results)
    held = {None: "Deferred or scheduled", True: "Deferred", False: "Scheduled"}[has_dependencies]
    steps = [*_before(row, attempts, held), *_with_waits(row, attempts), *_after(row, attempts)]
    return _shared(steps, now)


def spent(steps: Sequence[Step]) -> Spent:
    """Where the time went in a timeline."""
    first = next((index for index, step in enumerate(steps) if step.kind == "attempt"), len(steps))
    waits = [step for step in steps[first:] if step.kind != "attempt"]
    attempts = [step for step in steps if step.kind == "attempt"]
    ended_at = steps[-1].ended_at if steps else None
    begun_at = steps[0].started_at if steps else None
    return Spent(
        waited_s=_sum(steps[:first]),
        between_s=_sum(waits),
        ran_s=_sum(attempts),
        attempts=len(attempts),
        whole_s=(ended_at - begun_at).total_seconds() if begun_at and ended_at else None,
    )


def _sum(steps: Sequence[Step]) -> float | None:
    found = [step.took_s for step in steps if step.took_s is not None]
    return sum(found) if found else None


def _attempts(row: JobRow, results: Sequence[Result]) -> list[Step]:
    timed = sorted((result.started_at, index, result) for index, result in enumerate(results) if result.started_at)
    steps = [_attempt(number, result) for number, (_, _, result) in enumerate(timed, 1)]
    # The hash tells of an attempt that no result tells of: the one under way, or one that an old version ran.
    if row.started_at and (not steps or row.started_at >= _end(steps[-1], timed[-1][0])):
        number = row.attempt if row.attempt is not None and row.attempt > len(steps) else len(steps) + 1
        # Of a job that was put back since, the hash does not say how that attempt ended.
        status = row.status if row.status in ENDS or not row.ended_at else ""
        steps.append(Step("attempt", f"Attempt {number}", status, row.started_at, row.ended_at or _told_at(row, results), row.worker))
    return steps


def _told_at(row: JobRow, results: Sequence[Result]) -> datetime | None:
    """When the newest result was written: RQ leaves the end of stopped and of abandoned jobs empty."""
    told_at = results[0].created_at if results and row.status in ("failed", "stopped") else None
    return told_at if told_at and row.started_at and told_at >= row.started_at else None


def _end(step: Step, started_at: datetime) -> datetime:
    return step.ended_at or started_at + AT_ONCE


def _attempt(number: int, result: Result) -> Step:
    label = f"Attempt {number}, {result.failure.type}" if result.failure and result.failure.type else f"Attempt {number}"
    status = {"successful": "finished", "retried": "failed", "max_retries_exceeded": "failed"}.get(result.kind, result.kind)
    return Step("attempt", label, status, result.started_at, result.ended_at, result.worker)


def _before(row: JobRow, attempts: Sequence[Step], held: str) -> list[Step]:
    """What came before the first attempt. enqueued_at is of the last enqueueing: after a retry it says nothing of the first."""
    begun_at = attempts[0].started_at if attempts else None
    created_at, enqueued_at = row.created_at, row.enqueued_at
    if attempts and enqueued_at and begun_at and enqueued_at > begun_at:
        enqueued_at = None
    if not attempts and row.status in WAITING:
        return [_wait(row, row.status, created_at, None)] if created_at else []
    steps = []
    if created_at and enqueued_at and enqueued_at - created_at > AT_ONCE:
        steps.append(Step("deferred", held, "scheduled" if held == "Scheduled" else "deferred", created_at, enqueued_at))
        created_at = enqueued_at
    if created_at or enqueued_at:
        end = begun_at or (None if row.status == "queued" else row.ended_at)
        steps.append(_wait(row, "queued", enqueued_at or created_at, end))
    return steps


def _with_waits(row: JobRow, attempts: Sequence[Step]) -> list[Step]:
    steps = list(attempts[:1])
    for before, after in pairwise(attempts):
        steps += [*_between(row, before, after), after]
    return steps


def _between(row: JobRow, before: Step, after: Step) -> list[Step]:
    """The wait between two attempts. When it was enqueued again is known of the last attempt alone: RQ keeps one such time."""
    # A job that succeeded runs again because it was told to repeat, or was enqueued anew.
    label = "Waited for its next run" if before.status == "finished" else "Waited for retry"
    since, until, queued_at = before.ended_at, after.started_at, row.enqueued_at
    if not (since and until and queued_at and since + AT_ONCE < queued_at <= until):
        return [Step("scheduled", label, "scheduled", since, until)]
    queued = [_wait(row, "queued", queued_at, until)] if until - queued_at > AT_ONCE else []
    return [Step("scheduled", label, "scheduled", since, queued_at if queued else until), *queued]


def _after(row: JobRow, attempts: Sequence[Step]) -> list[Step]:
    """What the job waits for after an attempt: a retry, or its next run."""
    if not attempts or row.status not in ("queued", *WAITING):
        return []
    last = attempts[-1].ended_at or attempts[-1].started_at
    since = row.enqueued_at if row.status == "queued" and row.enqueued_at and last and row.enqueued_at >= last else last
    between = [Step("waited", "Waited to be queued again", "scheduled", last, since)] if since and last and since - last > AT_ONCE else []
    return [*between, _wait(row, row.status, since, None)]


def _wait(row: JobRow, status: str, started_at: datetime | None, ended_at: datetime | None) -> Step:
    if status == "queued":
        return Step("waited", f"{'Waited' if ended_at else 'Waiting'} in {row.queue}", status, started_at, ended_at)
    return Step("deferred" if status == "deferred" else "scheduled", WAITING.get(status, status), status, started_at, ended_at)


def _shared(steps: Sequence[Step], now: datetime) -> tuple[Step, ...]:
    moments = [moment for step in steps for moment in (step.started_at, step.ended_at) if moment]
    if not moments:
        return tuple(steps)
    if any(step.ended_at is None for step in steps):
        moments.append(now)
    first = min(moments)
    whole_s = (max(moments) - first).total_seconds()
    return tuple(_placed(step, first, whole_s=whole_s, now=now) for step in steps)


def _placed(step: Step, first: datetime, *, whole_s: float, now: datetime) -> Step:
    if not step.started_at or whole_s <= 0:
        return step
    start = (step.started_at - first).total_seconds() / whole_s
    took = max((step.ended_at or now) - step.started_at, timedelta()).total_seconds() / whole_s
    return replace(step, share_start=min(max(start, 0.0), 1.0), share=min(took, 1.0 - min(max(start, 0.0), 1.0)))
