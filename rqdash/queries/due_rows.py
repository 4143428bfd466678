"""Jobs whose ids are known, with what is left of their repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.queries import counts, decode, rows
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.rows import RawRow

CALL_ROWS = 50
CALLS = 4
"""Calls of one round trip."""


@dataclass(frozen=True, slots=True)
class DueRow:
    """A job as stored; repeats_left is None when it does not repeat."""

    row: RawRow
    repeats_left: int | None


def due_rows(backend: Backend, job_ids: Sequence[str]) -> list[DueRow]:
    """One row an id, in order. Reads each job's hash; one round trip per 200 jobs, two where scripts are denied."""
    step = CALL_ROWS * CALLS
    parts = [job_ids[start : start + step] for start in range(0, len(job_ids), step)]
    return [row for part in parts for row in _read(backend, part)]


def _read(backend: Backend, job_ids: Sequence[str]) -> list[DueRow]:
    return read_either(backend, lambda: _by_script(backend, job_ids), otherwise=lambda: _by_pipeline(backend, job_ids))


def _by_script(backend: Backend, job_ids: Sequence[str]) -> list[DueRow]:
    script = load(counts.PACKAGE, "due", includes=("common", "row"))
    first = (decode.wire(backend.keys.prefix), ",".join(rows.FIELDS))
    parts = [job_ids[start : start + CALL_ROWS] for start in range(0, len(job_ids), CALL_ROWS)]
    replies = backend.read(*(Call(script, arguments=(*first, *map(decode.wire, part))) for part in parts))
    found = [decode.many(row) for reply in replies for row in decode.many(reply)]
    return [DueRow(rows.raw_row(row), decode.integer(repeats)) for repeats, row in found]


def _by_pipeline(backend: Backend, job_ids: Sequence[str]) -> list[DueRow]:
    jobs = rows.commands(backend.keys, job_ids)
    repeats: list[Command] = [("HGET", decode.wire(backend.keys.job(job_id)), "repeats_left") for job_id in job_ids]
    replies = read_lenient(backend, *jobs, *repeats)
    data = read_lenient(backend, *rows.data_commands(backend.keys, job_ids, replies[: len(jobs)]))
    raws = rows.raw_rows(replies[: len(jobs)], data)
    return [DueRow(row, decode.integer(left)) for row, left in zip(raws, replies[len(jobs) :], strict=True)]
