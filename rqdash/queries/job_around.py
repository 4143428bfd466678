"""What a job's future depends on beyond itself: workers of its queue, the scheduler, suspension, its group, its rate limit."""

from __future__ import annotations

from collections.abc import Sequence

from rqdash.backends.backend import Backend
from rqdash.model.job import RateLimit, Surroundings
from rqdash.queries import decode
from rqdash.queries.job_fields import RawJob
from rqdash.queries.reading import read_lenient

FEWEST_WORKERS = 100
"""How many workers of the queue are looked at for one that lives, without scripts."""


def by_pipeline(backend: Backend, job_id: str, raw: RawJob) -> list[object]:
    """What lua/around.lua gives, in two round trips."""
    queue, group, limit = _names(raw)
    keys, member, absent = backend.keys, decode.wire(job_id), decode.wire(backend.keys.own("none"))
    allowed, waiting = (decode.wire(key) if limit else absent for key in (keys.rate_limit_allowed(limit), keys.rate_limit_waiting(limit)))
    suspended, lock, listed, scan, *rest = read_lenient(
        backend,
        ("EXISTS", decode.wire(keys.suspended)),
        ("EXISTS", decode.wire(keys.scheduler_lock(queue))),
        ("SCARD", decode.wire(keys.queue_workers(queue))),
        ("SSCAN", decode.wire(keys.queue_workers(queue)), 0, "COUNT", FEWEST_WORKERS),
        ("SCARD", decode.wire(keys.group(group)) if group else absent),
        ("HGET", decode.wire(keys.rate_limit(limit)) if limit else absent, "concurrency"),
        *(("ZCARD", key) for key in (allowed, waiting)),
        *(("ZSCORE", key, member) for key in (allowed, waiting)),
    )
    workers = decode.members(decode.many(scan)[1] if len(decode.many(scan)) == 2 else ())[:FEWEST_WORKERS]
    bound = b"(%r" % decode.decimal(rest[5]) if rest[5] is not None else b"-inf"
    *values, before = read_lenient(
        backend, *(("HMGET", worker, "birth", "state") for worker in workers), ("ZCOUNT", waiting, "-inf", bound)
    )
    is_live = any(value is not None for found in values for value in decode.many(found))
    seen = 1 if is_live else None if len(workers) < (decode.integer(listed) or 0) else 0
    return [suspended, lock, listed, seen, *rest, before]


def around(reply: object, raw: RawJob) -> Surroundings:
    """The surroundings in what lua/around.lua or by_pipeline() gives."""
    suspended, lock, _, seen, size, *limit = [*decode.many(reply), *[None] * 11][:11]
    _, group, key = _names(raw)
    live = decode.integer(seen)
    return Surroundings(
        is_suspended=bool(suspended),
        has_scheduler=bool(lock),
        is_attended=None if live is None else bool(live),
        group_size=decode.integer(size) if group else None,
        limit=_limit(key, limit) if key else None,
    )


def _limit(key: str, values: Sequence[object]) -> RateLimit:
    concurrency, holders, waiters, held_at, waits_at, before = values
    is_waiting = waits_at is not None
    return RateLimit(
        key,
        concurrency=decode.integer(concurrency),
        holders=decode.integer(holders) or 0,
        waiters=decode.integer(waiters) or 0,
        held_at=decode.at(held_at),
        waits_at=decode.at(waits_at),
        is_holder=held_at is not None,
        position=decode.integer(before) if is_waiting else None,
    )


def _names(raw: RawJob) -> tuple[str, str, str]:
    """The names of its queue, its group and its rate limit."""
    queue, group, limit = (decode.name(raw.value(field)) for field in ("origin", "group_id", "rate_limit_key"))
    return queue, group, limit
