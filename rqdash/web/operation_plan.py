"""Asking for an operation: "all 3,412 matching" of a list, and where a move is to go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rqdash.access.actor import Actor
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Invalid
from rqdash.model import names
from rqdash.model.caller import Caller, Permission
from rqdash.model.search import search
from rqdash.operations import requests
from rqdash.operations.requests import Operations
from rqdash.operations.values import GOING_ELSEWHERE, Asked, Who
from rqdash.queries import sets
from rqdash.web.forms import Raw
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.operations import page
from rqdash.web.route import Made, Page, Rejected, Result, Route, Scope, To


@dataclass(frozen=True, slots=True)
class TargetPage(Page):
    """Where matching jobs are to go. fields repeat what was asked; queues are those of the backend they are on, if it is one."""

    verb: str
    search: str
    sources: tuple[Mark, ...]
    targets: tuple[Mark, ...]
    queues: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Params:
    """What a form asks. to_queue None: not chosen; is_json: whoever asks cannot be asked back."""

    now: datetime = field(repr=False)
    verb: str
    on: tuple[str, ...]
    search: str
    everything: bool
    as_of: datetime
    to_backend: str
    to_queue: str | None
    at_front: bool
    is_json: bool
    is_chosen: bool


def parse(raw: Raw) -> Params:
    """Raises Invalid, also for a search that cannot be read: nothing is done then."""
    assert raw.now is not None  # noqa: S101  the seam always sets it
    text = raw.text("q").strip()
    if search(text).is_empty and not raw.ticked("all"):
        raise Invalid("The search is empty, so nothing was done. To act on every job there is, choose so.", problems={"q": "empty"})
    return Params(
        now=raw.now,
        verb=raw.text("verb"),
        on=tuple(dict.fromkeys(raw.form.get("on", ()))),
        search=text,
        everything=raw.ticked("all"),
        as_of=_moment(raw),
        to_backend=raw.text("to_backend"),
        to_queue=_queue(raw),
        at_front=raw.ticked("at_front"),
        is_json=raw.is_json,
        is_chosen=raw.ticked("chosen"),
    )


def view(many: Many, params: Params, caller: Caller, *, actor: Actor, operations: Operations, reach: Callable[[str], Backend]) -> Result:
    """Plans; or asks where to, when jobs are to go somewhere and a form does not say where."""
    sources = [reach(name) for name in params.on]
    if params.to_backend:
        reach(params.to_backend)
    problem = _where_to(params)
    if problem is not None and sources:
        asking = target_page(_changeable(many, caller), params, sources, problem=problem)
        return Rejected(asking) if problem else asking
    operation = requests.ask(operations, actor, _asked(params, caller))
    return Made(page(operations, operation, caller), To("operation", {"operation": operation.id}))


def _changeable(many: Many, caller: Caller) -> Sequence[Backend]:
    """The backends that jobs may go to, as far as the caller goes."""
    return [one for one in many.backends if caller.may(Permission.OPERATE, one.name) and not one.profile.read_only]


def target_page(changeable: Sequence[Backend], params: Params, sources: list[Backend], *, problem: str) -> TargetPage:
    """At most one read: the queues of a single source, for those jobs may go to another one of them."""
    is_local = params.verb == "move" and len(sources) == 1
    others = (backend for backend in changeable if backend.name not in params.on)
    return TargetPage(
        verb=params.verb,
        search=params.search,
        sources=tuple(mark(backend.profile) for backend in sources),
        targets=tuple(mark(backend.profile) for backend in others),
        queues=_queues(sources[0]) if is_local else (),
        fields=_fields(params),
        problem=problem,
    )


def _where_to(params: Params) -> str | None:
    """None when it is known, "" to ask, else what is wrong with the answer given."""
    is_known = bool(params.to_backend) or (params.verb == "move" and params.to_queue is not None)
    if params.verb not in GOING_ELSEWHERE or is_known or params.is_json:
        return None
    if not params.is_chosen:
        return ""
    return "Choose where the jobs go: a queue, another backend, or both." if params.verb == "move" else "Choose the backend to copy to."


def _queues(backend: Backend) -> tuple[str, ...]:
    try:
        return sets.queue_names(backend)
    except BackendError:
        # The preview will say that it does not answer; a name can be typed all the same.
        return ()


def _asked(params: Params, caller: Caller) -> Asked:
    return Asked(
        verb=params.verb,
        backends=params.on,
        search=params.search,
        everything=params.everything,
        as_of=params.as_of,
        who=Who(caller.kind, caller.name, caller.address),
        to_backend=params.to_backend,
        to_queue=params.to_queue,
        at_front=params.at_front,
    )


def _fields(params: Params) -> tuple[tuple[str, str], ...]:
    return (
        ("verb", params.verb),
        *(("on", name) for name in params.on),
        ("q", params.search),
        ("all", "1" if params.everything else ""),
        ("as_of", params.as_of.isoformat()),
        ("chosen", "1"),
    )


def _queue(raw: Raw) -> str | None:
    """A queue typed by hand wins over the one picked from the list."""
    typed = raw.text("to_queue_new").strip()
    if typed:
        return typed
    if raw.is_json:
        return raw.name("to_queue") if "to_queue" in raw.form else None
    return names.from_form(raw.text("to_queue")) if raw.text("to_queue") else None


def _moment(raw: Raw) -> datetime:
    """When the list was drawn; a program that gives none means now."""
    text = raw.text("as_of")
    if not text and raw.is_json and raw.now is not None:
        return raw.now
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("as_of is not a time.", problems={"as_of": "an ISO 8601 time with a zone"}) from None
    if at.tzinfo is None:
        raise Invalid("as_of has no zone.", problems={"as_of": "an ISO 8601 time with a zone"})
    return at


ROUTES = (
    Route(
        "plan",
        "POST",
        "/operations",
        Permission.OPERATE,
        view,
        "operation_target.html",
        parse,
        Scope.MANY,
        ("actor", "operations", "reach"),
        "operations",
    ),
)
