"""One call of an action's script: its keys, its arguments, its answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Argument, Call, Script, load
from rqdash.model.names import encoded
from rqdash.model.registry import Registry

REMOVING = ("delete", "empty")
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
UNPLACED = "unplaced"
LATER = "later"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to jobs of one registry of a queue; to_queue is where they go, if they go to a queue."""

    verb: str
    queue: str
    registry: Registry
    to_queue: str = ""
    at_front: bool = False


def ask(backend: Backend, order: Order, ids: Sequence[str], *, hints: Mapping[str, Sequence[int]], is_last: bool) -> dict[str, str]:
    """What the script says of each of these distinct ids: a Verdict's value, UNPLACED or LATER. One round trip.

    UNPLACED: it may be done, but the script must be told where in a long list the job is (never when is_last). LATER: the call has
    looked up as many relatives of jobs as it may; ask again. hints are positions in the list, which may be wrong by a little.
    """
    raw = [encoded(job_id) for job_id in ids]
    places = sorted((position, number) for number, job_id in enumerate(ids, start=1) for position in hints.get(job_id, ()))
    pairs = [argument for position, number in places for argument in (number, position)]
    arguments = (*header(backend, order, is_last=is_last), len(raw), *raw, *pairs)
    # What working.lua answers: a verdict for each id.
    replies = cast("list[bytes]", backend.write(Call(script(order.verb), _keys(backend, order), arguments)))
    return {job_id: reply.decode() for job_id, reply in zip(ids, replies, strict=True)}


def script(verb: str) -> Script:
    """The script of an action, with the parts it shares with others."""
    shared = ("common", "taking", "working")
    return load("rqdash.actions", verb, includes=(*shared, "removal") if verb in REMOVING else shared)


def header(backend: Backend, order: Order, *, is_last: bool = True) -> tuple[Argument, ...]:
    """The arguments every script begins with: names, the moment in both of RQ's forms, and a mark no job id can equal."""
    now = datetime.now(UTC)
    return (
        backend.profile.prefix,
        order.registry.value,
        encoded(order.queue),
        encoded(order.to_queue),
        "front" if order.at_front else "back",
        repr(now.timestamp()),
        written(now),
        f"rqdash:removed:{secrets.token_hex(8)}",
        "last" if is_last else "ask",
    )


def written(moment: datetime) -> str:
    """A moment as RQ writes it into a job."""
    return moment.astimezone(UTC).strftime(TIME_FORMAT)


def source(backend: Backend, order: Order) -> bytes:
    """The key of the list or registry the jobs are in."""
    keys = backend.keys
    return encoded(keys.queue(order.queue) if order.registry is Registry.QUEUED else keys.registry(order.registry, order.queue))


def _keys(backend: Backend, order: Order) -> tuple[bytes, ...]:
    """The keys a script declares: where the jobs are, the set of queues, where they go."""
    keys = backend.keys
    target = {
        "cancel": keys.registry(Registry.CANCELED, order.queue),
        "move": keys.registry(Registry.SCHEDULED, order.to_queue) if order.registry is Registry.SCHEDULED else keys.queue(order.to_queue),
        "requeue": keys.queue(order.to_queue),
    }.get(order.verb)
    return (source(backend, order), encoded(keys.queues), *([encoded(target)] if target is not None else []))
