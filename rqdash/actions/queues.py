"""What can be done to a queue as a whole: empty it."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from typing import cast

from rqdash.access.actor import Actor
from rqdash.actions.recording import recorded
from rqdash.actions.scripted import Order, header, script, source, written
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call
from rqdash.errors import BackendError, Invalid, UnknownResult
from rqdash.model.names import encoded
from rqdash.model.outcome import Outcome, Verdict
from rqdash.model.registry import Registry

CHUNK = 100
"""Entries of the list in one call of the script."""


def empty(backend: Backend, actor: Actor, *, queue: str, as_of: datetime, budget_s: float = 2.0) -> Outcome:
    """Deletes the jobs of a queue that were waiting at as_of (aware), in chunks of 100, one round trip each, for up to budget_s.

    counted says how many were deleted and how many could not be; left how many entries were not reached, at most. Jobs enqueued after
    as_of, or behind the end of the list at the first call, are in neither and stay. Raises Invalid, ReadOnly or BackendError.
    """
    sweep = Sweep(backend, queue, as_of)

    def work() -> tuple[Outcome, BackendError | None]:
        if as_of.tzinfo is None:
            raise Invalid("The moment needs a time zone.", problems={"as_of": "no time zone"})
        failure = sweep.run(time.monotonic() + budget_s)
        return sweep.outcome(), failure

    return recorded(backend, actor, verb="empty", queue=queue, values={"as_of": as_of.isoformat()}, work=work)


class Sweep:
    """One walk along a queue's list, from the head; it keeps count of what it did and where it is."""

    def __init__(self, backend: Backend, queue: str, as_of: datetime) -> None:
        self._backend = backend
        self._order = Order("empty", queue, Registry.QUEUED)
        self._as_of = as_of
        self._counted: Counter[Verdict] = Counter()
        self._position = 0
        self._left: int | None = None

    def run(self, deadline: float) -> BackendError | None:
        """Walks until the end as it was at the first call, or the deadline; answers what stopped it otherwise."""
        while self._left is None or (self._left > 0 and time.monotonic() < deadline):
            try:
                looked_at = self._chunk()
            except UnknownResult as error:
                unknown = min(CHUNK, self._left or 0)
                self._counted[Verdict.UNKNOWN] += unknown
                self._left = (self._left or 0) - unknown
                return error
            except BackendError as error:
                return error
            if not looked_at:
                self._left = 0
        return None

    def outcome(self) -> Outcome:
        counted = tuple((verdict, self._counted[verdict]) for verdict in Verdict if self._counted[verdict])
        return Outcome("empty", self._backend.name, self._order.queue, counted=counted, left=self._left or 0)

    def _chunk(self) -> int:
        size = CHUNK if self._left is None else min(CHUNK, self._left)
        keys = (source(self._backend, self._order), encoded(self._backend.keys.queues))
        arguments = (*header(self._backend, self._order), 0, written(self._as_of), self._position, size)
        # What empty.lua answers: the list's length, how many entries stay, and a verdict for each looked at.
        length, stay, verdicts = cast("tuple[int, int, list[bytes]]", self._backend.write(Call(script("empty"), keys, arguments)))
        self._position += stay
        self._left = (length if self._left is None else self._left) - len(verdicts)
        self._counted.update(Verdict(verdict.decode()) for verdict in verdicts if verdict != b"young")
        return len(verdicts)
