"""The state kept about one backend between calls: its slots, its breaker, the calls under way and the last good values."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

from rqdash.backends.breaker import Breaker
from rqdash.errors import BackendError, Slow, Unreachable
from rqdash.model.reply import Problem

CALLS_IN_FLIGHT = 2
VALUES_KEPT = 16


@dataclass(frozen=True, slots=True)
class Good:
    """A value with when it was read, by the wall and by the monotonic clock."""

    value: object
    as_of: datetime
    at_s: float
    elapsed_ms: float


class Line:
    """Thread-safe state of one version of one backend."""

    def __init__(self) -> None:
        self.breaker = Breaker(clock=time.monotonic)
        self.slots = threading.BoundedSemaphore(CALLS_IN_FLIGHT)
        self._lock = threading.Lock()
        self._good: OrderedDict[str, Good] = OrderedDict()
        self._flights: dict[str, Future[Good]] = {}
        self._problem: Problem | None = None

    @property
    def problem(self) -> Problem | None:
        """What the last call found wrong; None when it answered, or none was made."""
        return self._problem

    def last(self, key: str) -> Good | None:
        with self._lock:
            return self._good.get(key)

    def fresh(self, key: str, *, max_age_s: float) -> Good | None:
        good = self.last(key)
        return good if good is not None and time.monotonic() - good.at_s <= max_age_s else None

    def flight(self, key: str) -> Future[Good] | None:
        with self._lock:
            return self._flights.get(key)

    def took_off(self, key: str, flight: Future[Good]) -> None:
        with self._lock:
            self._flights[key] = flight
        flight.add_done_callback(lambda done: self._landed(key, done))

    def answered(self, key: str, good: Good) -> None:
        self.breaker.succeeded()
        with self._lock:
            self._problem = None
            self._good[key] = good
            self._good.move_to_end(key)
            while len(self._good) > VALUES_KEPT:
                self._good.popitem(last=False)

    def failed(self, error: BackendError) -> Problem:
        """Notes the failure; only silence opens the breaker, a refusal is an answer."""
        if isinstance(error, Unreachable | Slow):
            self.breaker.failed()
        else:
            self.breaker.released()
        with self._lock:
            since = self._problem.since if self._problem else datetime.now(UTC)
            self._problem = Problem(error.code, error.message, error.hint, since)
            return self._problem

    def _landed(self, key: str, flight: Future[Good]) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
