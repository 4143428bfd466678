"""Groups of jobs and rate limits of all backends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.model.caller import Caller, Permission
from rqdash.model.reply import Coverage, coverage
from rqdash.model.search import Search
from rqdash.model.search_terms import Term
from rqdash.model.sharing import Group, Limit, Sharing
from rqdash.queries import sharing as query
from rqdash.web.forms import Raw, page_number, page_size
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Page, Route, Scope
from rqdash.web.searching import MOST_WORDS, Box, understood, words
from rqdash.web.timetable import Absent

SEARCHED = ("backend", "queue", "")
"""The fields of a search that groups and rate limits have; "" is a part of the name."""
MOST_LIMITS = 100


@dataclass(frozen=True, slots=True)
class GroupRow:
    mark: Mark
    group: Group


@dataclass(frozen=True, slots=True)
class LimitRow:
    mark: Mark
    limit: Limit


@dataclass(frozen=True, slots=True)
class Unread:
    """A backend with more groups or rate limits than were read."""

    mark: Mark
    groups_read: int
    groups_total: int
    limits_read: int
    limits_total: int


@dataclass(frozen=True, slots=True)
class GroupsPage(Page):
    """groups are one page of those that match, by name; limits the first 100 of limits_total, those with leaked slots and waiters first."""

    coverage: Coverage
    absent: tuple[Absent, ...]
    groups: tuple[GroupRow, ...]
    limits: tuple[LimitRow, ...]
    limits_total: int
    waiters: int
    leaked: int
    unread: tuple[Unread, ...]
    pager: Pager
    box: Box
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    page: int
    size: int
    search: Search
    box: Box


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    found, box = understood(raw.arg("q"), fields=SEARCHED)
    return Params(raw.now, page_number(raw), page_size(raw), found, box)


def view(backends: Many, params: Params, caller: Caller) -> GroupsPage:  # noqa: ARG001
    search = params.search
    chosen = replace(backends, backends=tuple(backend for backend in backends.backends if search.on_backend(backend.name)))
    # Polls of one page share what is read; other requests leave one value behind.
    key = f"groups {params!r}" if backends.max_age_s else "groups"
    replies = chosen.gather(partial(query.sharing, now=params.now, takes=_named(search)), key=key)
    marks = {reply.name: mark(reply.profile) for reply in replies}
    parts = [reply.value for reply in replies if reply.is_ok and reply.value is not None]
    groups = [group for part in parts for group in part.groups if _is_on(search, group.queues)]
    limits = sorted((limit for part in parts for limit in part.limits if _is_on(search, _queues(limit))), key=_by_trouble)
    pages = pager(page=params.page, size=params.size, total=len(groups))
    return GroupsPage(
        coverage=coverage(replies),
        absent=tuple(Absent(marks[reply.name], reply.problem) for reply in replies if reply.problem is not None),
        groups=tuple(GroupRow(marks[group.backend], group) for group in groups[pages.offset : pages.offset + pages.size]),
        limits=tuple(LimitRow(marks[limit.backend], limit) for limit in limits[:MOST_LIMITS]),
        limits_total=len(limits),
        waiters=sum(limit.waiters for limit in limits),
        leaked=sum(limit.leaked for limit in limits),
        unread=tuple(found for part in parts if (found := _unread(marks[part.backend], part)) is not None),
        pager=pages,
        box=replace(
            params.box, words=(*words("backend", marks), *words("queue", (name for group in groups for name in group.queues)))[:MOST_WORDS]
        ),
        as_of=params.now,
    )


def _named(search: Search) -> Callable[[str], bool]:
    terms: tuple[Term, ...] = search.of("")
    return lambda name: all(term.is_negated != term.is_part_of(name) for term in terms)


def _is_on(search: Search, queues: tuple[str, ...]) -> bool:
    return all(term.is_negated != any(map(term.is_all_of, queues)) for term in search.of("queue"))


def _queues(limit: Limit) -> tuple[str, ...]:
    """The queues of its jobs, as far as they were looked at."""
    return (*(slot.queue for slot in limit.slots), *(name for name, _ in limit.queues))


def _by_trouble(limit: Limit) -> tuple[int, int, str, str]:
    return (-limit.leaked, -limit.waiters, limit.backend, limit.key)


def _unread(whose: Mark, found: Sharing) -> Unread | None:
    if found.groups_read >= found.groups_total and found.limits_read >= found.limits_total:
        return None
    return Unread(whose, found.groups_read, found.groups_total, found.limits_read, found.limits_total)


ROUTES = (Route("groups", "GET", "/groups", Permission.VIEW, view, "groups.html", parse, Scope.MANY, nav="schedule", is_live=True),)
