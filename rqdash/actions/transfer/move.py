"""Moving jobs to another backend, batch by batch: read, prepare, detach, activate, clean up."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from rqdash.actions.scripted import LATER, UNPLACED
from rqdash.actions.transfer import settle, steps
from rqdash.actions.transfer.order import Transfer
from rqdash.actions.transfer.places import Places
from rqdash.actions.transfer.preflight import Terms
from rqdash.actions.transfer.settle import Route
from rqdash.actions.transfer.steps import Parcel, Sent
from rqdash.errors import BackendError, UnknownResult
from rqdash.model.outcome import Verdict

BATCH = 50
"""Jobs in one call of each script: some 2 ms of a server's time for the longest."""

CHANGES = 3
"""How often a job that keeps changing is read anew."""

AGAIN = frozenset({LATER, UNPLACED, "changed"})


class Move:
    """One move of jobs of a registry. verdicts is by id, of those that have one; the others were not reached, and nothing was done."""

    def __init__(self, route: Route, order: Transfer, terms: Terms, *, journal: str) -> None:
        self._route = route
        self._order = order
        self._terms = terms
        self._journal = journal
        self._changes: Counter[str] = Counter()
        self.verdicts: dict[str, Verdict] = {}

    def run(self, ids: Sequence[str]) -> BackendError | None:
        """Moves these jobs, as far as a backend that fails allows; answers what ended it early. Some six round trips a batch.

        While a batch arrives the next is read and prepared; only one is on its way at any moment.
        """
        places = Places(self._route.source, self._order, ids)
        with ThreadPoolExecutor(1, thread_name_prefix="rqdash-move") as beside:
            arriving = Future[None]()
            arriving.set_result(None)
            try:
                while places.pending:
                    arriving = self._batch(places, arriving, beside)
                arriving.result()
            except BackendError as error:
                # What is arriving still gets its verdicts before they are looked at: the executor is waited for.
                return error
        return None

    def _batch(self, places: Places, before: Future[None], beside: ThreadPoolExecutor) -> Future[None]:
        """Takes a batch out of its place; what it gives ends when that has arrived. Raises BackendError, also that of the one before."""
        asked = places.batch(BATCH)
        sent = self._prepared(self._read(asked))
        try:
            before.result()
        except BackendError:
            self._abort(sent)
            raise
        taken = self._detached(sent, places) if sent else []
        ids = {one.job_id for one in taken}
        settled = {job_id for job_id in asked if job_id in self.verdicts}
        arriving = beside.submit(self._arrived, taken)
        places.settle(asked, done=ids | settled, taken=ids)
        self._remember(settled)
        return arriving

    def _read(self, ids: Sequence[str]) -> list[Sent]:
        """The jobs that may leave, as they are; the others get their verdict, or stay pending."""
        found = steps.snapshot(self._route.source, self._order, ids)
        sent = []
        for job_id, one in found.items():
            if isinstance(one, Parcel):
                refused = Verdict.REFUSED if one.is_odd else self._terms.refuses(job_id, one.data, keeps_id=True)
                if refused is None:
                    sent.append(Sent(job_id, job_id, str(uuid.uuid4()), one))
                else:
                    self.verdicts[job_id] = refused
            elif one not in AGAIN:
                self.verdicts[job_id] = Verdict(one)
        return sent

    def _prepared(self, sent: Sequence[Sent]) -> list[Sent]:
        """Those of which a copy is parked. A call without an answer is called off, so that it cannot be late."""
        if not sent:
            return []
        try:
            replies = steps.prepare(self._route.destination, self._order, sent)
        except UnknownResult:
            self._abort(sent)
            raise
        self.verdicts.update({one.job_id: Verdict.CONFLICT for one in sent if replies[one.token] == "conflict"})
        return [one for one in sent if replies[one.token] == "prepared"]

    def _detached(self, sent: Sequence[Sent], places: Places) -> list[Sent]:
        """Those taken out of where they were, in the order they stood; what is parked of the others is dropped."""
        try:
            found = steps.detach(
                self._route.source,
                self._order,
                sent,
                destination=self._route.destination,
                hints=places.hints(one.job_id for one in sent),
                is_last=places.is_last([one.job_id for one in sent]),
                journal=self._journal,
                replicated=self._route.has_replicas_here,
            )
        except UnknownResult as error:
            return self._fenced(sent, error)
        except BackendError:
            self._abort(sent)
            raise
        gone = set(found.order)
        self._judge({job_id: verdict for job_id, verdict in found.verdicts.items() if job_id not in gone})
        self._abort([one for one in sent if one.job_id not in gone])
        if UNPLACED in found.verdicts.values():
            places.search()
        by_id = {one.job_id: one for one in sent}
        return [by_id[job_id] for job_id in found.order]

    def _fenced(self, sent: Sequence[Sent], error: UnknownResult) -> list[Sent]:
        """After a detach without an answer: what it did is brought to its end, what it did not do can no longer be done.

        Raises the error afterwards. Where not even that is answered, the jobs are UNKNOWN: if they did leave, the sweeper finishes.
        """
        try:
            replies = steps.fence(self._route.source, [one.token for one in sent])
        except BackendError:
            self.verdicts.update({one.job_id: Verdict.UNKNOWN for one in sent})
            raise error from None
        self._abort([one for one in sent if replies[one.token] == "void"])
        self._arrived([one for one in sent if replies[one.token] == "detached"])
        raise error

    def _judge(self, replies: dict[str, str]) -> None:
        for job_id, reply in replies.items():
            self._changes[job_id] += reply == "changed"
            if self._changes[job_id] >= CHANGES:
                self.verdicts[job_id] = Verdict.STALE
            elif reply not in AGAIN:
                self.verdicts[job_id] = Verdict(reply)

    def _arrived(self, taken: Sequence[Sent]) -> None:
        """Raises BackendError when a backend failed in it; the verdicts are set all the same."""
        if not taken:
            return
        settled = settle.forward(self._route, [one.entry(self._order) for one in taken])
        self.verdicts.update({one.job_id: settled.verdicts[one.token] for one in taken})
        if settled.failure is not None:
            raise settled.failure

    def _abort(self, sent: Iterable[Sent]) -> None:
        """Drops what is parked. Should that fail, it is gone in an hour, and nothing was taken from the source."""
        attempts = [(one.there, one.token) for one in sent]
        if attempts:
            try:
                steps.abort(self._route.destination, attempts, replicated=self._route.has_replicas_there)
            except BackendError:
                return

    def _remember(self, refused: Iterable[str]) -> None:
        """Keeps these verdicts for the operation; those of jobs that left are kept by the scripts that settle them.

        What another runner of the same operation has kept before is the truth: a job that it moved is gone for this one.
        """
        verdicts = {job_id: self.verdicts[job_id].value for job_id in refused}
        if self._journal and verdicts:
            kept = steps.remember(self._route.source, verdicts, journal=self._journal)
            self.verdicts.update({job_id: Verdict(word) for job_id, word in kept.items()})
