"""One job, with everything a page shows of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rqdash.backends.backend import Backend
from rqdash.errors import NotFound
from rqdash.model import failure, payload, redaction
from rqdash.model.duration import size
from rqdash.model.failure import Failure
from rqdash.model.job import JobDetail, JobRow, Policies, Result
from rqdash.model.outlook import outlook
from rqdash.model.payload import Call, Shown
from rqdash.model.redaction import Redaction
from rqdash.model.registry import EXPIRING, Registry
from rqdash.model.timeline import spent, timeline
from rqdash.queries import counts, decode, job_results, job_text, rows
from rqdash.queries.job_fields import RawJob, raw_job
from rqdash.queries.job_place import Place, place
from rqdash.queries.rows import RawRow

MOST_INTERVALS = 50


@dataclass(frozen=True, slots=True)
class _Told:
    """What was made of a job's fields as its profile's policy shows them."""

    row: JobRow
    call: Call
    results: tuple[Result, ...]
    error: Failure | None


def job(backend: Backend, job_id: str, *, now: datetime) -> JobDetail:
    """One job with its call, error, results, relatives, place and prospects, as its profile's policy shows them; nothing is executed.

    Reads its hash (a field over its limit is described, not read), dependents, dependencies, results, executions, then the lists and
    registries of its origin, its worker, and what its future depends on, in one round trip; its relatives, where it has any, in
    another. Six where scripts are denied; one more on servers without LPOS. Raises NotFound when its hash is gone.
    """
    raw = raw_job(backend, job_id)
    if not raw.fields:
        raise NotFound(f"{backend.name} has no job of this id. It may have been deleted, or its time to live is over.")
    where = place(backend, job_id, raw=raw, now_s=counts.seconds(now))
    hides = redaction.of(backend.profile)
    call = _call(raw, hides)
    row = _row(backend, job_id, raw=raw, where=where, call=call, now=now)
    results = job_results.results(raw, hides)
    error = (results[0].failure if results else None) or _legacy_failure(raw, results)
    if error is not None:
        row = replace(row, error_type=error.type, error_message=error.message)
    found = _detail(raw, where, told=_Told(row, call, results, error), hides=hides, now=now)
    return replace(found, prospects=outlook(found))


def _detail(raw: RawJob, where: Place, *, told: _Told, hides: Redaction, now: datetime) -> JobDetail:
    steps = timeline(told.row, told.results, now=now, has_dependencies=bool(where.dependencies))
    return JobDetail(
        row=told.row,
        call=told.call,
        registry=where.registry,
        position=where.position,
        meta=_value(raw, "meta", hides),
        failure=told.error,
        results=told.results,
        executions=where.executions,
        dependencies=where.dependencies,
        dependents=where.dependents,
        dependencies_total=where.dependencies_total,
        dependents_total=max(len(where.dependents), raw.dependents_total),
        timeline=steps,
        spent=spent(steps),
        fields=job_text.fields(raw, told.row, hides),
        removed_at=_removed_at(raw, now),
        policies=_policies(raw),
        group_id=decode.name(raw.value("group_id")),
        around=where.around,
        callbacks=job_text.callbacks(raw),
        webhooks=job_text.webhooks(raw, hides),
        is_worker_gone=where.is_worker_gone,
        data_bytes=raw.size("data"),
        arguments=hides.arguments,
        as_of=now,
    )


def _row(backend: Backend, job_id: str, *, raw: RawJob, where: Place, call: Call, now: datetime) -> JobRow:
    known = RawRow(raw.size("data"), None, {field: raw.value(field) for field in rows.FIELDS})
    row = rows.job_row(known, backend=backend, job_id=job_id, queue="", call=call)
    expires = where.registry in EXPIRING
    lapsed = expires and where.score is not None and 0 <= where.score <= counts.seconds(now)
    return replace(
        row,
        arguments=row.arguments or payload.one_line(call),
        registry=where.registry,
        due_at=decode.at(where.score) if where.registry is Registry.SCHEDULED else None,
        expires_at=decode.at(where.score) if expires else None,
        is_expired=lapsed,
        execution_id=where.executions[0].id if where.executions else "",
    )


def _call(raw: RawJob, hides: Redaction) -> Call:
    data = raw.value("data")
    if data is None and raw.size("data"):
        return Call("", (), (), "unknown", f"unknown, {size(raw.size('data'))}: more than is read")
    return payload.call(data, hides)


def _value(raw: RawJob, field: str, hides: Redaction) -> Shown | None:
    stored = raw.value(field)
    if stored is None and raw.size(field):
        return job_results.too_large(raw.size(field))
    return payload.value(stored, hides)


def _removed_at(raw: RawJob, now: datetime) -> datetime | None:
    # To the second: a page that is read again must not differ by what the way to Redis took.
    return (
        now + timedelta(seconds=round(now.microsecond / 1e6 + raw.ttl_ms / 1000), microseconds=-now.microsecond)
        if raw.ttl_ms >= 0
        else None
    )


def _policies(raw: RawJob) -> Policies:
    number = {field: decode.integer(raw.value(field)) for field in ("retries_left", "repeats_left", "result_ttl", "failure_ttl", "ttl")}
    return Policies(
        retries_left=number["retries_left"],
        retry_intervals=_intervals(raw.value("retry_intervals")),
        repeats_left=number["repeats_left"],
        repeat_intervals=_intervals(raw.value("repeat_intervals")),
        result_ttl_s=number["result_ttl"],
        failure_ttl_s=number["failure_ttl"],
        ttl_s=number["ttl"],
        allows_failures=raw.value("allow_dependency_failures") == b"1",
    )


def _intervals(stored: bytes | None) -> tuple[int, ...]:
    """The seconds in a JSON list; whatever else stands there is none."""
    try:
        found = json.loads(stored or b"[]")
    except (ValueError, RecursionError):
        return ()
    return tuple(value for value in found[:MOST_INTERVALS] if type(value) is int and 0 <= value < 1e9) if isinstance(found, list) else ()


def _legacy_failure(raw: RawJob, results: tuple[Result, ...]) -> Failure | None:
    """From the field that RQ before 1.12 wrote; later versions leave an empty text there after a requeue."""
    if results:
        return None
    text, is_truncated = payload.text(raw.value("exc_info"))
    return failure.failure(text, is_truncated=is_truncated) if text else None
