"""The rows of jobs that a search found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Argument, Call, load
from rqdash.model.job import JobRow
from rqdash.model.registry import Registry
from rqdash.queries import counts, decode, jobs, page_by_pipeline, pages
from rqdash.queries import rows as job_rows
from rqdash.queries.pages import Entry, Wanted, key_of
from rqdash.queries.reading import read_either, read_lenient

CALL_ROWS = 50
LISTS = (Registry.QUEUED, Registry.INTERMEDIATE)


@dataclass(frozen=True, slots=True)
class Match:
    """A job that was found, and in which list or registry of which queue."""

    queue: str
    registry: Registry
    job_id: str


def rows(backend: Backend, matches: Sequence[Match], *, now: datetime) -> tuple[JobRow, ...]:
    """A row a match, in order, with the errors of failed ones; of a job that is gone since, a row that says so.

    One round trip; where scripts are denied, four for each registry that matches follow one another in.
    """
    if not matches:
        return ()
    found = read_either(backend, lambda: _by_script(backend, matches), otherwise=lambda: _by_pipeline(backend, matches))
    now_s = counts.seconds(now)
    return tuple(jobs.row(backend, _wanted(match, now_s), entry) for match, entry in zip(matches, found, strict=True))


def _wanted(match: Match, now_s: int) -> Wanted:
    return Wanted(match.queue, match.registry, 0, 1, now_s)


def _by_script(backend: Backend, matches: Sequence[Match]) -> list[Entry]:
    script = load(counts.PACKAGE, "found_rows", includes=("common", "row"))
    first = (decode.wire(backend.keys.prefix), ",".join(job_rows.FIELDS))
    parts = [matches[start : start + CALL_ROWS] for start in range(0, len(matches), CALL_ROWS)]
    calls = [Call(script, arguments=(*first, *(word for match in part for word in _words(backend, match)))) for part in parts]
    return [pages.entry(row) for reply in backend.read(*calls) for row in decode.many(reply)]


def _words(backend: Backend, match: Match) -> tuple[Argument, ...]:
    key = b"" if match.registry in LISTS else key_of(backend.keys, match.queue, match.registry)
    return decode.wire(match.job_id), key, int(match.registry is Registry.FAILED)


def _by_pipeline(backend: Backend, matches: Sequence[Match]) -> list[Entry]:
    found: list[Entry] = []
    for (queue, registry), group in groupby(matches, key=lambda match: (match.queue, match.registry)):
        members = [decode.wire(match.job_id) for match in group]
        scores: Sequence[object] = [None] * len(members)
        if registry not in LISTS:
            scores = read_lenient(backend, *(("ZSCORE", key_of(backend.keys, queue, registry), member) for member in members))
        scored = [(member, decode.decimal(score)) for member, score in zip(members, scores, strict=True)]
        found += page_by_pipeline.entries(backend, Wanted(queue, registry, 0, 1, 0), scored)
    return found
