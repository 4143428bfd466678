"""How an action gets into the audit log: as one row, whatever comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rqdash.access.actor import Actor
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError
from rqdash.model.outcome import Outcome

Values = Mapping[str, str | int]
Work = Callable[[], tuple[Outcome, BackendError | None]]
"""Does the action; answers what came of it, and the failure that ended it early if one did."""


def recorded(backend: Backend, actor: Actor, *, verb: str, queue: str, values: Values, work: Work) -> Outcome:
    """The outcome of work, in one row of the audit log, whatever happens.

    A failure after the first batch is in the row, and in the outcome as jobs UNKNOWN or left, with its reason as problem; the outcome
    is then answered all the same, because something was done. A failure before that is raised.
    """
    outcome: Outcome | None = None
    try:
        with actor.recording(verb, backend=backend.name, queue=queue, values=values) as row:
            outcome, failure = work()
            row.finish({str(verdict): count for verdict, count in outcome.counts().items()})
            if failure is not None:
                raise failure
    except BackendError as error:
        if outcome is None or not outcome.counts():
            raise
        return replace(outcome, problem=error.message)
    return outcome
