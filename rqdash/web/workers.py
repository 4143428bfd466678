"""One wall of the workers of all backends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from rqdash.model import worker as workers_model
from rqdash.model.caller import Caller, Permission
from rqdash.model.reply import Coverage, Problem, Reply, coverage
from rqdash.model.worker import Worker, WorkerList
from rqdash.queries import workers as query
from rqdash.web.forms import Raw, page_number, page_size
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Page, Route, Scope

KEY = "workers"
STATES = ("busy", "idle", "suspended", "started", "lost")


@dataclass(frozen=True, slots=True)
class WorkerRow:
    mark: Mark
    worker: Worker


@dataclass(frozen=True, slots=True)
class StateTab:
    """state "" is all."""

    state: str
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class DownWorkers:
    """A backend that did not answer, with how many workers it last had."""

    mark: Mark
    problem: Problem
    last_known: int | None
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class WorkersPage(Page):
    """rows are one page of all that match; versions are (RQ version, workers), most first; total counts fresh backends only."""

    coverage: Coverage
    rows: tuple[WorkerRow, ...]
    tabs: tuple[StateTab, ...]
    down: tuple[DownWorkers, ...]
    pager: Pager
    total: int
    busy: int
    hosts: int
    versions: tuple[tuple[str, int], ...]
    suspended: tuple[str, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    state: str
    page: int
    size: int


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    state = raw.arg("state")
    return Params(raw.now, state if state in STATES else "", page_number(raw), page_size(raw))


def view(backends: Many, params: Params, caller: Caller) -> WorkersPage:  # noqa: ARG001
    replies = backends.gather(partial(query.workers, now=params.now), key=KEY)
    rows = worker_rows(replies)
    chosen = tuple(row for row in rows if params.state in ("", row.worker.state))
    pages = pager(page=params.page, size=params.size, total=len(chosen))
    versions = Counter(row.worker.rq_version or "unknown" for row in rows)
    return WorkersPage(
        coverage=coverage(replies),
        rows=chosen[pages.offset : pages.offset + pages.size],
        tabs=state_tabs(rows, params.state),
        down=tuple(_down(reply, reply.problem) for reply in replies if reply.problem is not None),
        pager=pages,
        total=len(rows),
        busy=sum(1 for row in rows if row.worker.state == "busy"),
        hosts=len({row.worker.hostname for row in rows if row.worker.hostname}),
        versions=tuple(versions.most_common()),
        suspended=tuple(reply.name for reply in replies if reply.is_ok and reply.value is not None and reply.value.is_suspended),
        as_of=params.now,
    )


def worker_rows(replies: Sequence[Reply[WorkerList]]) -> tuple[WorkerRow, ...]:
    """The workers of the backends that answered, worst first."""
    fresh = [(mark(reply.profile), reply.value) for reply in replies if reply.is_ok and reply.value is not None]
    rows = [WorkerRow(whose, worker) for whose, listed in fresh for worker in listed.workers]
    return tuple(sorted(rows, key=lambda row: workers_model.by_trouble(row.worker)))


def state_tabs(rows: Sequence[WorkerRow], current: str) -> tuple[StateTab, ...]:
    counts = Counter(row.worker.state for row in rows)
    states = [state for state in STATES if state != "started" or counts[state] or current == state]
    return (StateTab("", len(rows), current == ""), *(StateTab(state, counts[state], current == state) for state in states))


def _down(reply: Reply[WorkerList], problem: Problem) -> DownWorkers:
    return DownWorkers(mark(reply.profile), problem, reply.value.total if reply.value else None, reply.as_of)


ROUTES = (Route("workers", "GET", "/workers", Permission.VIEW, view, "workers.html", parse, Scope.MANY, nav="workers", is_live=True),)
