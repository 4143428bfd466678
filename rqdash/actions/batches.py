"""Carries an action out on many jobs: in batches, each one call of a script that checks before it acts."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import accumulate, takewhile

from rqdash.actions.pending import SEARCHES, Batch, Pending, Share
from rqdash.actions.positions import Places
from rqdash.actions.scripted import TO_A_QUEUE, Order, request, said, source
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call
from rqdash.errors import BackendError, UnknownResult
from rqdash.model.outcome import Outcome, Verdict

BATCH = 100
"""Ids in one call of a script: 1 to 2 ms of the server's time; see bench/actions.py."""

PLACES = 200
"""Entries of a long list that one call takes out, where jobs stand in it more than once: each is looked at, marked and swept."""

Result = tuple[Outcome, BackendError | None]


def carried_out(backend: Backend, order: Order, *, ids: Sequence[str], journal: str = "", places: Places | None = None) -> Result:
    """The outcome for distinct ids, in their order, and what ended the action before it had reached all of them.

    A batch that got no answer in time is UNKNOWN, and so is the one that was sent behind it. Jobs of later batches are counted in
    left. One call a batch, two of them under way at once; when jobs are far from both ends of a list of over 2,000 entries, also one
    per 5,000 entries to find them all.

    With a journal (such as "<operation>:<item>") the scripts keep every verdict for seven days in <prefix>:rqdash:op:<journal>, with
    what they do. Asked again with the same one, after whatever failure, an id that has a verdict is answered it and not touched.
    Whoever acts on one list in many calls hands the same places to each: the list is then looked through once for all of them.
    """
    return next(carried_out_each(backend, order, [Share(ids, journal)], places=places))


def carried_out_each(
    backend: Backend, order: Order, shares: Sequence[Share], *, places: Places | None = None, go_on: Callable[[], bool] = lambda: True
) -> Iterator[Result]:
    """The same for several shares of one registry, each as soon as all its jobs have a verdict, in their order.

    Each is begun before the one before it has ended. Asked to before one is begun, go_on says whether it may; those not begun get no
    result. A failure ends all: it stands beside the share it met, and beside those that were begun behind it.
    """
    yield from _Run(backend, order, shares, Places() if places is None else places, go_on).results()


class _Run:
    """The way through the shares of one action."""

    def __init__(self, backend: Backend, order: Order, shares: Iterable[Share], places: Places, go_on: Callable[[], bool]) -> None:
        self._backend = backend
        self._order = order
        self._all = deque(Pending(order, share) for share in shares)
        self._places = places.of(backend, source(backend, order))
        self._go_on = go_on
        self._is_pushed = order.at_front and order.to_queue == order.queue
        self._failure: BackendError | None = None

    def results(self) -> Iterator[Result]:
        while self._all:
            for _ in self._run_ahead():
                yield from self._ended()
            if self._failure is None and (pending := self._next()) is not None:
                self._step(pending)
            if self._failure is not None:
                yield from self._broken_off(self._failure)
                return
            yield from self._ended()
            if self._next() is None:
                return

    def _ended(self) -> Iterator[Result]:
        while self._all and self._all[0].is_over:
            yield self._all.popleft().outcome(self._order, self._backend.name), None

    def _broken_off(self, failure: BackendError) -> Iterator[Result]:
        for number, pending in enumerate(self._all):
            if number == 0 or pending.is_begun:
                yield pending.outcome(self._order, self._backend.name), failure

    def _next(self) -> Pending | None:
        """The share whose jobs are next, if there is one that is begun or may be."""
        pending = next((one for one in self._all if one.ids), None)
        return pending if pending is not None and (pending.is_begun or self._go_on()) else None

    # Ahead: without waiting for answers -------------------------------------------------------------------------------

    def _run_ahead(self) -> Iterator[None]:
        """Sends batch after batch, each before the one before it is answered, for as long as none needs a second look. A step an answer."""
        under_way: deque[Batch] = deque()
        try:
            with closing(self._backend.write_ahead(self._calls(under_way))) as replies:
                for reply in replies:
                    self._answered(under_way.popleft(), reply)
                    yield
        except BackendError as error:
            self._fail(error, under_way)
        for pending in self._all:
            pending.give_back()

    def _calls(self, under_way: deque[Batch]) -> Iterator[Call]:
        row = secrets.token_hex(8) if self._order.verb in TO_A_QUEUE else ""
        if sum(len(pending.ids) for pending in self._all) <= BATCH:
            return
        while self._failure is None and all(one.is_smooth for one in self._begun()) and (pending := self._next()) is not None:
            ids, hints = pending.first(BATCH), {}
            if self._places:
                hints = _light(self._places.now(ids))
                ids = ids[: len(hints)]
                if not ids or list(hints) != ids:
                    return
            under_way.append(self._drawn(pending, ids, hints))
            yield self._call(under_way[-1], is_last=False, row=row)

    def _begun(self) -> Iterator[Pending]:
        return takewhile(lambda one: one.is_begun, self._all)

    def _answered(self, batch: Batch, reply: object) -> None:
        if isinstance(reply, BackendError):
            self._fail(reply, [batch])
        else:
            self._take_in(batch, reply)

    # Step by step -----------------------------------------------------------------------------------------------------

    def _step(self, pending: Pending) -> None:
        """Acts on the next batch, when it is known where its jobs stand."""
        drawn: list[Batch] = []
        try:
            if pending.is_unplaced:
                self._search(pending)
            drawn.append(self._found(pending))
            is_last = pending.searches == SEARCHES or (pending.searches > 0 and not drawn[0].hints)
            self._take_in(drawn[0], self._backend.write(self._call(drawn[0], is_last=is_last)))
        except BackendError as error:
            self._fail(error, drawn)
        pending.give_back()

    def _found(self, pending: Pending) -> Batch:
        """Who is next. Once the list was looked through, those that were found and those that were not go separately."""
        ids = pending.first(BATCH)
        if not self._places:
            return self._drawn(pending, ids, {})
        self._places.foresee(self._backend, ids)
        known = self._places.now(ids)
        alike = list(takewhile(lambda job_id: (job_id in known) == (ids[0] in known), ids))
        hints = _light({job_id: known[job_id] for job_id in alike if job_id in known})
        return self._drawn(pending, alike[: len(hints)] if hints else alike, hints)

    def _search(self, pending: Pending) -> None:
        """Looks through the list for everyone pending, and puts them into its order, those not found first."""
        found = self._places.search(self._backend, [job_id for one in self._all for job_id in one.ids])
        pending.searches, pending.is_unplaced = pending.searches + 1, False
        if self._order.at_front:
            known = [job_id for job_id in found if job_id in self._places]
            found = [job_id for job_id in found if job_id not in self._places] + known[::-1]
        rank = {job_id: number for number, job_id in enumerate(found)}
        for one in self._all:
            one.sort(rank)

    # Both -------------------------------------------------------------------------------------------------------------

    def _drawn(self, pending: Pending, ids: Sequence[str], hints: Mapping[str, Sequence[int]]) -> Batch:
        """A batch on its way. Its places count as left from now on, so that the next one's are right when its turn comes."""
        pending.draw(len(ids))
        return Batch(pending, ids, hints, self._places.took(ids, is_pushed=self._is_pushed) if hints else {})

    def _call(self, batch: Batch, *, is_last: bool, row: str = "") -> Call:
        journal = batch.pending.share.journal
        return request(self._backend, self._order, self._asked(batch), hints=batch.hints, is_last=is_last, journal=journal, row=row)

    def _asked(self, batch: Batch) -> Sequence[str]:
        return batch.ids[::-1] if self._order.at_front else batch.ids

    def _take_in(self, batch: Batch, reply: object) -> None:
        """Keeps the verdicts of a batch, and the places right."""
        others, verdicts = said(self._asked(batch), reply), batch.pending.verdicts
        batch.pending.take_in(batch.ids, others)
        stayed = [job_id for job_id in others if verdicts.get(job_id) not in (Verdict.DONE, Verdict.GONE)]
        self._places.stayed(batch.taken, stayed, is_pushed=self._is_pushed)

    def _fail(self, error: BackendError, batches: Iterable[Batch]) -> None:
        """Notes what ends the action, and what became of the batches that got no better answer."""
        self._failure = self._failure or error
        for batch in batches:
            if isinstance(error, UnknownResult):
                batch.pending.lose(batch.ids)
            else:
                batch.pending.leave(batch.ids)


def _light(hints: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """The first of these jobs, as far as one call can take out all their places; one at least."""
    sums = accumulate(len(places) for places in hints.values())
    return {job_id: hints[job_id] for number, (job_id, sum_) in enumerate(zip(hints, sums, strict=True)) if number == 0 or sum_ <= PLACES}
