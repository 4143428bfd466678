"""Whether a backend has a job of an id: one look at its hash, for asking all backends at once."""

from __future__ import annotations

from rqdash.backends.backend import Backend
from rqdash.model.job import JobRow
from rqdash.queries import rows
from rqdash.queries.reading import read_lenient


def found(backend: Backend, job_id: str) -> JobRow | None:
    """The job's row, without what a registry says; None when the backend has no such job. Two round trips, from its hash.

    An id that nobody has is looked for without the space around it too, which comes with copying.
    """
    ids = tuple(dict.fromkeys((job_id, job_id.strip())))
    replies = read_lenient(backend, *rows.commands(backend.keys, ids))
    data = read_lenient(backend, *rows.data_commands(backend.keys, ids, replies))
    pairs = zip(ids, rows.raw_rows(replies, data), strict=True)
    return next((rows.job_row(raw, backend=backend, job_id=one, queue="") for one, raw in pairs if raw.exists), None)
