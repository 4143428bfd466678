"""The parts that go on in the background: planning what is too much for a request, and running what was started."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from rqdash.access.actor import RUNNER, Actor
from rqdash.model.outcome import Verdict
from rqdash.operations.claims import LEASE_S, Claim, LostError, take
from rqdash.operations.planning import plan
from rqdash.operations.requests import Operations
from rqdash.operations.values import State
from rqdash.operations.walking import FIRST_WAIT_S, Walk

IDLE_S = 1.0
SLICE_S = 2.0
"""So long one operation is worked on before the next has its turn."""

AGAIN_S = 5.0
TIDY_S = 3600.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Planner:
    """Plans operations whose planning no request has ended."""

    operations: Operations
    lease_s: float = LEASE_S
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))
    name: str = "plans"

    def run(self, stop: threading.Event) -> None:
        _go_on(self.operations, stop, self.turn)

    def turn(self, stop: threading.Event) -> bool:
        """Plans one operation; False when there was none."""
        claim = take(self.operations.records, self.owner, states=(State.PLANNING,), lease_s=self.lease_s)
        return claim is not None and _held(claim, lambda: self._plan(claim, stop))

    def _plan(self, claim: Claim, stop: threading.Event) -> float:
        plan(claim, self.operations.backends, stop=stop)
        return 0.0


@dataclass(slots=True)
class Runner:
    """Runs the operations that were started, by turns; pauses and ends them when asked."""

    operations: Operations
    lease_s: float = LEASE_S
    slice_s: float = SLICE_S
    first_wait_s: float = FIRST_WAIT_S
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))
    name: str = "operations"

    def run(self, stop: threading.Event) -> None:
        tidied_s = -TIDY_S

        def turn(stop: threading.Event) -> bool:
            nonlocal tidied_s
            if time.monotonic() - tidied_s >= TIDY_S:
                self.operations.records.tidy()
                tidied_s = time.monotonic()
            return self.turn(stop)

        _go_on(self.operations, stop, turn)

    def turn(self, stop: threading.Event) -> bool:
        """Works on one operation for a while; False when there was none."""
        states = (State.RUNNING, State.PAUSING, State.CANCELING)
        claim = take(self.operations.records, self.owner, states=states, lease_s=self.lease_s)
        return claim is not None and _held(claim, lambda: self._work(claim, stop))

    def _work(self, claim: Claim, stop: threading.Event) -> float:
        walk = Walk(claim, self.operations.backends, first_wait_s=self.first_wait_s)
        state = walk.run(until_s=time.monotonic() + self.slice_s, stop=stop)
        if walk.is_at_end:
            # Also when somebody asked to end it early, and it was done by then.
            self._end(walk, State.DONE)
        elif state is State.CANCELING:
            self._end(walk, State.CANCELED)
        elif state is State.PAUSING:
            walk.ledger.write(leads={State.PAUSING: State.PAUSED})
        return walk.waits_s or 0.0 if walk.is_idle else 0.0

    def _end(self, walk: Walk, to: State) -> None:
        """Ends the operation, in one row of the audit log with what came of all its jobs."""
        operation, audit = walk.ledger.claim.operation, self.operations.audit
        values: dict[str, str | int] = {"operation": operation.id, "for": operation.asked.who.name, "jobs": operation.total}
        with Actor(RUNNER, "runner", "", audit).recording(operation.verb, backend=operation.asked.scope, values=values) as row:
            if to is State.CANCELED:
                walk.settle()
            tally = walk.ledger.tally
            row.finish({verdict.value: count for verdict, count in tally.items()})
            problem = walk.ledger.barred if tally.keys() == {Verdict.REFUSED} else ""
            to = State.FAILED if problem and to is State.DONE else to
            walk.ledger.write(leads=dict.fromkeys((State.RUNNING, State.PAUSING, State.CANCELING), to), problem=problem)


def _held(claim: Claim, work: Callable[[], float]) -> bool:
    """Does work, and gives the operation back for when work says; should work fail, for a little later."""
    again_s = AGAIN_S
    try:
        again_s = work()
    except LostError:
        log.info("an operation was taken over", extra={"operation": claim.operation.id})
    finally:
        claim.release(again_s=again_s)
    return True


def _go_on(operations: Operations, stop: threading.Event, turn: Callable[[threading.Event], bool]) -> None:
    while not stop.is_set():
        if not turn(stop):
            operations.news.wait(IDLE_S)
            operations.news.clear()
