"""One wall of the workers of all backends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from rqdash.model import worker as workers_model
from rqdash.model.caller import Caller, Permission
from rqdash.model.reply import Coverage, Problem, Reply, coverage
from rqdash.model.search import Search
from rqdash.model.search_terms import Term
from rqdash.model.worker import Worker, WorkerList
from rqdash.queries import workers as query
from rqdash.web.forms import Raw, page_number, page_size
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Page, Route, Scope
from rqdash.web.searching import MOST_WORDS, Box, understood, words

KEY = "workers"
SEARCHED = ("worker", "queue", "backend", "")
"""The fields of a search that workers have."""
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
    """A backend that did not answer, with how many workers it last had, as far as this process knows."""

    momentary: ClassVar[frozenset[str]] = frozenset({"last_known"})
    mark: Mark
    problem: Problem
    last_known: int | None
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Suspension:
    """Whether a backend's workers are suspended, until when (None = no end), and whether who looks may change that."""

    mark: Mark
    is_suspended: bool
    until: datetime | None
    may_act: bool


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
    suspensions: tuple[Suspension, ...]
    box: Box
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    state: str
    page: int
    size: int
    q: str = ""


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    state = raw.arg("state")
    return Params(raw.now, state if state in STATES else "", page_number(raw), page_size(raw), raw.arg("q"))


def view(backends: Many, params: Params, caller: Caller) -> WorkersPage:
    replies = backends.gather(partial(query.workers, now=params.now), key=KEY)
    found, box = understood(params.q, fields=SEARCHED)
    known = worker_rows(replies)
    rows = known if found.is_empty else tuple(row for row in known if _is_found(found, row))
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
        suspensions=_suspensions(replies, caller),
        box=replace(box, words=_words(known[:MOST_WORDS])),
        as_of=params.now,
    )


def _suspensions(replies: Sequence[Reply[WorkerList]], caller: Caller) -> tuple[Suspension, ...]:
    """One of each backend that answered."""
    fresh = [(reply.profile, reply.value) for reply in replies if reply.is_ok and reply.value is not None]
    return tuple(
        Suspension(
            mark(profile),
            listed.is_suspended,
            listed.suspended_until,
            may_act=not profile.read_only and caller.may(Permission.OPERATE, profile.name),
        )
        for profile, listed in fresh
    )


def worker_rows(replies: Sequence[Reply[WorkerList]]) -> tuple[WorkerRow, ...]:
    """The workers of the backends that answered, worst first."""
    fresh = [(mark(reply.profile), reply.value) for reply in replies if reply.is_ok and reply.value is not None]
    rows = [WorkerRow(whose, worker) for whose, listed in fresh for worker in listed.workers]
    return tuple(sorted(rows, key=lambda row: workers_model.by_trouble(row.worker)))


def _is_found(found: Search, row: WorkerRow) -> bool:
    return found.on_backend(row.mark.name) and all(term.is_negated != _has(term, row.worker) for term in found.of("worker", "queue", ""))


def _has(term: Term, worker: Worker) -> bool:
    """A bare word is part of a worker's name, its host, a queue of it, or what it runs."""
    if term.field == "worker":
        return term.is_all_of(worker.name)
    if term.field == "queue":
        return any(map(term.is_all_of, worker.queues))
    running = (worker.current.function, worker.current.id) if worker.current else ()
    return any(map(term.is_part_of, (worker.name, worker.hostname, *worker.queues, *running)))


def _words(rows: Sequence[WorkerRow]) -> tuple[str, ...]:
    found = (
        *words("backend", (row.mark.name for row in rows)),
        *words("queue", (queue for row in rows for queue in row.worker.queues)),
        *words("worker", (row.worker.name for row in rows)),
    )
    return found[:MOST_WORDS]


def state_tabs(rows: Sequence[WorkerRow], current: str) -> tuple[StateTab, ...]:
    counts = Counter(row.worker.state for row in rows)
    states = [state for state in STATES if state != "started" or counts[state] or current == state]
    return (StateTab("", len(rows), current == ""), *(StateTab(state, counts[state], current == state) for state in states))


def _down(reply: Reply[WorkerList], problem: Problem) -> DownWorkers:
    return DownWorkers(mark(reply.profile), problem, reply.value.total if reply.value else None, reply.as_of)


ROUTES = (Route("workers", "GET", "/workers", Permission.VIEW, view, "workers.html", parse, Scope.MANY, nav="workers", is_live=True),)
