"""What one worker can be told over RQ's channel: shut down, kill the work horse, stop a job or an execution."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from rqdash.access.actor import Actor
from rqdash.actions.recording import recorded
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.errors import BackendError
from rqdash.model.names import encoded
from rqdash.model.outcome import JobOutcome, Outcome, Verdict
from rqdash.model.worker import STOPS_EXECUTIONS

LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a command is for: a worker, and the job that it must still run. execution_id "" is whichever, and all there is before RQ 3.0."""

    worker: str
    job_id: str = ""
    execution_id: str = ""


def shut_down(backend: Backend, actor: Actor, *, worker: str, cold: bool = False, patience_s: float = 1.0) -> Outcome:
    """Asks a worker to end after the job it runs, and looks for up to patience_s whether it has.

    DONE: it has ended. TOLD: it heard, and finishes its job first. UNHEARD: nobody was listening. CONFLICT: it was asked before, and a
    second request, which `cold` says is meant, ends it at once with its job (RQ ignores one within a second of the first). GONE: no
    such worker. Raises ReadOnly or BackendError.
    """
    return _commanded(backend, actor, "shutdown", Target(worker), mode="cold" if cold else "", patience_s=patience_s)


def kill_horse(backend: Backend, actor: Actor, target: Target, *, patience_s: float = 1.0) -> Outcome:
    """Kills the process that runs a worker's job: the job fails, or is tried again where it has retries; the worker goes on.

    DONE: it runs this job no more. TOLD: it heard, and runs it still; a SimpleWorker has no such process and ignores it. RACED: it
    runs something else, or the job finished first. UNHEARD, GONE and the errors as shut_down.
    """
    return _commanded(backend, actor, "kill-horse", target, patience_s=patience_s)


def stop_job(backend: Backend, actor: Actor, target: Target, *, patience_s: float = 1.0) -> Outcome:
    """Stops the job of a worker: it counts as stopped and is not tried again. Outcomes as kill_horse."""
    return _commanded(backend, actor, "stop-job", target, patience_s=patience_s)


def stop_execution(backend: Backend, actor: Actor, target: Target, *, patience_s: float = 1.0) -> Outcome:
    """The same for one execution of a job, which workers know since RQ 3.0; REFUSED is said of an older one, which would ignore it."""
    return _commanded(backend, actor, "stop-execution", target, patience_s=patience_s)


def _commanded(backend: Backend, actor: Actor, command: str, target: Target, *, mode: str = "", patience_s: float) -> Outcome:
    named = {"worker": target.worker, "job": target.job_id, "execution": target.execution_id, "mode": mode}
    values = {name: value for name, value in named.items() if value}

    def work() -> tuple[Outcome, BackendError | None]:
        verdict = _told(backend, command, target, mode)
        if verdict is Verdict.TOLD:
            verdict = _seen(backend, target, _ended if command == "shutdown" else _left, patience_s)
        return _outcome(backend, command, target, verdict), None

    return recorded(backend, actor, verb=command, queue="", values=values, work=work)


def _told(backend: Backend, command: str, target: Target, mode: str) -> Verdict:
    """One round trip."""
    keys = backend.keys
    watched = (encoded(keys.worker(target.worker)), encoded(keys.worker_executions(target.worker)))
    since = STOPS_EXECUTIONS if command == "stop-execution" else 0
    about = (encoded(target.job_id), encoded(target.execution_id), mode, since)
    call = Call(load("rqdash.actions", "command"), watched, (encoded(keys.pubsub(target.worker)), command, *about))
    # What command.lua answers: one word.
    return Verdict(cast("bytes", backend.write(call)).decode())


def _seen(backend: Backend, target: Target, look: Callable[[Backend, Target], Verdict | None], patience_s: float) -> Verdict:
    """What look says as soon as it is over, TOLD when it is not in time, or cannot be seen. One round trip a look."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            if (verdict := look(backend, target)) is not None:
                return verdict
        except BackendError:
            return Verdict.TOLD
        if time.monotonic() >= deadline:
            return Verdict.TOLD
        time.sleep(LOOK_AGAIN_S)


def _ended(backend: Backend, target: Target) -> Verdict | None:
    (values,) = backend.read(("HMGET", encoded(backend.keys.worker(target.worker)), "birth", "death"))
    birth, death = cast("tuple[bytes | None, bytes | None]", values)
    return Verdict.DONE if birth is None or death is not None else None


def _left(backend: Backend, target: Target) -> Verdict | None:
    """DONE when the worker runs the job no more and that it ended is written, RACED when it ended by itself, well; None until then.

    RQ 3.0 names executions, older ones the current job.
    """
    keys = backend.keys
    status, current, executions = backend.read(
        ("HGET", encoded(keys.job(target.job_id)), "status"),
        ("HGET", encoded(keys.worker(target.worker)), "current_job"),
        ("SSCAN", encoded(keys.worker_executions(target.worker)), 0, "COUNT", 10),
    )
    _, members = cast("tuple[object, list[bytes]]", executions)
    job_id, execution = encoded(target.job_id), encoded(target.execution_id)
    runs = [member[-32:] for member in members if member[:-33] == job_id]
    is_running = (execution in runs) if execution else bool(runs)
    if status == b"finished":
        return Verdict.RACED
    return Verdict.DONE if status != b"started" or (execution and not is_running and current != job_id) else None


def _outcome(backend: Backend, command: str, target: Target, verdict: Verdict) -> Outcome:
    if target.job_id:
        return Outcome(command, backend.name, "", jobs=(JobOutcome(target.job_id, verdict),), target=target.worker)
    return Outcome(command, backend.name, "", counted=((verdict, 1),), target=target.worker)
