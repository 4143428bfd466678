"""What people ask of operations: to plan one, to start, pause, resume and cancel it. Every request is audited."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from rqdash.access.actor import Actor
from rqdash.access.audit import Audit
from rqdash.backends.backend import Backend
from rqdash.errors import Conflict, Invalid
from rqdash.model.protection import asks_for, names_to_type
from rqdash.model.search import search
from rqdash.operations import orders
from rqdash.operations.claims import LEASE_S, Claim, LostError
from rqdash.operations.items import Line, lines
from rqdash.operations.planning import plan
from rqdash.operations.records import PLAN_GOOD, Records
from rqdash.operations.values import ASKS_NAME, GOING_ELSEWHERE, VERBS, Asked, Operation, State

AT_ONCE_S = 0.5
"""So long a request plans by itself; what takes longer is planned in the background."""

LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Operations:
    """What operations work on; news wakes the runner of this process."""

    records: Records
    backends: Mapping[str, Backend]
    audit: Audit
    news: threading.Event = field(default_factory=threading.Event)

    def lines(self, operation_id: str) -> Iterator[Line]:
        """Every job of an operation, with what became of it."""
        return lines(self.records.store, operation_id)


def ask(operations: Operations, actor: Actor, asked: Asked) -> Operation:
    """Makes an operation and plans it, if that takes no longer than a request may; otherwise the background does.

    Raises Invalid, SearchMistake among them: then nothing was made.
    """
    asked = replace(_checked(asked), as_of=min(asked.as_of, operations.records.clock()))
    operation_id = str(uuid.uuid4())
    values = {"operation": operation_id, "search": asked.search or "everything", "as_of": asked.as_of.isoformat(), **_where(asked)}
    with actor.recording(f"plan {asked.verb}", backend=asked.scope, values=values) as row:
        operation = operations.records.create(operation_id, asked, owner=operation_id, for_s=LEASE_S)
        claim = Claim(operations.records, operation, operation_id, LEASE_S, time.monotonic())
        try:
            plan(claim, operations.backends, stop=threading.Event(), until_s=time.monotonic() + AT_ONCE_S)
        except LostError:
            pass
        finally:
            claim.release()
        operation = operations.records.get(operation_id)
        row.finish({"matched": operation.total})
    operations.news.set()
    return operation


def start(operations: Operations, actor: Actor, operation_id: str, *, typed: Collection[str] = (), why: str = "") -> Operation:
    """Starts what was previewed. typed are the names of its protected backends, why is a note for others.

    Raises NotFound, Invalid when a name is missing, Conflict when it cannot be started any more.
    """
    operation = operations.records.get(operation_id)
    missing = [name for name in protected(operations, operation) if name not in typed]
    if operation.state is State.PLANNED:
        _refuse_unfit(operations, operation)
        if missing:
            raise Invalid(asks_for(missing), problems={"typed": " and ".join(missing)})
    steps = ((State.PLANNED, State.RUNNING),)
    return _led(operations, actor, operation, "start", steps, what="started", why=why[:LONGEST_NOTE])


def protected(operations: Operations, operation: Operation) -> tuple[str, ...]:
    """The backends whose names are typed before it starts: as their profiles are now, whatever they were at the preview."""
    live = {part.name: backend.profile for part in operation.parts if (backend := operations.backends.get(part.name)) is not None}
    sources = [live[part.name] for part in operation.parts if part.matched and part.name in live and operation.verb in ASKS_NAME]
    return names_to_type(sources, live.get(operation.asked.to_backend), copy=operation.asked.is_copy)


def pause(operations: Operations, actor: Actor, operation_id: str) -> Operation:
    """Asks the runner to stop after the item it is at. Raises NotFound or Conflict."""
    steps = ((State.RUNNING, State.PAUSING),)
    return _led(operations, actor, operations.records.get(operation_id), "pause", steps, what="paused")


def resume(operations: Operations, actor: Actor, operation_id: str) -> Operation:
    """Lets a paused operation go on. Raises NotFound or Conflict."""
    steps = ((State.PAUSED, State.RUNNING), (State.PAUSING, State.RUNNING))
    return _led(operations, actor, operations.records.get(operation_id), "resume", steps, what="resumed")


def cancel(operations: Operations, actor: Actor, operation_id: str) -> Operation:
    """Ends an operation after the item the runner is at; what was done stays done. Raises NotFound or Conflict."""
    steps = (
        (State.PLANNING, State.CANCELED),
        (State.PLANNED, State.CANCELED),
        (State.RUNNING, State.CANCELING),
        (State.PAUSING, State.CANCELING),
        (State.PAUSED, State.CANCELING),
    )
    return _led(operations, actor, operations.records.get(operation_id), "cancel", steps, what="canceled")


def _led(
    operations: Operations,
    actor: Actor,
    operation: Operation,
    verb: str,
    steps: tuple[tuple[State, State], ...],
    *,
    what: str,
    why: str = "",
) -> Operation:
    values: dict[str, str | int] = {"operation": operation.id, "verb": operation.verb, "jobs": operation.total}
    with actor.recording(f"{verb} operation", backend=operation.asked.scope, values=values | ({"why": why} if why else {})):
        led = operations.records.lead(operation.id, by=actor.name, steps=steps, what=what, why=why)
    operations.news.set()
    return led


def _checked(asked: Asked) -> Asked:
    if asked.verb not in VERBS:
        raise Invalid(f"The verb must be one of: {', '.join(VERBS)}.", problems={"verb": "not a verb"})
    if not asked.backends:
        raise Invalid("No backend is chosen. Name those to act on.", problems={"on": "none"})
    found = search(asked.search)
    if found.is_empty and not asked.everything:
        raise Invalid("The search is empty, so nothing was done. To act on every job there is, choose so.", problems={"q": "empty"})
    if asked.as_of.tzinfo is None:
        raise Invalid("as_of has no zone.", problems={"as_of": "an ISO 8601 time with a zone"})
    _check_target(asked)
    return asked


def _check_target(asked: Asked) -> None:
    if asked.to_backend and asked.verb not in GOING_ELSEWHERE:
        raise Invalid(f"Only move and copy go to another backend, not {asked.verb}.", problems={"to_backend": "not for this verb"})
    if asked.verb == "copy" and not asked.to_backend:
        raise Invalid("A copy goes to another backend. Choose it.", problems={"to_backend": "missing"})
    if asked.verb == "move" and not asked.to_backend and asked.to_queue is None:
        raise Invalid("Choose where the jobs go: a queue, another backend, or both.", problems={"to_queue": "missing"})
    if asked.to_queue is not None and asked.to_queue.endswith(":intermediate"):
        raise Invalid("RQ keeps the list of such a queue for itself. Name another.", problems={"to_queue": "RQ's own list"})


def _refuse_unfit(operations: Operations, operation: Operation) -> None:
    """What was true at the preview must be so still; nothing has been done yet."""
    if not operation.total:
        raise Conflict("Nothing matched, so there is nothing to start.")
    if operation.created_at is not None and operations.records.clock() - operation.created_at > PLAN_GOOD:
        raise Conflict("This preview is older than a day. Ask for it again.")
    for part in operation.parts:
        backend = operations.backends.get(part.name)
        problem = orders.refusal(backend.profile if backend else None, part, operation.asked)
        if problem and (part.matched or part.is_target):
            raise Conflict(f"{problem} Ask for a new preview.")


def _where(asked: Asked) -> dict[str, str | int]:
    values: dict[str, str | int] = {}
    if asked.to_backend:
        values["to_backend"] = asked.to_backend
    if asked.to_queue is not None:
        values["to_queue"] = asked.to_queue
    return values | ({"at_front": True} if asked.at_front else {})
