"""The journal of jobs on their way, which their source keeps until their destination has confirmed them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from rqdash.backends.backend import Backend
from rqdash.errors import BackendError
from rqdash.model.names import decoded, encoded
from rqdash.model.registry import Registry
from rqdash.model.transit import InTransit

SHOWN = 100
DETACHED = b"detached"
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One job on its way, under the token of its attempt.

    score: when it is due, or its score in the registry it was in ("" = it was in a list). Lifetimes of its hash and results in ms, 0 or
    less = for ever. destination is a profile's id, prefix its keys' there. left_us: when it left, by the source's clock.
    """

    token: str
    job_id: str
    queue: str
    registry: Registry
    to_queue: str
    at_front: bool
    score: str
    ttl_ms: int
    results_ttl_ms: int
    destination: str = ""
    destination_name: str = ""
    endpoint_version: str = ""
    prefix: str = ""
    left_us: int = 0
    age_s: float = 0.0

    def aged(self, now_us: int) -> Entry:
        """The same as of now by the source's clock, with what is left of the lifetimes."""
        away_ms = max(0, (now_us - self.left_us) // 1000)
        return replace(self, ttl_ms=_left(self.ttl_ms, away_ms), results_ttl_ms=_left(self.results_ttl_ms, away_ms), age_s=away_ms / 1000)


def departures(backend: Backend) -> bytes:
    """The key of the list of everything on its way from a backend."""
    return encoded(backend.keys.own("mv", "out"))


def tokens(backend: Backend, *, most: int, first: int = 0) -> tuple[str, ...]:
    """The tokens of jobs on their way, the first to leave first. One round trip."""
    (found,) = backend.read(("ZRANGE", departures(backend), first, first + most - 1))
    return tuple(token.decode("ascii", "replace") for token in found if isinstance(token, bytes)) if isinstance(found, list) else ()


def tokens_of(backend: Backend, ids: Sequence[str]) -> dict[str, str]:
    """The tokens under which these jobs are on their way, by id, as their hashes say. One round trip."""
    if not ids:
        return {}
    found = backend.read(*(("HGET", encoded(backend.keys.job(job_id)), "rqdash_move") for job_id in ids), strict=False)
    return {job_id: token.decode("ascii", "replace") for job_id, token in zip(ids, found, strict=True) if isinstance(token, bytes)}


def entries(backend: Backend, wanted: Sequence[str]) -> tuple[Entry, ...]:
    """The open entries under these tokens, in their order. One round trip."""
    if not wanted:
        return ()
    out = departures(backend)
    hashes = [("HGETALL", out + b":" + token.encode()) for token in wanted]
    replies = backend.read(("TIME",), *hashes, *(("ZSCORE", out, token) for token in wanted))
    now_us = _microseconds(replies[0])
    found = zip(wanted, replies[1 : 1 + len(wanted)], replies[1 + len(wanted) :], strict=True)
    read = (_entry(token, fields, score) for token, fields, score in found)
    return tuple(entry.aged(now_us) for entry in read if entry is not None)


def in_transit(backend: Backend, *, most: int = SHOWN) -> tuple[InTransit, ...]:
    """Jobs on their way from a backend, the first to leave first, at most so many. One round trip, two when there are any."""
    found = entries(backend, tokens(backend, most=most))
    return tuple(InTransit(entry.job_id, entry.queue, entry.destination_name, entry.to_queue, _moment(entry.left_us)) for entry in found)


def count_in_transit(backend: Backend) -> int:
    """How many jobs are on their way from a backend. One round trip."""
    (found,) = backend.read(("ZCARD", departures(backend)), strict=False)
    if isinstance(found, BackendError) and found.code != "wrong_type":
        raise found
    return found if isinstance(found, int) else 0


def _entry(token: str, fields: object, score: object) -> Entry | None:
    """None for what is no entry (any more), or none that this version can read."""
    raw = fields if isinstance(fields, dict) else {}
    if raw.get(b"state") != DETACHED or score is None:
        return None
    try:
        way = json.loads(raw[b"way"])
        return Entry(
            token=token,
            job_id=decoded(raw[b"id"]),
            queue=decoded(bytes.fromhex(way["queue"])),
            registry=Registry(way["registry"]),
            to_queue=decoded(bytes.fromhex(way["to_queue"])),
            at_front=way["front"],
            score=raw[b"score"].decode(),
            ttl_ms=int(raw[b"ttl_ms"]),
            results_ttl_ms=int(raw[b"results_ttl_ms"]),
            destination=way["destination"],
            destination_name=way["name"],
            endpoint_version=way["version"],
            prefix=way["prefix"],
            left_us=int(float(score)) if isinstance(score, float | bytes | str) else 0,
        )
    except (KeyError, ValueError):
        return None


def _microseconds(reply: object) -> int:
    """TIME's answer, as redis-py gives it: a pair of numbers."""
    seconds, micros = reply if isinstance(reply, tuple | list) and len(reply) == 2 else (0, 0)
    return int(seconds) * MICROSECONDS + int(micros)


def _moment(left_us: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=left_us)


def _left(lasts_ms: int, away_ms: int) -> int:
    return max(1, lasts_ms - away_ms) if lasts_ms > 0 else lasts_ms
