"""Operations: the list of them, one with its preview or progress, what may be asked of it, and the list of its jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from rqdash.access.actor import Actor
from rqdash.backends.backend import Backend
from rqdash.errors import Conflict, Denied, Invalid, NotFound
from rqdash.model.caller import Caller, Permission
from rqdash.model.outcome import WORDS, Verdict
from rqdash.operations import requests
from rqdash.operations.requests import Operations
from rqdash.operations.values import FAILED_VERDICTS, Operation, State
from rqdash.web.forms import Raw
from rqdash.web.marks import Mark, mark
from rqdash.web.operation_list import download
from rqdash.web.route import Made, Page, Rejected, Result, Route, To

PAGE = 50
UNKNOWN = "There is no such operation."


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One operation in the list, with the marks of its backends, the one that jobs go to last."""

    operation: Operation
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class OperationsPage(Page):
    """The newest first; older is the moment before which the next page begins, None at the end."""

    rows: tuple[OperationRow, ...]
    older: datetime | None


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """How many jobs had one outcome, in a word or two; kind is done, skipped or failed."""

    verdict: Verdict
    words: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class OperationPage(Page):
    """One operation. marks are its backends by name; protected the names to type before it starts; problem is why what was asked of it
    was not done.
    """

    operation: Operation
    marks: Mapping[str, Mark]
    outcomes: tuple[OutcomeRow, ...]
    may_act: bool
    protected: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a form asks of an operation; typed are the names of protected backends, why is a note."""

    operation_id: str
    typed: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class ListParams:
    before: datetime | None = None


def parse_list(raw: Raw) -> ListParams:
    try:
        before = datetime.fromisoformat(raw.arg("before"))
    except ValueError:
        return ListParams()
    return ListParams(before if before.tzinfo is not None else None)


def parse(raw: Raw) -> Asking:
    typed = tuple(name.strip() for name in raw.form.get("typed", ()))
    return Asking(raw.path["operation"], typed, raw.text("why").strip())


def listing(params: ListParams, caller: Caller, *, operations: Operations) -> OperationsPage:
    """One query of the dashboard's own database; operations on a backend that the caller may not see are left out."""
    found = operations.records.list(is_visible=partial(is_visible, caller), before=params.before, most=PAGE + 1)
    rows = tuple(OperationRow(shown, tuple(marks(operations.backends, shown).values())) for shown in found[:PAGE])
    return OperationsPage(rows, found[PAGE - 1].created_at if len(found) > PAGE else None)


def view(params: Asking, caller: Caller, *, operations: Operations) -> OperationPage:
    return page(operations, _seen(operations, caller, params.operation_id), caller)


def page(operations: Operations, operation: Operation, caller: Caller, *, problem: str = "") -> OperationPage:
    return OperationPage(
        operation=operation,
        marks=marks(operations.backends, operation),
        outcomes=tuple(OutcomeRow(verdict, WORDS[verdict], _kind(verdict), count) for verdict, count in operation.tally.items()),
        may_act=_may_act(caller, operation),
        protected=requests.protected(operations, operation) if operation.state is State.PLANNED else (),
        problem=problem,
    )


def is_visible(caller: Caller, operation: Operation) -> bool:
    """Whether the caller may see every backend of an operation; who sees only some sees nothing of it."""
    return all(caller.may_see(name) for name in operation.asked.names)


def marks(backends: Mapping[str, Backend], operation: Operation) -> dict[str, Mark]:
    """The marks of an operation's backends; one that is gone has only its name."""
    live = {name: backends.get(name) for name in operation.asked.names}
    return {name: mark(backend.profile) if backend else Mark(name) for name, backend in live.items()}


def act(params: Asking, caller: Caller, *, actor: Actor, operations: Operations, verb: str) -> Result:
    """Starts, pauses, resumes or cancels; what stands against it is said on the operation's own page."""
    _refuse(caller, _seen(operations, caller, params.operation_id))
    try:
        led = ACTIONS[verb](operations, actor, params)
    except (Invalid, Conflict) as error:
        now = operations.records.get(params.operation_id)
        return Rejected(page(operations, now, caller, problem=error.message), 400 if isinstance(error, Invalid) else 409)
    return Made(page(operations, led, caller), To("operation", {"operation": led.id}))


def outcomes(params: tuple[Asking, str, str], caller: Caller, *, operations: Operations) -> Result:
    asking, kind, verdict = params
    operation = _seen(operations, caller, asking.operation_id)
    return download(partial(operations.lines, operation.id), name=f"operation-{operation.id}", kind=kind, only=verdict)


def parse_outcomes(raw: Raw) -> tuple[Asking, str, str]:
    kind = "csv" if raw.arg("format") == "csv" else "json"
    return parse(raw), kind, raw.arg("verdict")


def _seen(operations: Operations, caller: Caller, operation_id: str) -> Operation:
    """The operation, if the caller may see it. Raises NotFound with the same words if not."""
    found = operations.records.get(operation_id)
    if not is_visible(caller, found):
        raise NotFound(UNKNOWN)
    return found


def _may_act(caller: Caller, operation: Operation) -> bool:
    return all(caller.may(Permission.OPERATE, name) for name in operation.asked.names)


def _refuse(caller: Caller, operation: Operation) -> None:
    """Raises Denied unless the caller may change every backend of an operation."""
    if not _may_act(caller, operation):
        raise Denied(f"This asks for the role operator on each of {', '.join(operation.asked.names)}.")


def _kind(verdict: Verdict) -> str:
    if verdict is Verdict.DONE:
        return "done"
    return "failed" if verdict in FAILED_VERDICTS else "skipped"


ACTIONS: dict[str, Callable[[Operations, Actor, Asking], Operation]] = {
    "start": lambda operations, actor, asking: requests.start(operations, actor, asking.operation_id, typed=asking.typed, why=asking.why),
    "pause": lambda operations, actor, asking: requests.pause(operations, actor, asking.operation_id),
    "resume": lambda operations, actor, asking: requests.resume(operations, actor, asking.operation_id),
    "cancel": lambda operations, actor, asking: requests.cancel(operations, actor, asking.operation_id),
}
NEEDS = ("actor", "operations")


def _route(verb: str) -> Route:
    rule = f"/operations/<operation>/{verb}"
    act_on = partial(act, verb=verb)
    return Route(f"operation_{verb}", "POST", rule, Permission.OPERATE, act_on, "operation.html", parse, needs=NEEDS, nav="operations")


READS = ("operations",)
ROUTES = (
    Route(
        "operations",
        "GET",
        "/operations",
        Permission.VIEW,
        listing,
        "operations.html",
        parse_list,
        needs=READS,
        nav="operations",
        is_live=True,
    ),
    Route(
        "operation",
        "GET",
        "/operations/<operation>",
        Permission.VIEW,
        view,
        "operation.html",
        parse,
        needs=READS,
        nav="operations",
        is_live=True,
    ),
    Route("operation_outcomes", "GET", "/operations/<operation>/outcomes", Permission.VIEW, outcomes, parse=parse_outcomes, needs=READS),
    *(_route(verb) for verb in ACTIONS),
)
