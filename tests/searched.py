"""What a search finds, told the slow way: every entry is read and judged in plain Python, by none of the product's code."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import redis

from rqdash.model.keys import Keys
from rqdash.model.names import decoded, encoded
from rqdash.model.registry import Registry
from rqdash.model.search import Search
from rqdash.model.search_terms import Pattern, Term

MEMBER = re.compile(r"(?s)(.*):[0-9a-f]{32}")
UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
WORDS = {registry: {registry.value} for registry in Registry} | {Registry.READY: {"ready", "ready_to_enqueue"}}
CAME = {
    Registry.STARTED: ["started_at"],
    Registry.FAILED: ["ended_at", "noticed_at", "created_at"],
    Registry.FINISHED: ["ended_at"],
    Registry.SCHEDULED: ["ended_at", "created_at"],
    Registry.QUEUED: ["enqueued_at"],
    Registry.INTERMEDIATE: ["enqueued_at"],
}


@dataclass(frozen=True, slots=True)
class Known:
    """One entry of one registry, with all that a search may ask of its job."""

    queue: str
    registry: Registry
    job_id: str
    fields: dict[str, str]
    function: str
    error: tuple[str, str]
    came_at: datetime | None

    @property
    def key(self) -> tuple[str, Registry, str]:
        return self.queue, self.registry, self.job_id


def known(client: redis.Redis, keys: Keys) -> list[Known]:
    """Every entry of every queue that RQ lists."""
    start = encoded(keys.queue(""))
    listed = [decoded(member[len(start) :]) for member in client.smembers(keys.queues) if member.startswith(start)]
    return [
        _known(client, keys, (queue, registry), entry)
        for queue in listed
        for registry in Registry
        for entry in _members(client, keys, queue, registry)
    ]


def expected(search: Search, entries: list[Known], *, now: datetime, as_of: datetime | None = None) -> set[tuple[str, Registry, str]]:
    """The keys of the entries that match."""
    return {entry.key for entry in entries if _is_in_time(entry, as_of) and all(holds(term, entry, now) for term in search.terms)}


def holds(term: Term, entry: Known, now: datetime) -> bool:
    return term.is_negated != _hits(term, entry, now)


def _is_in_time(entry: Known, as_of: datetime | None) -> bool:
    if as_of is None or entry.came_at is not None:
        return as_of is None or entry.came_at <= as_of
    return not {"status", "created_at", *CAME.get(entry.registry, [])} & set(entry.fields)


def _hits(term: Term, entry: Known, now: datetime) -> bool:
    kind, message = entry.error
    if term.field in ("age", "run"):
        return any(_compares(span.operator, _length_s(span.length), _seconds(term.field, entry, now)) for span in term.spans)
    texts = {
        "queue": [entry.queue],
        "id": [entry.job_id],
        "status": [*WORDS[entry.registry], *(["stopped"] if _is_stopped(entry) else [])],
        "backend": ["live"],
        "fn": [entry.function] if entry.function else [],
        "worker": [entry.fields["worker_name"]] if entry.fields.get("worker_name") else [],
        "desc": [entry.fields.get("description", "")],
        "error": [kind],
        "msg": [message],
        "": [entry.job_id, entry.fields.get("description", ""), kind, message],
    }[term.field]
    is_part = term.field in ("desc", "error", "msg", "")
    return any(_matches(pattern, text, is_part=is_part) for pattern in term.patterns for text in texts)


def _matches(pattern: Pattern, text: str, *, is_part: bool) -> bool:
    glob = ".*".join(re.escape(part) for part in pattern.parts)
    if not is_part:
        return re.fullmatch(glob, text, re.DOTALL) is not None
    return text != "" and re.search(glob, text, re.DOTALL | re.IGNORECASE | (re.ASCII if glob.isascii() else 0)) is not None


def _is_stopped(entry: Known) -> bool:
    return entry.registry is Registry.FAILED and entry.fields.get("status") == "stopped"


def _seconds(field: str, entry: Known, now: datetime) -> float | None:
    if field == "age":
        return (now - entry.came_at).total_seconds() if entry.came_at else None
    began, ended = _moment(entry.fields.get("started_at", "")), _moment(entry.fields.get("ended_at", ""))
    ended = now if entry.registry is Registry.STARTED else ended
    return (ended - began).total_seconds() if began and ended else None


def _compares(operator: str, limit: float, seconds: float | None) -> bool:
    if seconds is None:
        return False
    return {"<": seconds < limit, "<=": seconds <= limit, ">": seconds > limit, ">=": seconds >= limit}[operator]


def _length_s(text: str) -> float:
    return sum(float(amount) * UNITS_S[unit] for amount, unit in re.findall(r"([0-9.]+)(ms|[smhdw])", text))


def _members(client: redis.Redis, keys: Keys, queue: str, registry: Registry) -> Iterator[tuple[bytes, float | None]]:
    key = encoded(keys.queue(queue) if registry is Registry.QUEUED else keys.registry(registry, queue))
    key = encoded(keys.intermediate(queue)) if registry is Registry.INTERMEDIATE else key
    kind = client.type(key)
    if kind == b"list":
        yield from ((member, None) for member in client.lrange(key, 0, -1))
    elif kind == b"zset":
        yield from client.zrange(key, 0, -1, withscores=True)


def _known(client: redis.Redis, keys: Keys, where: tuple[str, Registry], entry: tuple[bytes, float | None]) -> Known:
    (queue, registry), (member, score) = where, entry
    name = decoded(member)
    found = MEMBER.fullmatch(name) if registry is Registry.STARTED else None
    job_id = found[1] if found else name
    key = encoded(keys.job(job_id))
    raw = client.hgetall(key) if client.type(key) == b"hash" else {}
    fields = {
        field.decode(): value.decode("utf-8", "surrogateescape") for field, value in raw.items() if field not in (b"data", b"exc_info")
    }
    fields["description"] = raw.get(b"description", b"").decode("utf-8", "replace")
    newest = client.xrevrange(encoded(keys.results(job_id)), count=1) if registry is Registry.FAILED else []
    if newest and not fields.get("ended_at"):
        fields["noticed_at"] = datetime.fromtimestamp(int(newest[0][0].partition(b"-")[0]) / 1000, UTC).isoformat()
    moments = [_moment(fields.get(field, "")) for field in CAME.get(registry, ["created_at"])]
    canceled = datetime.fromtimestamp(score, UTC) if registry is Registry.CANCELED and score is not None and 0 <= score < 1e11 else None
    came_at = canceled or next((moment for moment in moments if moment), None)
    return Known(queue, registry, job_id, fields, _function(raw), _error(client, keys, job_id, raw), came_at)


def _function(raw: dict[bytes, bytes]) -> str:
    """As pickle writes a plain function: a tuple's mark, then its first text and the length of it in one byte."""
    try:
        plain = zlib.decompress(raw[b"data"])
    except (KeyError, zlib.error):
        return ""
    start = plain.index(b"(\x8c") + 3
    return plain[start : start + plain[start - 1]].decode()


def _error(client: redis.Redis, keys: Keys, job_id: str, raw: dict[bytes, bytes]) -> tuple[str, str]:
    newest = client.xrevrange(encoded(keys.results(job_id)), count=1)
    packed = newest[0][1].get(b"exc_string") if newest else None
    text = zlib.decompress(base64.b64decode(packed) if packed else raw[b"exc_info"]).decode() if packed or raw.get(b"exc_info") else ""
    found = re.search(r"(?m)^([A-Za-z_][\w.]*): (.*)$", text)
    return (found[1].rpartition(".")[2], found[2]) if found else ("", "")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
