"""The newest failures of a backend: entries of the failed registries of all its queues, as many as a window holds.

RQ orders failures by when they expire, and those that never do not at all, so when they ended must be read. Where there are more than
the window holds, samples tell where the newest are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.model.failed import Place, Window, place
from rqdash.queries import counts, decode, failed_by_pipeline
from rqdash.queries.failed_by_pipeline import RawEntry
from rqdash.queries.failed_choice import FIRST_BLOCK, Range, Sizes, batches, chosen, cut
from rqdash.queries.overview import MOST_QUEUES
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.sets import commands, listed

MOST_LOOKED = 20_000
CALL_QUEUES = 25
CALL_ENTRIES = 250
"""What one script call reads: it must not hold the server longer than 5 ms, and takes about 1."""
CALLS = 8
"""Calls of one round trip."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a failed registry; at is when its job ended, or else when RQ noticed."""

    queue: str
    member: bytes
    score: float | None
    at: datetime | None
    place: Place


@dataclass(frozen=True, slots=True)
class Looked:
    """The entries looked at, newest first, and how many those are of how many."""

    entries: tuple[Entry, ...]
    window: Window

    def after(self, where: Place | None) -> tuple[Entry, ...]:
        """Those that stand after a place; all for None."""
        return self.entries if where is None else tuple(entry for entry in self.entries if entry.place.key > where.key)


def looked(backend: Backend, *, now: datetime, window: int) -> Looked:
    """The newest failures of a backend's queues (the first 2,000 by name), at most window, newest first.

    Reads <prefix>:queues, the sizes of the failed registries with samples of them, and entries with ended_at of their jobs: those of
    the likeliest blocks, then of all others that may hold newer ones, at most 20,000. One round trip for the names, one per 100 queues,
    one per 2,000 entries; two more for each of the latter two where scripts are denied.
    """
    names = listed(*read_lenient(backend, *commands(backend.keys.queues)), prefix=backend.keys.queue(""))
    queues = names.names[:MOST_QUEUES]
    read = partial(_read, backend, queues, now=now, window=window)
    sizes, entries, n_looked = read_either(backend, partial(read, BY_SCRIPT), otherwise=partial(read, BY_PIPELINE))
    size = Window(
        total=sum(queue.live for queue in sizes),
        looked=n_looked,
        kept=len(entries),
        expired=sum(queue.total - queue.live for queue in sizes),
        queues=len(queues),
        queues_total=names.total,
    )
    return Looked(tuple(entries), size)


@dataclass(frozen=True, slots=True)
class _Reader:
    """How sizes and entries are read. Entries are asked for with the oldest moment that is still of use, "" for any."""

    sizes: Callable[[Backend, Sequence[str], int], list[Sizes]]
    entries: Callable[[Backend, Sequence[Range], str], list[RawEntry]]


def _read(backend: Backend, queues: Sequence[str], reader: _Reader, *, now: datetime, window: int) -> tuple[list[Sizes], list[Entry], int]:
    sizes = reader.sizes(backend, queues, counts.seconds(now))
    left = chosen(sizes, most=MOST_LOOKED)
    found: list[Entry] = []
    n_looked, floor_s = 0, float("-inf")
    while left and n_looked < MOST_LOOKED:
        taken, left = cut(left, size=min(CALLS * CALL_ENTRIES, MOST_LOOKED - n_looked))
        n_looked += sum(part.range.size for part in taken)
        raw = reader.entries(backend, [part.range for part in taken], _floor(floor_s))
        found = sorted((*found, *(_entry(backend, *entry) for entry in raw)), key=lambda entry: entry.place.key)[:window]
        floor_s = _oldest_s(found) if len(found) == window else floor_s
        left = [part for part in left if part.newest_s >= floor_s]
    return sizes, found, n_looked


def _oldest_s(entries: Sequence[Entry]) -> float:
    at = entries[-1].at
    return at.timestamp() if at else float("-inf")


def _floor(floor_s: float) -> str:
    """A moment as RQ writes it, without the fraction that old versions do not write."""
    return datetime.fromtimestamp(floor_s, UTC).strftime("%Y-%m-%dT%H:%M:%S") if floor_s > 0 else ""


def _entry(backend: Backend, queue: str, member: bytes, score: object, moment: object) -> Entry:
    at = decode.when(moment) or decode.result_at(moment)
    where = place(at, backend=backend.name, queue=queue, job_id=decode.name(member))
    return Entry(queue, member, decode.decimal(score), at, where)


def _sizes(backend: Backend, queues: Sequence[str], now_s: int) -> list[Sizes]:
    script = load(counts.PACKAGE, "failed_sizes", includes=("common",))
    first = (decode.wire(backend.keys.prefix), now_s, FIRST_BLOCK)
    parts = [queues[start : start + CALL_QUEUES] for start in range(0, len(queues), CALL_QUEUES)]
    replies = _called(backend, [Call(script, arguments=(*first, *map(decode.wire, part))) for part in parts])
    return [_size(queue, row) for queue, row in zip(queues, (row for reply in replies for row in decode.many(reply)), strict=True)]


def _size(queue: str, row: object) -> Sizes:
    *numbers, moments = decode.many(row)
    total, forever, expired = (decode.integer(number) or 0 for number in numbers)
    return Sizes(queue, total, forever, expired, tuple(map(decode.when, decode.many(moments))))


def _entries(backend: Backend, ranges: Sequence[Range], floor: str) -> list[RawEntry]:
    script = load(counts.PACKAGE, "failed_entries", includes=("common",))
    first = (decode.wire(backend.keys.prefix), floor)
    parts = list(batches(ranges, size=CALL_ENTRIES))
    replies = _called(backend, [Call(script, arguments=(*first, *(word for part in batch for word in _words(part)))) for batch in parts])
    flat = [
        (part, found) for batch, reply in zip(parts, replies, strict=True) for part, found in zip(batch, decode.many(reply), strict=True)
    ]
    return [entry for part, values in flat for entry in _raw(part.queue, values)]


def _words(part: Range) -> tuple[bytes | int, ...]:
    return decode.wire(part.queue), int(part.is_forever), part.first, part.last


def _raw(queue: str, values: object) -> list[RawEntry]:
    each = iter(decode.many(values))
    return [(queue, member, score, moment) for member, score, moment in zip(each, each, each, strict=True) if isinstance(member, bytes)]


def _called(backend: Backend, calls: Sequence[Call]) -> list[object]:
    return [reply for start in range(0, len(calls), CALLS) for reply in backend.read(*calls[start : start + CALLS])]


BY_SCRIPT = _Reader(_sizes, _entries)
BY_PIPELINE = _Reader(failed_by_pipeline.sizes, failed_by_pipeline.entries)
