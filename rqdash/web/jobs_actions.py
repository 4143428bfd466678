"""Requeue, cancel, delete and move, on ticked rows or one job; and emptying a queue. What cannot be undone asks first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from rqdash import actions
from rqdash.access.actor import Actor
from rqdash.backends.backend import Backend
from rqdash.errors import Invalid
from rqdash.model import names
from rqdash.model.caller import Caller, Permission
from rqdash.model.outcome import Outcome
from rqdash.model.registry import Registry
from rqdash.queries import queue as query
from rqdash.queries import sets
from rqdash.web.forms import Raw, required
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Acted, Page, Rejected, Result, Route, Scope, To
from rqdash.web.words import outcome_notice

IDS_AT_MOST = 200
ASKS_FIRST = ("cancel", "delete", "move", "empty")


@dataclass(frozen=True, slots=True)
class ConfirmPage(Page):
    """What will happen to what, before it happens. typed_name: the backend's name must be typed; problem: why it was not done.

    fields are the hidden fields that repeat the request; queues are where a move can go.
    """

    mark: Mark
    verb: str
    queue: str
    registry: Registry
    count: int
    sample: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    typed_name: bool
    queues: tuple[str, ...] = ()
    to_queue: str = ""
    at_front: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Params:
    """What a form asks. confirmed: the confirmation was seen; typed: the name typed there. back is "job" or "queue"."""

    now: datetime = field(repr=False)
    queue: str
    registry: Registry
    ids: tuple[str, ...]
    to_queue: str | None
    at_front: bool
    confirmed: bool
    typed: str
    back: str
    as_of: datetime | None


def parse(raw: Raw) -> Params:
    """Raises Invalid when nothing is ticked, or too much."""
    ids = raw.all_names("id")
    if not ids:
        raise Invalid("No job is ticked. Tick the jobs you mean and try again.", problems={"id": "none ticked"})
    if len(ids) > IDS_AT_MOST:
        raise Invalid(f"At most {IDS_AT_MOST} jobs at once.", problems={"id": f"more than {IDS_AT_MOST}"})
    return _params(raw, ids=ids, registry=required(raw.text("registry"), Registry, field_name="registry"))


def parse_empty(raw: Raw) -> Params:
    return _params(raw, ids=(), registry=Registry.QUEUED)


def _params(raw: Raw, *, ids: tuple[str, ...], registry: Registry) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return Params(
        now=raw.now,
        queue=raw.name("queue"),
        registry=registry,
        ids=ids,
        to_queue=_to_queue(raw),
        at_front=raw.ticked("at_front"),
        confirmed=raw.ticked("confirmed") or raw.is_json,
        typed=raw.text("typed"),
        back=raw.text("back"),
        as_of=_moment(raw.text("as_of")),
    )


def _to_queue(raw: Raw) -> str | None:
    """A queue typed by hand wins over the one picked from the list."""
    typed = raw.text("to_queue_new").strip()
    if typed:
        return typed
    return raw.name("to_queue") if raw.text("to_queue") or (raw.is_json and "to_queue" in raw.form) else None


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("as_of is not a time.", problems={"as_of": "an ISO 8601 time with a zone"}) from None
    if at.tzinfo is None:
        raise Invalid("as_of has no zone.", problems={"as_of": "an ISO 8601 time with a zone"})
    return at


def view(backend: Backend, params: Params, caller: Caller, *, actor: Actor, verb: str) -> Result:  # noqa: ARG001
    """Acts, or asks first: by a page that repeats the request with a button, and a name to type on protected profiles."""
    problem = _problem(backend, params, verb)
    if problem is not None:
        page = confirmation(backend, params, verb=verb, problem=problem)
        return Rejected(page) if problem else page
    outcome = ACTIONS[verb](backend, actor, params)
    return Acted(outcome, To(*_back(backend, params, verb=verb), notice=outcome_notice(outcome)))


def _problem(backend: Backend, params: Params, verb: str) -> str | None:
    """None to go on, "" to ask, else what is wrong with the answer given."""
    if verb not in ASKS_FIRST:
        return None
    if not params.confirmed:
        return ""
    if verb == "move" and params.to_queue is None:
        return "Choose the queue to move to."
    if backend.profile.protected and params.typed != backend.name:
        return f"Type {backend.name} to go on: it is protected."
    return None


def confirmation(backend: Backend, params: Params, *, verb: str, problem: str) -> ConfirmPage:
    """At most one read: the names of the queues a move can go to, or the size of the queue to empty."""
    count = query.summary_of(backend, params.queue, now=params.now).queued if verb == "empty" else len(params.ids)
    return ConfirmPage(
        mark=mark(backend.profile),
        verb=verb,
        queue=params.queue,
        registry=params.registry,
        count=count,
        sample=params.ids[:5],
        fields=_fields(params),
        typed_name=backend.profile.protected,
        queues=sets.queue_names(backend) if verb == "move" else (),
        to_queue=params.to_queue or "",
        at_front=params.at_front,
        problem=problem,
    )


def _fields(params: Params) -> tuple[tuple[str, str], ...]:
    return (
        ("queue", names.to_form(params.queue)),
        ("registry", params.registry.value),
        ("back", params.back),
        # Jobs that arrive after the question was asked are not meant by its answer.
        ("as_of", (params.as_of or params.now).isoformat()),
        *(("id", names.to_form(job_id)) for job_id in params.ids),
    )


def _back(backend: Backend, params: Params, *, verb: str) -> tuple[str, Mapping[str, Any]]:
    """Where the browser goes next: back to the job it came from, unless that is gone now; else to the list."""
    if params.back == "job" and verb != "delete" and len(params.ids) == 1 and not names.is_digest(names.ref(params.ids[0])):
        return "job", {"backend": backend.name, "id": params.ids[0]}
    return "queue", {"backend": backend.name, "name": names.ref(params.queue), "registry": params.registry.value}


def _requeue(backend: Backend, actor: Actor, params: Params) -> Outcome:
    return actions.requeue(backend, actor, queue=params.queue, registry=params.registry, ids=params.ids, at_front=params.at_front)


def _cancel(backend: Backend, actor: Actor, params: Params) -> Outcome:
    return actions.cancel(backend, actor, queue=params.queue, registry=params.registry, ids=params.ids)


def _delete(backend: Backend, actor: Actor, params: Params) -> Outcome:
    return actions.delete(backend, actor, queue=params.queue, registry=params.registry, ids=params.ids)


def _move(backend: Backend, actor: Actor, params: Params) -> Outcome:
    return actions.move(
        backend,
        actor,
        queue=params.queue,
        registry=params.registry,
        ids=params.ids,
        to_queue=params.to_queue or "",
        at_front=params.at_front,
    )


def _empty(backend: Backend, actor: Actor, params: Params) -> Outcome:
    return actions.empty(backend, actor, queue=params.queue, as_of=params.as_of or params.now)


ACTIONS: dict[str, Callable[[Backend, Actor, Params], Outcome]] = {
    "requeue": _requeue,
    "cancel": _cancel,
    "delete": _delete,
    "move": _move,
    "empty": _empty,
}


def _route(verb: str, rule: str, parser: Callable[[Raw], Params]) -> Route:
    return Route(verb, "POST", rule, Permission.OPERATE, partial(view, verb=verb), "confirm.html", parser, Scope.ONE, ("actor",), "queues")


ROUTES = (
    *(_route(verb, f"/b/<backend>/jobs/{verb}", parse) for verb in ("requeue", "cancel", "delete", "move")),
    _route("empty", "/b/<backend>/queue/empty", parse_empty),
)
