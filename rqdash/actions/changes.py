"""What changes jobs and leaves them where they are: another time for scheduled ones, other limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from rqdash.access.actor import Actor
from rqdash.actions.batches import carried_out
from rqdash.actions.jobs import named
from rqdash.actions.recording import recorded
from rqdash.actions.scripted import Order
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Invalid
from rqdash.model.outcome import Outcome
from rqdash.model.registry import Registry

LIMITS = ("timeout", "ttl", "result_ttl", "failure_ttl")
"""What can be edited, by RQ's names: how long a job may run, may wait on its queue, and how long its result or its failure is kept."""

EDITED = (Registry.QUEUED, Registry.SCHEDULED, Registry.DEFERRED, Registry.FAILED, Registry.FINISHED, Registry.CANCELED)
FOREVER = -1
LONGEST_S = 10 * 365 * 24 * 3600
KEPT_BY = {Registry.FINISHED: "result_ttl", Registry.FAILED: "failure_ttl"}
"""The limit that an ended job's lifetime follows at once."""


def reschedule(backend: Backend, actor: Actor, *, queue: str, ids: Iterable[str], at: datetime) -> Outcome:
    """Gives scheduled jobs another time (aware); one in the past makes them due at once. A job that RQ's scheduler took meanwhile is RACED.

    Raises Invalid, ReadOnly or BackendError.
    """
    distinct = tuple(dict.fromkeys(ids))

    def work() -> tuple[Outcome, BackendError | None]:
        if at.tzinfo is None:
            raise Invalid("The time needs a zone.", problems={"at": "no time zone"})
        if not distinct:
            raise Invalid("No job was named. Tick at least one.", problems={"ids": "none"})
        # RQ's scores of scheduled jobs are whole seconds.
        order = Order("reschedule", queue, Registry.SCHEDULED, told=str(int(at.timestamp())))
        return carried_out(backend, order, ids=distinct)

    values = {**named(Registry.SCHEDULED, distinct), "at": at.isoformat()}
    return recorded(backend, actor, verb="reschedule", queue=queue, values=values, work=work)


def edit(
    backend: Backend, actor: Actor, *, queue: str, registry: Registry, ids: Iterable[str], limits: Mapping[str, int | None]
) -> Outcome:
    """Sets limits of jobs that do not run: seconds, -1 without end, None for RQ's default. Limits not named stay.

    A worker that has just popped such a job may write the old values back when it ends. Lifetimes of keys follow as RQ sets them, from
    now on: by ttl for queued jobs, by result_ttl for finished and by failure_ttl for failed ones. Raises Invalid, ReadOnly or
    BackendError.
    """
    distinct = tuple(dict.fromkeys(ids))
    written = {field: "default" if seconds is None else seconds for field, seconds in limits.items()}

    def work() -> tuple[Outcome, BackendError | None]:
        _check(registry, limits, distinct)
        told = " ".join(f"{field} {'-' if seconds is None else seconds}" for field, seconds in limits.items())
        return carried_out(backend, Order("edit", queue, registry, told=told), ids=distinct)

    return recorded(backend, actor, verb="edit", queue=queue, values={**named(registry, distinct), **written}, work=work)


def _check(registry: Registry, limits: Mapping[str, int | None], ids: tuple[str, ...]) -> None:
    if registry not in EDITED:
        raise Invalid(f"The limits of {registry.value} jobs cannot be edited.", problems={"registry": "not for this action"})
    if not ids:
        raise Invalid("No job was named. Tick at least one.", problems={"ids": "none"})
    problems = {field: problem for field, seconds in limits.items() if (problem := _problem(field, seconds, registry))}
    if problems:
        raise Invalid("A limit cannot be as it was given.", problems=problems)
    if not limits:
        raise Invalid("No limit was given that differs. Change at least one.", problems={"limits": "none"})


def _problem(field: str, seconds: int | None, registry: Registry) -> str:
    if field not in LIMITS:
        return f"one of: {', '.join(LIMITS)}"
    if field == "timeout" and seconds is None:
        return "seconds, or -1 for no end"
    if seconds is None or seconds == FOREVER:
        return ""
    if not 0 <= seconds <= LONGEST_S:
        return "seconds up to ten years, or -1 for no end"
    if seconds == 0 and (field in ("timeout", "ttl") or KEPT_BY.get(registry) == field):
        return "more than 0" if field in ("timeout", "ttl") else "0 would delete it; delete it instead"
    return ""
