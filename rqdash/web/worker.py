"""One worker: what it does, what it did, and what it can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.model.caller import Caller, Permission
from rqdash.model.worker import Worker, WorkerDetail
from rqdash.queries import sets
from rqdash.queries.worker_detail import worker_detail
from rqdash.web.forms import Raw
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Page, Route, Scope


@dataclass(frozen=True, slots=True)
class WorkerPage(Page):
    """commands: what the worker can be told now, by endpoint; ignored: what its version of RQ would ignore, a sentence each."""

    mark: Mark
    detail: WorkerDetail
    per_minute: float | None
    working_percent: int | None
    commands: tuple[str, ...]
    ignored: tuple[str, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    name: str


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return Params(raw.now, raw.arg("name"))


def view(backend: Backend, params: Params, caller: Caller) -> WorkerPage:  # noqa: ARG001
    detail = worker_detail(backend, sets.resolve_worker(backend, params.name), now=params.now)
    worker = detail.worker
    rate = worker.per_minute(params.now)
    return WorkerPage(
        mark=mark(backend.profile),
        detail=detail,
        per_minute=None if rate is None else round(rate, 2),
        working_percent=worker.working_percent(params.now),
        commands=commands(worker),
        ignored=ignored(worker),
        as_of=params.now,
    )


def commands(worker: Worker) -> tuple[str, ...]:
    """The endpoints of what a worker can be told now."""
    if worker.state in ("lost", "ended"):
        return ()
    if worker.current is None:
        return ("shutdown",)
    stops = ("stop_job", "stop_execution") if worker.stops_executions and worker.current.execution_id else ("stop_job",)
    return ("shutdown", *stops, "kill_horse")


def ignored(worker: Worker) -> tuple[str, ...]:
    """What a worker would not obey because of its version."""
    if worker.state in ("lost", "ended") or worker.stops_executions:
        return ()
    return (f"It runs RQ {worker.rq_version}, which ignores stop execution: that came with 3.0. Stop job does the same here.",)


ROUTES = (
    Route("worker", "GET", "/b/<backend>/worker", Permission.VIEW, view, "worker.html", parse, Scope.ONE, nav="workers", is_live=True),
)
