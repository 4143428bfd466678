"""What is done to a queue as a whole: empty it, delete it. Both ask first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rqdash import actions
from rqdash.access.actor import Actor
from rqdash.backends.backend import Backend
from rqdash.errors import Conflict, Invalid
from rqdash.model import names
from rqdash.model.caller import Caller, Permission
from rqdash.model.protection import names_to_type
from rqdash.model.queue import QueueSummary
from rqdash.model.registry import Registry
from rqdash.queries import queue as query
from rqdash.web.confirming import ConfirmPage, Contents
from rqdash.web.forms import Raw
from rqdash.web.marks import mark
from rqdash.web.route import Acted, Rejected, Result, Route, Scope, To
from rqdash.web.words import outcome_notice


@dataclass(frozen=True, slots=True)
class Params:
    """What a form asks. as_of: when the question was asked, None before; with_jobs: the jobs in the queue are to go with it."""

    now: datetime = field(repr=False)
    queue: str
    confirmed: bool
    typed: str
    as_of: datetime | None
    with_jobs: bool
    is_json: bool


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return Params(
        now=raw.now,
        queue=raw.name("queue"),
        confirmed=raw.ticked("confirmed") or raw.is_json,
        typed=raw.text("typed"),
        as_of=_moment(raw.text("as_of")),
        with_jobs=raw.ticked("with_jobs"),
        is_json=raw.is_json,
    )


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


def empty(backend: Backend, params: Params, caller: Caller, *, actor: Actor) -> Result:  # noqa: ARG001
    """Deletes the jobs that waited when the question was asked; those that arrive after it are not meant by its answer."""
    problem = _problem(backend, params)
    if problem is None:
        outcome = actions.empty(backend, actor, queue=params.queue, as_of=params.as_of or params.now)
        return Acted(outcome, To("queue", _queue(backend, params), notice=outcome_notice(outcome)))
    count = query.summary_of(backend, params.queue, now=params.now).queued
    page = _confirmation(backend, params, "empty", count=count, problem=problem)
    return Rejected(page) if problem else page


def delete(backend: Backend, params: Params, caller: Caller, *, actor: Actor) -> Result:  # noqa: ARG001
    """Deletes a queue, and what is in it when that was chosen. Raises Conflict for a program that did not choose it."""
    problem = _problem(backend, params)
    contents = contents_of(query.summary_of(backend, params.queue, now=params.now))
    if problem is None and contents.total and not params.with_jobs:
        problem = f"It holds {contents.total:,} jobs. Choose that they are deleted with it, or move them first."
        if params.is_json:
            raise Conflict(f"{problem} with_jobs says so.")
    if problem is not None:
        page = _confirmation(backend, params, "delete_queue", count=contents.total, problem=problem, contents=contents)
        return Rejected(page) if problem else page
    outcome = actions.delete_queue(backend, actor, queue=params.queue, as_of=params.as_of or params.now, with_jobs=params.with_jobs)
    is_there = outcome.left or outcome.problem
    to = To("queue", _queue(backend, params)) if is_there else To("queues", {"backend": backend.name})
    return Acted(outcome, To(to.endpoint, to.values, notice=outcome_notice(outcome)))


def contents_of(summary: QueueSummary) -> Contents:
    """What a queue holds, registries with nothing left out; expired entries count, for they are still there."""
    counts = ((registry, summary.count(registry) + summary.expired(registry)) for registry in Registry)
    return Contents(tuple((registry, count) for registry, count in counts if count), summary.workers)


def _problem(backend: Backend, params: Params) -> str | None:
    """None to go on, "" to ask, else what is wrong with the answer given."""
    if not params.confirmed:
        return ""
    if backend.profile.protected and params.typed != backend.name:
        return f"Type {backend.name} to go on: it is protected."
    return None


def _confirmation(
    backend: Backend, params: Params, verb: str, *, count: int, problem: str, contents: Contents | None = None
) -> ConfirmPage:
    return ConfirmPage(
        mark=mark(backend.profile),
        verb=verb,
        fields=(("queue", names.to_form(params.queue)), ("as_of", (params.as_of or params.now).isoformat())),
        queue=params.queue,
        count=count,
        typed_names=names_to_type([backend.profile]),
        problem=problem,
        contents=contents,
    )


def _queue(backend: Backend, params: Params) -> Mapping[str, Any]:
    return {"backend": backend.name, "name": names.ref(params.queue), "registry": Registry.QUEUED.value}


ROUTES = (
    Route("empty", "POST", "/b/<backend>/queue/empty", Permission.OPERATE, empty, "confirm.html", parse, Scope.ONE, ("actor",), "queues"),
    Route(
        "delete_queue",
        "POST",
        "/b/<backend>/queue/delete",
        Permission.OPERATE,
        delete,
        "confirm.html",
        parse,
        Scope.ONE,
        ("actor",),
        "queues",
    ),
)
