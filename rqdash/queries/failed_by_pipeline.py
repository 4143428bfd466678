"""Reads failed registries without scripts: what lua/failed_sizes.lua and lua/failed_entries.lua do, in three and three round trips."""

from __future__ import annotations

from collections.abc import Sequence

from rqdash.backends.backend import Backend, Command
from rqdash.model.registry import Registry
from rqdash.queries import decode, pages
from rqdash.queries.failed_choice import Range, Sizes, blocks
from rqdash.queries.reading import read_lenient

BATCH = 2_000
RawEntry = tuple[str, bytes, object, object]
"""Queue, member, score and moment, as failed_entries.lua gives them."""


def sizes(backend: Backend, queues: Sequence[str], now_s: int) -> list[Sizes]:
    """A row a queue. Sizes, then the first member of each block, then when its job ended."""
    keys = [_key(backend, queue) for queue in queues]
    asked = [command for key in keys for command in (("ZCARD", key), ("ZCOUNT", key, "-inf", "(0"), ("ZCOUNT", key, 0, now_s))]
    numbers = [decode.integer(reply) or 0 for reply in _asked(backend, asked)]
    found = [Sizes(*row) for row in zip(queues, numbers[::3], numbers[1::3], numbers[2::3], strict=True)]
    firsts: list[Command] = [("ZREVRANGE", _key(backend, row.queue), first, first) for row in found for first, _ in blocks(row.lapsing)]
    members = [next(iter(decode.members(reply)), b"") for reply in _asked(backend, firsts)]
    ended = iter(_ended(backend, members))
    return [
        Sizes(row.queue, row.total, row.forever, row.expired, tuple(decode.when(next(ended)) for _ in blocks(row.lapsing))) for row in found
    ]


def entries(backend: Backend, ranges: Sequence[Range], floor: str) -> list[RawEntry]:  # noqa: ARG001  the script's reply is shorter by it
    """The entries of the ranges, then when their jobs ended, then the newest results of those that have no end."""
    asked: list[Command] = [
        ("ZRANGE" if part.is_forever else "ZREVRANGE", _key(backend, part.queue), part.first, part.last, "WITHSCORES") for part in ranges
    ]
    replies = _asked(backend, asked)
    found = [(part.queue, *pair) for part, reply in zip(ranges, replies, strict=True) for pair in decode.scored(reply)]
    ended = _ended(backend, [member for _, member, _ in found])
    endless = [member for (_, member, _), moment in zip(found, ended, strict=True) if not moment]
    start = decode.wire(backend.keys.results(""))
    streams = iter(_asked(backend, [("XREVRANGE", start + member, "+", "-", "COUNT", 1) for member in endless]))
    moments = [moment or next((entry for entry, _ in decode.entries(next(streams))), None) for moment in ended]
    return [(queue, member, score, moment) for (queue, member, score), moment in zip(found, moments, strict=True)]


def _ended(backend: Backend, members: Sequence[bytes]) -> list[object]:
    start = decode.wire(backend.keys.job(""))
    return _asked(backend, [("HGET", start + member, "ended_at") for member in members])


def _asked(backend: Backend, asked: Sequence[Command]) -> list[object]:
    return [reply for start in range(0, len(asked), BATCH) for reply in read_lenient(backend, *asked[start : start + BATCH])]


def _key(backend: Backend, queue: str) -> bytes:
    return pages.key_of(backend.keys, queue, Registry.FAILED)
