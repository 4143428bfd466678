"""One job, with everything a page shows of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.errors import NotFound
from rqdash.model import failure, payload
from rqdash.model.duration import size
from rqdash.model.failure import Failure
from rqdash.model.job import JobDetail, JobRow, Result
from rqdash.model.payload import Call, Shown
from rqdash.model.registry import EXPIRING, Registry
from rqdash.model.timeline import timeline
from rqdash.queries import counts, decode, job_results, job_text, rows
from rqdash.queries.job_fields import RawJob, raw_job
from rqdash.queries.job_place import Place, place
from rqdash.queries.rows import RawRow

CALLBACKS = ("success_callback_name", "failure_callback_name", "stopped_callback_name")


def job(backend: Backend, job_id: str, *, now: datetime) -> JobDetail:
    """One job with its call, error, results, relatives and place; nothing of it is executed.

    Reads its hash (a field over its limit is described, not read), dependents, dependencies, results, executions, then the lists and
    registries of its origin, its worker and relatives. Two round trips, or four where scripts are denied; one more on servers without
    LPOS. Raises NotFound when its hash is gone.
    """
    raw = raw_job(backend, job_id)
    if not raw.fields:
        raise NotFound(f"{backend.name} has no job of this id. It may have been deleted, or its time to live is over.")
    where = place(backend, job_id, raw=raw, now_s=counts.seconds(now))
    row = _row(backend, job_id, raw=raw, where=where, now=now)
    results = job_results.results(raw)
    error = results[0].failure if results else None
    return _detail(raw, where, row=row, results=results, error=error or _legacy_failure(raw, results), now=now)


def _detail(raw: RawJob, where: Place, *, row: JobRow, results: tuple[Result, ...], error: Failure | None, now: datetime) -> JobDetail:
    call = _call(raw)
    row = replace(row, function=call.function or row.function, arguments=row.arguments or payload.one_line(call))
    if error is not None:
        row = replace(row, error_type=error.type, error_message=error.message)
    return JobDetail(
        row=row,
        call=call,
        registry=where.registry,
        position=where.position,
        meta=_value(raw, "meta"),
        failure=error,
        results=results,
        executions=where.executions,
        dependencies=where.dependencies,
        dependents=where.dependents,
        timeline=timeline(row, results, now=now),
        fields=job_text.fields(raw),
        expires_in_s=raw.ttl_ms / 1000 if raw.ttl_ms >= 0 else None,
        retries_left=decode.integer(raw.value("retries_left")),
        result_ttl_s=decode.integer(raw.value("result_ttl")),
        failure_ttl_s=decode.integer(raw.value("failure_ttl")),
        ttl_s=decode.integer(raw.value("ttl")),
        group_id=decode.name(raw.value("group_id")),
        rate_limit_key=decode.name(raw.value("rate_limit_key")),
        callbacks=tuple((name, decode.text(raw.value(name))) for name in CALLBACKS if raw.value(name)),
        is_worker_gone=where.is_worker_gone,
        data_bytes=raw.size("data"),
        as_of=now,
    )


def _row(backend: Backend, job_id: str, *, raw: RawJob, where: Place, now: datetime) -> JobRow:
    known = RawRow(raw.size("data"), None, {field: raw.value(field) for field in rows.FIELDS})
    row = rows.job_row(known, backend=backend.name, job_id=job_id, queue="")
    expires = where.registry in EXPIRING
    lapsed = expires and where.score is not None and 0 <= where.score <= counts.seconds(now)
    return replace(
        row,
        registry=where.registry,
        due_at=decode.at(where.score) if where.registry is Registry.SCHEDULED else None,
        expires_at=decode.at(where.score) if expires else None,
        is_expired=lapsed,
        execution_id=where.executions[0].id if where.executions else "",
    )


def _call(raw: RawJob) -> Call:
    data = raw.value("data")
    if data is None and raw.size("data"):
        return Call("", (), (), "unknown", f"unknown, {size(raw.size('data'))}: more than is read")
    return payload.call(data)


def _value(raw: RawJob, field: str) -> Shown | None:
    stored = raw.value(field)
    if stored is None and raw.size(field):
        return job_results.too_large(raw.size(field))
    return payload.value(stored)


def _legacy_failure(raw: RawJob, results: tuple[Result, ...]) -> Failure | None:
    """From the field that RQ before 1.12 wrote; later versions leave an empty text there after a requeue."""
    if results:
        return None
    text, is_truncated = payload.text(raw.value("exc_info"))
    return failure.failure(text, is_truncated=is_truncated) if text else None
