"""Which entries of a backend's failed registries to look at, when there are more than a window holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

FIRST_BLOCK = 16
ANY = float("inf")
"""How new entries in no order may be."""
SLACK_S = 60.0
"""RQ counts in whole seconds from when it notices a failure, so neighbours are in order only about."""
MOST_DISORDERED = 0.25


@dataclass(frozen=True, slots=True)
class Sizes:
    """A queue's failed registry: its entries, how many never expire and how many are expired.

    moments: when the first job of each block ended. Blocks divide the live entries that expire, latest first; each is twice as large
    as the one before it.
    """

    queue: str
    total: int
    forever: int
    expired: int
    moments: tuple[datetime | None, ...] = ()

    @property
    def live(self) -> int:
        return max(self.total - self.expired, 0)

    @property
    def is_ordered(self) -> bool:
        """Whether the later a job expires the later it ended, as far as samples tell: all were given the same time to live."""
        known = [at.timestamp() for at in self.moments if at is not None]
        return all(later <= earlier + SLACK_S for earlier, later in pairwise(known))

    @property
    def lapsing(self) -> int:
        """Live entries that will expire."""
        return max(self.live - self.forever, 0)


@dataclass(frozen=True, slots=True)
class Range:
    """Entries first to last of a queue's registry: of those that never expire, or of the others from the latest on."""

    queue: str
    is_forever: bool
    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def split(self, size: int) -> tuple[tuple[Range, ...], Range]:
        """Its first entries, as many as size says, none for 0; and the rest."""
        rest = Range(self.queue, self.is_forever, self.first + size, self.last)
        return ((Range(self.queue, self.is_forever, self.first, self.first + size - 1),) if size else ()), rest


@dataclass(frozen=True, slots=True)
class Part:
    """Entries to look at, and how new the newest of them may be, in seconds since 1970."""

    newest_s: float
    range: Range


def chosen(sizes: Sequence[Sizes], *, most: int) -> list[Part]:
    """Where the newest may be, the likeliest first.

    First those that never expire, which are in no order: each queue gives as many as the others, in all half of most. Then the blocks
    of the others whose first job ended last, and then the rest of the first kind.
    """
    shares = _even([queue.forever for queue in sizes], most=most // 2)
    never = [(queue, share) for queue, share in zip(sizes, shares, strict=True) if queue.forever]
    first = [Part(ANY, Range(queue.queue, True, 0, share - 1)) for queue, share in never if share]
    last = [Part(ANY, Range(queue.queue, True, share, queue.forever - 1)) for queue, share in never if share < queue.forever]
    sampled = [queue for queue in sizes if len(queue.moments) > 1]
    is_ordered = sum(not queue.is_ordered for queue in sampled) <= len(sampled) * MOST_DISORDERED
    dated = sorted((part for queue in sizes for part in _dated(queue, others_are=is_ordered)), key=lambda part: part.newest_s, reverse=True)
    return [*first, *dated, *last]


def blocks(size: int) -> Iterator[tuple[int, int]]:
    """(first, last) of the blocks of this many entries."""
    first, count = 0, FIRST_BLOCK
    while first < size:
        yield first, min(first + count, size) - 1
        first, count = first + count, count * 2


def cut(parts: Sequence[Part], *, size: int) -> tuple[list[Part], list[Part]]:
    """The first size entries of the parts, and what is left of them."""
    taken: list[Part] = []
    room = size
    for at, part in enumerate(parts):
        if part.range.size > room:
            here, rest = part.range.split(room)
            return [*taken, *(Part(part.newest_s, found) for found in here)], [Part(part.newest_s, rest), *parts[at + 1 :]]
        taken.append(part)
        room -= part.range.size
    return taken, []


def batches(ranges: Sequence[Range], *, size: int) -> Iterator[list[Range]]:
    """The ranges, cut where they must be, in lists of at most size entries."""
    left = [Part(ANY, part) for part in ranges]
    while left:
        taken, left = cut(left, size=size)
        yield [part.range for part in taken]


def _dated(queue: Sizes, *, others_are: bool) -> Iterator[Part]:
    """The blocks with when they begin.

    A job that is gone says nothing, so its block is taken to be as old as the one before it. Where blocks do not begin one after the
    other, jobs were given different times to live and the newest may be anywhere: in this queue, or in all when it is so in many.
    """
    newest_s = ANY
    for number, (first, last) in enumerate(blocks(queue.lapsing)):
        at = queue.moments[number] if others_are and queue.is_ordered and number < len(queue.moments) else None
        newest_s = at.timestamp() + SLACK_S if at else newest_s
        yield Part(newest_s, Range(queue.queue, False, first, last))


def _even(sizes: Sequence[int], *, most: int) -> list[int]:
    """Shares of sizes that come to most: the small ones whole, the others alike."""
    shares = [0] * len(sizes)
    for done, at in enumerate(sorted(range(len(sizes)), key=lambda at: sizes[at])):
        shares[at] = min(sizes[at], most // (len(sizes) - done))
        most -= shares[at]
    return shares
