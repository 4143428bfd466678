"""What a transfer is asked to do, and which orders make no sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rqdash.actions.scripted import Order
from rqdash.errors import Invalid
from rqdash.model.registry import Registry

ALLOWED = (Registry.QUEUED, Registry.FAILED, Registry.CANCELED, Registry.SCHEDULED)
"""From where jobs can go to another backend."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Jobs of one registry of a queue go to to_queue of another backend; with copy they also stay, and the others get new ids.

    as_of (aware): jobs that came to where they are later, or nobody knows when, are STALE.
    """

    queue: str
    registry: Registry
    to_queue: str
    at_front: bool = False
    copy: bool = False
    as_of: datetime | None = None

    @property
    def verb(self) -> str:
        return "copy" if self.copy else "move"

    def leaving(self) -> Order:
        """As the source's scripts are told."""
        return Order(self.verb, self.queue, self.registry, to_queue=self.to_queue, at_front=self.at_front, as_of=self.as_of)


def check(order: Transfer, ids: Sequence[str]) -> None:
    """Raises Invalid for an order that cannot be carried out, whatever the backends hold."""
    if order.registry not in ALLOWED:
        raise Invalid(f"Jobs cannot go to another backend from {order.registry.value}.", problems={"registry": "not to another backend"})
    if not ids:
        raise Invalid("No job was named. Tick at least one.", problems={"ids": "none"})
    if order.to_queue.endswith(":intermediate") and order.to_queue != order.queue:
        # The list of such a queue is where RQ keeps what workers of another queue have just popped: its maintenance fails it there.
        raise Invalid(
            "Jobs cannot go to a queue whose name ends in :intermediate; RQ uses that list.", problems={"to_queue": "RQ's own list"}
        )


def check_within(order: Transfer) -> None:
    """Raises Invalid for a move that would leave jobs where they are, because both names are the same backend."""
    is_to_front = order.registry is Registry.QUEUED and order.at_front
    if order.queue == order.to_queue and not is_to_front:
        raise Invalid("The jobs are on that queue already. Name another one.", problems={"to_queue": "the same queue"})
