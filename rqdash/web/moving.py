"""Moving ticked jobs: to another queue, or, by choosing another connection, to a queue of another backend."""

from __future__ import annotations

from collections.abc import Callable

from rqdash import actions
from rqdash.access.actor import Actor
from rqdash.actions import transfer
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Stale
from rqdash.model.caller import Caller, Permission
from rqdash.model.outcome import Outcome
from rqdash.model.protection import asks_for, names_to_type
from rqdash.queries import sets
from rqdash.web.confirming import ConfirmPage, Destination, Elsewhere
from rqdash.web.job_forms import Params, back, fields
from rqdash.web.marks import mark
from rqdash.web.route import Acted, Rejected, Result, To
from rqdash.web.words import outcome_notice


def move(
    backend: Backend,
    params: Params,
    caller: Caller,
    *,
    actor: Actor,
    reach: Callable[[str], Backend],
    seen: Callable[[], tuple[Backend, ...]],
) -> Result:
    """Moves, or asks where to first; and once more, with what is known against it, when another connection is chosen."""
    # reach refuses one that the caller may not change.
    other = reach(params.to_backend) if params.to_backend not in ("", backend.name) else None
    problem = _problem(backend, params, other)
    if problem is None:
        outcome = _moved(backend, actor, params, other)
        return Acted(outcome, To(*back(backend, params, verb="move"), notice=outcome_notice(outcome, goes_elsewhere=other is not None)))
    may_go = tuple(known for known in seen() if caller.may(Permission.OPERATE, known.name) and not known.profile.read_only)
    page = _question(backend, params, other, may_go=may_go, problem=problem)
    return Rejected(page) if problem else page


def _problem(backend: Backend, params: Params, other: Backend | None) -> str | None:
    """None to go on, "" to ask, else what is wrong with the answer given."""
    chosen = other or backend
    if not params.confirmed or (not params.is_json and (params.asked_of or backend.name) != chosen.name):
        return ""
    if params.copies and other is None:
        return "Copies are made on another connection. Choose one."
    if params.to_queue is None:
        return "Choose the queue to move to."
    if other is not None:
        _check_endpoint(other, params)
    missing = [name for name in _names(backend, params, other) if name not in params.typed]
    return asks_for(missing) if missing else None


def _check_endpoint(other: Backend, params: Params) -> None:
    """A form drawn while jobs would have gone to another endpoint of that name does nothing. Raises Stale."""
    drawn, current = params.to_endpoint_version, str(other.profile.endpoint_version)
    if drawn != current and not (params.is_json and not drawn):
        raise Stale(
            f"{other.name} points elsewhere since this page was drawn, so nothing was done. Look at it again, then repeat.",
            changes=(("endpoint version", drawn or "none", current),),
        )


def _names(backend: Backend, params: Params, other: Backend | None) -> tuple[str, ...]:
    return names_to_type([backend.profile], other.profile if other else None, copy=other is not None and params.copies)


def _question(backend: Backend, params: Params, other: Backend | None, *, may_go: tuple[Backend, ...], problem: str) -> ConfirmPage:
    """One read of the names of queues; two more of another backend, whose failure is said on the page."""
    elsewhere, queues = _elsewhere(backend, other, params) if other else (None, sets.queue_names(backend))
    others = tuple(mark(known.profile) for known in may_go if known.name != backend.name)
    return ConfirmPage(
        mark=mark(backend.profile),
        verb="move",
        fields=fields(params),
        queue=params.queue,
        registry=params.registry,
        count=len(params.ids),
        sample=params.ids[:5],
        typed_names=_names(backend, params, other),
        problem=problem,
        back=params.back,
        kept=params.kept,
        destination=Destination(
            queues=queues,
            to_queue=params.queue if params.to_queue is None and other else params.to_queue or "",
            is_unnamed=params.to_queue == "",
            at_front=params.at_front,
            connections=(mark(backend.profile), *others) if others else (),
            elsewhere=elsewhere,
            copies=params.copies,
        ),
    )


def _elsewhere(backend: Backend, other: Backend, params: Params) -> tuple[Elsewhere, tuple[str, ...]]:
    to_queue = params.queue if params.to_queue is None else params.to_queue
    found = transfer.preflight(backend, other, to_queue=to_queue, copy=params.copies)
    try:
        queues = sets.queue_names(other)
    except BackendError as error:
        return Elsewhere(mark(other.profile), error.message, found.warnings), ()
    return Elsewhere(mark(other.profile), found.refusal, found.warnings), queues


def _moved(backend: Backend, actor: Actor, params: Params, other: Backend | None) -> Outcome:
    to_queue = params.to_queue or ""
    if other is None:
        return actions.move(
            backend, actor, queue=params.queue, registry=params.registry, ids=params.ids, to_queue=to_queue, at_front=params.at_front
        )
    return transfer.transfer(
        backend,
        other,
        actor,
        queue=params.queue,
        registry=params.registry,
        ids=params.ids,
        to_queue=to_queue,
        at_front=params.at_front,
        copy=params.copies,
    )
