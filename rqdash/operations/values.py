"""What an operation is: frozen values, as they are shown and as they are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rqdash.model.outcome import Verdict

VERBS = ("requeue", "cancel", "delete", "move", "copy", "enqueue")
GOING_ELSEWHERE = ("move", "copy")
ASKS_NAME = ("cancel", "delete", "move")
"""What asks for the name of a protected backend that it takes jobs from before it starts; where jobs go elsewhere, that is asked always."""

FAILED_VERDICTS = (Verdict.REFUSED, Verdict.UNKNOWN)
"""What wants a person; every other verdict but DONE says that the job was rightly left alone."""


class State(StrEnum):
    """Where an operation is. PAUSING and CANCELING last until the runner has ended the item it is at."""

    PLANNING = "planning"
    PLANNED = "planned"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELING = "canceling"
    CANCELED = "canceled"
    DONE = "done"
    FAILED = "failed"


MOVING = (State.PLANNING, State.RUNNING, State.PAUSING, State.CANCELING)
"""States that a runner changes by itself."""

ENDED = (State.CANCELED, State.DONE, State.FAILED)


@dataclass(frozen=True, slots=True)
class Who:
    """Who asked: the actor's kind, name and address."""

    kind: str
    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operation is to do. Jobs are meant that match the search as of a moment (aware); everything: an empty one is meant.

    to_queue None means each job's own queue. why is a note for others.
    """

    verb: str
    backends: tuple[str, ...]
    search: str
    as_of: datetime
    who: Who
    everything: bool = False
    to_backend: str = ""
    to_queue: str | None = None
    at_front: bool = False
    why: str = ""

    @property
    def is_copy(self) -> bool:
        return self.verb == "copy"

    @property
    def scope(self) -> str:
        """Its backends in a line."""
        return ", ".join(self.backends) + (f" to {self.to_backend}" if self.to_backend else "")

    @property
    def is_backwards(self) -> bool:
        """Whether the items are walked from the last one found to the first, so that jobs keep their order where they go.

        A scan finds the newest first, but those scheduled in the order they are due; what is put to the front comes to stand before
        what was put there earlier.
        """
        return self.at_front if self.verb == "enqueue" else not self.at_front

    @property
    def names(self) -> tuple[str, ...]:
        """Every backend it touches, the one that jobs go to last."""
        return tuple(dict.fromkeys((*self.backends, *((self.to_backend,) if self.to_backend else ()))))


@dataclass(frozen=True, slots=True)
class Sample:
    """One job as an example; function "" is unknown."""

    backend: str
    queue: str
    registry: str
    id: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What planning found on one backend: how many jobs will be acted on, how many not and why, and examples.

    endpoint_version is that of its profile then. problem says why it is left out as a whole; is_target that jobs only go to it.
    """

    name: str
    endpoint_version: int = 0
    is_protected: bool = False
    is_target: bool = False
    matched: int = 0
    scanned: int = 0
    excluded: tuple[tuple[str, int], ...] = ()
    problem: str = ""
    warnings: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Why nothing is done on a backend until again_at; None: nothing more will be. tries counts how often it was tried in vain."""

    backend: str
    reason: str
    since: datetime
    again_at: datetime | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an operation's course."""

    at: datetime
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it is now. counts are per backend; rate is jobs a second; is_attended: runners look after it."""

    id: str
    state: State
    asked: Asked
    total: int = 0
    items: int = 0
    parts: tuple[Part, ...] = ()
    counts: Mapping[str, Mapping[Verdict, int]] = field(default_factory=dict)
    samples: Mapping[Verdict, tuple[Sample, ...]] = field(default_factory=dict)
    waits: tuple[Wait, ...] = ()
    events: tuple[Event, ...] = ()
    rate: float | None = None
    problem: str = ""
    is_attended: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    SAYS = ("tally", "tried", "left", "left_s")

    @property
    def verb(self) -> str:
        return self.asked.verb

    @property
    def tally(self) -> dict[Verdict, int]:
        """How many jobs of each verdict, in the order of Verdict; those with none are absent."""
        sums: Counter[Verdict] = Counter()
        for counts in self.counts.values():
            sums.update(counts)
        return {verdict: sums[verdict] for verdict in Verdict if sums[verdict]}

    @property
    def tried(self) -> int:
        return sum(self.tally.values())

    @property
    def done(self) -> int:
        return self.tally.get(Verdict.DONE, 0)

    @property
    def failed(self) -> int:
        return sum(self.tally.get(verdict, 0) for verdict in FAILED_VERDICTS)

    @property
    def skipped(self) -> int:
        return self.tried - self.done - self.failed

    @property
    def left(self) -> int:
        """Jobs of the preview that nothing is known of yet."""
        return self.total - self.tried

    @property
    def left_s(self) -> float | None:
        """How long the rest takes at the present rate, None when that is not known."""
        return self.left / self.rate if self.rate and self.state is State.RUNNING else None

    @property
    def is_moving(self) -> bool:
        return self.state in MOVING
