"""The results of a job's attempts, newest first."""

from __future__ import annotations

from rqdash.model import failure, payload
from rqdash.model.duration import size
from rqdash.model.failure import Failure
from rqdash.model.job import Result
from rqdash.model.payload import Shown
from rqdash.model.redaction import Redaction
from rqdash.queries import decode
from rqdash.queries.job_fields import RawJob

KINDS = {1: "successful", 2: "failed", 3: "stopped", 4: "retried", 5: "max_retries_exceeded"}
STORED_BYTES = 2 * 1024 * 1024
"""Of one return value or error; a larger one is not decoded."""


def results(raw: RawJob, hides: Redaction) -> tuple[Result, ...]:
    """At most ten results; a job of RQ before 1.12 has one at most, in its hash."""
    found = tuple(_result(entry_id, fields, hides) for entry_id, fields in raw.results)
    return found or _legacy(raw, hides)


def too_large(n_bytes: int) -> Shown:
    text = f"unknown, {size(n_bytes)}"
    return Shown("unknown", text, problem=f"{text}: more than is read")


def _result(entry_id: bytes, fields: dict[bytes, bytes], hides: Redaction) -> Result:
    created_ms = decode.integer(entry_id.partition(b"-")[0])
    return Result(
        KINDS.get(decode.integer(fields.get(b"type")) or 0, "unknown"),
        decode.at(created_ms / 1000) if created_ms is not None else None,
        worker=decode.name(fields.get(b"worker_name")),
        value=_value(fields.get(b"return_value"), hides),
        failure=_failure(fields.get(b"exc_string")),
        execution_id=decode.name(fields.get(b"execution_id")),
        started_at=decode.at(fields.get(b"execution_started_at")),
        ended_at=decode.at(fields.get(b"execution_ended_at")),
    )


def _value(stored: bytes | None, hides: Redaction) -> Shown | None:
    if stored is not None and len(stored) > STORED_BYTES:
        return too_large(len(stored))
    return payload.return_value(stored, hides)


def _failure(stored: bytes | None) -> Failure | None:
    text, is_truncated = payload.text(stored if stored is not None and len(stored) <= STORED_BYTES else None)
    return failure.failure(text, is_truncated=is_truncated) if text else None


def _legacy(raw: RawJob, hides: Redaction) -> tuple[Result, ...]:
    if not raw.size("result"):
        return ()
    stored = raw.value("result")
    value = too_large(raw.size("result")) if stored is None else payload.value(stored, hides)
    started_at, ended_at = decode.when(raw.value("started_at")), decode.when(raw.value("ended_at"))
    return (Result("successful", ended_at, decode.name(raw.value("worker_name")), value, started_at=started_at, ended_at=ended_at),)
