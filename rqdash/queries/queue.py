"""One queue, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call, load
from rqdash.errors import NotFound
from rqdash.model.queue import QueueSummary
from rqdash.queries import counts, decode, states
from rqdash.queries.counts import Counted
from rqdash.queries.reading import read_either, read_lenient
from rqdash.queries.workers import suspension

MOST_WORKERS = 1000

Read = tuple[Counted, bool, int, int, object, object]
"""Its numbers, whether RQ lists it, live workers that listen to it, busy ones of them, PTTL of their suspension, ZCARD of departures."""


def summary_of(backend: Backend, name: str, *, now: datetime) -> QueueSummary:
    """One queue's counts, with the live workers that listen to it (of the first 1,000).

    Reads its list and registries, its first job, <prefix>:workers:<queue>, those workers' hashes, <prefix>:suspended and
    <prefix>:rqdash:mv:out. One round trip, or two where scripts are denied. Raises NotFound when RQ lists no such queue and none of
    its keys exists.
    """
    read = read_either(backend, lambda: _by_script(backend, name, now=now), otherwise=lambda: _by_pipeline(backend, name, now=now))
    return summary(backend, name, read, now=now)


def summary(backend: Backend, name: str, read: Read, *, now: datetime) -> QueueSummary:
    """The summary of what was read of a queue. Raises NotFound as summary_of."""
    counted, is_listed, live, busy, left_ms, departing = read
    if counted.is_empty and not is_listed:
        raise NotFound(f"{backend.name} has no queue of this name. It may have been deleted, or its prefix differs.")
    found = counts.summary(backend, name, counts=counted, workers=live, workers_busy=busy, is_listed=is_listed)
    is_suspended, until = suspension(left_ms, now=now)
    return replace(found, is_suspended=is_suspended, suspended_until=until, departing=decode.integer(departing) or 0)


def call(backend: Backend, name: str, *, now: datetime) -> Call:
    """The call whose reply read_of() reads."""
    script = load(counts.PACKAGE, "queue", includes=("common", "tally"))
    words = (decode.wire(backend.keys.prefix), counts.seconds(now), decode.wire(name), MOST_WORKERS)
    return Call(script, arguments=words)


def read_of(reply: object) -> Read:
    """What queue.lua returns."""
    row, is_listed, live, busy, left_ms, departing = decode.many(reply)
    return counts.counted(row), bool(is_listed), decode.integer(live) or 0, decode.integer(busy) or 0, left_ms, departing


def _by_script(backend: Backend, name: str, *, now: datetime) -> Read:
    (reply,) = backend.read(call(backend, name, now=now))
    return read_of(reply)


def _by_pipeline(backend: Backend, name: str, *, now: datetime) -> Read:
    keys = backend.keys
    replies = read_lenient(
        backend,
        *counts.by_pipeline(keys, [name], now=now),
        ("SISMEMBER", decode.wire(keys.queues), decode.wire(keys.queue(name))),
        ("SSCAN", decode.wire(keys.queue_workers(name)), 0, "COUNT", MOST_WORKERS),
        ("PTTL", decode.wire(keys.suspended)),
        ("ZCARD", decode.wire(keys.own("mv", "out"))),
    )
    *counted, is_listed, scan, left_ms, departing = replies
    rows = counts.rows_of(counted)
    workers = _workers(backend, scan)
    heads = counts.heads(keys, rows)
    replies = read_lenient(backend, *(("HMGET", worker, *states.FIELDS) for worker in workers), *heads)
    live = [state for reply in replies[: len(workers)] if (state := states.worker_state(reply).state) != "lost"]
    (row,) = counts.with_heads(rows, replies[len(workers) :])
    return counts.counted(row), bool(is_listed), len(live), live.count("busy"), left_ms, departing


def _workers(backend: Backend, scan: object) -> Sequence[bytes]:
    parts = decode.many(scan)
    start = decode.wire(backend.keys.worker(""))
    return [key for key in decode.members(parts[1] if len(parts) == 2 else ())[:MOST_WORKERS] if key.startswith(start)]
