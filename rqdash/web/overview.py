"""The overview: all backends at once, in totals, a card each, and their queues worst first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.history.reading import Points, Reading
from rqdash.model.caller import Caller, Permission
from rqdash.model.queue import BackendSummary
from rqdash.model.registry import Registry
from rqdash.model.reply import Coverage, Problem, Reply, coverage
from rqdash.queries import overview as query
from rqdash.web import attention
from rqdash.web.attention import Attention, Paces
from rqdash.web.forms import Raw
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.queues import DownRow, QueueRow, down_rows, queue_rows, with_trends
from rqdash.web.route import Page, Route, Scope
from rqdash.web.sparks import Spark, level, rate, summed
from rqdash.web.trends import Trends

KEY = "summary"
QUEUES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the backends that answered; coverage says how many those are."""

    coverage: Coverage
    queued: int
    running: int
    failed: int
    scheduled: int
    overdue: int
    workers: int
    workers_busy: int
    oldest_enqueued_at: datetime | None = None
    oldest_queue: str = ""
    oldest_backend: str = ""
    down: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TotalTrends:
    """The last hour of the totals' own backends together: how many jobs waited, how many ended and failed a minute; None is unknown."""

    queued: Spark | None = None
    done: Spark | None = None
    failed: Spark | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """One backend: its numbers, or its last good ones (is_stale, read at as_of), or None; and what is wrong with it."""

    mark: Mark
    summary: BackendSummary | None
    problem: Problem | None
    as_of: datetime | None
    latency_ms: float | None
    is_stale: bool
    queued: int = 0
    failed: int = 0
    oldest_enqueued_at: datetime | None = None
    warnings: tuple[str, ...] = ()
    trend: Spark | None = None

    @property
    def momentary(self) -> frozenset[str]:
        """Each process has last good values of its own: they are no news."""
        return frozenset({"summary", "queued", "failed", "oldest_enqueued_at"} if self.is_stale else ())


@dataclass(frozen=True, slots=True)
class OverviewPage(Page):
    """without_queues has a sentence for each backend that answers and holds none."""

    totals: Totals
    attention: Attention
    cards: tuple[Card, ...]
    queues: tuple[QueueRow, ...]
    queues_total: int
    down: tuple[DownRow, ...]
    as_of: datetime
    without_queues: tuple[str, ...] = ()
    trends: TotalTrends = TotalTrends()


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    is_all: bool = False


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return Params(raw.now, raw.arg("attention") == "all")


def view(backends: Many, params: Params, caller: Caller, *, history: Reading, trends: Trends) -> OverviewPage:  # noqa: ARG001
    replies = backends.gather(partial(query.summary, now=params.now), key=KEY)
    paces = history.pace([reply.name for reply in replies])
    rows = queue_rows(replies)
    waiting = trends.last_hour([reply.name for reply in replies], "queued", now=params.now)
    return OverviewPage(
        totals=totals(replies, now=params.now),
        attention=attention.found(replies, paces=paces, is_all=params.is_all),
        cards=tuple(card(reply, paces=paces, waiting=waiting.get(reply.name)) for reply in replies),
        queues=with_trends(rows[:QUEUES_SHOWN], trends, now=params.now),
        queues_total=len(rows),
        down=down_rows(replies),
        as_of=params.now,
        without_queues=tuple(sentence for reply in replies if reply.is_ok for sentence in no_queues(reply)),
        trends=total_trends(replies, trends, now=params.now),
    )


def totals(replies: tuple[Reply[BackendSummary], ...], *, now: datetime) -> Totals:
    """Sums of what was read now; stale values are not in them."""
    fresh = [reply.value for reply in replies if reply.is_ok and reply.value is not None]
    oldest = min((queue for summary in fresh if (queue := summary.oldest)), key=lambda queue: queue.oldest_enqueued_at or now, default=None)
    return Totals(
        coverage=coverage(replies),
        queued=sum(summary.total(Registry.QUEUED) for summary in fresh),
        running=sum(summary.total(Registry.STARTED) for summary in fresh),
        failed=sum(summary.total(Registry.FAILED) for summary in fresh),
        scheduled=sum(summary.total(Registry.SCHEDULED) for summary in fresh),
        overdue=sum(queue.overdue for summary in fresh for queue in summary.queues),
        workers=sum(summary.workers for summary in fresh),
        workers_busy=sum(summary.workers_busy for summary in fresh),
        oldest_enqueued_at=oldest.oldest_enqueued_at if oldest else None,
        oldest_queue=oldest.name if oldest else "",
        oldest_backend=oldest.backend if oldest else "",
        down=tuple(reply.name for reply in replies if not reply.is_ok),
    )


def total_trends(replies: tuple[Reply[BackendSummary], ...], trends: Trends, *, now: datetime) -> TotalTrends:
    """Of the backends that answered, as the totals are; unknown unless all of them were sampled."""
    names = [reply.name for reply in replies if reply.is_ok]

    def together(measure: str, label: str, draw: Callable[[str, Points], Spark | None]) -> Spark | None:
        found = trends.last_hour(names, measure, now=now)
        total = summed([found[name] for name in names if name in found]) if len(found) == len(names) else None
        return draw(label, total) if total else None

    return TotalTrends(
        queued=together("queued", "Queued", level),
        done=together("finished_per_min", "Finished a minute", level),
        failed=together("failed_per_min", "Failed a minute", rate),
    )


def card(reply: Reply[BackendSummary], *, paces: Paces | None = None, waiting: Points | None = None) -> Card:
    summary = reply.value
    if summary is None:
        return Card(mark(reply.profile), None, reply.problem, None, None, is_stale=False)
    oldest = summary.oldest
    return Card(
        mark=mark(reply.profile),
        # Its items are the page's own.
        summary=replace(summary, attention=()),
        problem=reply.problem,
        as_of=reply.as_of,
        latency_ms=reply.elapsed_ms,
        is_stale=reply.is_stale,
        queued=summary.total(Registry.QUEUED),
        failed=summary.total(Registry.FAILED),
        oldest_enqueued_at=oldest.oldest_enqueued_at if oldest else None,
        warnings=attention.warnings(reply, paces=paces),
        trend=level("Queued", waiting) if waiting else None,
    )


def no_queues(reply: Reply[BackendSummary]) -> tuple[str, ...]:
    """A sentence about a backend that holds no queue, with where else on its server keys are."""
    summary, profile = reply.value, reply.profile
    if summary is None or summary.queues_total:
        return ()
    elsewhere = ", ".join(str(db) for db in summary.server.keyspaces if db != profile.db)
    found = f" Databases that hold keys: {elsewhere}." if elsewhere else ""
    server = summary.server.title or "the server"
    return (f"Connected to {server}: database {profile.db} of {profile.name} holds no RQ queues under the prefix {profile.prefix}.{found}",)


ROUTES = (
    Route(
        "overview",
        "GET",
        "/",
        Permission.VIEW,
        view,
        "overview.html",
        parse,
        Scope.MANY,
        ("history", "trends"),
        nav="overview",
        is_live=True,
    ),
)
