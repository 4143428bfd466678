"""A worker from its raw fields, with what it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rqdash.backends.backend import Backend
from rqdash.model.registry import Registry
from rqdash.model.worker import CurrentJob, Worker
from rqdash.queries import decode, pages, rows, states
from rqdash.queries.rows import RawRow

FIELDS = (
    # First, where workers.lua looks for it: RQ up to 2.12 names the current job here.
    "current_job",
    "birth",
    "state",
    "queues",
    "version",
    "python_version",
    "last_heartbeat",
    "hostname",
    "ip_address",
    "pid",
    "successful_job_count",
    "failed_job_count",
    "total_working_time",
    "shutdown_requested_date",
    "death",
)


@dataclass(frozen=True, slots=True)
class RawWorker:
    """A worker as stored; ttl_ms is PTTL's answer, composite <job id>:<execution id> or a job id, "" when it runs nothing."""

    values: tuple[object, ...]
    ttl_ms: object = None
    composite: bytes = b""
    begun_at: object = None
    job: RawRow | None = None


def raw_worker(reply: object) -> RawWorker:
    """One row of workers.lua."""
    values, ttl_ms, composite, begun_at, job = decode.many(reply)
    running = composite if isinstance(composite, bytes) else b""
    return RawWorker(tuple(decode.many(values)), ttl_ms, running, begun_at, rows.raw_row(job) if job is not None else None)


def running(values: Sequence[object], executions: Sequence[bytes]) -> bytes:
    """What a worker runs: of its executions (RQ 3.0) the first, else current_job of its hash (up to 2.12)."""
    current = values[0] if values else None
    return min(executions, default=current if isinstance(current, bytes) else b"")


def job_and_execution(composite: bytes) -> tuple[str, str]:
    return pages.job_id(composite, registry=Registry.STARTED)


def worker(raw: RawWorker, *, backend: Backend, name: str) -> Worker:
    """The worker; its state is "lost" when RQ lists it and its hash is gone, "ended" when it said good-bye."""
    padded = (*raw.values, *[None] * (len(FIELDS) - len(raw.values)))
    values = dict(zip(FIELDS, padded, strict=True))
    state = "ended" if values["death"] else states.state_of(birth=values["birth"], state=values["state"])
    queues = decode.name(values["queues"])
    ttl_ms = decode.integer(raw.ttl_ms)
    return Worker(
        backend.name,
        name,
        state,
        queues=tuple(queues.split(",")) if queues else (),
        pid=decode.integer(values["pid"]),
        hostname=decode.text(values["hostname"]),
        address=decode.text(values["ip_address"]),
        rq_version=decode.text(values["version"], limit=80),
        python_version=decode.text(values["python_version"], limit=200),
        birth_at=decode.when(values["birth"]),
        heartbeat_at=decode.when(values["last_heartbeat"]),
        expires_in_s=ttl_ms / 1000 if ttl_ms is not None and ttl_ms >= 0 else None,
        successful=decode.integer(values["successful_job_count"]),
        failed=decode.integer(values["failed_job_count"]),
        working_s=decode.duration_s(values["total_working_time"]),
        is_shutting_down=bool(values["shutdown_requested_date"]),
        current=_current(raw, backend),
        shutdown_asked_at=decode.when(values["shutdown_requested_date"]),
        ended_at=decode.when(values["death"]),
    )


def _current(raw: RawWorker, backend: Backend) -> CurrentJob | None:
    if not raw.composite or raw.job is None:
        return None
    job_id, execution_id = job_and_execution(raw.composite)
    row = rows.job_row(raw.job, backend=backend, job_id=job_id, queue="")
    begun_at = decode.at(raw.begun_at) or row.started_at
    return CurrentJob(job_id, execution_id, row.queue, row.function, row.arguments, begun_at, row.timeout_s)
