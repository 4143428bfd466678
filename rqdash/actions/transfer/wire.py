"""Calls of a transfer's scripts: which parts each is made of, its keys and arguments, and its answers by id or token."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from rqdash.actions.scripted import SHARED, Order, header
from rqdash.actions.scripted import source as place_of
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Argument, Call, load
from rqdash.errors import Refused
from rqdash.model.names import encoded
from rqdash.model.registry import Registry

PARTS = {
    "snapshot": "transfer_source",
    "detach": "transfer_source",
    "fence": "transfer_source",
    "cleanup": "transfer_source",
    "reattach": "transfer_source",
    "remember": "transfer_source",
    "prepare": "transfer_destination",
    "activate": "transfer_destination",
    "abort": "transfer_destination",
    "forget": "transfer_destination",
}
NOWHERE = Order("", "", Registry.QUEUED)
UNREPLICATED = "unreplicated"
"""Instead of an answer: no replica has what was done, so a failover may undo it. Nothing is built on it yet; it is asked for again."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call: the script's name without its family, whom it is asked about (ids or tokens), what it is told, and what follows."""

    name: str
    asked: Sequence[str]
    order: Order = NOWHERE
    told: object = None
    more: Iterable[Argument] = ()
    journal: str = ""
    is_last: bool = True


def call(backend: Backend, step: Step) -> Call:
    """A step as it is sent to a backend; names and ids are any bytes."""
    part = PARTS.get(step.name)
    extra = ("removal",) if step.name == "cleanup" else ()
    script = load("rqdash.actions", f"transfer_{step.name}", includes=(*SHARED, *extra, *((part,) if part else ())))
    told = step.told if isinstance(step.told, str) else json.dumps(step.told)
    words = header(backend, step.order, is_last=step.is_last)
    # The last word of the header is what the action itself is told.
    arguments = (*words[:-1], told, len(step.asked), *(encoded(one) for one in step.asked), *step.more)
    return Call(script, _keys(backend, step), arguments)


def write(backend: Backend, step: Step, *, replicated: bool = False) -> Any:
    """What a step's script answers."""
    sent = call(backend, step)
    return backend.write_replicated(sent)[0] if replicated else backend.write(sent)


def answers(backend: Backend, step: Step, *, replicated: bool = False) -> list[str]:
    """A step's verdicts, in the order of those it was asked about; with replicated, UNREPLICATED for all when no replica has it."""
    sent = call(backend, step)
    reply, replicas = backend.write_replicated(sent) if replicated else (backend.write(sent), None)
    # What these scripts answer: a word for each. Where it is forbidden to ask for replicas nothing can wait for them.
    return [UNREPLICATED if replicas == 0 else word.decode() for word in cast("list[bytes]", reply)]


def by_token(backend: Backend, name: str, tokens: Sequence[str], *, told: str = "") -> dict[str, str]:
    """The answers of a step that is asked about tokens."""
    return dict(zip(tokens, answers(backend, Step(name, tokens, told=told)), strict=True))


def read(backend: Backend, step: Step) -> Any:
    """What a step that writes nothing answers. Raises Refused where scripts are denied: without them nothing can move."""
    (reply,) = backend.scripted(lambda: backend.read(call(backend, step)), otherwise=lambda: _denied(backend))
    return reply


def _denied(backend: Backend) -> list[object]:
    raise Refused(
        f"The Redis user of {backend.name} may not run scripts.",
        backend=backend.name,
        stage="rights",
        hint="Jobs can only go to another backend by scripts. Grant them.",
    )


def _keys(backend: Backend, step: Step) -> tuple[bytes, ...]:
    """What the shared parts expect: where the jobs are, the set of queues, where they go, and the operation's verdicts, if any."""
    keys, order = backend.keys, step.order
    if PARTS.get(step.name) == "transfer_destination":
        is_scheduled = order.registry is Registry.SCHEDULED
        target = encoded(keys.registry(Registry.SCHEDULED, order.to_queue) if is_scheduled else keys.queue(order.to_queue))
        place = target
    else:
        place = target = place_of(backend, order)
    kept = (encoded(keys.own("op", step.journal)),) if step.journal else ()
    return (place, encoded(keys.queues), target, *kept)


def remembered(backend: Backend, ids: Sequence[str], *, journal: str) -> Mapping[str, str]:
    """What an operation's verdicts on these ids are so far. One round trip."""
    if not journal or not ids:
        return {}
    (found,) = backend.read(("HMGET", encoded(backend.keys.own("op", journal)), *(encoded(job_id) for job_id in ids)))
    values = found if isinstance(found, list) else []
    return {job_id: value.decode() for job_id, value in zip(ids, values, strict=True) if isinstance(value, bytes)}
