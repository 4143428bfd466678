"""Failed jobs of one backend and of several together: the newest ones, and groups of those that are alike."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rqdash.model.failure import Failure, Frame, Run
from rqdash.model.fingerprint import Fingerprint
from rqdash.model.job import JobRow
from rqdash.model.names import encoded

_EPOCH = datetime.fromtimestamp(0, UTC)
_PLACE = re.compile(r"(-?\d{1,18}|none)\.([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a failed job stands among those of all backends, newest first: when it ended, in microseconds, and a digest that settles ties.

    Those without an end come last.
    """

    us: int | None
    digest: str

    @property
    def key(self) -> tuple[bool, int, str]:
        """What places are sorted by."""
        return (self.us is None, -(self.us or 0), self.digest)

    def __str__(self) -> str:
        return f"{'none' if self.us is None else self.us}.{self.digest}"


@dataclass(frozen=True, slots=True)
class Window:
    """The newest failures of a backend that were kept, of how many: kept is all of them, or as many as were asked for.

    looked: how many jobs were asked when they ended, to tell which are the newest. Expired entries, which a worker's maintenance will
    remove, are in no other number. queues were read of queues_total.
    """

    total: int
    kept: int
    looked: int
    expired: int
    queues: int
    queues_total: int

    @property
    def is_whole(self) -> bool:
        return self.kept >= self.total and self.queues >= self.queues_total


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A failed job: when it ended (or RQ noticed), and why. group is the key of its fingerprint, "" when the error is unknown.

    failure has its text only where it has no frames. None: no error is stored, or it is unknown, which the row's message then says.
    """

    job: JobRow
    at: datetime | None
    group: str
    failure: Failure | None
    frames: tuple[Frame | Run, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Failed:
    """Some of a backend's newest failures. newer counts those in the window that stand before them.

    scanned were read to find them. horizon is the last one read when there are more, None at the window's end.
    """

    backend: str
    jobs: tuple[FailedJob, ...]
    window: Window
    newer: int
    scanned: int
    horizon: Place | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """Failures that are alike, on one backend or on several: backends and functions with their counts, most first.

    first_at and last_at: when the first and the last of them ended. sample is the newest.
    """

    fingerprint: Fingerprint
    count: int
    backends: tuple[tuple[str, int], ...]
    functions: tuple[tuple[str, int], ...]
    first_at: datetime | None
    last_at: datetime | None
    sample: FailedJob


@dataclass(frozen=True, slots=True)
class Groups:
    """The newest failures of a backend, grouped, the largest group first. scanned of those looked at were read, newest first."""

    backend: str
    groups: tuple[Group, ...]
    window: Window
    scanned: int
    as_of: datetime


def place(at: datetime | None, *, backend: str, queue: str, job_id: str) -> Place:
    whose = b"\0".join(map(encoded, (backend, queue, job_id)))
    us = None if at is None else (at - _EPOCH) // timedelta(microseconds=1)
    return Place(us, hashlib.blake2b(whose, digest_size=8).hexdigest())


def place_of(text: str) -> Place | None:
    """The place that an address names; None when it names none."""
    found = _PLACE.fullmatch(text)
    return Place(None if found[1] == "none" else int(found[1]), found[2]) if found else None


def together(parts: Sequence[Failed], *, size: int) -> tuple[tuple[FailedJob, ...], Place | None]:
    """The newest failures of several backends in one order, at most size, and the place after which the next ones stand (None: no more).

    What stands after a backend's horizon waits, for that backend may have newer ones.
    """
    horizon = min((part.horizon for part in parts if part.horizon), key=lambda place: place.key, default=None)
    jobs = sorted((job for part in parts for job in part.jobs), key=lambda job: job.place.key)
    sure = [job for job in jobs if horizon is None or job.place.key <= horizon.key]
    if len(sure) > size:
        return tuple(sure[:size]), sure[size - 1].place
    return tuple(sure), horizon


def grouped(jobs: Iterable[tuple[Fingerprint, FailedJob]]) -> tuple[Group, ...]:
    """The groups of failures given newest first."""
    found: dict[Fingerprint, list[tuple[str, str, datetime | None]]] = {}
    samples: dict[Fingerprint, FailedJob] = {}
    for fingerprint, failed in jobs:
        samples.setdefault(fingerprint, failed)
        found.setdefault(fingerprint, []).append((failed.job.backend, failed.job.function, failed.at))
    return _largest_first(_group(fingerprint, members, samples[fingerprint]) for fingerprint, members in found.items())


def joined(parts: Iterable[Groups]) -> tuple[Group, ...]:
    """The groups of several backends, those with the same fingerprint as one."""
    alike: dict[Fingerprint, list[Group]] = {}
    for part in parts:
        for group in part.groups:
            alike.setdefault(group.fingerprint, []).append(group)
    return _largest_first(groups[0] if len(groups) == 1 else _one(groups) for groups in alike.values())


def _group(fingerprint: Fingerprint, members: Sequence[tuple[str, str, datetime | None]], sample: FailedJob) -> Group:
    times = [at for _, _, at in members if at is not None]
    backends, functions = Counter(backend for backend, _, _ in members), Counter(function for _, function, _ in members)
    first_at, last_at = min(times, default=None), max(times, default=None)
    return Group(fingerprint, len(members), _most_first(backends), _most_first(functions), first_at, last_at, sample)


def _one(groups: Sequence[Group]) -> Group:
    backends: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for group in groups:
        backends.update(dict(group.backends))
        functions.update(dict(group.functions))
    first_at = min((group.first_at for group in groups if group.first_at), default=None)
    newest = min(groups, key=lambda group: group.sample.place.key)
    count = sum(group.count for group in groups)
    return Group(newest.fingerprint, count, _most_first(backends), _most_first(functions), first_at, newest.last_at, newest.sample)


def _most_first(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _largest_first(groups: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups, key=lambda group: (-group.count, group.sample.place.key)))
