"""What can be done to jobs that were named one by one: requeue, cancel, delete, move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rqdash.access.actor import Actor
from rqdash.actions.batches import carried_out
from rqdash.actions.recording import Values, recorded
from rqdash.actions.scripted import Order
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Invalid
from rqdash.model.outcome import Outcome
from rqdash.model.registry import Registry

ALLOWED = {
    "requeue": (Registry.FAILED, Registry.CANCELED),
    "cancel": (Registry.QUEUED, Registry.SCHEDULED, Registry.DEFERRED),
    "delete": (
        Registry.QUEUED,
        Registry.SCHEDULED,
        Registry.DEFERRED,
        Registry.FAILED,
        Registry.FINISHED,
        Registry.CANCELED,
        Registry.STARTED,
    ),
    "move": (Registry.QUEUED, Registry.FAILED, Registry.CANCELED, Registry.SCHEDULED),
}
"""From where each action takes jobs. Deleting started ones answers how they stand, and deletes none: RQ would bring them back."""

SHOWN_IDS = 20
"""So many ids are written into the audit log; the others are only counted."""

PAST = {"requeue": "requeued", "cancel": "canceled", "delete": "deleted", "move": "moved"}


def requeue(backend: Backend, actor: Actor, *, queue: str, registry: Registry, ids: Iterable[str], at_front: bool = False) -> Outcome:
    """Puts failed or canceled jobs back on their queue, in the order named. Raises Invalid, ReadOnly or BackendError."""
    return _acted(backend, actor, Order("requeue", queue, registry, to_queue=queue, at_front=at_front), ids)


def cancel(backend: Backend, actor: Actor, *, queue: str, registry: Registry, ids: Iterable[str]) -> Outcome:
    """Takes queued, scheduled or deferred jobs out of where they wait into the canceled registry.

    Jobs that wait for them go on waiting, as with RQ. Raises Invalid, ReadOnly or BackendError.
    """
    return _acted(backend, actor, Order("cancel", queue, registry), ids)


def delete(backend: Backend, actor: Actor, *, queue: str, registry: Registry, ids: Iterable[str]) -> Outcome:
    """Removes jobs from Redis with their results; not those running, nor those that deferred jobs wait for.

    Raises Invalid, ReadOnly or BackendError.
    """
    return _acted(backend, actor, Order("delete", queue, registry), ids)


def move(
    backend: Backend, actor: Actor, *, queue: str, registry: Registry, ids: Iterable[str], to_queue: str, at_front: bool = False
) -> Outcome:
    """Moves jobs to another queue: queued ones in the order they stand, failed and canceled ones as requeued, scheduled as due.

    Queued jobs may also go to the front of their own queue. Raises Invalid, ReadOnly or BackendError.
    """
    return _acted(backend, actor, Order("move", queue, registry, to_queue=to_queue, at_front=at_front), ids)


def _acted(backend: Backend, actor: Actor, order: Order, ids: Iterable[str]) -> Outcome:
    distinct = tuple(dict.fromkeys(ids))

    def work() -> tuple[Outcome, BackendError | None]:
        _check(order, distinct)
        return carried_out(backend, order, ids=distinct)

    return recorded(backend, actor, verb=order.verb, queue=order.queue, values=_values(order, distinct), work=work)


def _values(order: Order, ids: Sequence[str]) -> Values:
    values: dict[str, str | int] = {"registry": order.registry.value, "jobs": len(ids), "ids": " ".join(ids[:SHOWN_IDS])}
    if order.verb == "move":
        values["to_queue"] = order.to_queue
    if order.at_front:
        values["at_front"] = True
    return values


def _check(order: Order, ids: Sequence[str]) -> None:
    if order.registry not in ALLOWED[order.verb]:
        raise Invalid(f"Jobs cannot be {PAST[order.verb]} from {order.registry.value}.", problems={"registry": "not for this action"})
    if not ids:
        raise Invalid("No job was named. Tick at least one.", problems={"ids": "none"})
    if order.to_queue.endswith(":intermediate") and order.to_queue != order.queue:
        # The list of such a queue is where RQ keeps what workers of another queue have just popped: its maintenance fails it there.
        raise Invalid(
            "No queue can be moved to whose name ends in :intermediate; RQ uses that list.", problems={"to_queue": "RQ's own list"}
        )
    is_to_front = order.registry is Registry.QUEUED and order.at_front
    if order.verb == "move" and order.to_queue == order.queue and not is_to_front:
        raise Invalid("The jobs are on that queue already. Name another one.", problems={"to_queue": "the same queue"})
