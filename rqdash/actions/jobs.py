"""What can be done to jobs that were named one by one: requeue, enqueue, rescue, cancel, delete, move."""

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
    "requeue": (Registry.FAILED, Registry.CANCELED, Registry.STARTED),
    "enqueue": (Registry.SCHEDULED, Registry.DEFERRED),
    "rescue": (Registry.INTERMEDIATE,),
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
"""From where each action takes jobs. Of started jobs only abandoned ones are requeued, and none is deleted: RQ would bring it back."""

SHOWN_IDS = 20
"""So many ids are written into the audit log; the others are only counted."""

PAST = {
    "requeue": "requeued",
    "enqueue": "enqueued",
    "rescue": "rescued",
    "cancel": "canceled",
    "delete": "deleted",
    "move": "moved",
}
TO_A_QUEUE = ("requeue", "enqueue", "move")


def requeue(
    backend: Backend,
    actor: Actor,
    *,
    queue: str,
    registry: Registry,
    ids: Iterable[str],
    to_queue: str | None = None,
    at_front: bool = False,
) -> Outcome:
    """Puts failed, canceled or abandoned jobs back on their queue or on another, in the order named.

    Of started jobs only abandoned ones are: their entry is past its deadline and no execution lives. A worker that was merely held up
    for so long runs such a job a second time, as with RQ's own maintenance. Rate-limited jobs are refused: RQ alone puts those on a
    queue, when a slot is free. Raises Invalid, ReadOnly or BackendError.
    """
    order = Order("requeue", queue, registry, to_queue=queue if to_queue is None else to_queue, at_front=at_front)
    return _acted(backend, actor, order, ids)


def enqueue(
    backend: Backend,
    actor: Actor,
    *,
    queue: str,
    registry: Registry,
    ids: Iterable[str],
    to_queue: str | None = None,
    at_front: bool = False,
) -> Outcome:
    """Puts scheduled or deferred jobs on their queue or on another now, in the order named; they wait for no other job any more.

    Rate-limited jobs are refused, as for requeue. Raises Invalid, ReadOnly or BackendError.
    """
    order = Order("enqueue", queue, registry, to_queue=queue if to_queue is None else to_queue, at_front=at_front)
    return _acted(backend, actor, order, ids)


def rescue(backend: Backend, actor: Actor, *, queue: str, ids: Iterable[str]) -> Outcome:
    """Puts jobs that a worker popped and did not start within a minute back at the front of their queue.

    EARLY while a worker of the queue lives and neither RQ's maintenance nor an earlier rescue saw the job there a minute ago: a worker
    may be about to start it. Raises Invalid, ReadOnly or BackendError.
    """
    return _acted(backend, actor, Order("rescue", queue, Registry.INTERMEDIATE, to_queue=queue, at_front=True), ids)


def cancel(backend: Backend, actor: Actor, *, queue: str, registry: Registry, ids: Iterable[str]) -> Outcome:
    """Takes queued, scheduled or deferred jobs out of where they wait into the canceled registry.

    Jobs that wait for them go on waiting, as with RQ. Jobs that wait for a slot of their rate limit are named as queued. A slot that
    becomes free lets the next job in, as RQ's own script does; RATE_LIMITED when the server's user may not do that. Raises Invalid,
    ReadOnly or BackendError.
    """
    return _acted(backend, actor, Order("cancel", queue, registry), ids)


def delete(backend: Backend, actor: Actor, *, queue: str, registry: Registry, ids: Iterable[str]) -> Outcome:
    """Removes jobs from Redis with their results; not those running, nor those that deferred jobs wait for.

    Slots of rate limits become free, as for cancel. Raises Invalid, ReadOnly or BackendError.
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


def named(registry: Registry, ids: Sequence[str]) -> dict[str, str | int]:
    """What the audit log holds of the jobs an action was given."""
    return {"registry": registry.value, "jobs": len(ids), "ids": " ".join(ids[:SHOWN_IDS])}


def _values(order: Order, ids: Sequence[str]) -> Values:
    values = named(order.registry, ids)
    if order.verb == "move" or (order.verb in TO_A_QUEUE and order.to_queue != order.queue):
        values["to_queue"] = order.to_queue
    if order.at_front and order.verb != "rescue":
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
