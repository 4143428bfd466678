"""What one worker is told: each command asks first, on a page that says what follows for the worker as it is then."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from rqdash import actions
from rqdash.access.actor import Actor
from rqdash.actions import Target
from rqdash.backends.backend import Backend
from rqdash.errors import Conflict, NotFound
from rqdash.model import names
from rqdash.model.caller import Caller, Permission
from rqdash.model.outcome import Outcome, Verdict
from rqdash.model.protection import names_to_type
from rqdash.model.worker import Worker
from rqdash.queries import workers as query
from rqdash.web.forms import Raw
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Acted, Notice, Page, Rejected, Result, Route, Scope, To
from rqdash.web.worker_words import command_notice

COMMANDS = ("shutdown", "kill_horse", "stop_job", "stop_execution")


@dataclass(frozen=True, slots=True)
class CommandPage(Page):
    """The question before a command. is_cold: the worker was asked to shut down before, so another request ends it with its job.

    fields are the hidden fields that repeat the request; typed_names: the names to type; problem: why it was not done.
    """

    mark: Mark
    verb: str
    worker: Worker
    fields: tuple[tuple[str, str], ...]
    is_cold: bool
    typed_names: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Params:
    """What a form asks. is_cold: its question said that this is a second request to shut down."""

    now: datetime = field(repr=False)
    target: Target
    is_cold: bool
    confirmed: bool
    typed: str
    is_json: bool


def parse(raw: Raw, *, has_job: bool) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    job_id = raw.name("job") if has_job else ""
    target = Target(raw.name("name"), job_id, raw.text("execution") if has_job else "")
    return Params(raw.now, target, raw.ticked("cold"), raw.ticked("confirmed") or raw.is_json, raw.text("typed"), raw.is_json)


def view(backend: Backend, params: Params, caller: Caller, *, actor: Actor, verb: str) -> Result:  # noqa: ARG001
    """Tells the worker, or asks first. Raises NotFound when there is no such worker to ask about."""
    problem = _problem(backend, params)
    if problem is not None:
        page = _question(backend, params, verb, problem)
        return Rejected(page) if problem else page
    outcome = _told(backend, actor, params, verb)
    if Verdict.CONFLICT not in outcome.counts():
        return Acted(outcome, _back(backend, params.target.worker, command_notice(outcome)))
    if params.is_json:
        raise Conflict("It was asked to shut down before. Asked with cold, it ends at once, with the job it runs.")
    return Rejected(_question(backend, params, verb, "It was asked to shut down meanwhile, and nothing was sent."), 409)


def _told(backend: Backend, actor: Actor, params: Params, verb: str) -> Outcome:
    if verb == "shutdown":
        return actions.shut_down(backend, actor, worker=params.target.worker, cold=params.is_cold)
    act = {"kill_horse": actions.kill_horse, "stop_job": actions.stop_job, "stop_execution": actions.stop_execution}[verb]
    return act(backend, actor, params.target)


def _problem(backend: Backend, params: Params) -> str | None:
    """None to go on, "" to ask, else what is wrong with the answer given."""
    if not params.confirmed:
        return ""
    if backend.profile.protected and params.typed != backend.name:
        return f"Type {backend.name} to go on: it is protected."
    return None


def _question(backend: Backend, params: Params, verb: str, problem: str) -> CommandPage:
    """The question, of the worker as it is now. Raises Conflict when it runs another job than is meant, NotFound when it is no more."""
    target = params.target
    worker = query.worker(backend, target.worker, now=params.now)
    if worker.state in ("lost", "ended"):
        raise NotFound(f"This worker of {backend.name} is {worker.state}: nobody would hear it.")
    if verb != "shutdown" and (worker.current is None or worker.current.id != target.job_id):
        raise Conflict("This worker runs something else now, so nothing was sent. Look at it again.")
    is_cold = verb == "shutdown" and worker.is_shutting_down
    fields = [("name", names.to_form(target.worker))]
    if verb != "shutdown":
        fields += [("job", names.to_form(target.job_id)), ("execution", target.execution_id)]
    if is_cold:
        fields.append(("cold", "1"))
    return CommandPage(mark(backend.profile), verb, worker, tuple(fields), is_cold, names_to_type([backend.profile]), problem)


def _back(backend: Backend, name: str, notice: Notice) -> To:
    """To the worker's page; one whose name travels as a digest may be found there no more."""
    if names.is_digest(names.ref(name)):
        return To("workers", {"backend": backend.name}, notice=notice)
    return To("worker", {"backend": backend.name, "name": name}, notice=notice)


def _route(verb: str) -> Route:
    return Route(
        verb,
        "POST",
        f"/b/<backend>/worker/{verb.replace('_', '-')}",
        Permission.OPERATE,
        partial(view, verb=verb),
        "worker_command.html",
        partial(parse, has_job=verb != "shutdown"),
        Scope.ONE,
        ("actor",),
        "workers",
    )


ROUTES = tuple(_route(verb) for verb in COMMANDS)
