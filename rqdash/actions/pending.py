"""The jobs of one share of an action that have no verdict yet, and how far it is known where they stand."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from rqdash.actions.positions import Taken
from rqdash.actions.scripted import UNPLACED, Order
from rqdash.model.outcome import JobOutcome, Outcome, Verdict

VERDICTS = {verdict.value: verdict for verdict in Verdict}

SEARCHES = 2
"""How often a long list is looked through for a batch; what is still not where it was is then said to be no longer there."""


@dataclass(frozen=True, slots=True)
class Share:
    """Distinct ids that are answered for together, and the journal that keeps their verdicts, if one does; see batches.py."""

    ids: Sequence[str]
    journal: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of a share that one call is asked about, and the places in a long list that they are thought to leave."""

    pending: Pending
    ids: Sequence[str]
    hints: Mapping[str, Sequence[int]]
    taken: Taken


class Pending:
    """One share on its way. searches: how often the list was looked through since it last got on; is_unplaced: it must be, once more."""

    def __init__(self, order: Order, share: Share) -> None:
        self.share = share
        # What is pushed to the front last stands first there.
        self.ids = deque(reversed(share.ids) if order.at_front else share.ids)
        self.verdicts: dict[str, Verdict] = {}
        self.searches = 0
        self.is_begun = False
        self.is_unplaced = False
        self._left: list[str] = []

    @property
    def is_over(self) -> bool:
        return len(self.verdicts) == len(self.share.ids)

    @property
    def is_smooth(self) -> bool:
        """Whether nobody who was asked about is left without a verdict, and no place is missing."""
        return not (self._left or self.is_unplaced or self.searches >= SEARCHES)

    def first(self, most: int) -> list[str]:
        """Who is next."""
        return list(islice(self.ids, most))

    def draw(self, count: int) -> None:
        """So many of those who are next are asked about now."""
        self.is_begun = True
        for _ in range(count):
            self.ids.popleft()

    def take_in(self, ids: Sequence[str], others: Mapping[str, str]) -> None:
        """Keeps what was said of drawn jobs, see scripted.said; whoever has no verdict is left."""
        settled = {job_id: VERDICTS[reply] for job_id in ids if (reply := others.get(job_id, Verdict.DONE)) in VERDICTS}
        self.verdicts.update(settled)
        self._left += (job_id for job_id in ids if job_id not in settled)
        if UNPLACED in others.values():
            self.is_unplaced = True
        else:
            self.searches = min(self.searches, 1)

    def lose(self, ids: Iterable[str]) -> None:
        """Nobody knows what became of these."""
        self.verdicts.update(dict.fromkeys(ids, Verdict.UNKNOWN))

    def leave(self, ids: Iterable[str]) -> None:
        """Nothing was done to these."""
        self._left += ids

    def give_back(self) -> None:
        """Those who are left are next again."""
        self.ids.extendleft(reversed(self._left))
        self._left = []

    def sort(self, rank: Mapping[str, int]) -> None:
        self.ids = deque(sorted(self.ids, key=rank.__getitem__))

    def outcome(self, order: Order, backend: str) -> Outcome:
        """What became of the share, in the order of its ids."""
        ids, verdicts = self.share.ids, self.verdicts
        jobs = tuple(JobOutcome(job_id, verdicts[job_id]) for job_id in ids if job_id in verdicts)
        return Outcome(order.verb, backend, order.queue, jobs, left=len(ids) - len(jobs), target=order.to_queue)
