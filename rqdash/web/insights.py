"""The history of all backends as charts, and the same values for the browser that draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rqdash.errors import NotFound
from rqdash.model import names
from rqdash.model.caller import Caller, Permission
from rqdash.web.charts import DEFAULT_SPAN, History, of_a_queue, of_backends, span_of
from rqdash.web.forms import Raw
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Page, Plain, Route, Scope
from rqdash.web.to_json import written
from rqdash.web.trends import HOUR_S, SPARK_STEP_S, Trends, window


@dataclass(frozen=True, slots=True)
class InsightsPage(Page):
    """The charts of the backends in scope. mark is the backend's when there is one alone."""

    history: History
    backends: tuple[Mark, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    span: str
    queue: str | None = None
    is_whole: bool = False


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    queue = raw.arg("queue") if "queue" in raw.query else None
    return Params(raw.now, span_of(raw, default=DEFAULT_SPAN), queue, raw.arg("rows") == "all")


def view(backends: Many, params: Params, caller: Caller, *, trends: Trends) -> InsightsPage:  # noqa: ARG001
    marks = tuple(mark(backend.profile) for backend in backends.backends)
    if params.queue is None:
        history = of_backends(trends, marks, params.span, now=params.now, is_whole=params.is_whole)
    else:
        queue = _resolved(trends, marks, params)
        history = of_a_queue(trends, marks, queue, params.span, now=params.now, is_whole=params.is_whole)
    return InsightsPage(history, marks, params.now)


def data(backends: Many, params: Params, caller: Caller, *, trends: Trends) -> Plain:
    """The page's value as the browser's script reads it, by the session's cookie."""
    page = view(backends, params, caller, trends=trends)
    return Plain("application/json", written(page))


def _resolved(trends: Trends, marks: Sequence[Mark], params: Params) -> str:
    """The name that a reference means: the reference itself, unless it is a digest. Raises NotFound for a digest of nothing sampled."""
    reference = params.queue or ""
    if not names.is_digest(reference):
        return reference
    at = window(HOUR_S, SPARK_STEP_S, now=params.now)
    known = (queue for each in marks for queue in trends.queues(each.name, "queued", at=at))
    found = next((queue for queue in known if names.matches(reference, queue)), None)
    if found is None:
        raise NotFound("No queue of this name was sampled in the last hour.")
    return found


ROUTES = (
    Route(
        "insights", "GET", "/insights", Permission.VIEW, view, "insights.html", parse, Scope.MANY, ("trends",), nav="insights", is_live=True
    ),
    Route("insights_data", "GET", "/insights.json", Permission.VIEW, data, "", parse, Scope.MANY, ("trends",), in_api=False),
)
