"""The failures of a backend over all its queues: the newest of them, and groups of those that are alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.model import failure, payload
from rqdash.model.failed import Failed, FailedJob, Groups, Place, grouped
from rqdash.model.failure import Failure, folded
from rqdash.model.fingerprint import Fingerprint, fingerprint
from rqdash.model.registry import Registry
from rqdash.queries import counts, decode, jobs, page_by_pipeline, pages, rows
from rqdash.queries.failed_window import Entry, looked
from rqdash.queries.pages import Wanted
from rqdash.queries.reading import read_either
from rqdash.queries.rows import RawError

WINDOWS = (1_000, 5_000, 20_000)
"""How many failures of a backend one request may look at: at first, and when asked for more."""
CALL_ROWS = 50
CALLS = 4
"""Calls of one round trip: each reads 50 jobs with their errors."""
BUDGET_S = 1.2
"""A page asks all backends within two seconds."""
TEXT_CHARS = 4_000
UNSAID = Fingerprint("", "", "", "")
UNREAD = Fingerprint("", "", "unknown: larger than is read for a list", "")
"""The groups of jobs without a stored error, and of those whose error is too large. They have no key: no search finds them."""

Takes = Callable[[FailedJob], bool]


def newest(
    backend: Backend,
    *,
    now: datetime,
    window: int = WINDOWS[0],
    size: int = 50,
    after: Place | None = None,
    takes: Takes | None = None,
    budget_s: float = BUDGET_S,
) -> Failed:
    """At most size of the newest failures that stand after a place, newest first; those alone that takes likes, where it is given.

    Looks at no more than window of them, and reads no further when budget_s have passed since it began. Round trips: those of
    failed_window.looked and one per 200 jobs read.
    """
    until_s = time.monotonic() + budget_s
    found = looked(backend, now=now, window=window)
    entries = found.after(after)
    kept: list[FailedJob] = []
    scanned = 0
    for _, failed in _read(backend, entries, now=now, step=size if takes is None else CALL_ROWS * CALLS):
        scanned += 1
        if takes is None or takes(failed):
            kept.append(failed)
        if len(kept) == size or (scanned % CALL_ROWS == 0 and time.monotonic() > until_s):
            break
    horizon = entries[scanned - 1].place if scanned and scanned < len(entries) else None
    return Failed(backend.name, tuple(kept), found.window, len(found.entries) - len(entries), scanned, horizon, now)


def groups(backend: Backend, *, now: datetime, window: int = WINDOWS[0], takes: Takes | None = None, budget_s: float = BUDGET_S) -> Groups:
    """The newest failures grouped by fingerprint, as newest() would read them all."""
    until_s = time.monotonic() + budget_s
    found = looked(backend, now=now, window=window)
    scanned = 0

    def alike() -> Iterator[tuple[Fingerprint, FailedJob]]:
        nonlocal scanned
        for pair in _read(backend, found.entries, now=now, step=CALL_ROWS * CALLS):
            scanned += 1
            if takes is None or takes(pair[1]):
                yield pair
            if scanned % CALL_ROWS == 0 and time.monotonic() > until_s:
                return

    return Groups(backend.name, grouped(alike()), found.window, scanned, now)


def _read(backend: Backend, entries: Sequence[Entry], *, now: datetime, step: int) -> Iterator[tuple[Fingerprint, FailedJob]]:
    """The jobs of entries with their fingerprints, read step at a time."""
    for start in range(0, len(entries), step):
        part = entries[start : start + step]
        found = _raw(backend, part)
        for entry, raw in zip(part, found, strict=True):
            yield _failed(backend, entry, raw, now_s=counts.seconds(now))


def _raw(backend: Backend, entries: Sequence[Entry]) -> Sequence[pages.Entry]:
    return read_either(backend, lambda: _by_script(backend, entries), otherwise=lambda: _by_pipeline(backend, entries))


def _by_script(backend: Backend, entries: Sequence[Entry]) -> Sequence[pages.Entry]:
    script = load(counts.PACKAGE, "found_rows", includes=("common", "row"))
    first = (decode.wire(backend.keys.prefix), ",".join(rows.FIELDS))
    parts = [entries[start : start + CALL_ROWS] for start in range(0, len(entries), CALL_ROWS)]
    calls = [Call(script, arguments=(*first, *(word for entry in part for word in (entry.member, b"", 1)))) for part in parts]
    return [pages.entry(row) for reply in backend.read(*calls) for row in decode.many(reply)]


def _by_pipeline(backend: Backend, entries: Sequence[Entry]) -> Sequence[pages.Entry]:
    found = [(entry.member, entry.score) for entry in entries]
    return page_by_pipeline.entries(backend, Wanted("", Registry.FAILED, 0, len(found), 0), found)


def _failed(backend: Backend, entry: Entry, raw: pages.Entry, *, now_s: int) -> tuple[Fingerprint, FailedJob]:
    wanted = Wanted(entry.queue, Registry.FAILED, 0, 1, now_s)
    row = jobs.row(backend, wanted, replace(raw, score=entry.score, error=RawError(newest=raw.error.newest)))
    if not raw.error.size or raw.error.text is None:
        _, message, _ = rows.error_summary(raw.error)
        told = replace(row, error_message=message)
        return (UNREAD if message else UNSAID), FailedJob(told, entry.at, "", None, (), entry.place)
    text, is_truncated = payload.text(raw.error.text)
    error = failure.failure(text, is_truncated=is_truncated)
    alike = fingerprint(error)
    told = replace(row, error_type=error.type, error_message=error.message)
    return alike, FailedJob(told, entry.at, alike.key, _short(error), folded(error), entry.place)


def _short(error: Failure) -> Failure:
    """The failure without its text where its frames say as much, and with the text's beginning where it has none."""
    return replace(error, text="" if error.frames else error.text[:TEXT_CHARS])
