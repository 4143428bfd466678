"""Recent runs of one function on a backend: a bounded scan, the queue of one of its jobs first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rqdash.backends.backend import Backend
from rqdash.model.job import JobRow
from rqdash.model.search import literal, search
from rqdash.queries.scan import Match, Scan, rows, scan

MOST = 20
ENTRIES = 1_000
"""Looked at in one state of one queue, or of all others together."""
BUDGET_S = 0.2
STATES = ("started", "failed,stopped", "finished")
"""What ran, or runs; each is scanned by itself, so that many jobs of one state hide none of another."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of a function, newest first, at most 20; is_whole: everything that ran and is kept was looked at. text is the search."""

    rows: tuple[JobRow, ...]
    scanned: int
    total: int
    is_whole: bool
    text: str


def runs(backend: Backend, function: str, *, queue: str, now: datetime) -> Runs:
    """The newest runs of a function: of one queue, then of the others when those are fewer than 20.

    Scans the started, failed and finished registries, at most 1,000 entries of each for the queue and as many for the others, within
    about a second; some 20 round trips. None for a function whose name is unknown.
    """
    text = f"fn:{literal(function)}"
    if not function:
        return Runs((), 0, 0, True, "")
    scans = list(_scans(backend, f"queue:{literal(queue)} {text}", now=now))
    if len(_matches(scans)) < MOST:
        scans += _scans(backend, f"-queue:{literal(queue)} {text}", now=now)
    found = rows(backend, _matches(scans), now=now)
    newest = sorted((row for row in found if row.exists), key=_moment, reverse=True)[:MOST]
    is_whole = all(one.is_whole for one in scans)
    return Runs(tuple(newest), sum(one.scanned for one in scans), sum(one.total for one in scans), is_whole, text)


def _scans(backend: Backend, text: str, *, now: datetime) -> Iterator[Scan]:
    for state in STATES:
        yield scan(backend, search(f"{text} status:{state}"), now=now, most=MOST, entries=ENTRIES, budget_s=BUDGET_S)


def _matches(scans: list[Scan]) -> list[Match]:
    return [match for one in scans for match in one.matches]


def _moment(row: JobRow) -> datetime:
    return row.ended_at or row.started_at or LONG_AGO
