"""A page of a registry: which one is wanted, how its registry is ordered, and what was read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rqdash.model.keys import Keys
from rqdash.model.registry import Registry
from rqdash.queries import decode, rows
from rqdash.queries.rows import RawError, RawRow

WINDOW = 400
"""Entries ordered together: reading and sorting their moments costs the server about 1 ms."""
SAMPLES = 16
"""Entries of a window, at even distances, that tell whether it is in order already."""
ORDERS = {
    Registry.QUEUED: "list",
    Registry.INTERMEDIATE: "list",
    Registry.STARTED: "window",
    Registry.SCHEDULED: "up",
    Registry.DEFERRED: "up",
    Registry.FAILED: "window",
    Registry.FINISHED: "window",
    Registry.CANCELED: "down",
    Registry.READY: "up",
}
"""list: LRANGE. up, down: by score. window: by a moment of the jobs, within windows of at most 400 entries.

Where samples of a window say that it is in order already, only the page's own entries are ordered among themselves.
"""
MOMENTS = {Registry.STARTED: "started_at", Registry.FAILED: "ended_at", Registry.FINISHED: "ended_at"}
# RQ 2.0 and later write <job id>:<execution id> as the member of the started registry, RQ 1.x the id alone.
EXECUTION = re.compile(r"(.*):([0-9a-f]{32})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page of which registry; offset is a multiple of size, now_s in whole seconds, as RQ compares it with scores."""

    queue: str
    registry: Registry
    offset: int
    size: int
    now_s: int

    @property
    def order(self) -> str:
        return ORDERS[self.registry]

    @property
    def window(self) -> int:
        """Entries ordered together: whole pages, so that no page lies in two windows."""
        return WINDOW // self.size * self.size

    @property
    def moment(self) -> str:
        """The field that orders the jobs of a window."""
        return MOMENTS.get(self.registry, "")

    @property
    def has_executions(self) -> bool:
        return self.registry is Registry.STARTED

    @property
    def has_errors(self) -> bool:
        return self.registry is Registry.FAILED

    def key(self, keys: Keys) -> bytes:
        return key_of(keys, self.queue, self.registry)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a registry with its job, as stored; score is None in a list."""

    member: bytes
    score: float | None
    row: RawRow
    error: RawError
    worker: bytes | None


@dataclass(frozen=True, slots=True)
class Page:
    """What was read: the size of the registry, how many of it are expired, how many were ordered, and the page."""

    total: int
    expired: int
    scanned: int
    entries: tuple[Entry, ...]


def key_of(keys: Keys, queue: str, registry: Registry) -> bytes:
    if registry is Registry.QUEUED:
        return decode.wire(keys.queue(queue))
    if registry is Registry.INTERMEDIATE:
        return decode.wire(keys.intermediate(queue))
    return decode.wire(keys.registry(registry, queue))


def job_id(member: bytes, *, registry: Registry) -> tuple[str, str]:
    """(job id, execution id) of a registry's member; only the started registry names executions."""
    text = decode.name(member)
    found = EXECUTION.fullmatch(text) if registry is Registry.STARTED else None
    return (found.group(1), found.group(2)) if found else (text, "")


def page(reply: object) -> Page:
    """What jobs.lua returns."""
    total, _, expired, scanned, found = decode.many(reply)
    entries = tuple(entry(row) for row in decode.many(found))
    return Page(decode.integer(total) or 0, decode.integer(expired) or 0, decode.integer(scanned) or 0, entries)


def entry(reply: object) -> Entry:
    """One row of what jobs.lua, or found_rows.lua, returns."""
    member, score, size, text, worker, row, newest = decode.many(reply)
    error = RawError(decode.integer(size) or 0, text if isinstance(text, bytes) else None, newest if isinstance(newest, bytes) else None)
    known_worker = worker if isinstance(worker, bytes) else None
    return Entry(member if isinstance(member, bytes) else b"", decode.decimal(score), rows.raw_row(row), error, known_worker)


def joined(parts: Sequence[Page]) -> Page:
    """One page of several calls, read one after the other in one round trip."""
    first = parts[0]
    return Page(first.total, first.expired, first.scanned, tuple(entry for part in parts for entry in part.entries))
