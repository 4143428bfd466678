"""Copying jobs to another backend: the same as moving, under new ids and without taking anything from the source."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from contextlib import suppress

from rqdash.actions.scripted import LATER
from rqdash.actions.transfer import steps
from rqdash.actions.transfer.order import Transfer
from rqdash.actions.transfer.preflight import Terms
from rqdash.actions.transfer.settle import Route
from rqdash.actions.transfer.steps import Parcel, Sent
from rqdash.errors import BackendError, UnknownResult
from rqdash.model.names import encoded
from rqdash.model.outcome import Verdict

BATCH = 50


class Copy:
    """One copying of jobs of a registry. verdicts is by id, of those that have one; new_ids says what the copies are called."""

    def __init__(self, route: Route, order: Transfer, terms: Terms, *, journal: str) -> None:
        self._route = route
        self._order = order
        self._terms = terms
        self._journal = journal
        self.verdicts: dict[str, Verdict] = {}
        self.new_ids: dict[str, str] = {}

    def run(self, ids: Sequence[str]) -> BackendError | None:
        """Copies these jobs, as far as a backend that fails allows; answers what ended it early. Four round trips a batch."""
        pending = list(reversed(ids)) if self._order.at_front else list(ids)
        try:
            while pending:
                batch = pending[:BATCH]
                self._batch(batch[::-1] if self._order.at_front else batch)
                pending[:BATCH] = [job_id for job_id in batch if job_id not in self.verdicts]
        except BackendError as error:
            return error
        return None

    def name(self, job_id: str) -> str:
        """What the copy of a job is called: always the same for an operation, so that asking again makes no second one."""
        return _derived("id", self._journal, job_id) if self._journal else str(uuid.uuid4())

    def _batch(self, ids: Sequence[str]) -> None:
        sent = self._read(ids)
        if not sent:
            return
        replies = steps.prepare(self._route.destination, self._order, sent)
        self.verdicts.update({one.job_id: Verdict.CONFLICT for one in sent if replies[one.token] == "conflict"})
        ready = [one for one in sent if replies[one.token] == "prepared"]
        if ready:
            replies |= self._activated(ready)
        for one in sent:
            if replies[one.token] == "active":
                self.verdicts[one.job_id] = Verdict.DONE
                self.new_ids[one.job_id] = one.there
            else:
                self.verdicts.setdefault(one.job_id, Verdict.REFUSED)
        # Without this their markers only stay longer.
        with suppress(BackendError):
            steps.forget(self._route.destination, [one.token for one in sent])

    def _read(self, ids: Sequence[str]) -> list[Sent]:
        sent = []
        for job_id, one in steps.snapshot(self._route.source, self._order, ids).items():
            if isinstance(one, Parcel):
                refused = Verdict.REFUSED if one.is_odd else self._terms.refuses(job_id, one.data, keeps_id=False)
                if refused is None:
                    sent.append(Sent(job_id, self.name(job_id), self._token(job_id), one))
                else:
                    self.verdicts[job_id] = refused
            elif one != LATER:
                self.verdicts[job_id] = Verdict(one)
        return sent

    def _token(self, job_id: str) -> str:
        return _derived("token", self._journal, job_id) if self._journal else str(uuid.uuid4())

    def _activated(self, ready: Sequence[Sent]) -> steps.Answers:
        """An activation without an answer is asked for once more: it then says what the marker does."""
        entries = [one.entry(self._order) for one in ready]
        try:
            return steps.activate(self._route.destination, entries, journal=self._journal)
        except UnknownResult:
            pass
        try:
            return steps.activate(self._route.destination, entries, journal=self._journal)
        except BackendError:
            self.verdicts.update({one.job_id: Verdict.UNKNOWN for one in ready})
            raise


def _derived(kind: str, journal: str, job_id: str) -> str:
    digest = hashlib.sha256(b"\0".join((kind.encode(), journal.encode(), encoded(job_id)))).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
