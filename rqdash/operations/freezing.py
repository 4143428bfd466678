"""Gathers the jobs that match on one backend into items, and counts those that are left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rqdash.model.registry import Registry
from rqdash.operations.items import SIZE, Item
from rqdash.operations.orders import exclusion
from rqdash.operations.values import Asked
from rqdash.queries.scan import Match

Group = tuple[str, Registry]


class Freezer:
    """One backend's jobs on the way into items, numbered from first on.

    Matches come newest first, but scheduled ones by when they are due; items hold the oldest first, or the first to be due.
    """

    def __init__(self, asked: Asked, name: str, *, first: int) -> None:
        self._asked = asked
        self._name = name
        self.next = first
        self._open: dict[Group, list[str]] = {}
        # Lists may hold an id twice. A hash of 64 bits each: a million jobs are 60 MB so, not 120.
        self._seen: dict[Group, set[int]] = {}
        self.matched = 0
        self.excluded: Counter[str] = Counter()
        self.first: list[Match] = []

    def add(self, matches: Sequence[Match], *, samples: int) -> list[Item]:
        """The items that these matches, each job once, complete; the first few of those to act on are kept as samples."""
        full: list[Item] = []
        for group, some in groupby(matches, key=_group):
            seen = self._seen.setdefault(group, set())
            new = [match for match in some if hash(match.job_id) not in seen]
            seen.update(hash(match.job_id) for match in new)
            if reason := exclusion(self._asked, *group):
                self.excluded[reason] += len(new)
                continue
            self.matched += len(new)
            self.first += new[: samples - len(self.first)]
            ids = self._open.pop(group, []) + [match.job_id for match in new]
            whole = len(ids) - len(ids) % SIZE
            full += [self._item(group, ids[start : start + SIZE]) for start in range(0, whole, SIZE)]
            self._open[group] = ids[whole:]
        return full

    @property
    def queues(self) -> tuple[str, ...]:
        """Those of the jobs to act on, by name."""
        return tuple(sorted({queue for queue, _ in self._open}))

    def left_out(self, reason: str, count: int) -> None:
        """Counts jobs that are left alone and were not even found."""
        if count:
            self.excluded[reason] += count

    def rest(self) -> list[Item]:
        """The items that are not full, at the end."""
        return [self._item(group, ids) for group, ids in self._open.items() if ids]

    def _item(self, group: Group, ids: Sequence[str]) -> Item:
        number, self.next = self.next, self.next + 1
        is_in_order = group[1] is Registry.SCHEDULED
        return Item(number, self._name, *group, tuple(ids) if is_in_order else tuple(reversed(ids)))


def _group(match: Match) -> Group:
    return match.queue, match.registry
