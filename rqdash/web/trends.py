"""History as pages read it: whole slots only, each read once for all who look at them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil, floor
from typing import Any, TypeVar

from rqdash.errors import StoreError
from rqdash.history.reading import Points, Reading
from rqdash.web import sparks
from rqdash.web.sparks import Spark

T = TypeVar("T")
Found = Mapping[str, Points]
HOUR_S = 3600
SPARK_STEP_S = 120
"""Thirty slots in the hour of a sparkline, so that a page changes for its sake every two minutes."""
SETTLED_S = 5
"""How long after its end a slot is believed to hold all its samples."""
FRESH_S = 900
"""For so long a window goes on from what was read before; then it is read anew, for its name may mean another backend by then."""
MOST = 512

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Window:
    """Slots of step seconds from start to stop; unix seconds, multiples of step."""

    start: int
    stop: int
    step: int

    @property
    def slots(self) -> int:
        return (self.stop - self.start) // self.step

    @property
    def asked(self) -> dict[str, int]:
        """As a reading is asked for it."""
        return {"start": self.start, "stop": self.stop, "step": self.step}


def window(span_s: int, step: int, *, now: datetime) -> Window:
    """The newest whole slots that cover the span."""
    stop = floor((now.timestamp() - SETTLED_S) / step) * step
    return Window(stop - ceil(span_s / step) * step, stop, step)


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of a window, by name; what was never sampled is not there. whole_s: where the window ended that was read whole."""

    at: Window
    found: Found
    whole_s: int

    def rest(self, at: Window) -> Window:
        """What of another window is not known: its newest slots, all of it, or nothing."""
        follows = self.at.start <= at.start <= self.at.stop <= at.stop <= self.whole_s + FRESH_S
        return replace(at, start=self.at.stop) if follows or at == self.at else at

    def moved(self, at: Window, newest: Found) -> Known:
        """The other window, with what was read of the rest."""
        if at == self.at:
            return self
        is_whole = self.rest(at) == at
        before: Found = {} if is_whole else self.found
        known = {name: _joined(before.get(name), newest.get(name), at) for name in {*before, *newest}}
        return Known(at, {name: points for name, points in known.items() if _is_sampled(points)}, at.stop if is_whole else self.whole_s)


NOTHING = Known(Window(0, 0, 1), {}, 0)


class Trends:
    """What was read of the newest windows, kept for the next viewer; threads share it. A window that has moved on costs its
    newest slots alone.

    Without a reading there is no history. Raises StoreError when it cannot be read; sparklines are left out then.
    """

    def __init__(self, reading: Reading | None) -> None:
        self._reading = reading
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def backends(self, names: Sequence[str], measure: str, *, at: Window) -> dict[str, Points]:
        """The points of each backend that was sampled in the window; as a rule one read for all."""
        keys = {name: (name, measure, at.slots, at.step) for name in names}
        known: dict[str, Known] = {name: self._get(keys[name], NOTHING) for name in names}
        rests: dict[Window, list[str]] = defaultdict(list)
        for name in names:
            rests[known[name].rest(at)].append(name)
        for rest, some in rests.items():
            newest = self._reading.backends(some, measure, **rest.asked) if self._reading and rest.slots else {}
            for name in some:
                its = {name: newest[name]} if name in newest else {}
                known[name] = self._keep(keys[name], known[name].moved(at, its))
        return {name: each.found[name] for name, each in known.items() if name in each.found}

    def queue(self, backend: str, queue: str, measure: str, *, at: Window) -> Points | None:
        """The points of one queue, None when it was not sampled in the window."""

        def read(reading: Reading, rest: Window) -> Found:
            return {queue: reading.queue(backend, queue, measure, **rest.asked)}

        return self._moved((backend, queue, measure, at.slots, at.step), read, at).get(queue)

    def queues(self, backend: str, measure: str, *, at: Window) -> Found:
        """The points of each queue of a backend that was sampled in the window; one read."""

        def read(reading: Reading, rest: Window) -> Found:
            return reading.queues(backend, measure, **rest.asked)

        return self._moved((backend, None, measure, at.slots, at.step), read, at)

    def waiting(self, backend: str, *, now: datetime) -> Mapping[str, Spark]:
        """A sparkline of how many jobs waited, for each queue of a backend that was sampled in the last hour; one read for all."""
        at = window(HOUR_S, SPARK_STEP_S, now=now)

        def draw() -> dict[str, Spark]:
            drawn = {queue: sparks.level("Queued", points) for queue, points in self.queues(backend, "queued", at=at).items()}
            return {queue: spark for queue, spark in drawn.items() if spark}

        return _unless_broken(lambda: self.once((backend, "waiting"), at, draw))

    def last_hour(self, names: Sequence[str], measure: str, *, now: datetime) -> Found:
        """The points of each backend for a sparkline."""
        at = window(HOUR_S, SPARK_STEP_S, now=now)
        return _unless_broken(lambda: self.backends(names, measure, at=at))

    def last_hour_of_queue(self, backend: str, queue: str, measure: str, *, now: datetime) -> Points | None:
        """The points of one queue for a sparkline."""
        at = window(HOUR_S, SPARK_STEP_S, now=now)
        found = _unless_broken(lambda: {queue: self.queue(backend, queue, measure, at=at)})
        return found.get(queue)

    def once(self, key: Hashable, at: Window, make: Callable[[], T]) -> T:
        """What was made of a window, or what make gives now. Two at once may both make it: neither waits for the other."""
        kept_at, made = self._get(key, (None, None))
        if kept_at == at:
            found: T = made
            return found
        return self._keep(key, (at, make()))[1]

    def _moved(self, key: Hashable, read: Callable[[Reading, Window], Found], at: Window) -> Found:
        known: Known = self._get(key, NOTHING)
        rest = known.rest(at)
        newest = read(self._reading, rest) if self._reading and rest.slots else {}
        return self._keep(key, known.moved(at, newest)).found

    def _get(self, key: Hashable, default: Any) -> Any:
        with self._lock:
            return self._kept.get(key, default)

    def _keep(self, key: Hashable, made: T) -> T:
        with self._lock:
            self._kept[key] = made
            self._kept.move_to_end(key)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return made


def _joined(known: Points | None, newest: Points | None, at: Window) -> Points:
    """Both over one window; what neither has is a gap."""
    values: list[float | None] = [None] * at.slots
    for points in (known, newest):
        first = round((points.start - at.start) / at.step) if points else 0
        for place, value in enumerate(points.values if points else (), first):
            if 0 <= place < at.slots:
                values[place] = value
    return Points(at.start, at.step, tuple(values))


def _is_sampled(points: Points) -> bool:
    return any(value is not None for value in points.values)


def _unless_broken(read: Callable[[], Mapping[str, T]]) -> Mapping[str, T]:
    """What read gives; nothing when the history cannot be used, for a page is more than its sparklines."""
    try:
        return read()
    except StoreError as error:
        log.warning("the history cannot be read", extra={"code": error.code})
        return {}
