"""What can be done to all workers of a backend: suspend them, resume them. RQ has no pause of a single queue."""

from __future__ import annotations

from rqdash.access.actor import Actor
from rqdash.actions.recording import Values, recorded
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Argument, Call, load
from rqdash.errors import BackendError, Invalid
from rqdash.model.outcome import Outcome, Verdict

LONGEST_S = 30 * 24 * 3600


def suspend(backend: Backend, actor: Actor, *, for_s: int | None = None) -> Outcome:
    """Suspends the workers of a backend, for some seconds or until they are resumed; a second time sets the time anew.

    Workers look between two jobs: each idle one takes one more job first, and burst workers end. Raises Invalid, ReadOnly or
    BackendError.
    """

    def work() -> tuple[Outcome, BackendError | None]:
        if for_s is not None and not 1 <= for_s <= LONGEST_S:
            raise Invalid("Workers are suspended for 1 s to 30 days, or without end.", problems={"for_s": "1 to 2,592,000 seconds"})
        _ask(backend, "suspend", "" if for_s is None else for_s)
        return _outcome(backend, "suspend", Verdict.DONE), None

    return recorded(backend, actor, verb="suspend", queue="", values={} if for_s is None else {"for_s": for_s}, work=work)


def resume(backend: Backend, actor: Actor) -> Outcome:
    """Resumes the workers of a backend; RACED when they were not suspended. Raises ReadOnly or BackendError."""

    def work() -> tuple[Outcome, BackendError | None]:
        return _outcome(backend, "resume", Verdict.DONE if _ask(backend, "resume") else Verdict.RACED), None

    values: Values = {}
    return recorded(backend, actor, verb="resume", queue="", values=values, work=work)


def _ask(backend: Backend, name: str, *arguments: Argument) -> object:
    return backend.write(Call(load("rqdash.actions", name), (backend.keys.suspended,), arguments))


def _outcome(backend: Backend, verb: str, verdict: Verdict) -> Outcome:
    return Outcome(verb, backend.name, "", counted=((verdict, 1),))
