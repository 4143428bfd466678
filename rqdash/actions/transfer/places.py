"""Where jobs to be moved stand in a long list, so that no single call has to look through all of it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from itertools import takewhile

from rqdash.actions.positions import positions
from rqdash.actions.scripted import source as place_of
from rqdash.actions.transfer.order import Transfer
from rqdash.backends.backend import Backend
from rqdash.model.names import encoded

SEARCHES = 2
"""How often a list is looked through without finding who comes next; who is still not found is then no longer there."""


class Places:
    """The jobs still to be moved, in the order in which they are taken, and where in the list each is thought to be."""

    def __init__(self, source: Backend, order: Transfer, ids: Sequence[str]) -> None:
        self._source = source
        self._key = place_of(source, order.leaving())
        self._at_front = order.at_front
        # What is pushed to the front last stands first there.
        self.pending = list(reversed(ids)) if order.at_front else list(ids)
        self._places: dict[str, list[int]] = {}
        self._drift = 0
        self._searches = 0
        self._is_sorted_anew = False

    def batch(self, most: int) -> list[str]:
        """Who is next, in the order in which they stand. Those that were found in the list and those that were not go separately."""
        is_placed = self.pending[0] in self._places
        alike = takewhile(lambda job_id: (job_id in self._places) == is_placed, self.pending)
        chosen = [job_id for job_id, _ in zip(alike, range(most), strict=False)]
        return chosen[::-1] if self._at_front else chosen

    def hints(self, ids: Iterable[str]) -> dict[str, list[int]]:
        return {job_id: [place + self._drift for place in self._places.get(job_id, ())] for job_id in ids}

    def is_last(self, ids: Sequence[str]) -> bool:
        """Whether those of a batch that are not found now are not there at all."""
        return self._searches >= SEARCHES or (self._searches > 0 and ids[0] not in self._places)

    def search(self) -> None:
        """Looks through the list for everyone pending, and puts them into its order, those not found first."""
        raw = {encoded(job_id): job_id for job_id in self.pending}
        found = positions(self._source, self._key, ids=raw.keys())
        self._places = {raw[job_id]: places for job_id, places in found.items()}
        self._drift = 0
        self._searches += 1
        self._is_sorted_anew = True
        step = -1 if self._at_front else 1
        self.pending.sort(key=lambda job_id: step * min(self._places[job_id]) if job_id in self._places else -float("inf"))

    def settle(self, batch: Sequence[str], *, done: Container[str], taken: Iterable[str]) -> None:
        """Takes those of the last batch that are done off pending; what was taken out of the list moved the others towards its head."""
        # The batch is what stands first, unless a search put everybody into another order.
        within = len(self.pending) if self._is_sorted_anew else len(batch)
        self.pending[:within] = [job_id for job_id in self.pending[:within] if job_id not in done]
        if not self._is_sorted_anew:
            self._searches = min(self._searches, 1)
        self._is_sorted_anew = False
        moved = sum(len(self._places.pop(job_id, ())) for job_id in taken)
        if not self._at_front:
            self._drift -= moved
