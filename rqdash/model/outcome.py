"""What an action did, job by job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What became of one job; only DONE means something was changed."""

    DONE = "done"
    GONE = "gone"
    RACED = "raced"
    RUNNING = "running"
    STALE = "stale"
    HAS_DEPENDENTS = "has_dependents"
    RATE_LIMITED = "rate_limited"
    CONFLICT = "conflict"
    REFUSED = "refused"
    BAD_ID = "bad_id"
    SERIALIZER = "serializer"
    IN_TRANSIT = "in_transit"
    EARLY = "early"
    TOLD = "told"
    UNHEARD = "unheard"
    UNKNOWN = "unknown"


WORDS = {
    Verdict.DONE: "done",
    Verdict.GONE: "gone",
    Verdict.RACED: "no longer there",
    Verdict.RUNNING: "already running",
    Verdict.STALE: "changed meanwhile",
    Verdict.HAS_DEPENDENTS: "other jobs wait for it",
    Verdict.RATE_LIMITED: "rate limited",
    Verdict.CONFLICT: "in conflict",
    Verdict.REFUSED: "refused",
    Verdict.BAD_ID: "with an id that workers there cannot read",
    Verdict.SERIALIZER: "serialized unlike the jobs there",
    Verdict.IN_TRANSIT: "on the way",
    Verdict.EARLY: "not stuck for a minute yet",
    Verdict.TOLD: "told to stop, and still running",
    Verdict.UNHEARD: "not reached: nobody was listening",
    Verdict.UNKNOWN: "result unknown",
}


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """new_id: what a copy is called at its destination."""

    job_id: str
    verdict: Verdict
    new_id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of one action: what it was, on what, and a verdict per job.

    verb is RQ's, in the infinitive ("requeue"); left counts jobs that the action would also have covered but did not reach; problem
    is what ended it before it had reached them all.
    """

    verb: str
    backend: str
    queue: str
    jobs: tuple[JobOutcome, ...] = ()
    counted: tuple[tuple[Verdict, int], ...] = ()
    left: int = 0
    target: str = ""
    problem: str = ""

    def counts(self) -> dict[Verdict, int]:
        """How many of each verdict, in the order of Verdict; verdicts with none are absent."""
        tally: Counter[Verdict] = Counter(job.verdict for job in self.jobs)
        tally.update(dict(self.counted))
        return {verdict: tally[verdict] for verdict in Verdict if tally[verdict]}

    @property
    def done(self) -> int:
        return self.counts().get(Verdict.DONE, 0)


def join(outcomes: Iterable[Outcome]) -> Outcome:
    """One outcome of several batches of the same action; the first gives verb, backend and queue."""
    parts = list(outcomes)
    first = parts[0]
    jobs = tuple(job for part in parts for job in part.jobs)
    counted: Counter[Verdict] = Counter()
    for part in parts:
        counted.update(dict(part.counted))
    return Outcome(first.verb, first.backend, first.queue, jobs, tuple(counted.items()), parts[-1].left, first.target, parts[-1].problem)
