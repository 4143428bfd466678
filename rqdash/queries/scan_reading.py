"""Reads one stretch of a list or registry for a scan: by script, or by plain commands where scripts are denied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.queries import counts, decode, scan_by_pipeline
from rqdash.queries.pages import key_of
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.scan_plan import HEAD_BYTES, INDEX, MEMBER, SCORE, Plan, Row, identity
from rqdash.queries.scan_sources import Source

BUSY_S = 0.0015
"""How long one call works before it stops by itself; its answer takes a little more, and 5 ms is the most."""
ROOM_BYTES = 250_000
FULL_DATA_BYTES = 131_000
"""Of data whose beginning does not tell its function, such as a method's: what payload.function reads of it at most."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where to read: a source, from where, and at most how many entries."""

    source: Source
    plan: Plan
    place: tuple[bytes, ...]
    most: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read: entries looked at, whether the source has no more, where to go on, seconds of the server, rows that may match."""

    looked: int
    is_done: bool
    place: tuple[bytes, ...]
    busy_s: float
    rows: tuple[Row, ...]


def read(backend: Backend, stretches: Sequence[Stretch]) -> list[Batch]:
    """A batch a stretch, in order. One round trip, and one more for data whose beginning does not say enough.

    Where scripts are denied, the first stretch alone is read, in some three round trips.
    """
    batches = read_either(backend, lambda: _by_script(backend, stretches), otherwise=lambda: [_by_pipeline(backend, stretches[0])])
    return [_with_data(backend, batch, stretch.plan) for batch, stretch in zip(batches, stretches, strict=False)]


def place_at(row: Row, batch: Batch, stretch: Stretch) -> tuple[bytes, ...]:
    """Where to go on after a row of a batch."""
    member, score = row[MEMBER], row[SCORE]
    if not isinstance(member, bytes):
        return batch.place
    if stretch.source.order != "list":
        return (score if isinstance(score, bytes) else b"0", member)
    behind, ahead = (decode.integer(word) or 0 for word in batch.place[:2])
    back = batch.looked - (decode.integer(row[INDEX]) or 0)
    return (str(behind - back).encode(), str(ahead + back).encode(), member)


def _by_script(backend: Backend, stretches: Sequence[Stretch]) -> list[Batch]:
    return [_batch(reply) for reply in backend.read(*(_call(backend, stretch) for stretch in stretches))]


def _call(backend: Backend, stretch: Stretch) -> Call:
    script = load(counts.PACKAGE, "scan", includes=("common", "row"))
    source, plan = stretch.source, stretch.plan
    where = (decode.wire(backend.keys.prefix), key_of(backend.keys, source.queue, source.registry), source.order)
    limits = (int(source.registry.value == "started"), stretch.most, BUSY_S, ROOM_BYTES)
    wanted = (",".join(plan.fields), plan.data_most, plan.data_head, int(plan.has_errors), int(plan.has_ends))
    return Call(script, arguments=(*where, *limits, *wanted, len(stretch.place), *stretch.place, *plan.conditions))


def _batch(reply: object) -> Batch:
    looked, done, place, busy_us, rows = decode.many(reply)
    busy_s = (decode.integer(busy_us) or 0) / 1e6
    return Batch(decode.integer(looked) or 0, bool(done), tuple(decode.members(place)), busy_s, tuple(map(decode.many, decode.many(rows))))


def _by_pipeline(backend: Backend, stretch: Stretch) -> Batch:
    source, plan = stretch.source, stretch.plan
    key = key_of(backend.keys, source.queue, source.registry)
    found = scan_by_pipeline.entries(backend, key, source.order, place=stretch.place, most=stretch.most)
    rows = scan_by_pipeline.rows(backend, plan, [(index + 1, *entry) for index, entry in enumerate(found.entries)])
    return Batch(len(found.entries), found.is_done, found.place, BUSY_S, tuple(rows))


def _with_data(backend: Backend, batch: Batch, plan: Plan) -> Batch:
    """The batch with the whole data of jobs whose function its beginning does not tell."""
    at = plan.data_column
    short = [index for index, row in enumerate(batch.rows) if _is_short(row, at)] if plan.has_data else []
    if not short:
        return batch
    rows = list(batch.rows)
    jobs = [decode.wire(backend.keys.job(identity(rows[index][MEMBER], plan.registry))) for index in short]
    for index, data in zip(short, read_lenient(backend, *(("HGET", job, "data") for job in jobs)), strict=True):
        rows[index] = [*rows[index][:at], data, *rows[index][at + 1 :]]
    return replace(batch, rows=tuple(rows))


def _is_short(row: Row, at: int) -> bool:
    size, data = row[at - 1], row[at]
    if not isinstance(size, int) or size <= HEAD_BYTES or size > FULL_DATA_BYTES or not isinstance(data, bytes):
        return False
    return len(data) < size and not scan_by_pipeline.has_function(data)
