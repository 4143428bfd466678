"""Charts of the history, with the table that says the same: what is drawn, over which time, in which slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import ClassVar

from rqdash.errors import StoreError
from rqdash.history.reading import Points, choose
from rqdash.model.duration import NOTHING, duration
from rqdash.web.forms import Raw
from rqdash.web.marks import Mark
from rqdash.web.sparks import Spark, level
from rqdash.web.trends import Trends, Window, window

HOUR_S = 3600
SPANS = {"1h": HOUR_S, "6h": 6 * HOUR_S, "24h": 24 * HOUR_S, "7d": 168 * HOUR_S, "30d": 720 * HOUR_S, "1y": 8760 * HOUR_S}
DEFAULT_SPAN = "1h"
ROWS = 60
"""Rows of a table before all are asked for."""


class Unit(StrEnum):
    """What values are: a count (to a tenth: a long slot holds a mean), seconds (whole), or a rate a minute (to a hundredth)."""

    COUNT = "count"
    SECONDS = "seconds"
    RATE = "rate"


DIGITS = {Unit.COUNT: 1, Unit.SECONDS: 0, Unit.RATE: 2}


@dataclass(frozen=True, slots=True)
class Plan:
    """A chart to be: lines are (measure, what tells it from the backend's other line)."""

    key: str
    title: str
    unit: Unit
    lines: tuple[tuple[str, str], ...]


QUEUED = Plan("queued", "Queued", Unit.COUNT, (("queued", ""),))
OLDEST = Plan("oldest", "Oldest waiting", Unit.SECONDS, (("oldest_s", ""),))
RUNNING = Plan("running", "Running", Unit.COUNT, (("started", ""),))
FAILED = Plan("failed", "Failed, in the registry", Unit.COUNT, (("failed", ""),))
FINISHED = Plan("finished", "Finished a minute", Unit.RATE, (("finished_per_min", ""),))
FAILING = Plan("failing", "Failed a minute", Unit.RATE, (("failed_per_min", ""),))
WORKERS = Plan("workers", "Workers", Unit.COUNT, (("busy", "busy"), ("workers", "all")))
OF_BACKENDS = (QUEUED, OLDEST, FINISHED, FAILING, FAILED, WORKERS)
OF_A_QUEUE = (QUEUED, OLDEST, RUNNING, FAILED, WORKERS)
"""Workers count what they did, not for which queue: a queue has no rates."""

PAST = {"queued": "Queued", "failed": "Failed, in the registry"}


@dataclass(frozen=True, slots=True)
class Series:
    """One line, a value a slot, None where nothing was sampled. dash tells lines of one colour apart: 0 is a line without gaps.

    A slot never changes once it is read, so the slots of the chart stand for the values in a digest.
    """

    SHOWN_BY: ClassVar = ("mark", "label", "dash")

    mark: Mark
    label: str
    dash: int
    values: tuple[float | None, ...]

    @property
    def last(self) -> float | None:
        return self.values[-1] if self.values else None


@dataclass(frozen=True, slots=True)
class Row:
    """A slot that begins at at, with a value for each series; or, without cells, a run of slots until until that nobody sampled."""

    at: datetime
    until: datetime | None = None
    cells: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over the same slots: the first begins at starts_at, each lasts step_s seconds."""

    key: str
    title: str
    unit: Unit
    starts_at: datetime
    step_s: int
    series: tuple[Series, ...]

    def rows(self) -> tuple[Row, ...]:
        """The slots, newest first; those that nobody sampled are one row a run."""
        slots = [(self._at(index), cells) for index, cells in enumerate(zip(*(line.values for line in self.series), strict=True))]
        rows: list[Row] = []
        for is_gap, run in groupby(slots, key=lambda slot: all(value is None for value in slot[1])):
            found = list(run)
            if is_gap:
                rows.append(Row(found[0][0], found[-1][0] + timedelta(seconds=self.step_s)))
            else:
                rows += [Row(at, None, cells) for at, cells in found]
        return tuple(reversed(rows))

    def said(self, value: float | None) -> str:
        """A value as the table and the chart say it: "1,204", "14 m 08 s", "12.25"; an en dash for None."""
        if value is None:
            return NOTHING
        if self.unit is Unit.SECONDS:
            return duration(int(value))
        text = f"{value:,.{DIGITS[self.unit]}f}"
        return text.rstrip("0").removesuffix(".") if "." in text else text

    @property
    def slot(self) -> str:
        """How long a slot is: "10 s", "5 min", "2 h", "1 d"."""
        for unit, seconds in (("d", 86_400), ("h", HOUR_S), ("min", 60)):
            if self.step_s % seconds == 0:
                return f"{self.step_s // seconds} {unit}"
        return f"{self.step_s} s"

    def _at(self, index: int) -> datetime:
        return self.starts_at + timedelta(seconds=index * self.step_s)


@dataclass(frozen=True, slots=True)
class History:
    """The charts of a span (a word of SPANS), of whole backends or of one queue; without are the backends nothing was sampled of.

    problem is a sentence when the history cannot be read; then there are no charts.
    """

    span: str
    charts: tuple[Chart, ...]
    without: tuple[str, ...]
    queue: str | None = None
    is_whole: bool = False
    problem: str = ""

    @property
    def spans(self) -> tuple[str, ...]:
        return tuple(SPANS)

    @property
    def slots(self) -> tuple[str, ...]:
        """What tells one drawing from the next: the end of its last slot, and whose lines are in it."""
        chart = self.charts[0]
        ends_at = chart.starts_at + timedelta(seconds=chart.step_s * len(chart.series[0].values))
        return (ends_at.isoformat(), *(line.mark.name for line in chart.series))

    @property
    def rows(self) -> int | None:
        """How many rows of each table are shown; None is all."""
        return None if self.is_whole else ROWS


@dataclass(frozen=True, slots=True)
class Past:
    """A queue's last hour as sparklines, None when nobody sampled it; history has its charts, None unless they are asked for."""

    waiting: Spark | None
    failed: Spark | None
    history: History | None

    @property
    def spans(self) -> tuple[str, ...]:
        return tuple(SPANS)


def span_of(raw: Raw, *, default: str = "") -> str:
    """The range asked for, a word of SPANS; anything else is the default."""
    asked = raw.arg("range")
    return asked if asked in SPANS else default


def of_backends(trends: Trends, marks: Sequence[Mark], span: str, *, now: datetime, is_whole: bool = False) -> History:
    """The charts of backends, a line each, in the given order."""
    at = _window(span, now)

    def draw() -> History:
        names = [mark.name for mark in marks]
        read = {measure: trends.backends(names, measure, at=at) for plan in OF_BACKENDS for measure, _ in plan.lines}
        return _history(OF_BACKENDS, read, marks, at, History(span, (), (), None, is_whole))

    return _or_problem(lambda: trends.once(("charts", *marks, span, is_whole), at, draw), History(span, (), (), None, is_whole))


def of_a_queue(trends: Trends, marks: Sequence[Mark], queue: str, span: str, *, now: datetime, is_whole: bool = False) -> History:
    """The charts of the queue of this name on each of the backends."""
    at = _window(span, now)

    def draw() -> History:
        read: dict[str, dict[str, Points]] = {}
        for measure in (measure for plan in OF_A_QUEUE for measure, _ in plan.lines):
            found = {mark.name: trends.queue(mark.name, queue, measure, at=at) for mark in marks}
            read[measure] = {name: points for name, points in found.items() if points is not None}
        return _history(OF_A_QUEUE, read, marks, at, History(span, (), (), queue, is_whole))

    key = ("charts of a queue", queue, *marks, span, is_whole)
    return _or_problem(lambda: trends.once(key, at, draw), History(span, (), (), queue, is_whole))


def past_of(trends: Trends, mark: Mark, queue: str, span: str, *, now: datetime, is_whole: bool = False) -> Past:
    """What a queue's own page shows; its charts only when a span is given."""
    hour = {label: trends.last_hour_of_queue(mark.name, queue, measure, now=now) for measure, label in PAST.items()}
    waiting, failed = (level(label, points) if points else None for label, points in hour.items())
    history = of_a_queue(trends, (mark,), queue, span, now=now, is_whole=is_whole) if span else None
    return Past(waiting, failed, history)


def _or_problem(read: Callable[[], History], asked: History) -> History:
    """What read gives, or why there is nothing: a page is more than its charts."""
    try:
        return read()
    except StoreError as error:
        return replace(asked, problem=error.message)


def _window(span: str, now: datetime) -> Window:
    return window(SPANS[span], choose(SPANS[span]), now=now)


def _history(plans: Sequence[Plan], read: dict[str, dict[str, Points]], marks: Sequence[Mark], at: Window, asked: History) -> History:
    without = tuple(mark.name for mark in marks if not any(mark.name in found for found in read.values()))
    shown = [mark for mark in marks if mark.name not in without]
    charts = tuple(_chart(plan, read, shown, at) for plan in plans) if shown else ()
    return History(asked.span, charts, without, asked.queue, asked.is_whole)


def _chart(plan: Plan, read: dict[str, dict[str, Points]], marks: Sequence[Mark], at: Window) -> Chart:
    slots = round((at.stop - at.start) / at.step)
    colours: Counter[str] = Counter()
    series = []
    for mark in marks:
        for measure, label in plan.lines:
            points = read[measure].get(mark.name)
            values = points.values if points else (None,) * slots
            series.append(Series(mark, label, colours[mark.hue], tuple(_rounded(value, plan.unit) for value in values)))
            colours[mark.hue] += 1
    return Chart(plan.key, plan.title, plan.unit, datetime.fromtimestamp(at.start, UTC), round(at.step), tuple(series))


def _rounded(value: float | None, unit: Unit) -> float | None:
    """To the digits that are shown, so that the table, the chart and the JSON say the same."""
    return None if value is None else round(value, DIGITS[unit] or None)
