"""Planning: freezes the jobs that match at a moment as items, and says what will be done on each backend and what not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rqdash.backends.backend import Backend
from rqdash.errors import BackendError
from rqdash.model.search import search
from rqdash.operations import items, stored
from rqdash.operations.claims import Claim
from rqdash.operations.freezing import Freezer
from rqdash.operations.items import Item
from rqdash.operations.ledger import RUNNER
from rqdash.operations.orders import lonely, preflight
from rqdash.operations.records import events_with
from rqdash.operations.values import Part, Sample, State
from rqdash.queries.scan import Match, Scan, rows, scan
from rqdash.store.tables import OperationRow

MOST = 1_000_000
STEP = 10_000
"""Matches taken from one call of a scan."""

ENTRIES = 200_000
STEP_S = 1.0
SAMPLES = 5
TOO_MANY = f"More than {MOST:,} jobs match. Narrow the search, by queue: or age: for example, and act in several operations."
UNDATED = "whose moment is unknown, so that they may be later"
GONE = "disabled or deleted"
READ_ONLY = "read-only: rqdash changes nothing there"


class _EndedError(Exception):
    """Planning ends here: too many jobs match, or it was canceled, or there is no more time."""

    def __init__(self, problem: str = "", *, is_whole: bool = True) -> None:
        super().__init__(problem)
        self.problem = problem
        self.is_whole = is_whole


def plan(claim: Claim, backends: Mapping[str, Backend], *, stop: threading.Event, until_s: float = float("inf")) -> bool:
    """Plans the whole operation, from the beginning; whether it came to an end before until_s (monotonic) and stop.

    Reads backends in steps of a second; the jobs of one that fails half way are left out, and the preview names it. Raises LostError.
    """
    planner = _Planner(claim, backends, stop, until_s)
    try:
        planner.run()
    except _EndedError as ended:
        planner.give_up(ended.problem)
        return ended.is_whole
    return True


class _Planner:
    """One operation being planned: what was found so far, and how many items there are."""

    def __init__(self, claim: Claim, backends: Mapping[str, Backend], stop: threading.Event, until_s: float) -> None:
        self._claim = claim
        self._asked = claim.operation.asked
        self._search = search(self._asked.search)
        self._backends = backends
        self._stop = stop
        self._until_s = until_s
        self._parts: list[Part] = []
        self._items = 0
        self._total = 0

    def run(self) -> None:
        self._forget()
        for name in self._asked.backends:
            if self._search.on_backend(name):
                part = self._part(name)
                self._parts.append(part)
                self._total += part.matched
        if self._asked.to_backend:
            self._parts.append(self._target(self._asked.to_backend))
        self._end(State.PLANNED, f"found {self._total:,} jobs")

    def give_up(self, problem: str) -> None:
        """Forgets what was found; a problem ends the operation, otherwise it may be planned again."""
        self._forget()
        self._total = self._items = 0
        if problem:
            self._end(State.FAILED, "gave up", problem=problem)

    def _part(self, name: str) -> Part:
        backend = self._backends.get(name)
        if backend is None:
            return Part(name, problem=GONE)
        profile = backend.profile
        plain = Part(name, profile.endpoint_version, profile.protected)
        if profile.read_only and not self._asked.is_copy:
            return replace(plain, problem=READ_ONLY)
        try:
            warnings, problem = preflight(self._backends, self._asked, backend)
            return replace(plain, problem=problem) if problem else self._found(backend, plain, warnings)
        except BackendError as error:
            self._forget(backend=name)
            return replace(plain, problem=error.message)

    def _found(self, backend: Backend, plain: Part, warnings: Sequence[str]) -> Part:
        freezer = Freezer(self._asked, backend.name, first=self._items)
        scanned = 0
        for found in self._scans(backend):
            scanned += found.scanned
            freezer.left_out(UNDATED, found.undated)
            warnings = [*dict.fromkeys((*warnings, found.note))] if found.note else warnings
            self._keep(freezer.add(found.matches, samples=SAMPLES))
            if self._total + freezer.matched > MOST:
                raise _EndedError(TOO_MANY)
        self._keep(freezer.rest())
        warnings = [*warnings, *lonely(self._backends, self._asked, freezer.queues)]
        samples = self._samples(backend, freezer.first)
        self._items = freezer.next
        excluded = tuple(sorted(freezer.excluded.items()))
        return replace(plain, matched=freezer.matched, scanned=scanned, excluded=excluded, warnings=tuple(warnings), samples=samples)

    def _scans(self, backend: Backend) -> Iterator[Scan]:
        """The whole backend, step by step."""
        cursor, as_of = "", self._asked.as_of
        while True:
            left_s = self._until_s - time.monotonic()
            if left_s <= 0 or self._stop.is_set():
                raise _EndedError(is_whole=False)
            budget_s = min(STEP_S, left_s)
            found = scan(backend, self._search, now=as_of, as_of=as_of, cursor=cursor, most=STEP, entries=ENTRIES, budget_s=budget_s)
            yield found
            cursor = found.cursor
            if not cursor:
                return

    def _samples(self, backend: Backend, matches: Sequence[Match]) -> tuple[Sample, ...]:
        found = rows(backend, tuple(matches), now=self._asked.as_of)
        return tuple(
            Sample(backend.name, match.queue, match.registry.value, match.job_id, row.function)
            for match, row in zip(matches, found, strict=True)
        )

    def _target(self, name: str) -> Part:
        backend = self._backends.get(name)
        if backend is None:
            return Part(name, is_target=True, problem=GONE)
        return Part(name, backend.profile.endpoint_version, backend.profile.protected, is_target=True)

    def _keep(self, made: Sequence[Item]) -> None:
        with self._claim.records.store.write() as session:
            if self._claim.keep(session) is not State.PLANNING:
                raise _EndedError
            items.add(session, self._claim.operation.id, made)

    def _forget(self, *, backend: str | None = None) -> None:
        with self._claim.records.store.write() as session:
            self._claim.keep(session)
            items.remove(session, self._claim.operation.id, backend=backend)

    def _end(self, state: State, what: str, *, problem: str = "") -> None:
        records = self._claim.records
        now = records.clock()
        plan_fields = [stored.part_fields(part) for part in self._parts]
        changes: dict[str, object] = {"plan": plan_fields, "total": self._total, "items": self._items, "problem": problem}
        with records.store.write() as session:
            # Canceled meanwhile, it stays so.
            if self._claim.keep(session, changes) is State.PLANNING:
                row = session.get_one(OperationRow, self._claim.operation.id)
                row.state, row.events = state.value, events_with(row, now, RUNNER, what)
                row.ended_at = now if state is State.FAILED else None
