"""What an operation does with an item: which jobs its verb takes, on what terms, and the call that acts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rqdash.actions import transfer
from rqdash.actions.batches import Result, carried_out_each
from rqdash.actions.jobs import ALLOWED, PAST
from rqdash.actions.pending import Share
from rqdash.actions.positions import Places
from rqdash.actions.scripted import Order
from rqdash.actions.transfer import Transfer
from rqdash.actions.transfer.order import ALLOWED as ELSEWHERE
from rqdash.backends.backend import Backend
from rqdash.model.names import encoded
from rqdash.model.outcome import Outcome, Verdict
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry
from rqdash.operations.items import Item
from rqdash.operations.values import Asked, Part

RUNNING = "started, which are with a worker"
ABANDONED = "; abandoned ones are requeued in the started list of their queue"
MOST_QUEUES, MOST_NAMED, LONGEST_NAME = 20, 5, 40
TAKEN = "on the way to a worker"
THERE = "on that queue already"


@dataclass(frozen=True, slots=True)
class Ends:
    """The backends of an item: where its jobs are, and where they go if that is another."""

    source: Backend
    destination: Backend | None = None


def exclusion(asked: Asked, queue: str, registry: Registry) -> str:
    """Why jobs of a registry that match are left alone; "" when they are acted on."""
    if registry is Registry.STARTED:
        return RUNNING + (ABANDONED if asked.verb == "requeue" else "")
    if registry is Registry.INTERMEDIATE:
        return TAKEN
    takes = ELSEWHERE if asked.to_backend else ALLOWED[asked.verb]
    if registry not in takes:
        return f"{registry.value}, which cannot be {PAST.get(asked.verb, 'copied')}"
    is_to_front = registry is Registry.QUEUED and asked.at_front
    if asked.verb == "move" and not asked.to_backend and asked.to_queue == queue and not is_to_front:
        return THERE
    return ""


def refusal(profile: Profile | None, part: Part, asked: Asked) -> str:
    """Why a backend may not be acted on though it was planned; "" when it may. Copies leave the one they are made from as it is."""
    if profile is None:
        return f"{part.name} is disabled or deleted."
    if profile.endpoint_version != part.endpoint_version:
        return f"{part.name} points elsewhere since the preview, so its jobs there may be others."
    if profile.read_only and (part.is_target or not asked.is_copy):
        return f"{part.name} is read-only now."
    return ""


def ends(backends: Mapping[str, Backend], asked: Asked, name: str, *, parts: Mapping[str, Part]) -> tuple[Ends | None, str]:
    """The backends of an item on the backend of that name as they are now; or None, and why it may not be acted on."""
    source = backends.get(name)
    problem = refusal(source.profile if source else None, parts[name], asked)
    if problem or source is None or not asked.to_backend:
        return (Ends(source) if source and not problem else None), problem
    destination = backends.get(asked.to_backend)
    problem = refusal(destination.profile if destination else None, parts[asked.to_backend], asked)
    return (Ends(source, destination) if destination and not problem else None), problem


def same(backends: Mapping[str, Backend], asked: Asked, name: str, *, parts: Mapping[str, Part]) -> Ends | None:
    """The backends of an item if they still are where they were planned to be, whatever may be done on them; for looking back."""
    live = [backends.get(found) for found in (name, *([asked.to_backend] if asked.to_backend else []))]
    found = [backend for backend in live if backend and backend.profile.endpoint_version == parts[backend.name].endpoint_version]
    return Ends(*found) if len(found) == len(live) else None


def preflight(backends: Mapping[str, Backend], asked: Asked, source: Backend) -> tuple[tuple[str, ...], str]:
    """What to warn of, and why nothing of a backend can go where it is to go ("" when it can). Raises BackendError."""
    if not asked.to_backend:
        return (), ""
    destination = backends.get(asked.to_backend)
    if destination is None:
        return (), f"{asked.to_backend} is disabled or deleted."
    found = transfer.preflight(source, destination, to_queue=asked.to_queue, copy=asked.is_copy)
    return found.warnings, found.refusal


def lonely(backends: Mapping[str, Backend], asked: Asked, queues: Sequence[str]) -> tuple[str, ...]:
    """A warning of the queues that jobs keep on another backend and that nobody listens to there; the first 20 are looked at.

    Raises BackendError.
    """
    destination = backends.get(asked.to_backend)
    if destination is None or asked.to_queue is not None:
        return ()
    alone = transfer.unattended(destination, queues[:MOST_QUEUES])
    named = ", ".join(_shown(queue) for queue in alone[:MOST_NAMED]) + (" and others" if len(alone) > MOST_NAMED else "")
    return (f"No worker of {destination.name} listens to {named}: their jobs will wait there.",) if alone else ()


def _shown(queue: str) -> str:
    """A name as the database can keep it."""
    return encoded(queue).decode("utf-8", "backslashreplace")[:LONGEST_NAME] or "(the queue without a name)"


def carry(
    asked: Asked, alike: Sequence[Item], at: Ends, *, journal: Callable[[Item], str], places: Places, go_on: Callable[[], bool]
) -> Iterator[Result]:
    """Acts on the jobs of items of one registry, and gives a result for each, in their order; before each, go_on says whether to.

    Asked again with the same journals, it answers what it did and does only the rest. Raises Invalid or Conflict for an item that
    cannot be sent to another backend.
    """
    queue, registry = alike[0].queue, alike[0].registry
    to_queue = queue if asked.to_queue is None else asked.to_queue
    if at.destination is None:
        order = Order(asked.verb, queue, registry, to_queue=to_queue, at_front=asked.at_front, as_of=asked.as_of)
        shares = [Share(item.ids, journal(item)) for item in alike]
        yield from carried_out_each(at.source, order, shares, places=places, go_on=go_on)
        return
    passage = Transfer(queue, registry, to_queue=to_queue, at_front=asked.at_front, copy=asked.is_copy, as_of=asked.as_of)
    for item in alike:
        if not item.ids:
            yield Outcome(asked.verb, at.source.name, queue, ()), None
        elif go_on():
            yield transfer.carried_over(at.source, at.destination, passage, ids=item.ids, journal=journal(item))
        else:
            return


def settled_before(asked: Asked, item: Item, at: Ends, *, journal: str) -> dict[str, Verdict]:
    """What the journal says of the jobs of an item, by id: that of the source, or of where copies go. One round trip.

    Raises BackendError.
    """
    keeper = at.destination if at.destination is not None and asked.is_copy else at.source
    raw = [encoded(job_id) for job_id in item.ids]
    (replies,) = keeper.read(("HMGET", keeper.keys.own("op", journal), *raw))
    found = replies if isinstance(replies, list) else []
    return {job_id: Verdict(reply.decode()) for job_id, reply in zip(item.ids, found, strict=False) if isinstance(reply, bytes)}
