"""Asks several backends the same thing side by side; none can spoil the others, and the whole takes one budget."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from rqdash.backends.backend import Backend
from rqdash.backends.breaker import FIRST_PAUSE_S
from rqdash.backends.line import Good, Line
from rqdash.errors import BackendError, RqdashError, Slow, Unreachable
from rqdash.model.reply import Problem, Reply

T = TypeVar("T")
Query = Callable[[Backend], T]

DEADLINE_S = 2.0
TURN_S = 0.25
THREADS = 32

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Flight:
    """One call under way, or why it did not take off."""

    backend: Backend
    line: Line
    future: Future[Good] | None = None
    problem: Problem | None = None
    is_owner: bool = True

    @property
    def has_ended(self) -> bool:
        """With a value or an error; a call that was cancelled while it waited for its turn has neither."""
        return self.future is not None and self.future.done() and not self.future.cancelled()


class Gatherer:
    """Owns the threads, and the state of every backend of this process. Nothing starts before the first call."""

    def __init__(self, *, deadline_s: float = DEADLINE_S, threads: int = THREADS) -> None:
        self.deadline_s = deadline_s
        self._threads = threads
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._lines: dict[str, tuple[int, Line]] = {}

    def gather(self, backends: Sequence[Backend], query: Query[T], *, key: str, max_age_s: float = 0.0) -> tuple[Reply[T], ...]:
        """One reply a backend, in their order, within the deadline.

        At most two calls are in flight per backend; a third waits for its turn, and answers slow at the first quarter of a second when
        both have been silent for half of it. With max_age_s, a value or a call under way of the same key serves this caller too, and
        none waits for a backend that is known to be down; 0 always reads anew. Never raises for one backend.
        """
        started_s = time.monotonic()
        flights = [self._take_off(backend, query, key=key, max_age_s=max_age_s) for backend in backends]
        self._await(flights, started_s)
        return tuple(self._reply(flight, key=key) for flight in flights)

    def one(self, backend: Backend, query: Query[T], *, key: str, max_age_s: float = 0.0) -> T:
        """The value of one backend within the deadline. Raises what the query raises, or Unreachable or Slow."""
        line = self._line(backend)
        started_s = time.monotonic()
        flight = self._take_off(backend, query, key=key, max_age_s=max_age_s)
        if flight.future is None:
            raise _as_error(backend, flight.problem)
        self._await([flight], started_s)
        if not flight.has_ended:
            raise _as_error(backend, _too_slow(backend, line))
        return cast(T, flight.future.result().value)

    def problem(self, backend: Backend) -> Problem | None:
        """What the last call to a backend found wrong, or Sentinel last said; asks nothing."""
        return self._line(backend).problem or backend.caution

    def refuse_resting(self, backend: Backend) -> None:
        """Raises Unreachable while the breaker of a backend is open: a write need not wait to learn what reads just did."""
        line = self._line(backend)
        wait_s = line.breaker.pause_s()
        if wait_s > 0:
            raise _as_error(backend, _resting(backend, line, wait_s))

    def last(self, backend: Backend, key: str) -> Good | None:
        """The last good value under a key; asks nothing."""
        return self._line(backend).last(key)

    def stop(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)

    def _line(self, backend: Backend) -> Line:
        identity, version = backend.profile.id or backend.name, backend.profile.endpoint_version
        with self._lock:
            known = self._lines.get(identity)
            if known is None or known[0] != version:
                known = self._lines[identity] = (version, Line())
            return known[1]

    def _submit(self, work: Callable[[], None]) -> Future[None]:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="gather")
            return self._executor.submit(work)

    def _await(self, flights: Sequence[Flight], started_s: float) -> None:
        """Waits for all to end, but not for a turn on a backend where nothing moves."""
        deadline_s = started_s + self.deadline_s
        left = {flight.future for flight in flights if flight.future is not None}
        while left and (now_s := time.monotonic()) < deadline_s:
            wait(left, timeout=min(TURN_S, deadline_s - now_s))
            for flight in flights:
                # Asked again at each turn: calls that hang end, and the next to hang take their places.
                future = flight.future if flight.is_owner else None
                if future in left and flight.line.is_stuck(longer_than_s=TURN_S / 2) and future is not None and future.cancel():
                    flight.line.breaker.released()
            left = {future for future in left if not future.done()}
        for flight in flights:
            # Nobody waits for it any more; run later, it would only keep others waiting.
            if flight.future is not None and flight.is_owner and flight.future.cancel():
                flight.line.breaker.released()

    def _take_off(self, backend: Backend, query: Query[T], *, key: str, max_age_s: float) -> Flight:
        line = self._line(backend)
        if max_age_s == 0:
            return self._start(backend, line, query, key=key, is_poll=False)
        with line.polling:
            shared = self._shared(line, key, max_age_s=max_age_s)
            if shared is not None:
                return Flight(backend, line, shared, is_owner=False)
            return self._start(backend, line, query, key=key, is_poll=True)

    def _start(self, backend: Backend, line: Line, query: Query[T], *, key: str, is_poll: bool) -> Flight:
        """A call of its own, or why there is none."""
        wait_s = line.breaker.admit()
        if wait_s is not None:
            return Flight(backend, line, problem=_resting(backend, line, wait_s))
        future = line.enter(lambda: _called(backend, line, query, key=key), start=self._submit)
        line.took_off(key, future)
        if is_poll and line.breaker.is_open:
            # A probe: the next poll tells what it found.
            return Flight(backend, line, problem=_resting(backend, line, FIRST_PAUSE_S))
        return Flight(backend, line, future)

    def _shared(self, line: Line, key: str, *, max_age_s: float) -> Future[Good] | None:
        good = line.fresh(key, max_age_s=max_age_s)
        if good is None:
            # While it is down, all viewers would wait for each probe that hangs.
            return None if line.breaker.is_open else line.flight(key)
        done: Future[Good] = Future()
        done.set_result(good)
        return done

    def _reply(self, flight: Flight, *, key: str) -> Reply[T]:
        problem = flight.problem
        if flight.future is not None:
            if not flight.has_ended:
                problem = _too_slow(flight.backend, flight.line)
            elif (error := flight.future.exception()) is not None:
                problem = _problem(flight.backend, flight.line, error)
            else:
                good = flight.future.result()
                return Reply(flight.backend.profile, cast(T, good.value), None, good.as_of, good.elapsed_ms, flight.backend.caution)
        stale = flight.line.last(key)
        if stale is None:
            return Reply(flight.backend.profile, None, problem)
        return Reply(flight.backend.profile, cast(T, stale.value), problem, stale.as_of)


def _called(backend: Backend, line: Line, query: Query[T], *, key: str) -> Good:
    """Runs on a pool thread, perhaps longer than its caller waits."""
    started_s = time.monotonic()
    try:
        with backend.reachable():
            value = query(backend)
        ended_s = time.monotonic()
        good = Good(value, datetime.now(UTC), ended_s, (ended_s - started_s) * 1000)
        line.answered(key, good)
        return good
    except BackendError as error:
        was_well = line.problem is None
        line.failed(error)
        if was_well:
            log.warning("backend has a problem", extra={"backend": backend.name, "code": error.code})
        raise
    except RqdashError:
        # The server answered: what was asked for is not there, or may not be had.
        line.spoke()
        raise
    except BaseException:
        line.breaker.released()
        raise


def _problem(backend: Backend, line: Line, error: BaseException) -> Problem:
    if isinstance(error, BackendError) and line.problem is not None:
        return line.problem
    if isinstance(error, RqdashError):
        return Problem(error.code, error.message)
    log.error("a query failed", exc_info=error, extra={"backend": backend.name})
    return Problem("error", f"rqdash failed to read {backend.name}. This is a bug of ours; the log has the details.")


def _too_slow(backend: Backend, line: Line) -> Problem:
    if line.problem is not None:
        return line.problem
    return Problem("slow", f"{backend.name} is slow: no answer within the time a page has.", "Its values here may be missing or old.")


def _resting(backend: Backend, line: Line, wait_s: float) -> Problem:
    known = line.problem or Problem("unreachable", f"{backend.name} does not answer.")
    return replace(known, retry_at=datetime.now(UTC) + timedelta(seconds=wait_s))


def _as_error(backend: Backend, problem: Problem | None) -> BackendError:
    if problem is None or problem.code == "slow":
        return Slow(problem.message if problem else f"{backend.name} is slow.", backend=backend.name)
    wait_s = (problem.retry_at - datetime.now(UTC)).total_seconds() if problem.retry_at else None
    return Unreachable(problem.message, backend=backend.name, code=problem.code, hint=problem.hint, retry_after_s=wait_s)
