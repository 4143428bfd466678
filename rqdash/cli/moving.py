"""What rqdash move does between asking and answering: chooses the jobs, carries them over, counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rqdash.actions.transfer import Transfer, carried_over, sweep
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Invalid
from rqdash.model.outcome import WORDS, JobOutcome, Outcome, Verdict
from rqdash.model.registry import Registry
from rqdash.model.search import search, within
from rqdash.model.symbols import printable
from rqdash.queries.scan import scan

PART = 1_000
"""Jobs between two reports of progress."""

REGISTRIES = (Registry.QUEUED, Registry.FAILED, Registry.CANCELED, Registry.SCHEDULED)
"""From where jobs can go to another backend."""

Progress = Callable[[int, float], None]
Place = tuple[str, Registry]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command was asked for; None where it was not said."""

    queue: str | None
    to_queue: str | None
    registry: str | None
    where: str | None
    limit: int | None
    at_front: bool
    copy: bool

    @property
    def verb(self) -> str:
        return "copy" if self.copy else "move"

    @property
    def goes_to(self) -> str | None:
        """The one queue all jobs go to, if it is one."""
        return self.to_queue if self.to_queue is not None else self.queue


@dataclass(frozen=True, slots=True)
class Chosen:
    """The ids to move by queue and registry, in the order they go."""

    places: Mapping[Place, tuple[str, ...]]

    @property
    def jobs(self) -> int:
        return sum(len(ids) for ids in self.places.values())

    def lines(self) -> Iterator[str]:
        """One a queue and registry, for people."""
        for (queue, registry), ids in self.places.items():
            yield f"{len(ids):>9,} {registry.value} of {printable(queue)}"


@dataclass(slots=True)
class Done:
    """What came of it. left: jobs that were not reached; failure: what ended it, a sentence."""

    jobs: list[JobOutcome] = field(default_factory=list)
    left: int = 0
    failure: str = ""

    @property
    def counts(self) -> dict[str, int]:
        tally = Counter(job.verdict for job in self.jobs)
        return {verdict.value: tally[verdict] for verdict in Verdict if tally[verdict]}

    @property
    def is_whole(self) -> bool:
        return not self.left and not self.failure and all(job.verdict is Verdict.DONE for job in self.jobs)

    @property
    def is_settled(self) -> bool:
        return not self.failure and all(job.verdict is not Verdict.IN_TRANSIT for job in self.jobs)

    def others(self, sample: int) -> Iterator[str]:
        """One line a verdict other than done, with a few ids."""
        for verdict in Verdict:
            ids = [printable(job.job_id) for job in self.jobs if job.verdict is verdict]
            if ids and verdict is not Verdict.DONE:
                more = ", …" if len(ids) > sample else ""
                yield f"{len(ids):,} {WORDS[verdict]}: {', '.join(ids[:sample])}{more}"
        if self.left:
            yield f"{self.left:,} not reached"

    def plain(self) -> dict[str, Any]:
        """As a program gets it; ids that are not UTF-8 hold lone surrogates, as in the API."""
        jobs = [{"id": job.job_id, "verdict": job.verdict.value} | ({"new_id": job.new_id} if job.new_id else {}) for job in self.jobs]
        return {"outcomes": self.counts, "left": self.left, "failure": self.failure, "jobs": jobs}


def choose(source: Backend, wish: Wish) -> Chosen:
    """The jobs that match now, each once. Raises SearchMistake, Invalid or BackendError."""
    text = wish.where or ""
    asked = search(text)
    has_status = any(term.field == "status" for term in asked.terms)
    registries = [Registry(wish.registry)] if wish.registry else [one for one in REGISTRIES if one in asked.registries and has_status]
    found: dict[Place, list[str]] = {}
    for registry in registries or [Registry.QUEUED]:
        narrowed = within(text, queue=wish.queue, registry=registry) if wish.queue is not None else f"status:{registry.value} {text}"
        for place, job_id in _matches(source, narrowed):
            found.setdefault(place, []).append(job_id)
    # A scan begins with the newest; jobs go in the order in which they stand or came.
    ordered = {place: tuple(dict.fromkeys(reversed(ids))) for place, ids in found.items() if place[1] in REGISTRIES}
    return Chosen(dict(_limited(ordered, wish.limit)))


def _matches(source: Backend, text: str) -> Iterator[tuple[Place, str]]:
    now, cursor, wanted = datetime.now(UTC), "", search(text)
    while True:
        part = scan(source, wanted, now=now, as_of=now, cursor=cursor, entries=50_000, budget_s=5.0)
        for match in part.matches:
            yield (match.queue, match.registry), match.job_id
        if not part.cursor:
            return
        cursor = part.cursor


def _limited(places: Mapping[Place, tuple[str, ...]], limit: int | None) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """Those that stand first."""
    left = limit
    for place, ids in places.items():
        taken = ids if left is None else ids[:left]
        if taken:
            yield place, taken
        left = None if left is None else left - len(taken)


def values(destination: Backend, wish: Wish, chosen: Chosen) -> dict[str, str | int]:
    """What the audit log says was asked."""
    facts: dict[str, str | int] = {"to_backend": destination.name, "jobs": chosen.jobs}
    words = {"to_queue": wish.to_queue, "registry": wish.registry, "where": wish.where}
    return facts | {name: word for name, word in words.items() if word is not None}


def carry(source: Backend, destination: Backend, wish: Wish, chosen: Chosen, *, progress: Progress | None) -> Done:
    """Moves the chosen jobs, queue by queue, until all are through or a backend fails. Raises Invalid or ReadOnly."""
    done, began_s = Done(), time.monotonic()
    for (queue, registry), ids in chosen.places.items():
        to_queue = queue if wish.to_queue is None else wish.to_queue
        order = Transfer(queue, registry, to_queue, at_front=wish.at_front, copy=wish.copy)
        for part in _parts(ids, from_end=wish.at_front):
            outcome, failure = carried_over(source, destination, order, ids=part)
            _note(done, outcome, failure)
            if progress is not None:
                progress(len(done.jobs), len(done.jobs) / max(0.001, time.monotonic() - began_s))
            if failure is not None:
                done.left = chosen.jobs - len(done.jobs)
                return done
    return done


def _parts(ids: tuple[str, ...], *, from_end: bool) -> Iterator[tuple[str, ...]]:
    """What goes to the front of a queue last stands first there."""
    parts = [ids[first : first + PART] for first in range(0, len(ids), PART)]
    return iter(parts[::-1] if from_end else parts)


def _note(done: Done, outcome: Outcome, failure: BackendError | None) -> None:
    done.jobs += outcome.jobs
    done.failure = failure.message if failure is not None else ""


def recover(source: Backend, backends: Mapping[str, Backend], *, back: bool, force: bool) -> Done:
    """Brings to an end what is on its way from a backend, as far as that can be known. Raises Invalid."""
    if source.profile.read_only:
        raise Invalid(f"{source.name} is read-only here: its profile says so.")

    def lookup(profile_id: str, name: str) -> Backend | None:
        named = backends.get(name)
        if named is not None and named.profile.id == profile_id:
            return named
        return next((one for one in map(backends.get, backends) if one is not None and one.profile.id == profile_id), None)

    outcome, failure = sweep(source, lookup, back=back, force=force, min_age_s=0.0)
    done = Done()
    _note(done, outcome, failure)
    return done
