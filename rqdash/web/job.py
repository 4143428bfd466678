"""One job, with everything that Redis holds of it, read without running its code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.model import failure as failures
from rqdash.model import names
from rqdash.model.caller import Caller, Permission
from rqdash.model.failure import Frame, Run
from rqdash.model.job import JobDetail
from rqdash.model.registry import Registry
from rqdash.queries import job as query
from rqdash.queries import job_runs, sets
from rqdash.queries import jobs as jobs_query
from rqdash.queries.job_runs import Runs
from rqdash.web.forms import Raw, choice
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Page, Route, Scope
from rqdash.web.verbs import of_job


@dataclass(frozen=True, slots=True)
class JobPage(Page):
    """frames are the error's, library runs folded; is_full shows the whole traceback instead. verbs: what may be done with it.

    named_in: the registry that an action on it is to name. runs are recent ones of the same function, None unless they were asked for.
    """

    mark: Mark
    job: JobDetail
    frames: tuple[Frame | Run, ...]
    is_full: bool
    verbs: tuple[str, ...]
    as_of: datetime
    runs: Runs | None = None
    named_in: Registry | None = None


@dataclass(frozen=True, slots=True)
class Params:
    """queue and registry are hints for ids over 1 KB, which travel as digests and are found in that registry."""

    now: datetime = field(repr=False)
    job_id: str
    is_full: bool
    queue: str
    registry: Registry
    has_runs: bool = False


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    registry = choice(raw.arg("registry"), Registry, default=Registry.QUEUED)
    return Params(raw.now, raw.arg("id"), raw.arg("trace") == "full", raw.arg("queue"), registry)


def parse_with_runs(raw: Raw) -> Params:
    """The same page with the runs of its function: they take a scan, so they have an address of their own that is not polled."""
    return replace(parse(raw), has_runs=True)


def view(backend: Backend, params: Params, caller: Caller) -> JobPage:  # noqa: ARG001
    job = query.job(backend, _job_id(backend, params), now=params.now)
    named_in, verbs = of_job(job)
    return JobPage(
        mark=mark(backend.profile),
        job=job,
        frames=failures.folded(job.failure) if job.failure else (),
        is_full=params.is_full,
        verbs=verbs,
        named_in=named_in,
        as_of=params.now,
        runs=job_runs.runs(backend, job.row.function, queue=job.row.queue, now=params.now) if params.has_runs else None,
    )


def _job_id(backend: Backend, params: Params) -> str:
    if not names.is_digest(params.job_id):
        return params.job_id
    return jobs_query.find(backend, sets.resolve_queue(backend, params.queue), params.registry, params.job_id)


ROUTES = (
    Route("job", "GET", "/b/<backend>/job", Permission.VIEW, view, "job.html", parse, Scope.ONE, nav="jobs", is_live=True),
    Route("job_runs", "GET", "/b/<backend>/job/runs", Permission.VIEW, view, "job.html", parse_with_runs, Scope.ONE, nav="jobs"),
)
