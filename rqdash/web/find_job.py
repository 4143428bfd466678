"""A job by its id alone: every backend is asked for it, and none that did not answer is taken for one that has it not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.model import names
from rqdash.model.caller import Caller, Permission
from rqdash.model.job import JobRow
from rqdash.model.reply import Coverage, Problem, coverage
from rqdash.queries import job_lookup as query
from rqdash.web.forms import Raw
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Made, Notice, Page, Rejected, Result, Route, Scope, To

KEY = "find_job"


@dataclass(frozen=True, slots=True)
class FoundJob:
    mark: Mark
    row: JobRow


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A backend that could not say whether it has the job."""

    mark: Mark
    problem: Problem


@dataclass(frozen=True, slots=True)
class FindPage(Page):
    """Where a job is. without are the backends that answered and have it not; problem says what is wrong with the id, "" for nothing.

    is_asked is False while no id is given.
    """

    id: str
    is_asked: bool
    coverage: Coverage
    found: tuple[FoundJob, ...]
    without: tuple[Mark, ...]
    unknown: tuple[NoAnswer, ...]
    as_of: datetime
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    job_id: str


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return Params(raw.now, raw.arg("id"))


def view(backends: Many, params: Params, caller: Caller) -> Result:  # noqa: ARG001
    """The job's page when exactly one backend has it; else a page that says where it is, is not, and may be."""
    page = _page(backends, params)
    if len(page.found) == 1:
        return Made(page, _way(page.found[0], page))
    nowhere = page.is_asked and not page.found and not page.unknown
    problem = "" if page.problem else "No backend that answered has a job of this id."
    return Rejected(replace(page, problem=page.problem or problem), 404) if nowhere else page


def _page(backends: Many, params: Params) -> FindPage:
    page = FindPage(params.job_id, bool(params.job_id), Coverage(0, len(backends.backends)), (), (), (), params.now)
    if not params.job_id:
        return page
    if names.is_digest(params.job_id):
        return replace(page, problem="This stands for an id over 1 KB, which is found only in its queue. Open it from there.")
    # A poll may be given what another one read a moment ago, so its key says which job; else one key, for few values are kept.
    key = f"{KEY} {params.job_id}" if backends.max_age_s else KEY
    replies = backends.gather(partial(query.found, job_id=params.job_id), key=key)
    fresh = [(mark(reply.profile), reply.value) for reply in replies if reply.is_ok]
    return replace(
        page,
        coverage=coverage(replies),
        found=tuple(FoundJob(whose, row) for whose, row in fresh if row is not None),
        without=tuple(whose for whose, row in fresh if row is None),
        unknown=tuple(NoAnswer(mark(reply.profile), reply.problem) for reply in replies if reply.problem is not None),
    )


def _way(found: FoundJob, page: FindPage) -> To:
    """To the job's page; with a word about those who could not say whether they have it too."""
    silent = ", ".join(item.mark.name for item in page.unknown)
    notice = Notice(f"Whether {silent} has a job of this id too is unknown:", "it did not answer.", "warning") if silent else None
    return To("job", {"backend": found.mark.name, "id": names.ref(found.row.id)}, notice)


ROUTES = (Route("find_job", "GET", "/job", Permission.VIEW, view, "find_job.html", parse, Scope.MANY, nav="jobs"),)
