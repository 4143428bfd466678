"""A queue with its registries as tabs, and one page of the jobs of one registry."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from rqdash.actions.transfer import in_transit
from rqdash.backends.backend import Backend
from rqdash.model.caller import Caller, Permission
from rqdash.model.job import JobList
from rqdash.model.queue import QueueSummary
from rqdash.model.registry import TABS, Registry
from rqdash.model.search import Search, narrowed, within
from rqdash.model.transit import InTransit
from rqdash.queries import jobs as jobs_query
from rqdash.queries import queue as query
from rqdash.queries import scan as scans
from rqdash.queries import sets
from rqdash.queries.pages import MOMENTS
from rqdash.queries.queue_page import queue_page
from rqdash.queries.scan import Scan
from rqdash.web.charts import Past, past_of, span_of
from rqdash.web.forms import Raw, choice, page_number, page_size
from rqdash.web.marks import Mark, mark
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Page, Route, Scope
from rqdash.web.searching import Box, job_words, newest_first, understood
from rqdash.web.trends import Trends
from rqdash.web.verbs import LISTED, bulk

ENTRIES = 5_000
"""Entries that one page of a filtered list looks at; the page is read anew every few seconds."""
BUDGET_S = 1.0


@dataclass(frozen=True, slots=True)
class Tab:
    registry: Registry
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class QueuePage(Page):
    """One registry of a queue. expired counts entries that a worker's maintenance will remove; they are not in the count.

    scan is what a search looked at, None without one: then jobs holds what was found, and cursor is where the next page goes on.
    transit is what has left this queue for another backend and has not arrived, of the first 100 of the backend.
    search is what finds all of this list, of which the box holds a part, and bulk what may be done with all that it finds.
    """

    mark: Mark
    queue: QueueSummary
    tabs: tuple[Tab, ...]
    jobs: JobList
    pager: Pager
    expired: int
    verbs: tuple[str, ...]
    box: Box
    scan: Scan | None
    search: str
    bulk: tuple[str, ...]
    transit: tuple[InTransit, ...]
    past: Past
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    name: str
    registry: Registry
    page: int
    size: int
    q: str = ""
    cursor: str = ""
    span: str = ""
    is_whole: bool = False


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    registry = choice(raw.arg("registry"), Registry, default=Registry.QUEUED)
    shown = (span_of(raw), raw.arg("rows") == "all")
    return Params(raw.now, raw.arg("name"), registry, page_number(raw), page_size(raw), raw.arg("q"), raw.arg("at"), *shown)


def view(backend: Backend, params: Params, caller: Caller, *, trends: Trends) -> QueuePage:  # noqa: ARG001
    name = sets.resolve_queue(backend, params.name)
    found, box = understood(params.q)
    summary, pages, scan, jobs = (_whole if found.is_empty else _searched)(backend, found, params, name)
    return QueuePage(
        mark=mark(backend.profile),
        queue=summary,
        tabs=tabs(summary, params.registry),
        jobs=jobs,
        pager=pages,
        expired=summary.expired(params.registry),
        verbs=LISTED.get(params.registry, ()),
        box=replace(box, words=job_words(jobs.rows)),
        scan=scan,
        search=within(box.q if box.is_active else "", queue=name, registry=params.registry),
        # A mistaken search is none; nothing may then be meant by "all".
        bulk=() if box.mistake else bulk((params.registry,)),
        transit=tuple(job for job in in_transit(backend) if job.queue == name) if summary.departing else (),
        past=past_of(trends, mark(backend.profile), name, params.span, now=params.now, is_whole=params.is_whole),
        as_of=params.now,
    )


Listed = tuple[QueueSummary, Pager, Scan | None, JobList]


def _whole(backend: Backend, _found: Search, params: Params, name: str) -> Listed:
    """One page of the registry; one beyond the last is read anew as the last."""
    registry, size, now = params.registry, params.size, params.now
    summary, jobs = queue_page(backend, name, registry, offset=(params.page - 1) * size, size=size, now=now)
    pages = _pager(summary, params)
    if pages.offset != jobs.offset:
        jobs = jobs_query.jobs(backend, name, registry, offset=pages.offset, size=size, now=now)
    return summary, pages, None, jobs


def _pager(summary: QueueSummary, params: Params) -> Pager:
    return pager(page=params.page, size=params.size, total=summary.count(params.registry) + summary.expired(params.registry))


def _searched(backend: Backend, found: Search, params: Params, name: str) -> Listed:
    """What a search finds in the registry."""
    registry, now = params.registry, params.now
    summary = query.summary_of(backend, name, now=now)
    here = narrowed(found, queue=name, registry=registry)
    scan = scans.scan(backend, here, now=now, cursor=params.cursor, most=params.size, entries=ENTRIES, budget_s=BUDGET_S)
    rows = scans.rows(backend, scan.matches, now=now)
    if registry in MOMENTS:
        # Their scores are deadlines, which tell only roughly when they came.
        rows = tuple(sorted(rows, key=newest_first))
    return (
        summary,
        _pager(summary, params),
        scan,
        JobList(backend.name, name, registry, rows, scan.total, 0, params.size, now, scan.scanned),
    )


def tabs(summary: QueueSummary, current: Registry) -> tuple[Tab, ...]:
    """The registries in life order; those beyond RQ's seven only when not empty or current."""
    shown = [registry for registry in Registry if registry in TABS or registry is current or summary.count(registry)]
    return tuple(Tab(registry, summary.count(registry), registry is current) for registry in shown)


ROUTES = (
    Route(
        "queue", "GET", "/b/<backend>/queue", Permission.VIEW, view, "queue.html", parse, Scope.ONE, ("trends",), nav="queues", is_live=True
    ),
)
