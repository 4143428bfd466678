"""The jobs of a queue, one page of one registry."""

from __future__ import annotations

from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.errors import NotFound
from rqdash.model import names
from rqdash.model.job import JobList, JobRow
from rqdash.model.registry import EXPIRING, Registry
from rqdash.queries import counts, decode, page_by_pipeline, pages, rows
from rqdash.queries.pages import Entry, Page, Wanted, joined, page
from rqdash.queries.reading import read_either, read_lenient

MOST_ROWS = 200
CALL_ROWS = 100
"""Rows one script call reads: it must not hold the server longer than 5 ms, and takes up to 2."""
MOST_FOUND = 10_000
FIND_STEP = 2000
WORDS = {
    Registry.QUEUED: "next to run first",
    Registry.INTERMEDIATE: "next to run first",
    Registry.STARTED: "newest start first",
    Registry.SCHEDULED: "next due first",
    Registry.DEFERRED: "in RQ's order",
    Registry.FAILED: "newest end first",
    Registry.FINISHED: "newest end first",
    Registry.CANCELED: "newest first",
    Registry.READY: "oldest first",
}


def jobs(backend: Backend, queue: str, registry: Registry, *, offset: int, size: int, now: datetime) -> JobList:
    """One page of a registry, at most 200 rows; offset is rounded down to a whole page.

    Started, failed and finished are ordered within windows of at most 400 entries, live ones first and expired ones after them, for
    their scores are deadlines; never-expiring entries take turns with those of the latest deadlines. Where samples say that a window is
    in order already, as it is when all have the same time to live, only the page is put in order. A row whose hash is gone says so.
    Reads the registry and per row its hash and, for failed, its newest result. One round trip; three to five where scripts are denied.
    """
    asked = wanted(queue, registry, offset=offset, size=size, now=now)
    read = read_either(backend, lambda: _by_script(backend, asked), otherwise=lambda: page_by_pipeline.read(backend, asked))
    return listed(backend, asked, read, now=now)


def wanted(queue: str, registry: Registry, *, offset: int, size: int, now: datetime) -> Wanted:
    """The page that jobs() reads."""
    size = min(max(size, 1), MOST_ROWS)
    return Wanted(queue, registry, max(offset, 0) // size * size, size, counts.seconds(now))


def calls(backend: Backend, wanted: Wanted) -> list[Call]:
    """The calls whose replies together are a page: joined([page(reply), ...])."""
    return [_call(backend, wanted, offset) for offset in range(wanted.offset, wanted.offset + wanted.size, CALL_ROWS)]


def listed(backend: Backend, wanted: Wanted, read: Page, *, now: datetime) -> JobList:
    """The page as values."""
    return JobList(
        backend.name,
        wanted.queue,
        wanted.registry,
        rows=tuple(row(backend, wanted, entry) for entry in read.entries),
        total=max(read.total - read.expired, 0),
        offset=wanted.offset,
        size=wanted.size,
        as_of=now,
        scanned=read.scanned,
        ordered=WORDS[wanted.registry],
        expired=read.expired,
    )


def find(backend: Backend, queue: str, registry: Registry, reference: str) -> str:
    """The id of the job that a query parameter means: itself, or the one in this registry whose id has this ~<sha256>.

    Looks at the first 10,000 entries of the registry, 2,000 a round trip. Raises NotFound.
    """
    if not names.is_digest(reference):
        return reference
    key = pages.key_of(backend.keys, queue, registry)
    command = "LRANGE" if pages.ORDERS[registry] == "list" else "ZREVRANGE"
    for start in range(0, MOST_FOUND, FIND_STEP):
        (reply,) = read_lenient(backend, (command, key, start, start + FIND_STEP - 1))
        members = decode.members(reply)
        ids = (pages.job_id(member, registry=registry)[0] for member in members)
        found = next((job_id for job_id in ids if names.matches(reference, job_id)), None)
        if found is not None:
            return found
        if len(members) < FIND_STEP:
            break
    raise NotFound(f"No job among the first {MOST_FOUND:,} of this list of {backend.name} has this reference.")


def row(backend: Backend, wanted: Wanted, entry: Entry) -> JobRow:
    """The row of an entry that was read, with what its registry says."""
    job_id, execution_id = pages.job_id(entry.member, registry=wanted.registry)
    error_type, error_message, error_end = rows.error_summary(entry.error)
    expires = wanted.registry in EXPIRING
    return rows.job_row(
        entry.row,
        backend=backend,
        job_id=job_id,
        queue=wanted.queue,
        registry=wanted.registry,
        due_at=decode.at(entry.score) if wanted.registry is Registry.SCHEDULED else None,
        expires_at=decode.at(entry.score) if expires else None,
        is_expired=expires and entry.score is not None and 0 <= entry.score <= wanted.now_s,
        worker=decode.name(entry.worker),
        execution_id=execution_id,
        noticed_at=decode.result_at(entry.error.newest),
        canceled_at=decode.at(entry.score) if wanted.registry is Registry.CANCELED else None,
        error_type=error_type,
        error_message=error_message,
        error_end=error_end,
    )


def _by_script(backend: Backend, wanted: Wanted) -> Page:
    return joined([page(reply) for reply in backend.read(*calls(backend, wanted))])


def _call(backend: Backend, wanted: Wanted, offset: int) -> Call:
    script = load(counts.PACKAGE, "jobs", includes=("common", "row"))
    size = min(CALL_ROWS, wanted.offset + wanted.size - offset)
    order = (wanted.order, offset, size, wanted.now_s, wanted.window, wanted.moment)
    flags = (",".join(rows.FIELDS), int(wanted.has_executions), int(wanted.has_errors))
    sampled = (pages.SAMPLES, wanted.size)
    return Call(script, arguments=(decode.wire(backend.keys.prefix), wanted.key(backend.keys), *order, *flags, *sampled))
