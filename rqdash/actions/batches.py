"""Carries an action out on many jobs: in batches, each one call of a script that checks before it acts."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice, takewhile

from rqdash.actions.positions import Places
from rqdash.actions.scripted import DENSE, UNPLACED, Order, ask, source
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, UnknownResult
from rqdash.model.outcome import JobOutcome, Outcome, Verdict

VERDICTS = {verdict.value: verdict for verdict in Verdict}

BATCH = 200
"""Ids in one call of a script: some 2 ms of the server's time; see bench/actions.py."""

LONG_BATCH = 100
"""The same where a long list must be walked: its pass alone takes 1.5 ms for 100,000 entries."""


SEARCHES = 2
"""How often a long list is looked through for a batch; what is still not where it was is then said to be no longer there."""


def carried_out(
    backend: Backend, order: Order, *, ids: Sequence[str], journal: str = "", places: Places | None = None
) -> tuple[Outcome, BackendError | None]:
    """The outcome for distinct ids, in their order, and what ended the action before it had reached all of them.

    A batch that got no answer in time is UNKNOWN. Jobs of later batches are counted in left. One round trip a batch; when jobs are
    far from both ends of a list of over 2,000 entries, also one per 5,000 entries to find them all.

    With a journal (such as "<operation>:<item>") the scripts keep every verdict for seven days in <prefix>:rqdash:op:<journal>, with
    what they do. Asked again with the same one, after whatever failure, an id that has a verdict is answered it and not touched.
    Whoever acts on one list in many calls hands the same places to each: the list is then looked through once for all of them.
    """
    walk, failure = _Walk(backend, order, ids, journal, Places() if places is None else places), None
    while walk.pending and failure is None:
        batch: list[str] = []
        try:
            batch = walk.batch()
            walk.step(batch)
        except BackendError as error:
            failure = error
            if isinstance(error, UnknownResult):
                walk.verdicts.update(dict.fromkeys(batch, Verdict.UNKNOWN))
    jobs = tuple(JobOutcome(job_id, walk.verdicts[job_id]) for job_id in ids if job_id in walk.verdicts)
    return Outcome(order.verb, backend.name, order.queue, jobs, left=len(ids) - len(jobs), target=order.to_queue), failure


class _Walk:
    """The way through the ids of one action: who is next, and where in a long list they are thought to be."""

    def __init__(self, backend: Backend, order: Order, ids: Sequence[str], journal: str, places: Places) -> None:
        self._backend = backend
        self._order = order
        self._journal = journal
        # What is pushed to the front last stands first there.
        self.pending = deque(reversed(ids) if order.at_front else ids)
        self.verdicts: dict[str, Verdict] = {}
        self._places = places.of(source(backend, order))
        self._hints: dict[str, list[int]] = {}
        self._searches = 0

    def batch(self) -> list[str]:
        """Who is next. Once the list was looked through, those that were found and those that were not go separately."""
        first = list(islice(self.pending, BATCH))
        self._hints = {}
        if not self._places:
            return first
        self._places.foresee(self._backend, first)
        self._hints = self._places.now(first)
        if len(self._hints) == len(first) and _span(self._hints) < DENSE * BATCH:
            return first
        is_placed = first[0] in self._hints
        batch = list(takewhile(lambda job_id: (job_id in self._hints) == is_placed, first))[: LONG_BATCH if is_placed else BATCH]
        self._hints = {job_id: self._hints[job_id] for job_id in batch if is_placed}
        return batch

    def step(self, batch: Sequence[str]) -> None:
        """Acts on a batch and takes those with a verdict off pending. Raises BackendError."""
        is_last = self._searches == SEARCHES or (self._searches > 0 and batch[0] not in self._hints)
        asked = batch[::-1] if self._order.at_front else batch
        others = ask(self._backend, self._order, asked, hints=self._hints, is_last=is_last, journal=self._journal)
        for _ in batch:
            self.pending.popleft()
        if not others:
            self._settle(dict.fromkeys(batch, Verdict.DONE))
            return
        settled = {job_id: VERDICTS[reply] for job_id in batch if (reply := others.get(job_id, Verdict.DONE)) in VERDICTS}
        self.pending.extendleft(job_id for job_id in reversed(batch) if job_id not in settled)
        if UNPLACED in others.values():
            self.verdicts.update(settled)
            self._search()
        else:
            self._settle(settled)

    def _settle(self, settled: Mapping[str, Verdict]) -> None:
        """Keeps verdicts, and the places of those still pending right: what was taken out before them moved them."""
        self.verdicts.update(settled)
        self._searches = min(self._searches, 1)
        if self._places:
            taken = [job_id for job_id, verdict in settled.items() if verdict in (Verdict.DONE, Verdict.GONE)]
            stays = self._order.at_front and self._order.to_queue == self._order.queue
            self._places.took(taken, pushed=sum(settled[job_id] is Verdict.DONE for job_id in taken) if stays else 0)

    def _search(self) -> None:
        """Looks through the list for everyone pending, and puts them into its order, those not found first."""
        found = self._places.search(self._backend, self.pending)
        self._searches += 1
        if self._order.at_front:
            known = [job_id for job_id in found if job_id in self._places]
            found = [job_id for job_id in found if job_id not in self._places] + known[::-1]
        self.pending = deque(found)


def _span(hints: Mapping[str, Sequence[int]]) -> int:
    known = [place for places in hints.values() for place in places]
    return max(known) - min(known)
