"""One wall of the workers of all backends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.model.caller import Caller, Permission
from rqdash.model.reply import Coverage, Problem, Reply, coverage
from rqdash.model.search import Search
from rqdash.model.search_terms import Term
from rqdash.model.worker import Worker, WorkerList
from rqdash.queries import workers as query
from rqdash.web import wall
from rqdash.web.forms import PAGE_SIZES, Raw, page_number, page_size
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Page, Route, Scope
from rqdash.web.searching import MOST_WORDS, Box, understood, words
from rqdash.web.wall import DownWorkers, Group, Without, WorkerRow

KEY = "workers"
SEARCHED = ("worker", "queue", "backend", "")
"""The fields of a search that workers have."""
STATES = ("busy", "idle", "suspended", "started", "lost")
TILES = "tiles"


@dataclass(frozen=True, slots=True)
class StateTab:
    """state "" is all."""

    state: str
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class Suspension:
    """Whether a backend's workers are suspended, until when (None = no end), and whether who looks may change that."""

    mark: Mark
    is_suspended: bool
    until: datetime | None
    may_act: bool


@dataclass(frozen=True, slots=True)
class WorkersPage(Page):
    """rows are one page of all that match, in the order of groups, of which there are none unless they are asked for.

    versions are (RQ version, workers) of those not lost, most first; total counts fresh backends only. per_minute: jobs done, an average
    since each worker started. without is the first 20 of without_total; unjudged: backends of whose workers not all were read.
    """

    coverage: Coverage
    rows: tuple[WorkerRow, ...]
    groups: tuple[Group, ...]
    group: str
    is_tiled: bool
    tabs: tuple[StateTab, ...]
    down: tuple[DownWorkers, ...]
    pager: Pager
    total: int
    busy: int
    hosts: int
    per_minute: float | None
    versions: tuple[tuple[str, int], ...]
    suspensions: tuple[Suspension, ...]
    without: tuple[Without, ...]
    without_total: int
    unjudged: tuple[Mark, ...]
    box: Box
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    state: str
    page: int
    size: int
    q: str = ""
    group: str = ""
    is_tiled: bool = False


def parse(raw: Raw) -> Params:
    """Tiles are for many workers: 200 of them unless told otherwise, in groups."""
    assert raw.now is not None  # noqa: S101  the seam always sets it
    state, group, is_tiled = raw.arg("state"), raw.arg("group"), raw.arg("view") == TILES
    size = PAGE_SIZES[-1] if is_tiled and not raw.arg("size") else page_size(raw)
    group = group if group in wall.GROUPS else wall.GROUPS[0] if is_tiled else ""
    return Params(raw.now, state if state in STATES else "", page_number(raw), size, raw.arg("q"), group, is_tiled)


def view(backends: Many, params: Params, caller: Caller) -> WorkersPage:
    replies = backends.gather(partial(query.workers, now=params.now), key=KEY)
    found, box = understood(params.q, fields=SEARCHED)
    known = wall.worker_rows(replies)
    rows = known if found.is_empty else tuple(row for row in known if _is_found(found, row))
    members = wall.grouped([row for row in rows if params.state in ("", row.worker.state)], params.group)
    pages = pager(page=params.page, size=params.size, total=len(members))
    versions = Counter(row.worker.rq_version or "unknown" for row in rows if row.worker.state != "lost")
    without = wall.without(replies, found)
    return WorkersPage(
        coverage=coverage(replies),
        rows=tuple(row for _, row in members[pages.offset : pages.offset + pages.size]),
        groups=wall.groups(members, offset=pages.offset, size=pages.size) if params.group else (),
        group=params.group,
        is_tiled=params.is_tiled,
        tabs=state_tabs(rows, params.state),
        down=tuple(_down(reply, reply.problem) for reply in replies if reply.problem is not None),
        pager=pages,
        total=len(rows),
        busy=sum(1 for row in rows if row.worker.state == "busy"),
        hosts=len({row.worker.hostname for row in rows if row.worker.hostname}),
        per_minute=wall.per_minute(rows),
        versions=tuple(versions.most_common()),
        suspensions=_suspensions(replies, caller),
        without=without[: wall.MOST_WITHOUT],
        without_total=len(without),
        unjudged=wall.unjudged(replies),
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
