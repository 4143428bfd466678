"""Jobs found by a search over one, several or all backends, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.model.caller import Caller, Permission
from rqdash.model.job import JobRow
from rqdash.model.profile import Profile
from rqdash.model.reply import Coverage, Problem, Reply, coverage
from rqdash.model.search import Search
from rqdash.queries.scan import Scan, rows, scan
from rqdash.queries.sets import unlisted_queues
from rqdash.web.forms import Raw, page_size
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Page, Route, Scope
from rqdash.web.searching import Box, job_words, newest_first, understood
from rqdash.web.ticked import offered
from rqdash.web.verbs import bulk

ENTRIES = 20_000
"""Entries of each backend that one page looks at."""
BUDGET_S = 1.0
"""A page asks all backends within two seconds."""
MOST_CURSOR = 8_000
START = "start"
"""Where to go on on a backend that has not answered yet."""


@dataclass(frozen=True, slots=True)
class JobHit:
    """A job that was found; at is when it came to where it is, at_is what that is where it is not known: "noticed", "created"."""

    mark: Mark
    row: JobRow
    at: datetime | None
    at_is: str = ""


@dataclass(frozen=True, slots=True)
class Covered:
    """What was looked at on one backend, by this page and those before it; problem: why it could not be.

    matches are this page's; cursor is where it goes on, "" when all was scanned; is_over: pages before this one scanned all.
    note: what the search cannot tell there, a sentence.
    """

    mark: Mark
    problem: Problem | None = None
    scanned: int = 0
    total: int = 0
    matches: int = 0
    cursor: str = ""
    is_over: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class JobsPage(Page):
    """One page of what a search found. more are the places to go on, one a backend, () when there is nothing more.

    acting are the backends whose jobs the caller may act on, verbs what may be done with what is searched; ids are those asked for;
    absent the queues it names that no backend that answered has.
    """

    box: Box
    coverage: Coverage
    hits: tuple[JobHit, ...]
    backends: tuple[Covered, ...]
    more: tuple[str, ...]
    acting: tuple[str, ...]
    verbs: tuple[str, ...]
    ids: tuple[str, ...]
    absent: tuple[str, ...]
    is_whole: bool
    as_of: datetime

    @property
    def ticked(self) -> tuple[str, ...]:
        """What may be done with ticked rows; () where no row can be ticked."""
        return offered([hit.row.registry for hit in self.hits if hit.mark.name in self.acting and hit.row.registry])


@dataclass(frozen=True, slots=True)
class Params:
    """at: where to go on by backend, those that are over left out; empty at the start."""

    now: datetime = field(repr=False)
    q: str
    size: int
    at: Mapping[str, str]


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    pairs = (text.partition(":") for text in raw.query.get("at", ()) if len(text) <= MOST_CURSOR)
    return Params(raw.now, raw.arg("q"), page_size(raw), {name: cursor for name, _, cursor in pairs})


def view(backends: Many, params: Params, caller: Caller) -> JobsPage:
    found, box = understood(params.q)
    asked = [backend for backend in backends.backends if found.on_backend(backend.name)]
    there = replace(backends, backends=[backend for backend in asked if not _is_over(params, backend.name)])
    replies = there.gather(lambda backend: _found(backend, found, params), key=f"jobs {params!r}")
    covered = tuple(map(_covered, replies))
    hits = [hit for reply in replies for hit in _hits(reply)]
    over = (Covered(mark(backend.profile), is_over=True) for backend in asked if _is_over(params, backend.name))
    queues = (queue for reply in replies if reply.is_ok and reply.value for queue in reply.value.scan.queues)
    names = [backend.name for backend in backends.backends]
    return JobsPage(
        box=replace(box, words=job_words((hit.row for hit in hits), queues=queues, backends=names)),
        coverage=coverage(replies),
        hits=tuple(sorted(hits, key=lambda hit: newest_first(hit.row))),
        backends=(*covered, *over),
        more=_more(covered, params),
        acting=tuple(backend.name for backend in asked if _may_act(backend.profile, caller)),
        verbs=bulk(found.registries) if box.is_active else (),
        ids=found.whole_ids or (),
        absent=_absent(replies),
        is_whole=not params.at and all(one.problem is None and not one.cursor for one in covered),
        as_of=params.now,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    scan: Scan
    rows: tuple[JobRow, ...]
    absent: frozenset[str]


def _found(backend: Backend, search: Search, params: Params) -> _Found:
    cursor = params.at.get(backend.name, START).removeprefix(START)
    found = scan(backend, search, now=params.now, cursor=cursor, most=params.size, entries=ENTRIES, budget_s=BUDGET_S)
    absent = frozenset(unlisted_queues(backend, search.queues)) if search.queues and not found.total else frozenset[str]()
    return _Found(found, rows(backend, found.matches, now=params.now), absent)


def _absent(replies: Sequence[Reply[_Found]]) -> tuple[str, ...]:
    parts = [reply.value.absent for reply in replies if reply.problem is None and reply.value is not None]
    return tuple(sorted(frozenset.intersection(*parts))) if parts else ()


def _is_over(params: Params, name: str) -> bool:
    return bool(params.at) and name not in params.at


def _covered(reply: Reply[_Found]) -> Covered:
    if reply.problem is not None or reply.value is None:
        return Covered(mark(reply.profile), reply.problem)
    found = reply.value.scan
    return Covered(mark(reply.profile), None, found.scanned, found.total, len(found.matches), found.cursor, note=found.note)


def _hits(reply: Reply[_Found]) -> list[JobHit]:
    if reply.problem is not None or reply.value is None:
        return []
    return [JobHit(mark(reply.profile), row, *row.came) for row in reply.value.rows]


def _more(covered: Sequence[Covered], params: Params) -> tuple[str, ...]:
    """A backend that did not answer is asked again from where it was."""
    if not any(one.cursor for one in covered):
        return ()
    places = {one.mark.name: params.at.get(one.mark.name, START) if one.problem else one.cursor for one in covered}
    return tuple(f"{name}:{cursor}" for name, cursor in places.items() if cursor)


def _may_act(profile: Profile, caller: Caller) -> bool:
    """Of backends that do not answer now too: an operation names them as left out, and what was not scanned yet is meant as well."""
    return not profile.read_only and caller.may(Permission.OPERATE, profile.name)


ROUTES = (Route("jobs", "GET", "/jobs", Permission.VIEW, view, "jobs.html", parse, Scope.MANY, nav="jobs"),)
