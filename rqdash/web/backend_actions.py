"""What is done to all workers of a backend: suspend them, which asks first, and resume them."""

from __future__ import annotations

from dataclasses import dataclass

from rqdash import actions
from rqdash.access.actor import Actor
from rqdash.backends.backend import Backend
from rqdash.model.caller import Caller, Permission
from rqdash.model.protection import names_to_type
from rqdash.web.confirming import ConfirmPage
from rqdash.web.forms import Raw, whole
from rqdash.web.marks import mark
from rqdash.web.route import Acted, Rejected, Result, Route, Scope, To
from rqdash.web.words import outcome_notice


@dataclass(frozen=True, slots=True)
class Params:
    """for_s: for how many seconds, None without end."""

    for_s: int | None
    confirmed: bool
    typed: str


def parse(raw: Raw) -> Params:
    text = raw.text("for_s").strip()
    return Params(whole(text, field_name="for_s") if text else None, raw.ticked("confirmed") or raw.is_json, raw.text("typed"))


def suspend(backend: Backend, params: Params, caller: Caller, *, actor: Actor) -> Result:  # noqa: ARG001
    """Suspends, or asks first for how long."""
    problem = _problem(backend, params)
    if problem is not None:
        names = names_to_type([backend.profile])
        page = ConfirmPage(mark=mark(backend.profile), verb="suspend", fields=(), typed_names=names, problem=problem)
        return Rejected(page) if problem else page
    outcome = actions.suspend(backend, actor, for_s=params.for_s)
    return Acted(outcome, To("workers", {"backend": backend.name}, notice=outcome_notice(outcome)))


def resume(backend: Backend, params: Params, caller: Caller, *, actor: Actor) -> Result:  # noqa: ARG001
    outcome = actions.resume(backend, actor)
    return Acted(outcome, To("workers", {"backend": backend.name}, notice=outcome_notice(outcome)))


def _problem(backend: Backend, params: Params) -> str | None:
    """None to go on, "" to ask, else what is wrong with the answer given."""
    if not params.confirmed:
        return ""
    if backend.profile.protected and params.typed != backend.name:
        return f"Type {backend.name} to go on: it is protected."
    return None


ROUTES = (
    Route("suspend", "POST", "/b/<backend>/suspend", Permission.OPERATE, suspend, "confirm.html", parse, Scope.ONE, ("actor",), "workers"),
    Route("resume", "POST", "/b/<backend>/resume", Permission.OPERATE, resume, "", parse, Scope.ONE, ("actor",), "workers"),
)
