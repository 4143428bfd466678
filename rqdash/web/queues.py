"""One list of the queues of all backends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from rqdash.model.caller import Caller, Permission
from rqdash.model.queue import BackendSummary, QueueSummary, by_trouble
from rqdash.model.registry import Registry
from rqdash.model.reply import Coverage, Problem, Reply, coverage
from rqdash.model.search import Search
from rqdash.queries import overview as query
from rqdash.web.forms import Raw, page_number, page_size
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Page, Route, Scope
from rqdash.web.searching import MOST_WORDS, Box, understood, words
from rqdash.web.sparks import Spark
from rqdash.web.trends import Trends

KEY = "summary"
SEARCHED = ("queue", "backend", "")
"""The fields of a search that queues have."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue with its backend's mark; trend is how many jobs waited in the last hour, None when nobody sampled it."""

    mark: Mark
    queue: QueueSummary
    is_suspended: bool = False
    trend: Spark | None = None


@dataclass(frozen=True, slots=True)
class DownRow:
    """A backend that did not answer: why, and what was last known of it, which each process knows by itself."""

    momentary: ClassVar[frozenset[str]] = frozenset({"queues", "queued"})
    mark: Mark
    problem: Problem
    queues: tuple[QueueSummary, ...] = ()
    queued: int = 0
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueuesPage(Page):
    """rows are one page of all that match; sort is a column's name ("" = by trouble), descending unless is_ascending."""

    coverage: Coverage
    rows: tuple[QueueRow, ...]
    down: tuple[DownRow, ...]
    pager: Pager
    sort: str
    is_ascending: bool
    box: Box
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    page: int
    size: int
    sort: str
    is_ascending: bool
    q: str = ""


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    sort = raw.arg("sort")
    return Params(raw.now, page_number(raw), page_size(raw), sort if sort in COLUMNS else "", raw.arg("order") == "asc", raw.arg("q"))


def view(backends: Many, params: Params, caller: Caller, *, trends: Trends) -> QueuesPage:  # noqa: ARG001
    replies = backends.gather(partial(query.summary, now=params.now), key=KEY)
    found, box = understood(params.q, fields=SEARCHED)
    known = queue_rows(replies)
    rows = known if found.is_empty else tuple(row for row in known if _is_found(found, row))
    if params.sort:
        rows = tuple(sorted(rows, key=COLUMNS[params.sort], reverse=not params.is_ascending))
    pages = pager(page=params.page, size=params.size, total=len(rows))
    return QueuesPage(
        coverage=coverage(replies),
        rows=with_trends(rows[pages.offset : pages.offset + pages.size], trends, now=params.now),
        down=down_rows(replies),
        pager=pages,
        sort=params.sort,
        is_ascending=params.is_ascending,
        box=replace(box, words=_words(known[:MOST_WORDS])),
        as_of=params.now,
    )


def queue_rows(replies: Sequence[Reply[BackendSummary]]) -> tuple[QueueRow, ...]:
    """The queues of the backends that answered, worst first."""
    rows = [
        (by_trouble(queue, as_of=reply.value.as_of), QueueRow(mark(reply.profile), queue, reply.value.is_suspended))
        for reply in replies
        if reply.is_ok and reply.value is not None
        for queue in reply.value.queues
    ]
    return tuple(row for _, row in sorted(rows, key=lambda pair: pair[0]))


def with_trends(rows: Sequence[QueueRow], trends: Trends, *, now: datetime) -> tuple[QueueRow, ...]:
    """The rows with their sparklines; one read of the history a backend and slot, whoever looks."""
    waiting = {name: trends.waiting(name, now=now) for name in {row.mark.name for row in rows}}
    return tuple(replace(row, trend=waiting[row.mark.name].get(row.queue.name)) for row in rows)


def _is_found(found: Search, row: QueueRow) -> bool:
    """A bare word is part of the queue's name or the backend's."""
    bare = all(term.is_negated != (term.is_part_of(row.queue.name) or term.is_part_of(row.mark.name)) for term in found.of(""))
    return bare and found.on_queue(row.queue.name) and found.on_backend(row.mark.name)


def _words(rows: Sequence[QueueRow]) -> tuple[str, ...]:
    return (*words("backend", (row.mark.name for row in rows)), *words("queue", (row.queue.name for row in rows)))[:MOST_WORDS]


def down_rows(replies: Sequence[Reply[BackendSummary]]) -> tuple[DownRow, ...]:
    """One row a backend that did not answer."""
    return tuple(_down(reply, reply.problem) for reply in replies if reply.problem is not None)


def _down(reply: Reply[BackendSummary], problem: Problem) -> DownRow:
    known = reply.value
    if known is None:
        return DownRow(mark(reply.profile), problem)
    return DownRow(mark(reply.profile), problem, known.queues, known.total(Registry.QUEUED), reply.as_of)


def _column(registry: Registry) -> Callable[[QueueRow], tuple[float, str]]:
    return lambda row: (row.queue.count(registry), row.queue.name)


COLUMNS: dict[str, Callable[[QueueRow], tuple[float | str, str]]] = {
    "backend": lambda row: (row.mark.name, row.queue.name),
    "queue": lambda row: (row.queue.name, row.mark.name),
    "oldest": lambda row: (-row.queue.oldest_enqueued_at.timestamp() if row.queue.oldest_enqueued_at else float("-inf"), row.queue.name),
    "workers": lambda row: (row.queue.workers, row.queue.name),
    **{registry.value: _column(registry) for registry in Registry},
}

ROUTES = (
    Route("queues", "GET", "/queues", Permission.VIEW, view, "queues.html", parse, Scope.MANY, ("trends",), nav="queues", is_live=True),
)
