"""What is done to ticked rows or to one job: by a form whose last click, where something is destroyed or asked, is on a page of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rqdash import actions
from rqdash.access.actor import Actor
from rqdash.backends.backend import Backend
from rqdash.errors import Invalid
from rqdash.model.caller import Caller, Permission
from rqdash.model.outcome import Outcome
from rqdash.model.protection import names_to_type
from rqdash.model.registry import Registry
from rqdash.web.confirming import ConfirmPage
from rqdash.web.job_forms import Params, back, fields, limits, moment_of, parse
from rqdash.web.marks import mark
from rqdash.web.moving import move
from rqdash.web.route import Acted, Rejected, Result, Route, Scope, To
from rqdash.web.words import outcome_notice

ASKS_FIRST = ("cancel", "delete", "stop", "reschedule", "edit")
ASKS_NAME = ("cancel", "delete", "stop")
"""On a protected profile."""


def view(backend: Backend, params: Params, caller: Caller, *, actor: Actor, verb: str) -> Result:  # noqa: ARG001
    """Acts, or asks first: by a page that repeats the request with a button, and a name to type on protected profiles."""
    problem = _problem(backend, params, verb)
    if problem is None:
        try:
            outcome = ACTIONS[verb](backend, actor, params)
        except Invalid as error:
            # A program gets its problems as they are.
            if verb not in ("reschedule", "edit") or params.is_json:
                raise
            return Rejected(confirmation(backend, params, verb=verb, problem=_said(error)))
        return Acted(outcome, To(*back(backend, params, verb=verb), notice=outcome_notice(outcome)))
    page = confirmation(backend, params, verb=verb, problem=problem)
    return Rejected(page) if problem else page


def _said(error: Invalid) -> str:
    """What is wrong, with the fields where there are any."""
    at = ", ".join(f"{name}: {problem}" for name, problem in error.problems.items())
    return f"{error.message} {at}." if at else error.message


def _problem(backend: Backend, params: Params, verb: str) -> str | None:
    """None to go on, "" to ask, else what is wrong with the answer given."""
    if verb not in ASKS_FIRST:
        return None
    if not params.confirmed:
        return ""
    if backend.profile.protected and verb in ASKS_NAME and backend.name not in params.typed:
        return f"Type {backend.name} to go on: it is protected."
    return None


def confirmation(backend: Backend, params: Params, *, verb: str, problem: str) -> ConfirmPage:
    """Reads nothing, but for editing, and for a new time of a single job: what it has now. One round trip then."""
    return ConfirmPage(
        mark=mark(backend.profile),
        verb=verb,
        fields=fields(params),
        queue=params.queue,
        registry=params.registry,
        count=len(params.ids),
        sample=params.ids[:5],
        typed_names=names_to_type([backend.profile]) if verb in ASKS_NAME else (),
        problem=problem,
        back=params.back,
        kept=params.kept,
        at=params.at,
        limits=limits(backend, params) if verb == "edit" else (),
    )


def _put_on_queue(act: Callable[..., Outcome], backend: Backend, actor: Actor, params: Params) -> Outcome:
    where = {"queue": params.queue, "registry": params.registry, "to_queue": params.to_queue}
    return act(backend, actor, ids=params.ids, at_front=params.at_front, **where)


def _rescue(backend: Backend, actor: Actor, params: Params) -> Outcome:
    if params.registry is not Registry.INTERMEDIATE:
        raise Invalid(f"Jobs cannot be rescued from {params.registry.value}.", problems={"registry": "not for this action"})
    return actions.rescue(backend, actor, queue=params.queue, ids=params.ids)


def _cancel(backend: Backend, actor: Actor, params: Params) -> Outcome:
    return actions.cancel(backend, actor, queue=params.queue, registry=params.registry, ids=params.ids)


def _delete(backend: Backend, actor: Actor, params: Params) -> Outcome:
    return actions.delete(backend, actor, queue=params.queue, registry=params.registry, ids=params.ids)


def _stop(backend: Backend, actor: Actor, params: Params) -> Outcome:
    if params.registry is not Registry.STARTED:
        raise Invalid(f"Jobs cannot be stopped from {params.registry.value}.", problems={"registry": "not for this action"})
    return actions.stop(backend, actor, queue=params.queue, ids=params.ids)


def _reschedule(backend: Backend, actor: Actor, params: Params) -> Outcome:
    if params.registry is not Registry.SCHEDULED:
        raise Invalid(f"Jobs cannot be rescheduled from {params.registry.value}.", problems={"registry": "not for this action"})
    return actions.reschedule(backend, actor, queue=params.queue, ids=params.ids, at=moment_of(params))


def _edit(backend: Backend, actor: Actor, params: Params) -> Outcome:
    return actions.edit(backend, actor, queue=params.queue, registry=params.registry, ids=params.ids, limits=params.changed())


ACTIONS: dict[str, Callable[[Backend, Actor, Params], Outcome]] = {
    "requeue": partial(_put_on_queue, actions.requeue),
    "enqueue": partial(_put_on_queue, actions.enqueue),
    "rescue": _rescue,
    "cancel": _cancel,
    "delete": _delete,
    "stop": _stop,
    "reschedule": _reschedule,
    "edit": _edit,
}


def _route(verb: str, view: Callable[..., Result], needs: tuple[str, ...]) -> Route:
    rule = f"/b/<backend>/jobs/{verb}"
    return Route(verb, "POST", rule, Permission.OPERATE, view, "confirm.html", parse, Scope.ONE, needs, "queues")


ROUTES = (
    *(_route(verb, partial(view, verb=verb), ("actor",)) for verb in ACTIONS),
    _route("move", move, ("actor", "reach", "seen")),
)
