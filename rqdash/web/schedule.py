"""What happens by the clock on all backends: cron jobs with their schedulers, and scheduled jobs by due time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.backends.backend import Backend
from rqdash.model.caller import Caller, Permission
from rqdash.model.cron import CronHistory
from rqdash.model.schedule_search import FIELDS, taker
from rqdash.model.search import Search
from rqdash.queries import cron as cron_query
from rqdash.queries import schedule as query
from rqdash.queries.schedule import Asked
from rqdash.web.forms import Raw, page_number, page_size
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Page, Route, Scope
from rqdash.web.searching import Box, understood
from rqdash.web.timetable import WINDOW, Asking, SchedulePage, page_of


@dataclass(frozen=True, slots=True)
class CronPage(Page):
    """One name of cron jobs on one backend, with what it enqueued."""

    mark: Mark
    history: CronHistory
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    page: int
    size: int
    search: Search
    box: Box


@dataclass(frozen=True, slots=True)
class CronParams:
    now: datetime
    name: str


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    found, box = understood(raw.arg("q"), fields=FIELDS)
    return Params(raw.now, page_number(raw), page_size(raw), found, box)


def parse_cron(raw: Raw) -> CronParams:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return CronParams(raw.now, raw.arg("name"))


def view(backends: Many, params: Params, caller: Caller) -> SchedulePage:  # noqa: ARG001
    search, takes = params.search, taker(params.search)
    chosen = replace(backends, backends=tuple(backend for backend in backends.backends if search.on_backend(backend.name)))
    most = WINDOW if takes is not None else min(params.page * params.size, WINDOW)
    read = partial(query.timetable, asked=Asked(most, search.on_queue, takes), now=params.now)
    # Polls of one page share what is read; other requests leave one value behind.
    replies = chosen.gather(read, key=f"schedule {params!r}" if backends.max_age_s else "schedule")
    return page_of(replies, Asking(search, params.box, params.page, params.size, is_narrowed=takes is not None, now=params.now))


def view_cron(backend: Backend, params: CronParams, caller: Caller) -> CronPage:  # noqa: ARG001
    return CronPage(mark(backend.profile), cron_query.history(backend, params.name, now=params.now), params.now)


ROUTES = (
    Route("schedule", "GET", "/schedule", Permission.VIEW, view, "schedule.html", parse, Scope.MANY, nav="schedule", is_live=True),
    Route("cron", "GET", "/b/<backend>/cron", Permission.VIEW, view_cron, "cron.html", parse_cron, Scope.ONE, nav="schedule", is_live=True),
)
