"""Workers and what is without one, where scripts are denied: plain commands in three steps, the same rows."""

from __future__ import annotations

from collections.abc import Sequence

from rqdash.backends.backend import Backend, Command
from rqdash.queries import attended, decode, rows, worker_rows
from rqdash.queries.attended import Attended
from rqdash.queries.reading import read_lenient
from rqdash.queries.worker_rows import RawWorker

COMMANDS = 3


def read(backend: Backend, names: Sequence[str], queues: Sequence[str]) -> tuple[list[RawWorker], list[Attended]]:
    """The workers of these names and these queues, in order; three round trips."""
    keys = backend.keys
    of_workers = [command for name in names for command in _commands(backend, name)]
    replies = read_lenient(backend, *of_workers, *attended.commands(keys, queues))
    plain = [(tuple(decode.many(replies[at])), replies[at + 1], replies[at + 2]) for at in range(0, len(of_workers), COMMANDS)]
    looked = attended.looked(queues, replies[len(of_workers) :])
    composites = [worker_rows.running(values, _executions(scan)) for values, _, scan in plain]
    running = [composite for composite in composites if composite]
    ids = [*(worker_rows.job_and_execution(composite)[0] for composite in running), *attended.ids(looked)]
    of_jobs = rows.commands(keys, ids)
    begun = [("HGET", decode.wire(keys.execution("")) + composite, "created_at") for composite in running]
    replies = read_lenient(backend, *of_jobs, *begun)
    first, moments = replies[: len(of_jobs)], iter(replies[len(of_jobs) :])
    data = rows.data_commands(keys, ids, first)
    without_data = rows.raw_rows(first, [None] * len(data))
    last = read_lenient(backend, *data, *attended.worker_commands(keys, without_data[len(running) :]))
    jobs = iter(rows.raw_rows(first, last[: len(data)]))
    raws = [
        RawWorker(values, ttl_ms, composite, next(moments), next(jobs)) if composite else RawWorker(values, ttl_ms)
        for (values, ttl_ms, _), composite in zip(plain, composites, strict=True)
    ]
    return raws, attended.of_pipeline(looked, jobs, last[len(data) :])


def _commands(backend: Backend, name: str) -> list[Command]:
    key = decode.wire(backend.keys.worker(name))
    executions = decode.wire(backend.keys.worker_executions(name))
    return [("HMGET", key, *worker_rows.FIELDS), ("PTTL", key), ("SSCAN", executions, 0, "COUNT", 10)]


def _executions(scan: object) -> list[bytes]:
    parts = decode.many(scan)
    return decode.members(parts[1]) if len(parts) == 2 else []
