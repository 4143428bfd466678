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
from rqdash.backends.line import Good, Line
from rqdash.errors import BackendError, RqdashError, Slow, Unreachable
from rqdash.model.reply import Problem, Reply

T = TypeVar("T")
Query = Callable[[Backend], T]

DEADLINE_S = 2.0
SLOT_WAIT_S = 0.25
THREADS = 32

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Flight:
    """One call under way, or why it did not take off."""

    backend: Backend
    line: Line
    future: Future[Good] | None = None
    problem: Problem | None = None


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

        At most two calls are in flight per backend; a third waits 0.25 s for its turn and then answers slow. With max_age_s, a
        value or a call under way of the same key serves this caller too; 0 always reads anew. Never raises for one backend.
        """
        started_s = time.monotonic()
        flights = [self._take_off(backend, query, key=key, max_age_s=max_age_s, started_s=started_s) for backend in backends]
        under_way = {flight.future for flight in flights if flight.future is not None}
        wait(under_way, timeout=max(0.0, started_s + self.deadline_s - time.monotonic()))
        return tuple(self._reply(flight, key=key) for flight in flights)

    def one(self, backend: Backend, query: Query[T], *, key: str, max_age_s: float = 0.0) -> T:
        """The value of one backend within the deadline. Raises what the query raises, or Unreachable or Slow."""
        line = self._line(backend)
        started_s = time.monotonic()
        flight = self._take_off(backend, query, key=key, max_age_s=max_age_s, started_s=started_s)
        if flight.future is None:
            raise _as_error(backend, flight.problem)
        wait((flight.future,), timeout=max(0.0, started_s + self.deadline_s - time.monotonic()))
        if not flight.future.done():
            raise _as_error(backend, _too_slow(backend, line))
        return cast(T, flight.future.result().value)

    def problem(self, backend: Backend) -> Problem | None:
        """What the last call to a backend found wrong, or Sentinel last said; asks nothing."""
        return self._line(backend).problem or backend.caution

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

    def _submit(self, call: Callable[[], Good]) -> Future[Good]:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="gather")
            return self._executor.submit(call)

    def _take_off(self, backend: Backend, query: Query[T], *, key: str, max_age_s: float, started_s: float) -> Flight:
        line = self._line(backend)
        if max_age_s > 0:
            shared = self._shared(line, key, max_age_s=max_age_s)
            if shared is not None:
                return Flight(backend, line, shared)
        wait_s = line.breaker.admit()
        if wait_s is not None:
            return Flight(backend, line, problem=_resting(backend, line, wait_s))
        if not line.slots.acquire(timeout=max(0.0, started_s + SLOT_WAIT_S - time.monotonic())):
            line.breaker.released()
            return Flight(backend, line, problem=_too_slow(backend, line))
        future = self._submit(lambda: _called(backend, line, query, key=key))
        line.took_off(key, future)
        return Flight(backend, line, future)

    def _shared(self, line: Line, key: str, *, max_age_s: float) -> Future[Good] | None:
        good = line.fresh(key, max_age_s=max_age_s)
        if good is None:
            return line.flight(key)
        done: Future[Good] = Future()
        done.set_result(good)
        return done

    def _reply(self, flight: Flight, *, key: str) -> Reply[T]:
        problem = flight.problem
        if flight.future is not None:
            if not flight.future.done():
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
    """Runs on a pool thread; the slot is given back when the call has truly ended, not when its caller stopped waiting."""
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
    except BaseException:
        line.breaker.released()
        raise
    finally:
        line.slots.release()


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
