"""A queue with its registries as tabs, and one page of the jobs of one registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.model.caller import Caller, Permission
from rqdash.model.job import JobList
from rqdash.model.queue import QueueSummary
from rqdash.model.registry import TABS, Registry
from rqdash.queries import jobs as jobs_query
from rqdash.queries import queue as query
from rqdash.queries import sets
from rqdash.web.forms import Raw, choice, page_number, page_size
from rqdash.web.marks import Mark, mark
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Page, Route, Scope

VERBS: dict[Registry, tuple[str, ...]] = {
    Registry.QUEUED: ("move", "cancel", "delete"),
    Registry.SCHEDULED: ("move", "cancel", "delete"),
    Registry.DEFERRED: ("cancel", "delete"),
    Registry.FAILED: ("requeue", "move", "delete"),
    Registry.FINISHED: ("delete",),
    Registry.CANCELED: ("requeue", "move", "delete"),
}
"""What may be done with the jobs of a registry, the first being the usual thing."""


@dataclass(frozen=True, slots=True)
class Tab:
    registry: Registry
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class QueuePage(Page):
    """One registry of a queue. expired counts entries that a worker's maintenance will remove; they are not in the count."""

    mark: Mark
    queue: QueueSummary
    tabs: tuple[Tab, ...]
    jobs: JobList
    pager: Pager
    expired: int
    verbs: tuple[str, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    name: str
    registry: Registry
    page: int
    size: int


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    registry = choice(raw.arg("registry"), Registry, default=Registry.QUEUED)
    return Params(raw.now, raw.arg("name"), registry, page_number(raw), page_size(raw))


def view(backend: Backend, params: Params, caller: Caller) -> QueuePage:  # noqa: ARG001
    name = sets.resolve_queue(backend, params.name)
    summary = query.summary_of(backend, name, now=params.now)
    pages = pager(page=params.page, size=params.size, total=summary.count(params.registry) + summary.expired(params.registry))
    jobs = jobs_query.jobs(backend, name, params.registry, offset=pages.offset, size=pages.size, now=params.now)
    return QueuePage(
        mark=mark(backend.profile),
        queue=summary,
        tabs=tabs(summary, params.registry),
        jobs=jobs,
        pager=pages,
        expired=summary.expired(params.registry),
        verbs=VERBS.get(params.registry, ()),
        as_of=params.now,
    )


def tabs(summary: QueueSummary, current: Registry) -> tuple[Tab, ...]:
    """The registries in life order; those beyond RQ's seven only when not empty or current."""
    shown = [registry for registry in Registry if registry in TABS or registry is current or summary.count(registry)]
    return tuple(Tab(registry, summary.count(registry), registry is current) for registry in shown)


ROUTES = (Route("queue", "GET", "/b/<backend>/queue", Permission.VIEW, view, "queue.html", parse, Scope.ONE, nav="queues", is_live=True),)
