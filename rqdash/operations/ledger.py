"""What a runner has done and not written down yet. The backends remember it too, so what is lost here is asked for again."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from rqdash.model.outcome import Verdict
from rqdash.operations import items, stored
from rqdash.operations.claims import Claim
from rqdash.operations.items import Item
from rqdash.operations.records import events_with
from rqdash.operations.stored import NOT_REACHED, VERDICTS
from rqdash.operations.values import ENDED, Sample, State, Wait
from rqdash.store.tables import OperationRow

SAMPLES = 10
"""Jobs named for each verdict; the list has all."""

SMOOTH_S = 5.0
"""The rate is that of about so many last seconds."""

WRITES_S = 0.5
RUNNER = "runner"
ENDINGS = {
    State.PAUSED: "paused",
    State.CANCELED: "ended before all was done",
    State.DONE: "came to the end",
    State.FAILED: "gave up",
}


class Ledger:
    """The outcomes of one claim. What it counts begins with what is in the database."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.state = claim.operation.state
        self.counts = {backend: dict(counts) for backend, counts in claim.operation.counts.items()}
        self._waits = {wait.backend: wait for wait in claim.operation.waits}
        self._samples = {verdict: list(samples) for verdict, samples in claim.operation.samples.items()}
        self._settled: list[tuple[int, str, bool]] = []
        self._events: list[str] = []
        self._rate = claim.operation.rate
        self._since_s = time.monotonic()
        self._jobs = 0

    @property
    def is_due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() - self._since_s >= WRITES_S

    @property
    def tally(self) -> dict[Verdict, int]:
        counts = self.counts.values()
        sums = {verdict: sum(found.get(verdict, 0) for found in counts) for verdict in Verdict}
        return {verdict: count for verdict, count in sums.items() if count}

    def enter(self, item: Item, letters: str, *, is_final: bool = True) -> None:
        """Notes what became of an item. What is not final is not counted: it will be asked for again."""
        self._settled.append((item.number, letters, is_final))
        if not is_final:
            return
        counts = self.counts.setdefault(item.backend, {})
        for letter in set(letters) - {NOT_REACHED}:
            verdict = VERDICTS[letter]
            counts[verdict] = counts.get(verdict, 0) + letters.count(letter)
            self._sample(item, letters, letter)
        self._jobs += len(item.ids)

    @property
    def again_s(self) -> dict[str, float]:
        """When backends that wait are tried again, in seconds since 1970."""
        return {name: wait.again_at.timestamp() for name, wait in self._waits.items() if wait.again_at is not None}

    @property
    def barred(self) -> str:
        """Why nothing more is done on some backends, in sentences."""
        return " ".join(wait.reason for wait in self._waits.values() if wait.again_at is None)

    def tries(self, backend: str) -> int:
        """How often a backend that waits was tried."""
        return self._waits[backend].tries if backend in self._waits else 0

    def wait(self, backend: str, reason: str, *, again_s: float) -> None:
        """Notes that a backend is left alone until a moment."""
        known = self._waits.get(backend)
        if known is None:
            self.tell(f"waits for {backend}: {reason}")
        since = known.since if known else self.claim.records.clock()
        again_at = datetime.fromtimestamp(again_s, UTC)
        self._waits[backend] = Wait(backend, reason, since, again_at, self.tries(backend) + 1)

    def go_on(self, backend: str) -> None:
        """Notes that a backend answers."""
        if self._waits.pop(backend, None) is not None:
            self.tell(f"{backend} answers again")

    def bar(self, backend: str, reason: str) -> None:
        """Notes that nothing more will be done on a backend."""
        known = self._waits.get(backend)
        if known is None or known.again_at is not None:
            self.tell(f"leaves {backend} alone: {reason}")
            self._waits[backend] = Wait(backend, reason, self.claim.records.clock())

    def tell(self, what: str) -> None:
        """Notes a step of the operation's course."""
        self._events.append(what)

    def write(self, *, leads: Mapping[State, State] = MappingProxyType({}), problem: str = "") -> State:
        """Writes everything down and renews the lease, in one transaction; gives the state the operation is in. Raises LostError.

        leads names the state that each of some states is to be followed by.
        """
        records, operation_id = self.claim.records, self.claim.operation.id
        with records.store.write() as session:
            # First, and so with the row locked: a runner whose operation was taken over writes nothing at all.
            self.state = self.claim.keep(session, self._fields())
            items.settle(session, operation_id, self._settled)
            to = leads.get(self.state)
            if self._events or to is not None:
                self._lead(session.get_one(OperationRow, operation_id), to, problem)
        self._settled, self._events = [], []
        self._since_s, self._jobs = time.monotonic(), 0
        return self.state

    def _lead(self, row: OperationRow, to: State | None, problem: str) -> None:
        now = self.claim.records.clock()
        for what in (*self._events, *([ENDINGS[to]] if to in ENDINGS else [])):
            row.events = events_with(row, now, RUNNER, what)
        if to is not None:
            self.state = to
            row.state, row.problem, row.rate = to.value, problem, None
            row.ended_at = now if to in ENDED else None

    def _fields(self) -> dict[str, object]:
        return {
            "counts": {backend: {verdict.value: count for verdict, count in counts.items()} for backend, counts in self.counts.items()},
            "samples": {verdict.value: [stored.sample_fields(sample) for sample in kept] for verdict, kept in self._samples.items()},
            "waits": {wait.backend: stored.wait_fields(wait) for wait in self._waits.values()},
            "rate": self._new_rate(),
        }

    def _new_rate(self) -> float | None:
        took_s = time.monotonic() - self._since_s
        if not self._jobs or took_s <= 0:
            return self._rate
        now = self._jobs / took_s
        weight = 1 - math.exp(-took_s / SMOOTH_S)
        self._rate = now if self._rate is None else self._rate + weight * (now - self._rate)
        return self._rate

    def _sample(self, item: Item, letters: str, letter: str) -> None:
        kept = self._samples.setdefault(VERDICTS[letter], [])
        for job_id, found in zip(item.ids, letters, strict=True):
            if len(kept) >= SAMPLES:
                return
            if found == letter:
                kept.append(Sample(item.backend, item.queue, item.registry.value, job_id))
