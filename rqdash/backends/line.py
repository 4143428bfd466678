"""The state kept about one backend between calls: the calls under way and in wait, its breaker, and the last good values."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

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


Call = Callable[[], Good]
Start = Callable[[Callable[[], None]], object]


class Line:
    """Thread-safe state of one version of one backend."""

    def __init__(self) -> None:
        self.breaker = Breaker(clock=time.monotonic)
        self.polling = threading.Lock()
        """Held from looking for a call to share until one has taken off: of polls that come at once only one calls."""
        self._lock = threading.Lock()
        self._threads = 0
        self._running: dict[Future[Good], float] = {}
        self._waiting: deque[tuple[Future[Good], Call]] = deque()
        self._good: OrderedDict[str, Good] = OrderedDict()
        self._flights: dict[str, Future[Good]] = {}
        self._problem: Problem | None = None

    @property
    def problem(self) -> Problem | None:
        """What the last call found wrong; None when it answered, or none was made."""
        return self._problem

    def enter(self, call: Call, *, start: Start) -> Future[Good]:
        """Runs a call on a thread that start gives, at once when fewer than two are running, else when one of them ends.

        A future that is cancelled while it waits is passed over; waiting takes no thread.
        """
        future: Future[Good] = Future()
        with self._lock:
            if self._threads == CALLS_IN_FLIGHT:
                self._waiting.append((future, call))
                return future
            self._threads += 1
        start(lambda: self._work(future, call))
        return future

    def is_stuck(self, *, longer_than_s: float) -> bool:
        """Whether every call that is running has been for so long: then nobody in wait will have a turn soon."""
        now_s = time.monotonic()
        with self._lock:
            return len(self._running) == CALLS_IN_FLIGHT and all(now_s - began_s > longer_than_s for began_s in self._running.values())

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

    def spoke(self) -> None:
        """The backend answered, though with no value: nothing is wrong with it."""
        self.breaker.succeeded()
        with self._lock:
            self._problem = None

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

    def _work(self, future: Future[Good], call: Call) -> None:
        """Runs a call, then whoever waits, on one thread: its place is given on when the call has truly ended."""
        following: tuple[Future[Good], Call] | None = (future, call)
        while following is not None:
            self._run(*following)
            with self._lock:
                following = self._waiting.popleft() if self._waiting else None
                self._threads -= following is None

    def _run(self, future: Future[Good], call: Call) -> None:
        if not future.set_running_or_notify_cancel():
            return
        with self._lock:
            self._running[future] = time.monotonic()
        try:
            good = call()
        except BaseException as error:  # noqa: BLE001  whoever asked gets it, as from an executor
            outcome: Callable[[], None] = partial(future.set_exception, error)
        else:
            outcome = partial(future.set_result, good)
        with self._lock:
            del self._running[future]
        outcome()

    def _landed(self, key: str, flight: Future[Good]) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
