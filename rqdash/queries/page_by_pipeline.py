"""Reads a page of a registry without scripts: what lua/jobs.lua does, in three to five round trips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from rqdash.backends.backend import Backend, Command
from rqdash.queries import decode, rows
from rqdash.queries.pages import SAMPLES, Entry, Page, Wanted, job_id
from rqdash.queries.reading import read_lenient
from rqdash.queries.rows import SMALL_ERROR_BYTES, RawError

MOMENT_BYTES = 26
Scored = tuple[bytes, float | None]


def read(backend: Backend, wanted: Wanted) -> Page:
    """The page, equal to what the script gives. Members, (in a window) their moments, jobs, then what is known to be small."""
    if wanted.order == "list":
        total, expired, scanned, found = _listed(backend, wanted)
    elif wanted.order == "window":
        total, expired, scanned, found = _windowed(backend, wanted)
    else:
        total, expired, scanned, found = _ranked(backend, wanted)
    return Page(total, expired, scanned, entries(backend, wanted, found))


def entries(backend: Backend, wanted: Wanted, found: Sequence[Scored]) -> tuple[Entry, ...]:
    """The jobs of members that were found, with what the registry wanted tells of its rows. Two round trips."""
    ids = [job_id(member, registry=wanted.registry)[0] for member, _ in found]
    jobs = rows.commands(backend.keys, ids)
    replies = read_lenient(backend, *jobs, *_errors(backend, wanted, ids), *_workers(backend, wanted, found))
    of_jobs, others = replies[: len(jobs)], replies[len(jobs) :]
    data = rows.data_commands(backend.keys, ids, of_jobs)
    legacy = _legacy(backend, ids, others) if wanted.has_errors else []
    small = read_lenient(backend, *data, *legacy)
    raws = rows.raw_rows(of_jobs, small[: len(data)])
    errors = _raw_errors(others, small[len(data) :]) if wanted.has_errors else [RawError()] * len(ids)
    workers = others if wanted.has_executions else [None] * len(ids)
    parts = zip(found, raws, errors, workers, strict=True)
    return tuple(Entry(m, score, raw, error, w if isinstance(w, bytes) else None) for (m, score), raw, error, w in parts)


def _listed(backend: Backend, wanted: Wanted) -> tuple[int, int, int, list[Scored]]:
    key = wanted.key(backend.keys)
    total, members = read_lenient(backend, ("LLEN", key), ("LRANGE", key, wanted.offset, wanted.offset + wanted.size - 1))
    return decode.integer(total) or 0, 0, 0, [(member, None) for member in decode.members(members)]


def _ranked(backend: Backend, wanted: Wanted) -> tuple[int, int, int, list[Scored]]:
    key = wanted.key(backend.keys)
    command = "ZRANGE" if wanted.order == "up" else "ZREVRANGE"
    last = wanted.offset + wanted.size - 1
    total, members = read_lenient(backend, ("ZCARD", key), (command, key, wanted.offset, last, "WITHSCORES"))
    return decode.integer(total) or 0, 0, 0, list(decode.scored(members))


def _windowed(backend: Backend, wanted: Wanted) -> tuple[int, int, int, list[Scored]]:
    key = wanted.key(backend.keys)
    counted = read_lenient(backend, ("ZCARD", key), ("ZCOUNT", key, "-inf", "(0"), ("ZCOUNT", key, 0, wanted.now_s))
    total, negative, expired = (decode.integer(count) or 0 for count in counted)
    first = wanted.offset - wanted.offset % wanted.window
    live, dead = _ranges(key, (first, min(first + wanted.window, total)), total=total, negative=negative, expired=expired)
    replies = read_lenient(backend, *live, *dead)
    alive = [pair for reply in replies[: len(live)] for pair in decode.scored(reply)]
    lapsed = [pair for reply in replies[len(live) :] for pair in decode.scored(reply)]
    moments = _moments(backend, wanted, (*alive, *lapsed))
    start = wanted.offset - first
    if alive and not dead and _is_in_order(moments):
        here = slice(start, start + wanted.size)
        ordered = _sorted(alive[here], moments[here])
        return total, expired, len(ordered), [*ordered]
    ordered = _sorted(alive, moments[: len(alive)]) + _sorted(lapsed, moments[len(alive) :])
    return total, expired, len(ordered), list(ordered[start : start + wanted.size])


def _ranges(key: bytes, window: tuple[int, int], *, total: int, negative: int, expired: int) -> tuple[list[Command], list[Command]]:
    """The commands for a window's live and expired entries; scores put never-expiring (negative) first, then expired, then live."""
    first, last = window
    live = total - expired
    commands: list[Command] = []
    if first < live:
        stop = min(last, live)
        a, b = (_from_top(count, top=live - negative, negative=negative) for count in (first, stop))
        commands += [("ZREVRANGE", key, a, b - 1, "WITHSCORES")] if b > a else []
        commands += [("ZRANGE", key, first - a, stop - b - 1, "WITHSCORES")] if stop - b > first - a else []
    start = max(first, live) - live
    dead: list[Command] = [("ZRANGE", key, negative + start, negative + last - live - 1, "WITHSCORES")] if last > live + start else []
    return commands, dead


def _from_top(count: int, *, top: int, negative: int) -> int:
    """How many of the first count live entries come from the top of the set: both kinds take turns while both last."""
    return min(top, max(math.ceil(count / 2), count - negative))


def _moments(backend: Backend, wanted: Wanted, found: Sequence[tuple[bytes, float]]) -> list[bytes]:
    ids = [job_id(member, registry=wanted.registry)[0] for member, _ in found]
    replies = read_lenient(backend, *(("HGET", decode.wire(backend.keys.job(found)), wanted.moment) for found in ids))
    return [reply[:MOMENT_BYTES] if isinstance(reply, bytes) else b"" for reply in replies]


def _is_in_order(moments: Sequence[bytes]) -> bool:
    """What the script tells by the same samples."""
    sampled = moments[:: max(len(moments) // SAMPLES, 1)]
    return all(sampled) and all(later <= earlier for earlier, later in pairwise(sampled))


def _sorted(pairs: Sequence[tuple[bytes, float]], moments: Sequence[bytes]) -> list[tuple[bytes, float]]:
    together = sorted(zip(moments, pairs, strict=True), key=lambda item: item[0], reverse=True)
    return [pair for _, pair in together]


def _errors(backend: Backend, wanted: Wanted, ids: Sequence[str]) -> list[Command]:
    if not wanted.has_errors:
        return []
    keys = backend.keys
    newest: list[Command] = [("XREVRANGE", decode.wire(keys.results(found)), "+", "-", "COUNT", 1) for found in ids]
    sizes: list[Command] = [("HSTRLEN", decode.wire(keys.job(found)), "exc_info") for found in ids]
    return newest + sizes


def _workers(backend: Backend, wanted: Wanted, found: Sequence[Scored]) -> list[Command]:
    if not wanted.has_executions:
        return []
    start = decode.wire(backend.keys.execution(""))
    return [("HGET", start + member, "worker_name") for member, _ in found]


def _of_results(replies: Sequence[object]) -> list[tuple[bytes | None, bytes | None]]:
    """The exc_string of each job's newest result, and its id; replies are those to _errors."""
    newest = [decode.entries(reply) for reply in replies[: len(replies) // 2]]
    return [(stream[0][1].get(b"exc_string"), stream[0][0]) if stream else (None, None) for stream in newest]


def _legacy(backend: Backend, ids: Sequence[str], replies: Sequence[object]) -> list[Command]:
    sizes = replies[len(replies) // 2 :]
    wanted = zip(ids, _of_results(replies), sizes, strict=True)
    return [
        ("HGET", decode.wire(backend.keys.job(found)), "exc_info") for found, (text, _), size in wanted if text is None and _is_small(size)
    ]


def _raw_errors(replies: Sequence[object], legacy: Sequence[object]) -> list[RawError]:
    texts = iter(legacy)
    errors = []
    for (text, newest), size in zip(_of_results(replies), replies[len(replies) // 2 :], strict=True):
        if text is not None:
            errors.append(RawError(len(text), text if len(text) <= SMALL_ERROR_BYTES else None, newest))
        else:
            old = next(texts) if _is_small(size) else None
            errors.append(RawError(decode.integer(size) or 0, old if isinstance(old, bytes) else None, newest))
    return errors


def _is_small(size: object) -> bool:
    return 0 < (decode.integer(size) or 0) <= SMALL_ERROR_BYTES
