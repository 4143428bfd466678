"""Where jobs stand in a long list, read in windows so that no single read holds the server for long, and kept while jobs leave it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Sequence

from rqdash.backends.backend import Backend
from rqdash.model.names import encoded

WINDOW = 5_000
"""Entries in one read: under 1 ms of the server's time."""

BEHIND = 500
"""Entries of a window that lie where the way came from: jobs are not always named in the order they stand."""


def positions(backend: Backend, key: bytes, *, ids: Collection[bytes]) -> dict[bytes, list[int]]:
    """Every place (0 = next to run) of those of these ids that stand in a list. One round trip, and one per 5,000 entries.

    Read from the tail to the head: workers pop at the head meanwhile, which moves entries into windows yet to be read, never past
    them.
    """
    (length,) = backend.read(("LLEN", key))
    found: dict[bytes, list[int]] = {}
    stop = length if isinstance(length, int) else 0
    while stop > 0:
        start = max(0, stop - WINDOW)
        _note(found, _window(backend, key, start, stop - 1), start, ids=ids)
        stop = start
    return found


def _window(backend: Backend, key: bytes, first: int, last: int) -> list[bytes]:
    (window,) = backend.read(("LRANGE", key, first, last))
    return window if isinstance(window, list) else []


def _note(found: dict[bytes, list[int]], window: Sequence[bytes], start: int, *, ids: Collection[bytes]) -> None:
    """Adds the places of those of these ids that are in a window of a list."""
    places = dict(zip(window, range(start, start + len(window)), strict=True))
    for job_id in places.keys() & ids:
        found.setdefault(job_id, []).append(places[job_id])
    if len(places) < len(window):
        for place, job_id in enumerate(window, start=start):
            if job_id in ids and place != places[job_id]:
                found[job_id].append(place)


Taken = dict[bytes, list[int]]
"""Places as they were found, of jobs that leave them."""


class Places:
    """Where jobs are thought to stand in one list: looked up when asked to, and kept right for what is taken out since.

    It may be wrong by what others do to the list; scripts check each place. One of them, handed from call to call, lets a long way
    along a list be walked in many calls without looking the whole list through for each.
    """

    def __init__(self) -> None:
        self._key = b""
        self._whose = ""
        self._is_used = False
        self._found: dict[bytes, list[int]] = {}
        # Places as they were found, ascending: of what was taken out since.
        self._taken: list[int] = []
        self._pushed = 0
        self._cursor = 0
        self._step = 0

    def of(self, backend: Backend, key: bytes) -> Places:
        """These places, emptied if they were of another list."""
        if (backend.name, key) != (self._whose, self._key):
            self._start({})
            self._whose, self._key, self._cursor, self._is_used = backend.name, key, 0, False
        return self

    def __contains__(self, job_id: str) -> bool:
        return encoded(job_id) in self._found

    def __bool__(self) -> bool:
        """Whether the list was looked through: it is one of which places must be known."""
        return self._is_used

    def now(self, ids: Iterable[str]) -> dict[str, list[int]]:
        """Where jobs stand by now, as far as that is known."""
        taken, pushed = self._taken, self._pushed
        known = ((job_id, self._found.get(encoded(job_id))) for job_id in ids)
        return {job_id: [place - bisect_left(taken, place) + pushed for place in places] for job_id, places in known if places}

    def search(self, backend: Backend, ids: Collection[str]) -> list[str]:
        """Looks the whole list through for these jobs, and forgets all others. Answers them in its order, those not found first."""
        raw = {encoded(job_id): job_id for job_id in ids}
        self._is_used = True
        self._start(positions(backend, self._key, ids=raw.keys()))
        first = {job_id: min(places) for job_id, places in self._found.items()}
        return [raw[job_id] for job_id in raw if job_id not in first] + [raw[job_id] for job_id in sorted(first, key=first.__getitem__)]

    def foresee(self, backend: Backend, ids: Collection[str]) -> None:
        """Where an earlier call has been along the list, looks for these jobs in one window from there on. At most one round trip."""
        if not self._is_used or any(job_id in self for job_id in ids):
            return
        ahead = {1: BEHIND, -1: WINDOW - BEHIND, 0: WINDOW // 2}[self._step]
        first = max(0, self._cursor - ahead)
        window = _window(backend, self._key, first, first + WINDOW - 1)
        found: dict[bytes, list[int]] = {}
        _note(found, window, first, ids=set(window))
        self._start(found, step=self._step)

    def took(self, ids: Iterable[str], *, is_pushed: bool = False) -> Taken:
        """These leave their places; is_pushed: for the front of the same list."""
        raw = [encoded(job_id) for job_id in ids]
        taken = {job_id: places for job_id in raw if (places := self._found.pop(job_id, None))}
        places = sorted(place for found in taken.values() for place in found)
        if places:
            self._leave(places)
            self._pushed += len(taken) if is_pushed else 0
            self._cursor += len(taken) if is_pushed else 0
        return taken

    def _leave(self, places: Sequence[int]) -> None:
        cursor = places[-1] - bisect_left(self._taken, places[-1]) + self._pushed
        self._step = (cursor > self._cursor) - (cursor < self._cursor - len(places))
        if not self._taken or places[0] > self._taken[-1]:
            self._taken.extend(places)
        else:
            for place in places:
                insort(self._taken, place)
        self._cursor = max(0, cursor - len(places))

    def stayed(self, taken: Taken, ids: Iterable[str], *, is_pushed: bool = False) -> None:
        """Some of those that took() gave did not leave."""
        for raw in map(encoded, ids):
            for place in taken.get(raw, ()):
                del self._taken[bisect_left(self._taken, place)]
            if raw in taken:
                self._found[raw] = taken.pop(raw)
                self._pushed -= is_pushed

    def _start(self, found: dict[bytes, list[int]], *, step: int = 0) -> None:
        self._found, self._taken, self._pushed, self._step = found, [], 0, step
