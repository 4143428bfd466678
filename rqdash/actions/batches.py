"""Carries an action out on many jobs: in batches, each one call of a script that checks before it acts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from rqdash.actions.positions import positions
from rqdash.actions.scripted import LATER, UNPLACED, Order, ask, source
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, UnknownResult
from rqdash.model.names import encoded
from rqdash.model.outcome import JobOutcome, Outcome, Verdict

BATCH = 100
"""Ids in one call of a script: some 2 ms of the server's time; see bench/actions.py."""

LONG_BATCH = 50
"""The same where a long list must be walked: its pass alone takes 1.5 ms for 100,000 entries."""

SEARCHES = 2
"""How often a long list is looked through for a batch; what is still not where it was is then said to be no longer there."""


def carried_out(backend: Backend, order: Order, *, ids: Sequence[str]) -> tuple[Outcome, BackendError | None]:
    """The outcome for distinct ids, in their order, and what ended the action before it had reached all of them.

    A batch that got no answer in time is UNKNOWN. Jobs of later batches are counted in left. One round trip a batch; when jobs are
    far from both ends of a list of over 2,000 entries, also one per 5,000 entries to find them all.
    """
    walk, failure = _Walk(backend, order, ids), None
    while walk.pending and failure is None:
        batch = walk.batch()
        try:
            walk.step(batch)
        except BackendError as error:
            failure = error
            if isinstance(error, UnknownResult):
                walk.verdicts.update(dict.fromkeys(batch, Verdict.UNKNOWN))
    jobs = tuple(JobOutcome(job_id, walk.verdicts[job_id]) for job_id in ids if job_id in walk.verdicts)
    return Outcome(order.verb, backend.name, order.queue, jobs, left=len(ids) - len(jobs), target=order.to_queue), failure


class _Walk:
    """The way through the ids of one action: who is next, and where in a long list they are thought to be."""

    def __init__(self, backend: Backend, order: Order, ids: Sequence[str]) -> None:
        self._backend = backend
        self._order = order
        # What is pushed to the front last stands first there.
        self.pending = list(reversed(ids)) if order.at_front else list(ids)
        self.verdicts: dict[str, Verdict] = {}
        self._places: dict[str, list[int]] = {}
        self._drift = 0
        self._searches = 0

    def batch(self) -> list[str]:
        """Who is next. Once the list was looked through, those that were found and those that were not go separately."""
        is_placed = self.pending[0] in self._places
        alike = takewhile(lambda job_id: (job_id in self._places) == is_placed, self.pending)
        return [job_id for job_id, _ in zip(alike, range(LONG_BATCH if is_placed else BATCH), strict=False)]

    def step(self, batch: Sequence[str]) -> None:
        """Acts on a batch and takes those with a verdict off pending. Raises BackendError."""
        hints = {job_id: [place + self._drift for place in self._places.get(job_id, ())] for job_id in batch}
        is_last = self._searches == SEARCHES or (self._searches > 0 and batch[0] not in self._places)
        asked = batch[::-1] if self._order.at_front else batch
        replies = ask(self._backend, self._order, asked, hints=hints, is_last=is_last)
        settled = {job_id: Verdict(reply) for job_id, reply in replies.items() if reply not in (UNPLACED, LATER)}
        self.verdicts.update(settled)
        self.pending = [job_id for job_id in batch if job_id not in settled] + self.pending[len(batch) :]
        if UNPLACED in replies.values():
            self._search()
        else:
            self._follow(settled)

    def _search(self) -> None:
        """Looks through the list for everyone pending, and puts them into its order, those not found first."""
        raw = {encoded(job_id): job_id for job_id in self.pending}
        found = positions(self._backend, source(self._backend, self._order), ids=raw.keys())
        self._places = {raw[job_id]: places for job_id, places in found.items()}
        self._drift = 0
        self._searches += 1
        step = -1 if self._order.at_front else 1
        self.pending.sort(key=lambda job_id: step * min(self._places[job_id]) if job_id in self._places else -float("inf"))

    def _follow(self, settled: dict[str, Verdict]) -> None:
        """Keeps the places of those still pending right: what was taken out before them moved them towards the head."""
        self._searches = min(self._searches, 1)
        taken = sum(len(self._places.pop(job_id, ())) for job_id, verdict in settled.items() if verdict in (Verdict.DONE, Verdict.GONE))
        if not self._order.at_front:
            self._drift -= taken
        elif self._order.to_queue == self._order.queue:
            self._drift += taken
