"""The newest failures of all backends in one list, and groups of those that are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from rqdash.backends.backend import Backend
from rqdash.model import unseen
from rqdash.model.caller import Caller, Permission
from rqdash.model.failed import Failed, FailedJob, Group, Groups, Place, Window, joined, place_of, together
from rqdash.model.failed_search import taker
from rqdash.model.reply import Coverage, Problem, Reply, coverage
from rqdash.model.search import Search, literal
from rqdash.queries import failures as query
from rqdash.web.forms import Raw, page_number, page_size
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Page, Route, Scope
from rqdash.web.searching import Box, job_words, understood

FUNCTIONS_SHOWN = 3
T = TypeVar("T", Failed, Groups)


@dataclass(frozen=True, slots=True)
class Down:
    """A backend that did not answer, and why: its failures are not in the list."""

    mark: Mark
    problem: Problem


@dataclass(frozen=True, slots=True)
class Covered:
    """What was looked at on one backend; scanned of those kept were read. note: what the search cannot tell there, a sentence."""

    mark: Mark
    window: Window
    scanned: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A failed job with its backend's mark, and the searches that find others like it."""

    mark: Mark
    failed: FailedJob
    by_error: str
    by_function: str
    by_queue: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group, its counts with their backends' marks, and its newest failure.

    search finds the whole group, "" when no search can. on are the backends where the caller may act on it.
    """

    group: Group
    shares: tuple[tuple[Mark, int], ...]
    functions: tuple[tuple[str, int], ...]
    functions_more: int
    sample: FailureRow
    search: str
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FailuresPage(Page):
    """One page of the list, or of the groups: the other is empty.

    covered: what was looked at, one a backend that answered. more is the next larger window, None when there is none or nothing is left.
    newer rows stand before this page; older is the place after which the next one begins, "" at the end. on: the backends where the
    caller may act.
    """

    view: str
    coverage: Coverage
    down: tuple[Down, ...]
    covered: tuple[Covered, ...]
    window: int
    more: int | None
    is_first: bool
    box: Box
    on: tuple[str, ...]
    size: int
    as_of: datetime
    rows: tuple[FailureRow, ...] = ()
    newer: int = 0
    older: str = ""
    groups: tuple[GroupRow, ...] = ()
    groups_total: int = 0
    pager: Pager | None = None

    @property
    def is_polled(self) -> bool:
        """Groups and large windows cost too much to be read every two seconds."""
        return self.view == "newest" and self.window == query.WINDOWS[0]

    @property
    def largest(self) -> int:
        return max((row.group.count for row in self.groups), default=0)

    @property
    def cut(self) -> tuple[Covered, ...]:
        """Backends that hold more than was kept."""
        return tuple(seen for seen in self.covered if not seen.window.is_whole)

    @property
    def uncut(self) -> tuple[Covered, ...]:
        return tuple(seen for seen in self.covered if seen.window.is_whole)

    @property
    def total(self) -> int:
        return sum(covered.window.total for covered in self.covered)

    @property
    def kept(self) -> int:
        return sum(covered.window.kept for covered in self.covered)

    @property
    def scanned(self) -> int:
        return sum(covered.scanned for covered in self.covered)

    @property
    def expired(self) -> int:
        return sum(covered.window.expired for covered in self.covered)

    @property
    def is_whole(self) -> bool:
        """Whether every failure there is on the chosen backends was read."""
        return self.coverage.is_whole and all(seen.window.is_whole and seen.scanned >= seen.window.kept for seen in self.covered)


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    view: str
    window: int
    after: Place | None
    size: int
    page: int
    search: Search
    box: Box


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    view = "groups" if raw.arg("view") == "groups" else "newest"
    window = next((size for size in query.WINDOWS if raw.arg("window") == str(size)), query.WINDOWS[0])
    found, box = understood(raw.arg("q"))
    return Params(raw.now, view, window, place_of(raw.arg("after")), page_size(raw), page_number(raw), found, box)


def view(backends: Many, params: Params, caller: Caller) -> FailuresPage:
    asked = replace(backends, backends=tuple(backend for backend in backends.backends if params.search.on_backend(backend.name)))
    on = tuple(b.name for b in asked.backends if caller.may(Permission.OPERATE, b.name) and not b.profile.read_only)
    return _grouped(asked, params, on) if params.view == "groups" else _newest(asked, params, on)


def _newest(backends: Many, params: Params, on: tuple[str, ...]) -> FailuresPage:
    def read(backend: Backend) -> Failed:
        takes = taker(params.search, now=params.now, profile=backend.profile)
        return query.newest(backend, now=params.now, window=params.window, size=params.size, after=params.after, takes=takes)

    replies = backends.gather(read, key=_key(backends, params))
    parts = _values(replies)
    jobs, older = together(parts, size=params.size)
    marks = {reply.name: mark(reply.profile) for reply in replies}
    return replace(
        _page(replies, [Covered(marks[part.backend], part.window, part.newer + part.scanned) for part in parts], params, on),
        box=_completed(params.box, marks, jobs),
        rows=tuple(_row(marks, job) for job in jobs),
        older=str(older) if older else "",
        newer=sum(part.newer for part in parts),
    )


def _grouped(backends: Many, params: Params, on: tuple[str, ...]) -> FailuresPage:
    def read(backend: Backend) -> Groups:
        takes = taker(params.search, now=params.now, profile=backend.profile)
        return query.groups(backend, now=params.now, window=params.window, takes=takes)

    replies = backends.gather(read, key=_key(backends, params))
    parts: list[Groups] = _values(replies)
    groups = joined(parts)
    pages = pager(page=params.page, size=params.size, total=len(groups))
    marks = {reply.name: mark(reply.profile) for reply in replies}
    shown = groups[pages.offset : pages.offset + pages.size]
    return replace(
        _page(replies, [Covered(marks[part.backend], part.window, part.scanned) for part in parts], params, on),
        box=_completed(params.box, marks, [group.sample for group in shown]),
        groups=tuple(_group_row(marks, group, on, box=params.box) for group in shown),
        pager=pages,
        groups_total=len(groups),
    )


def _values(replies: Sequence[Reply[T]]) -> list[T]:
    """What was read now; what was read before of a backend that does not answer is not part of the list."""
    return [reply.value for reply in replies if reply.is_ok and reply.value is not None]


def _key(backends: Many, params: Params) -> str:
    """Polls of one page share what is read; other requests leave one value behind."""
    return f"failures {params!r}" if backends.max_age_s else f"failures {params.view}"


def _page(replies: Sequence[Reply[Any]], covered: list[Covered], params: Params, on: tuple[str, ...]) -> FailuresPage:
    """The page without its rows."""
    notes = {reply.name: unseen.note(params.search, reply.profile) for reply in replies}
    larger = next((size for size in query.WINDOWS if size > params.window), None)
    is_cut = any(seen.window.kept < seen.window.total for seen in covered)
    return FailuresPage(
        view=params.view,
        coverage=coverage(replies),
        down=tuple(Down(mark(reply.profile), reply.problem) for reply in replies if reply.problem is not None),
        covered=tuple(replace(seen, note=notes.get(seen.mark.name, "")) for seen in covered),
        window=params.window,
        more=larger if is_cut else None,
        is_first=params.after is None,
        box=params.box,
        on=on,
        size=params.size,
        as_of=params.now,
    )


def _completed(box: Box, marks: Mapping[str, Mark], jobs: Sequence[FailedJob]) -> Box:
    """The box with what may be added to it, from what the page shows."""
    return replace(box, words=job_words((failed.job for failed in jobs), backends=marks))


def _row(marks: Mapping[str, Mark], failed: FailedJob) -> FailureRow:
    job = failed.job
    return FailureRow(
        marks[job.backend],
        failed,
        by_error=f"error:{literal(job.error_type)}" if job.error_type else "",
        by_function=f"fn:{literal(job.function)}" if job.function else "",
        by_queue=f"queue:{literal(job.queue)}",
    )


def _group_row(marks: Mapping[str, Mark], group: Group, on: Sequence[str], *, box: Box) -> GroupRow:
    """What narrows the page narrows what is done with a group; while that is mistaken nothing may be done."""
    key = "" if box.mistake else group.fingerprint.key
    narrowed = f" {box.q}" if box.is_active else ""
    return GroupRow(
        group,
        shares=tuple((marks[name], count) for name, count in group.backends),
        functions=group.functions[:FUNCTIONS_SHOWN],
        functions_more=max(len(group.functions) - FUNCTIONS_SHOWN, 0),
        sample=_row(marks, group.sample),
        search=f"status:failed group:{key}{narrowed}" if key else "",
        on=tuple(name for name, _ in group.backends if name in on) if key else (),
    )


ROUTES = (Route("failures", "GET", "/failures", Permission.VIEW, view, "failures.html", parse, Scope.MANY, nav="failures", is_live=True),)
