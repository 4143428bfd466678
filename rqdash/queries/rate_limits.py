"""The rate limits of a backend (RQ 3.0): who holds their slots, who waits, and slots that nobody needs any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.model.sharing import HOLDING, LONGEST, Limit, Slot, tallied
from rqdash.queries import decode
from rqdash.queries.counts import PACKAGE
from rqdash.queries.reading import read_either, read_lenient

MOST_HOLDERS = 50
MOST_WAITERS = 50
"""Holders and waiters of one limit that are looked at: each costs a command or two."""
CALL = 2
"""Limits one script call reads: it must not hold the server longer than 5 ms, and takes less than 1."""
STEP = 40
"""Limits one round trip reads."""
Row = tuple[object, object, Sequence[object], object, Sequence[object]]
"""Concurrency, holders, those looked at, waiters, those looked at; as rate_limits.lua gives them."""


def rate_limits(backend: Backend, keys: Sequence[str], *, now: datetime) -> tuple[Limit, ...]:
    """Rate limits by key, with at most 50 holders and 50 waiters looked at each, the oldest.

    Reads <prefix>:rl:<key>, its :allowed and :rate_limited, and their jobs. One round trip per 40 limits; two where scripts are denied.
    """
    parts = [keys[start : start + STEP] for start in range(0, len(keys), STEP)]
    read = [(key, row) for part in parts for key, row in zip(part, _read(backend, part, now=now), strict=True)]
    return tuple(_limit(backend, key, row) for key, row in read)


def _limit(backend: Backend, key: str, row: Row) -> Limit:
    concurrency, holders, held, waiters, waiting = row
    oldest = decode.many(waiting[0]) if waiting else (b"", None, None)
    return Limit(
        backend.name,
        key,
        decode.integer(concurrency),
        holders=decode.integer(holders) or 0,
        slots=tuple(_slot(decode.many(values)) for values in held),
        waiters=decode.integer(waiters) or 0,
        looked=len(waiting),
        queues=tallied(decode.name(values[2]) for values in map(decode.many, waiting) if values[2] is not None),
        oldest_id=decode.name(oldest[0]),
        oldest_queue=decode.name(oldest[2]),
        oldest_at=decode.at(oldest[1]),
    )


def _slot(values: Sequence[object]) -> Slot:
    """As RQ's own cleanup judges: a job that is neither queued nor started, and of which no execution lives, needs no slot."""
    job_id, since, status, queue, live = values
    word = decode.text(status, limit=LONGEST)
    is_leaked = word not in HOLDING and not decode.integer(live)
    return Slot(decode.name(job_id), decode.name(queue), word, decode.at(since), is_leaked)


def _read(backend: Backend, keys: Sequence[str], *, now: datetime) -> list[Row]:
    at = repr(now.timestamp())
    return read_either(backend, lambda: _by_script(backend, keys, at), otherwise=lambda: _by_pipeline(backend, keys, at))


def _by_script(backend: Backend, keys: Sequence[str], at: str) -> list[Row]:
    script = load(PACKAGE, "rate_limits", includes=("common",))
    first = (decode.wire(backend.keys.prefix), at, MOST_HOLDERS, MOST_WAITERS)
    parts = [keys[start : start + CALL] for start in range(0, len(keys), CALL)]
    replies = backend.read(*(Call(script, arguments=(*first, *map(decode.wire, part))) for part in parts))
    found = [decode.many(row) for reply in replies for row in decode.many(reply)]
    return [(limit, n_held, decode.many(held), n_waiting, decode.many(waiting)) for limit, n_held, held, n_waiting, waiting in found]


def _by_pipeline(backend: Backend, keys: Sequence[str], at: str) -> list[Row]:
    replies = read_lenient(backend, *(command for key in keys for command in _commands(backend, key)))
    rows = [replies[start : start + 5] for start in range(0, len(replies), 5)]
    held = [decode.scored(row[2]) for row in rows]
    waiting = [decode.scored(row[4]) for row in rows]
    job, executions = decode.wire(backend.keys.job("")), decode.wire(backend.keys.executions(""))
    asked: list[Command] = []
    for member, _ in (pair for found in held for pair in found):
        asked += [("HMGET", job + member, "status", "origin"), ("ZCOUNT", executions + member, f"({at}", "+inf")]
    asked += [("HGET", job + member, "origin") for found in waiting for member, _ in found]
    values = iter(read_lenient(backend, *asked))
    slots = [[[*pair, *_two(next(values)), next(values)] for pair in found] for found in held]
    waits = [[[*pair, next(values)] for pair in found] for found in waiting]
    return [(row[0], row[1], slot, row[3], wait) for row, slot, wait in zip(rows, slots, waits, strict=True)]


def _commands(backend: Backend, key: str) -> tuple[Command, ...]:
    allowed, waiting = (decode.wire(name) for name in (backend.keys.rate_limit_allowed(key), backend.keys.rate_limit_waiting(key)))
    return (
        ("HGET", decode.wire(backend.keys.rate_limit(key)), "concurrency"),
        ("ZCARD", allowed),
        ("ZRANGE", allowed, 0, MOST_HOLDERS - 1, "WITHSCORES"),
        ("ZCARD", waiting),
        ("ZRANGE", waiting, 0, MOST_WAITERS - 1, "WITHSCORES"),
    )


def _two(values: object) -> list[object]:
    return [*decode.many(values), None, None][:2]
