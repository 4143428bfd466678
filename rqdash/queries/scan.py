"""Finds jobs on one backend: what has an index narrows first, then a bounded scan that says what it covered and where it goes on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.model import unseen
from rqdash.model.registry import Registry
from rqdash.model.search import Search
from rqdash.queries import scan_by_pipeline, scan_cursor, scan_plan
from rqdash.queries.found_rows import Match, rows
from rqdash.queries.scan_cursor import Cursor
from rqdash.queries.scan_plan import INDEX, MEMBER, Plan, identity
from rqdash.queries.scan_reading import BUSY_S, Batch, Stretch, place_at, read
from rqdash.queries.scan_sources import Source, placed, rank, sources

__all__ = ["Match", "Scan", "rows", "scan"]

MOST_MATCHES = 1_000_000
MOST_QUEUES = 100
FIRST_CALL, SMALLEST_CALL, LARGEST_CALL = 256, 64, 4096
"""Entries that one call of a script looks at; the first is small, and the next ones as large as the answers are quick."""
CALLS = 16
"""Scripts in one round trip, for sources that are small."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found: newest first within each registry, no job of one registry twice in one call.

    scanned of total entries were looked at, by this call and those it goes on from; total is what there is now. cursor "" =
    everything was looked at. What arrived during a scan may be looked at twice, or not at all; what was there at its start and stayed
    is looked at. queues are those that hold any of the total, at most 100. undated: how many as_of left out because nobody knows when
    they came to their registry. note: what the search cannot tell because of the profile's policy, a sentence.
    """

    matches: tuple[Match, ...]
    scanned: int
    total: int
    cursor: str
    queues: tuple[str, ...] = ()
    undated: int = 0
    note: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.cursor


def scan(
    backend: Backend,
    search: Search,
    *,
    now: datetime,
    as_of: datetime | None = None,
    cursor: str = "",
    most: int = MOST_MATCHES,
    entries: int = 2_000,
    budget_s: float = 1.0,
) -> Scan:
    """Jobs that match, until `most` were found, `entries` were looked at or the budget is spent; cursor goes on where a scan stopped.

    Registries are scanned in the order of Search.registries, in each the queues by name, and in each of those from the tail of the
    list or the highest score down; started and scheduled jobs from the lowest up. as_of leaves out jobs that came to their registry
    later, or at an unknown moment; those whose job is gone stay. Whole ids are looked up and nothing is scanned, nor where the policy
    of the profile lets nothing match (unseen). A few more than `most` may be found where ids are over 300 bytes. Raises Invalid for a
    cursor of another search. Reads the set of queues, the sizes of their lists and registries, and the jobs; three round trips and one
    for about every 500 entries, each script at most 5 ms of the server.
    """
    after = scan_cursor.read(cursor, search) if cursor else None
    note = unseen.note(search, backend.profile)
    if not search.on_backend(backend.name) or unseen.takes_nothing(search, backend.profile):
        return Scan((), 0, 0, "", note=note)
    plans = {registry: scan_plan.plan(search, registry, now=now, as_of=as_of, profile=backend.profile) for registry in search.registries}
    if (ids := search.whole_ids) is not None:
        return replace(_by_id(backend, plans, search, ids), note=note)
    walk = _Walk(backend, plans, most=most, entries=entries, until_s=time.monotonic() + budget_s)
    walk.found(_by_id(backend, plans, search, _possible_ids(search)).matches, is_new=after is None)
    return replace(_walked(walk, search, sources(backend, search), after), undated=walk.undated, note=note)


Rest = tuple[Source, tuple[bytes, ...]]
"""A source, and where in it to go on; () is its start."""


class _Walk:
    """One call's way through the sources: what it found and how far it came."""

    __slots__ = ("_backend", "_call", "_entries", "_most", "_plans", "_seen", "_until_s", "looked", "matches", "undated")

    def __init__(self, backend: Backend, plans: dict[Registry, Plan], *, most: int, entries: int, until_s: float) -> None:
        self._backend, self._plans = backend, plans
        self._most, self._entries, self._until_s = max(most, 1), max(entries, 1), until_s
        self._call = FIRST_CALL
        self._seen: set[Match] = set()
        self.looked = self.undated = 0
        self.matches: list[Match] = []

    def found(self, matches: Iterable[Match], *, is_new: bool) -> None:
        """Jobs that need not be found any more; an earlier call told of those that are not new."""
        for match in matches:
            self._seen.add(match)
            if is_new:
                self.matches.append(match)

    def run(self, pending: deque[Rest]) -> Rest | None:
        """Goes on until enough was found or looked at; where it stopped, None at the end."""
        while pending:
            stretches = self._next(pending)
            for stretch, batch in zip(stretches, read(self._backend, stretches), strict=False):
                place = self._take(stretch, batch)
                if place is not None:
                    pending[0] = (stretch.source, place)
                    break
                pending.popleft()
            if pending and (self.looked >= self._entries or len(self.matches) >= self._most or time.monotonic() >= self._until_s):
                return pending[0]
        return None

    def _next(self, pending: deque[Rest]) -> list[Stretch]:
        """The stretches of one round trip: one of a large source, or several small sources together."""
        room = min(self._call, self._entries - self.looked)
        stretches: list[Stretch] = []
        for source, place in pending:
            if stretches and (len(stretches) == CALLS or source.size > room):
                break
            stretches.append(Stretch(source, self._plans[source.registry], place, max(room, 1)))
            room -= source.size
        return stretches

    def _take(self, stretch: Stretch, batch: Batch) -> tuple[bytes, ...] | None:
        """Keeps what matches; where in the source to go on, None when it is done."""
        source, plan = stretch.source, stretch.plan
        for row in batch.rows:
            if not plan.takes(row):
                self.undated += plan.is_undated(row)
                continue
            match = Match(source.queue, source.registry, identity(row[MEMBER], source.registry))
            if match not in self._seen:
                self._seen.add(match)
                self.matches.append(match)
            index, member = row[INDEX], row[MEMBER]
            is_enough = len(self.matches) >= self._most and isinstance(member, bytes) and len(member) <= scan_by_pipeline.LONG
            if is_enough and isinstance(index, int) and index < batch.looked:
                self.looked += index
                return place_at(row, batch, stretch)
        self.looked += batch.looked
        self._adapt(batch)
        return None if batch.is_done else batch.place

    def _adapt(self, batch: Batch) -> None:
        """Sizes the next calls by how long the server was busy with this one."""
        if batch.looked >= SMALLEST_CALL:
            factor = min(max(BUSY_S / max(batch.busy_s, 1e-6), 0.5), 2.0)
            self._call = min(max(int(batch.looked * factor), SMALLEST_CALL), LARGEST_CALL)


def _walked(walk: _Walk, search: Search, there: Sequence[Source], after: Cursor | None) -> Scan:
    """What is found in the sources from where an earlier call stopped."""
    rest = walk.run(_from(there, after))
    total = sum(source.size for source in there)
    queues = tuple(dict.fromkeys(source.queue for source in there))[:MOST_QUEUES]
    if rest is None:
        return Scan(tuple(walk.matches), total, total, "", queues)
    source, place = rest
    scanned = min(walk.looked + (after.scanned if after else 0), total)
    further = scan_cursor.written(Cursor(source.registry, source.queue, place, scanned), search)
    return Scan(tuple(walk.matches), scanned, total, further, queues)


def _from(there: Sequence[Source], after: Cursor | None) -> deque[Rest]:
    """What is still to be scanned; where the source to go on in is gone, everything after it."""
    if after is None:
        return deque((source, ()) for source in there)
    at = next((at for at, source in enumerate(there) if after.is_at(source.registry, source.queue)), None)
    if at is None:
        return deque((source, ()) for source in there if source.rank > rank(after.registry, after.queue))
    return deque([(there[at], after.place), *((source, ()) for source in there[at + 1 :])])


def _possible_ids(search: Search) -> tuple[str, ...]:
    """Bare words that may be whole ids: those are found wherever they are."""
    terms = [term for term in search.of("") if not term.is_negated]
    return tuple(dict.fromkeys(pattern.parts[0] for term in terms for pattern in term.patterns if pattern.is_exact))


def _by_id(backend: Backend, plans: dict[Registry, Plan], search: Search, ids: Sequence[str]) -> Scan:
    """The jobs of these ids that match in all else too."""
    places = placed(backend, search, ids)
    matches, undated = [], 0
    for registry, plan in plans.items():
        here = [place for place in places if place.registry is registry]
        read_rows = scan_by_pipeline.rows(backend, plan, [(at + 1, place.member, place.score) for at, place in enumerate(here)])
        undated += sum(map(plan.is_undated, read_rows))
        pairs = zip(here, read_rows, strict=True)
        matches += [Match(place.queue, registry, identity(place.member, registry)) for place, row in pairs if plan.takes(row)]
    return Scan(tuple(matches), len(ids), len(ids), "", undated=undated)
