"""History as pages read it: whole slots only, each window read once for all who look at it."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor
from typing import Any, TypeVar

from rqdash.errors import StoreError
from rqdash.history.reading import Points, Reading
from rqdash.web import sparks
from rqdash.web.sparks import Spark

T = TypeVar("T")
HOUR_S = 3600
SPARK_STEP_S = 120
"""Thirty slots in the hour of a sparkline, so that a page changes for its sake every two minutes."""
SETTLED_S = 5
"""How long after its end a slot is believed to hold all its samples."""
MOST = 512
UNREAD = object()

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Window:
    """Slots of step seconds from start to stop; unix seconds, multiples of step."""

    start: int
    stop: int
    step: int


def window(span_s: int, step: int, *, now: datetime) -> Window:
    """The newest whole slots that cover the span."""
    stop = floor((now.timestamp() - SETTLED_S) / step) * step
    return Window(stop - ceil(span_s / step) * step, stop, step)


class Trends:
    """What was read of the newest windows, kept for the next viewer; threads share it. A window never changes once it is read.

    Without a reading there is no history. Charts raise StoreError when it cannot be read; sparklines are left out then.
    """

    def __init__(self, reading: Reading | None) -> None:
        self._reading = reading
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def backends(self, names: Sequence[str], measure: str, *, at: Window) -> dict[str, Points]:
        """The points of each backend that was sampled in the window; one read for all that are not kept."""
        kept = {name: self._found((name, measure, at)) for name in names}
        missing = [name for name in names if kept[name] is UNREAD]
        if missing:
            found = {} if self._reading is None else self._reading.backends(missing, measure, start=at.start, stop=at.stop, step=at.step)
            kept |= {name: self._keep((name, measure, at), _sampled(found.get(name))) for name in missing}
        return {name: points for name, points in kept.items() if points is not None}

    def queue(self, backend: str, queue: str, measure: str, *, at: Window) -> Points | None:
        """The points of one queue, None when it was not sampled in the window."""

        def read() -> Points | None:
            if self._reading is None:
                return None
            return _sampled(self._reading.queue(backend, queue, measure, start=at.start, stop=at.stop, step=at.step))

        return self._once((backend, "queue", queue, measure, at), read)

    def queue_names(self, backend: str, *, at: Window) -> tuple[str, ...]:
        """The queues of a backend that were sampled in the window."""

        def read() -> tuple[str, ...]:
            return tuple(self._queues(backend, "queued", at))

        return self._once((backend, "names", at), read)

    def waiting(self, backend: str, *, now: datetime) -> dict[str, Spark]:
        """A sparkline of how many jobs waited, for each queue of a backend that was sampled in the last hour; one read for all."""
        at = window(HOUR_S, SPARK_STEP_S, now=now)

        def read() -> dict[str, Spark]:
            found = self._queues(backend, "queued", at)
            drawn = {queue: sparks.level("Queued", points) for queue, points in found.items()}
            return {queue: spark for queue, spark in drawn.items() if spark}

        return _unless_broken(lambda: self._once((backend, "waiting", at), read))

    def last_hour(self, names: Sequence[str], measure: str, *, now: datetime) -> dict[str, Points]:
        """The points of each backend for a sparkline."""
        at = window(HOUR_S, SPARK_STEP_S, now=now)
        return _unless_broken(lambda: self.backends(names, measure, at=at))

    def last_hour_of_queue(self, backend: str, queue: str, measure: str, *, now: datetime) -> Points | None:
        """The points of one queue for a sparkline."""
        at = window(HOUR_S, SPARK_STEP_S, now=now)
        return _unless_broken(lambda: {measure: self.queue(backend, queue, measure, at=at)}).get(measure)

    def _queues(self, backend: str, measure: str, at: Window) -> Mapping[str, Points]:
        return {} if self._reading is None else self._reading.queues(backend, measure, start=at.start, stop=at.stop, step=at.step)

    def _once(self, key: Hashable, read: Callable[[], T]) -> T:
        """What was read under the key, or what read gives now. Two at once may both read: neither waits for the other."""
        found = self._found(key)
        return self._keep(key, read()) if found is UNREAD else found

    def _found(self, key: Hashable) -> Any:
        with self._lock:
            return self._kept.get(key, UNREAD)

    def _keep(self, key: Hashable, made: T) -> T:
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return made


def _unless_broken(read: Callable[[], dict[str, T]]) -> dict[str, T]:
    """What read gives; nothing when the history cannot be used, for a page is more than its sparklines."""
    try:
        return read()
    except StoreError as error:
        log.warning("the history cannot be read", extra={"code": error.code})
        return {}


def _sampled(points: Points | None) -> Points | None:
    return points if points is not None and any(value is not None for value in points.values) else None
