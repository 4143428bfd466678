"""The actions of the version matrix, each on one job: what is to be done, as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rqdash import actions
from rqdash.actions.transfer import transfer
from rqdash.backends.backend import Backend
from rqdash.model.outcome import Outcome
from rqdash.model.registry import Registry
from tests.actors import Witness

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Sides:
    """The backend with the jobs, and another one, empty at first."""

    here: Backend
    there: Backend


Act = Callable[[Sides, str, str], tuple[Outcome, ...]]
"""Acts on one job: backends, queue, id. An outcome for each thing done to it, in order."""


def requeue(registry: str, **options: Any) -> Act:
    return _named(actions.requeue, registry=Registry(registry), **options)


def enqueue(registry: str, **options: Any) -> Act:
    return _named(actions.enqueue, registry=Registry(registry), **options)


def cancel(registry: str) -> Act:
    return _named(actions.cancel, registry=Registry(registry))


def delete(registry: str) -> Act:
    return _named(actions.delete, registry=Registry(registry))


def move(registry: str, to_queue: str, **options: Any) -> Act:
    return _named(actions.move, registry=Registry(registry), to_queue=to_queue, **options)


def rescue() -> Act:
    return _named(actions.rescue)


def reschedule(in_s: float) -> Act:
    return lambda sides, queue, job_id: (
        actions.reschedule(sides.here, Witness(), queue=queue, ids=[job_id], at=datetime.now(UTC) + timedelta(seconds=in_s)),
    )


def edit(registry: str, **limits: int) -> Act:
    return _named(actions.edit, registry=Registry(registry), limits=limits)


def stop() -> Act:
    return _named(actions.stop, patience_s=PATIENCE_S)


def carry(registry: str, **options: Any) -> Act:
    """Moves it, or copies it, to the same queue of the other backend."""
    return lambda sides, queue, job_id: (
        transfer(sides.here, sides.there, Witness(), queue=queue, registry=Registry(registry), ids=[job_id], to_queue=queue, **options),
    )


def empty() -> Act:
    """Empties its queue."""
    return lambda sides, queue, job_id: (actions.empty(sides.here, Witness(), queue=queue, as_of=datetime.now(UTC)),)


def delete_queue() -> Act:
    """Deletes its queue with all its jobs."""
    return lambda sides, queue, job_id: (actions.delete_queue(sides.here, Witness(), queue=queue, as_of=datetime.now(UTC), with_jobs=True),)


def in_turn(*acts: Act) -> Act:
    return lambda sides, queue, job_id: tuple(outcome for act in acts for outcome in act(sides, queue, job_id))


def _named(action: Callable[..., Outcome], **options: Any) -> Act:
    return lambda sides, queue, job_id: (action(sides.here, Witness(), queue=queue, ids=[job_id], **options),)
