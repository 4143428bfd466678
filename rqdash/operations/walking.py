"""Running: walks the items of an operation, one after the other, and notes what came of each."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from rqdash.actions.positions import Places
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Conflict, Invalid
from rqdash.model.outcome import Outcome, Verdict
from rqdash.model.registry import Registry
from rqdash.operations import items, orders
from rqdash.operations.claims import Claim
from rqdash.operations.items import Item
from rqdash.operations.ledger import Ledger
from rqdash.operations.stored import LETTERS, NOT_REACHED, VERDICTS, letters
from rqdash.operations.values import Part, State

PATIENCE = 5
"""How often an item is tried again of which the backend says only that it does not know, or that jobs are on the way."""

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
OPEN = (Verdict.UNKNOWN, Verdict.IN_TRANSIT, None)


class Walk:
    """One claim's way through the items. What must outlive it is in the ledger, or in the journals on the backends."""

    def __init__(self, claim: Claim, backends: Mapping[str, Backend], *, first_wait_s: float = FIRST_WAIT_S) -> None:
        self.ledger = Ledger(claim)
        self.is_idle = False
        self._claim = claim
        self._asked = claim.operation.asked
        self._backends = backends
        self._parts: Mapping[str, Part] = {part.name: part for part in claim.operation.parts}
        self._ahead: deque[Item] = deque()
        self._forgotten: set[str] = set()
        # Items follow each other along a list: where one ended, the next begins.
        self._places = Places()
        self._first_wait_s = first_wait_s

    def run(self, *, until_s: float, stop: threading.Event) -> State:
        """Walks until every item is ended or waits, until_s (monotonic), stop, or somebody pauses or cancels; gives the state then.

        Everything is written down at the end. Raises LostError when the lease is lost, before the next item.
        """
        with self._claim.beating():
            while self.ledger.state is State.RUNNING and not stop.is_set() and time.monotonic() < until_s:
                alike = self._next()
                self.is_idle = not alike
                if not alike:
                    break
                self._act(alike, lambda: not stop.is_set() and time.monotonic() < until_s)
                if self.ledger.is_due or not self._claim.is_fresh:
                    self.ledger.write()
        return self.ledger.write()

    def settle(self) -> None:
        """Before it ends early: notes what the journals tell of items that a runner began and did not live to write down."""
        while found := self._todo(but=self._forgotten):
            for item in found:
                if item.backend not in self._forgotten and (known := self._recalled(item)):
                    self.ledger.enter(item, known)
            self.ledger.write()

    @property
    def waits_s(self) -> float | None:
        """In how many seconds a backend is tried again; None when none waits."""
        return min((max(0.0, again_s - time.time()) for again_s in self.ledger.again_s.values()), default=None)

    @property
    def is_at_end(self) -> bool:
        """Whether no item is left, also on backends that wait; to be asked after run."""
        return not self._todo(most=1)

    def _next(self) -> list[Item]:
        """The next items of a backend that does not wait, as far as they are of one registry."""
        resting = {name for name, again_s in self.ledger.again_s.items() if again_s > time.time()}
        if any(item.backend in self.ledger.again_s for item in self._ahead):
            # What is to be tried again comes before them, however soon or late that is.
            self._ahead.clear()
        if not self._ahead:
            # What is not written down yet would be found again.
            self.ledger.write()
            self._ahead.extend(self._todo(but=resting))
        return list(takewhile(lambda item: _place(item) == _place(self._ahead[0]), self._ahead))

    def _todo(self, *, but: set[str] | frozenset[str] = frozenset(), most: int = items.AHEAD) -> tuple[Item, ...]:
        """The next items."""
        store, operation_id = self._claim.records.store, self._claim.operation.id
        return items.todo(store, operation_id, is_reversed=self._asked.is_backwards, but=but, most=most)

    def _act(self, alike: Sequence[Item], has_time: Callable[[], bool]) -> None:
        """Acts on items of one registry, as many as there is time and leave for, and takes them off those ahead."""
        name = alike[0].backend
        at, problem = orders.ends(self._backends, self._asked, name, parts=self._parts)
        if at is None:
            self._refuse(self._ahead.popleft(), problem)
            return

        def may_go_on() -> bool:
            """Asked before each item, because much may have changed during the one before."""
            is_ours = self.ledger.state is State.RUNNING and self._claim.is_fresh and self.ledger.again_s.get(name, 0.0) <= time.time()
            return is_ours and has_time() and orders.ends(self._backends, self._asked, name, parts=self._parts)[0] == at

        rest = [replace(item, ids=tuple(job_id for job_id in item.ids if job_id not in _settled(item))) for item in alike]
        try:
            for outcome, failure in orders.carry(self._asked, rest, at, journal=self._journal, places=self._places, go_on=may_go_on):
                self._note(self._ahead.popleft(), outcome, failure)
        except (Invalid, Conflict) as error:
            self._refuse(self._ahead.popleft(), error.message)

    def _note(self, item: Item, outcome: Outcome, failure: BackendError | None) -> None:
        # Backends forget their journals, after a week or when memory is short: what is settled here was not asked of them again.
        self._enter(item, letters(item.ids, _settled(item) | {job.job_id: job.verdict for job in outcome.jobs}), failure)
        if self.ledger.is_due or not self._claim.is_fresh:
            self.ledger.write()

    def _enter(self, item: Item, found: str, failure: BackendError | None) -> None:
        is_open = any(VERDICTS.get(letter) in OPEN for letter in found)
        if failure is not None or (is_open and self.ledger.tries(item.backend) < PATIENCE):
            self._wait(item, found, failure)
        else:
            self.ledger.go_on(item.backend)
            self.ledger.enter(item, found)

    def _wait(self, item: Item, found: str, failure: BackendError | None) -> None:
        """Leaves the backend alone for a while, longer each time; the journal there knows what was done of the item."""
        if self.ledger.again_s.get(item.backend, 0.0) <= time.time():
            reason = failure.message if failure else f"Some jobs of {item.backend} are still on the way."
            wait_s = min(LONGEST_WAIT_S, self._first_wait_s * 2.0 ** min(10, self.ledger.tries(item.backend)))
            self.ledger.wait(item.backend, reason, again_s=time.time() + wait_s)
        self.ledger.enter(item, found, is_final=False)

    def _refuse(self, item: Item, problem: str) -> None:
        """Counts as refused what is not known to be done."""
        self.ledger.bar(item.backend, problem)
        known = None if item.backend in self._forgotten else self._recalled(item)
        self.ledger.enter(item, (known or NOT_REACHED * len(item.ids)).replace(NOT_REACHED, LETTERS[Verdict.REFUSED]))

    def _recalled(self, item: Item) -> str | None:
        """What is known of an item that was begun: by its backend's journal, else by the database; None when it was not begun.

        Items of a backend are begun one after the other, so those after it were not either: they are asked for no more.
        """
        found = _written(item)
        at = orders.same(self._backends, self._asked, item.backend, parts=self._parts)
        if at is not None:
            try:
                found |= orders.settled_before(self._asked, item, at, journal=self._journal(item))
            except BackendError:
                self.ledger.tell(f"{item.backend} did not answer: what was done there in the last second may not be counted")
        if not found:
            self._forgotten.add(item.backend)
            return None
        return letters(item.ids, found)

    def _journal(self, item: Item) -> str:
        """What the backend keeps the outcomes of an item under."""
        return f"{self._claim.operation.id}:{item.number}"


def _place(item: Item) -> tuple[str, str, Registry]:
    return item.backend, item.queue, item.registry


def _settled(item: Item) -> dict[str, Verdict]:
    """What the database says for good."""
    return {job_id: verdict for job_id, verdict in _written(item).items() if verdict not in OPEN}


def _written(item: Item) -> dict[str, Verdict]:
    """What the database says of the jobs of an item, by id."""
    return {job_id: VERDICTS[letter] for job_id, letter in zip(item.ids, item.verdicts, strict=False) if letter in VERDICTS}
