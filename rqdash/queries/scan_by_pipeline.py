"""What lua/scan.lua reads, by plain commands: slower, and with the same jobs in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rqdash.backends.backend import Backend, Command
from rqdash.model import payload
from rqdash.queries import decode
from rqdash.queries.reading import read_lenient
from rqdash.queries.rows import SMALL_ERROR_BYTES
from rqdash.queries.scan_plan import TEXT_BYTES, Plan, Row, identity

MOST = 200
"""Entries in one round trip."""
NEAR = 1000
BYTES_AT_ONCE = 4_194_304
LONG = 300
ANCHORS = (0, 15, 255)

Entry = tuple[int, bytes, bytes]
"""Place among the entries looked at, member, score (b"" in a list)."""


@dataclass(frozen=True, slots=True)
class Found:
    """The entries of one stretch, with where to go on."""

    entries: tuple[tuple[bytes, bytes], ...]
    is_done: bool
    place: tuple[bytes, ...]


def entries(backend: Backend, key: bytes, order: str, *, place: tuple[bytes, ...], most: int) -> Found:
    """At most 200 entries. Two round trips, three or more when the entry to go on after is gone."""
    most = min(most, MOST)
    if order == "list":
        return _listed(backend, key, place, most)
    start = _rank_after(backend, key, order, place) if place else 0
    (reply,) = read_lenient(backend, ("ZRANGE" if order == "up" else "ZREVRANGE", key, start, start + most - 1, "WITHSCORES"))
    found = tuple((member, repr(score).encode()) for member, score in decode.scored(reply))
    return Found(found, len(found) < most, (found[-1][1], found[-1][0]) if found else place)


def rows(backend: Backend, plan: Plan, found: Sequence[Entry]) -> list[Row]:
    """What the plan reads of each entry, as scan.lua gives it; what it would drop is among them. One to four round trips."""
    if not found:
        return []
    jobs = [decode.wire(backend.keys.job(identity(member, plan.registry))) for _, member, _ in found]
    results = [decode.wire(backend.keys.results(identity(member, plan.registry))) for _, member, _ in found]
    commands: list[Command] = [("HMGET", job, *plan.fields) for job in jobs] if plan.fields else []
    commands += [("HSTRLEN", job, "data") for job in jobs] if plan.has_data else []
    commands += [("XREVRANGE", result, "+", "-", "COUNT", 1) for result in results] if plan.has_errors else []
    commands += [("HSTRLEN", job, "exc_info") for job in jobs] if plan.has_errors else []
    replies = read_lenient(backend, *commands)
    groups = iter([replies[start : start + len(jobs)] for start in range(0, len(replies), len(jobs))])
    columns = [_fields(next(groups), len(plan.fields))] if plan.fields else []
    columns += _data(backend, jobs, next(groups), most=plan.data_most) if plan.has_data else []
    columns += _errors(backend, jobs, next(groups), next(groups)) if plan.has_errors else []
    columns += _ends(backend, plan, results, columns[0]) if plan.has_ends else []
    return [[*entry, *(value for column in columns for value in column[at])] for at, entry in enumerate(found)]


def has_function(data: bytes) -> bool:
    """Whether the beginning of data tells its function."""
    return payload.function(data) != ""


Column = list[tuple[object, ...]]


def _fields(replies: Sequence[object], count: int) -> Column:
    """The values of each job; none of them where its key is of another type."""
    found = [decode.many(reply) or (None,) * count for reply in replies]
    return [tuple(value[:TEXT_BYTES] if isinstance(value, bytes) else None for value in values) for values in found]


def _ends(backend: Backend, plan: Plan, results: Sequence[bytes], fields: Column) -> list[Column]:
    """The id of the newest result of each job without ended_at; None of the others."""
    at = plan.fields.index("ended_at")
    endless = [not values[at] for values in fields]
    asked: list[Command] = [("XREVRANGE", result, "+", "-", "COUNT", 1) for result, is_one in zip(results, endless, strict=True) if is_one]
    streams = iter(read_lenient(backend, *asked) if asked else ())
    newest = (next((found for found, _ in decode.entries(next(streams))), None) if is_one else None for is_one in endless)
    return [[(found,) for found in newest]]


def _data(backend: Backend, jobs: Sequence[bytes], replies: Sequence[object], *, most: int) -> list[Column]:
    sizes = [decode.integer(reply) or 0 for reply in replies]
    return [list(zip(sizes, _read(backend, jobs, "data", sizes, most=most), strict=True))]


def _errors(backend: Backend, jobs: Sequence[bytes], newest: Sequence[object], legacy: Sequence[object]) -> list[Column]:
    streams = [decode.entries(reply) for reply in newest]
    stored = [stream[0][1].get(b"exc_string") if stream else None for stream in streams]
    sizes = [(decode.integer(size) or 0) if text is None else 0 for text, size in zip(stored, legacy, strict=True)]
    older = _read(backend, jobs, "exc_info", sizes, most=SMALL_ERROR_BYTES)
    pairs = zip(stored, sizes, older, strict=True)
    return [[(size, old) if text is None else (len(text), text if len(text) <= SMALL_ERROR_BYTES else None) for text, size, old in pairs]]


def _read(backend: Backend, jobs: Sequence[bytes], field: str, sizes: Sequence[int], *, most: int) -> list[object]:
    """A field of each job where its size is over 0 and at most so many bytes, else None; about 4 MB in a round trip."""
    found: list[object] = [None] * len(jobs)
    for part in _parts([at for at, size in enumerate(sizes) if 0 < size <= most], sizes):
        for at, value in zip(part, read_lenient(backend, *(("HGET", jobs[at], field) for at in part)), strict=True):
            found[at] = value
    return found


def _parts(wanted: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    part: list[int] = []
    for at in wanted:
        if part and sum(sizes[other] for other in part) + sizes[at] > BYTES_AT_ONCE:
            yield part
            part = []
        part.append(at)
    if part:
        yield part


def _listed(backend: Backend, key: bytes, place: tuple[bytes, ...], most: int) -> Found:
    start = _behind(backend, key, place) if place else 0
    length, reply = read_lenient(backend, ("LLEN", key), ("LRANGE", key, -(start + most), -(start + 1)))
    found = decode.members(reply)[::-1]
    behind = start + len(found)
    ahead = max((decode.integer(length) or 0) - behind, 0)
    passed = [found[-1 - back] for back in ANCHORS if back < len(found) and len(found[-1 - back]) <= LONG]
    return Found(tuple((member, b"") for member in found), len(found) < most, (b"%d" % behind, b"%d" % ahead, *passed))


def _behind(backend: Backend, key: bytes, place: tuple[bytes, ...]) -> int:
    """How many entries from the tail are behind us; as in scan.lua."""
    passed, ahead = (decode.integer(word) or 0 for word in place[:2])
    anchors = place[2:]
    if passed == 0:
        return 0
    length, there = read_lenient(backend, ("LLEN", key), ("LINDEX", key, -passed))
    if anchors and there == anchors[0]:
        return passed
    first = max(passed - NEAR, 0)
    (reply,) = read_lenient(backend, ("LRANGE", key, -(passed + NEAR), -(first + 1)))
    near = decode.members(reply)
    for anchor in anchors:
        if anchor in near:
            return first + len(near) - near.index(anchor)
    return max(min(passed, (decode.integer(length) or 0) - ahead) - NEAR, 0)


def _rank_after(backend: Backend, key: bytes, order: str, place: tuple[bytes, ...]) -> int:
    """The rank after score and member, which may be gone by now; as in scan.lua, a round trip a step."""
    score, member = place
    is_up = order == "up"
    rank, there = read_lenient(backend, ("ZRANK" if is_up else "ZREVRANK", key, member), ("ZSCORE", key, member))
    if isinstance(rank, int) and decode.decimal(there) == decode.decimal(score):
        return rank + 1
    ends = (b"-inf", b"(" + score) if is_up else (b"(" + score, b"+inf")
    low, equal = (decode.integer(reply) or 0 for reply in read_lenient(backend, ("ZCOUNT", key, *ends), ("ZCOUNT", key, score, score)))
    high = low + equal
    while low < high:
        middle = (low + high) // 2
        (reply,) = read_lenient(backend, ("ZRANGE" if is_up else "ZREVRANGE", key, middle, middle))
        found = decode.members(reply)
        if found and (found[0] < member if is_up else member < found[0]):
            low = middle + 1
        else:
            high = middle
    return low
