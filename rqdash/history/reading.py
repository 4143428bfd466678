"""What pages read of the history: a measure of backends or queues over a range, as points with gaps where nothing was sampled."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from rqdash.errors import StoreError
from rqdash.history import latest, samples
from rqdash.history.archive import Archive
from rqdash.history.latest import Latest
from rqdash.history.pace import Usual, paces, usual
from rqdash.history.rollup import by_number, totals
from rqdash.history.samples import Kept
from rqdash.history.tables import BackendRow, QueueRow
from rqdash.history.tiers import MEASURES, RATES, Value, choose, combined, tier_of
from rqdash.model.attention import Pace
from rqdash.model.names import digest

__all__ = ["MEASURES", "RATES", "Latest", "Points", "Reading", "choose"]

MOST_POINTS = 10_000
KEPT_S = 5.0
USUAL_KEPT_S = 300.0
MOST_KEPT = 512

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Points:
    """values[i] is the value over [start + i * step, start + (i + 1) * step), None a gap. Seconds since 1970; start a multiple of step."""

    start: float
    step: float
    values: tuple[float | None, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is known."""
        return all(value is None for value in self.values)


@dataclass(frozen=True, slots=True)
class Span:
    """A range as points divide it: whole steps, the first with start in it and the last with what is just before stop."""

    start_s: int
    step: int
    count: int

    @property
    def stop_s(self) -> int:
        return self.start_s + self.step * self.count

    def divided(self, kept: Sequence[Kept]) -> list[list[Kept]]:
        """The samples of each step."""
        found: list[list[Kept]] = [[] for _ in range(self.count)]
        for one in kept:
            found[(one.slot_s - self.start_s) // self.step].append(one)
        return found

    def points(self, values: Sequence[Value]) -> Points:
        return Points(self.start_s, self.step, tuple(None if value is None else float(value) for value in values))


class Reading:
    """Reads an archive. What it found serves whoever asks the same within five seconds; threads may share it.

    A measure is one of MEASURES, or of RATES for whole backends; a step one that choose() gives, or a multiple of ten seconds. Values
    between two points: the most jobs and the oldest age, the mean of started jobs, workers and rates. Raises StoreError when the
    database cannot be used, but for pace(), which then knows nothing.
    """

    def __init__(self, archive: Archive, *, clock: Callable[[], float] = time.time) -> None:
        self._archive = archive
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[Any, ...], tuple[float, Any]] = {}

    def backends(self, names: Sequence[str], measure: str, *, start: float, stop: float, step: int) -> dict[str, Points]:
        """A measure of whole backends, by name; those that were never sampled are left out."""
        across = span(start, stop, step)

        def read(session: Session, number: int) -> Points:
            parts = across.divided(_samples(session, number, across))
            return across.points([combined(measure, totals(part, measure)) for part in parts])

        return self._each(names, ("total", measure, across), read)

    def queue(self, backend: str, queue: str, measure: str, *, start: float, stop: float, step: int) -> Points:
        """A measure of one queue; gaps alone when it was never sampled."""
        across = span(start, stop, step)

        def read(session: Session, number: int) -> Points:
            named = select(QueueRow.id).where(QueueRow.backend_id == number, QueueRow.digest == digest(queue))
            found = session.scalar(named)
            parts = across.divided(_samples(session, number, across)) if found is not None else []
            return across.points(_of_queue(parts, measure, found) if found is not None else [None] * across.count)

        empty = across.points([None] * across.count)
        return self._each([backend], ("queue", queue, measure, across), read).get(backend, empty)

    def queues(self, backend: str, measure: str, *, start: float, stop: float, step: int) -> dict[str, Points]:
        """A measure of every queue of a backend that has a sample in the range, by name."""
        across = span(start, stop, step)

        def read(session: Session, number: int) -> dict[str, Points]:
            found = _of_queues(across.divided(_samples(session, number, across)), measure)
            rows = session.execute(select(QueueRow.id, QueueRow.name).where(QueueRow.backend_id == number))
            return {name: across.points(found[queue]) for queue, name in rows if queue in found}

        return self._each([backend], ("queues", measure, across), read).get(backend, {})

    def pace(self, names: Sequence[str]) -> dict[str, Sequence[Pace]]:
        """How fast jobs fail on each backend whose history is long enough to tell what is usual, by name."""
        now_s = self._clock()

        def read(session: Session, number: int) -> Sequence[Pace] | None:
            known: Usual = self._fresh(("usual", number), lambda: usual(session, number, now_s=now_s), for_s=USUAL_KEPT_S)
            return paces(session, number, known, now_s=now_s)

        def told() -> dict[str, Sequence[Pace]]:
            try:
                found = self._each(names, ("pace",), read)
            except StoreError as error:
                log.warning("the history cannot be read", extra={"code": error.code})
                return {}
            return {name: known for name, known in found.items() if known is not None}

        # Every page asks, for its chips.
        return self._fresh(("paces", *names), told, for_s=KEPT_S)

    def latest(self, names: Sequence[str]) -> list[Latest]:
        """The newest sample of each backend, in the order of names; those that were never asked are left out."""
        if not self._archive.is_there():
            return []
        with self._archive.read() as session:
            return latest.read(session, names)

    def _each(self, names: Sequence[str], key: tuple[Any, ...], read: Callable[[Session, int], T]) -> dict[str, T]:
        """What read gives for each backend that the history knows, by name; kept for five seconds."""
        if not names or not self._archive.is_there():
            return {}
        with self._archive.read() as session:
            rows = session.execute(select(BackendRow.name, BackendRow.id).where(BackendRow.name.in_(names)))
            numbers = dict(rows.all())
            known = [(name, numbers[name]) for name in names if name in numbers]
            return {name: self._fresh((number, *key), partial(read, session, number), for_s=KEPT_S) for name, number in known}

    def _fresh(self, key: tuple[Any, ...], make: Callable[[], T], *, for_s: float) -> T:
        now_s = time.monotonic()
        with self._lock:
            known = self._kept.get(key)
            if known is not None and now_s < known[0]:
                found: T = known[1]
                return found
        made = make()
        with self._lock:
            while len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = (now_s + for_s, made)
        return made


def span(start: float, stop: float, step: int) -> Span:
    """The whole steps that cover a range. Raises ValueError for a step that the history cannot give, or too many of them."""
    tier_of(step)
    first = math.floor(start / step)
    count = max(math.ceil(stop / step) - first, 0)
    if count > MOST_POINTS:
        raise ValueError(f"more than {MOST_POINTS} points")
    return Span(first * step, step, count)


def _samples(session: Session, number: int, across: Span) -> list[Kept]:
    return samples.over(session, number, start_s=across.start_s, stop_s=across.stop_s, step=across.step)


def _of_queue(parts: Sequence[Sequence[Kept]], measure: str, number: int) -> list[Value]:
    """The value of one queue in each part; only its own numbers are unpacked."""
    places: dict[bytes, int | None] = {}
    found: list[Value] = []
    for part in parts:
        values: list[tuple[float, int]] = []
        for one in part:
            key = one.packed.key()
            if key not in places:
                numbers = one.packed.numbers()
                places[key] = numbers.index(number) if number in numbers else None
            place = places[key]
            value = one.packed.value(measure, place) if place is not None else None
            if value is not None:
                values.append((value, one.step_s))
        found.append(combined(measure, values))
    return found


def _of_queues(parts: Sequence[Sequence[Kept]], measure: str) -> dict[int, list[Value]]:
    found: dict[int, list[Value]] = {}
    for place, part in enumerate(parts):
        for number, value in _values(part, measure):
            if number not in found:
                found[number] = [None] * len(parts)
            found[number][place] = value
    return found


def _values(part: Sequence[Kept], measure: str) -> Iterable[tuple[int, Value]]:
    """The value of each queue over some samples; mostly there is but one, of which nothing has to be combined."""
    if len(part) == 1:
        return zip(part[0].packed.numbers(), part[0].packed.column(measure), strict=True)
    return ((number, combined(measure, values)) for number, values in by_number(part, measure).items())
