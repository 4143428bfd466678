"""Where a job is now, who runs it and whom it is related to: what can be read once its own fields are known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rqdash.backends.backend import Backend, Command
from rqdash.errors import BackendError
from rqdash.model import redaction
from rqdash.model.job import ExecutionRow, Relative, Surroundings
from rqdash.model.redaction import Redaction
from rqdash.model.registry import Registry
from rqdash.queries import decode, job_around
from rqdash.queries.job_fields import FARTHEST, MOST_RELATIVES, SETS, RawJob, Seen
from rqdash.queries.reading import read_lenient

NEAREST = 1000
"""How far into a queue a job is looked for where the server has no LPOS (before Redis 6.0.6)."""
NO_LPOS = -1
ALSO_IN = {"stopped": Registry.FAILED, "rate_limited": None, "ready_to_enqueue": Registry.READY}
OF_RELATIVES = ("status", "description", "origin")
CALLED = re.compile(r"([A-Za-z_][\w.<>]*)\(")


@dataclass(frozen=True, slots=True)
class Place:
    """registry: None = in no list or registry; position: 0 = next to run; score: of the registry's entry."""

    registry: Registry | None
    position: int | None
    score: float | None
    executions: tuple[ExecutionRow, ...]
    dependencies: tuple[Relative, ...]
    dependencies_total: int
    dependents: tuple[Relative, ...]
    is_worker_gone: bool
    around: Surroundings


def place(backend: Backend, job_id: str, *, raw: RawJob, now_s: int) -> Place:
    """Where the job is now, and what its future depends on.

    Reads at most 200 relatives. No round trip for a job without any, else one; two more on servers without LPOS; three where scripts
    are denied: then also the list, :intermediate and the registries of its origin, its worker, its executions, and what is around it.
    """
    named = tuple(dict.fromkeys((*_named(raw), *raw.dependencies)))
    dependencies = named[:MOST_RELATIVES]
    relatives = [_fields(backend.keys.job(other), *OF_RELATIVES) for other in (*dependencies, *raw.dependents)]
    if raw.seen is not None:
        seen, hashes = raw.seen, read_lenient(backend, *relatives)
    else:
        seen, hashes = _by_pipeline(backend, job_id, raw=raw, relatives=relatives)
    hides = redaction.of(backend.profile)
    registry, position, score = _found(backend, job_id, raw=raw, replies=seen.where)
    return Place(
        registry,
        position,
        score,
        _executions(raw, seen.executions, now_s=now_s),
        _relatives(dependencies, hashes[: len(dependencies)], hides),
        max(len(named), raw.dependencies_total),
        _relatives(raw.dependents, hashes[len(dependencies) :], hides),
        bool(decode.name(raw.value("worker_name"))) and _is_gone(seen.worker),
        job_around.around(seen.around, raw),
    )


def _by_pipeline(backend: Backend, job_id: str, *, raw: RawJob, relatives: Sequence[Command]) -> tuple[Seen, list[object]]:
    """What the script reads with the job, and the relatives. Three round trips."""
    executions = [f"{job_id}:{execution_id}" for execution_id, _ in raw.executions]
    groups = (
        _where(backend, job_id, raw=raw, executions=executions),
        [_fields(backend.keys.worker(decode.name(raw.value("worker_name"))), "birth", "death")],
        [_fields(backend.keys.execution(composite), "worker_name", "created_at", "last_heartbeat") for composite in executions],
        relatives,
    )
    replies = iter(backend.read(*(command for group in groups for command in group), strict=False))
    where, (worker,), hashes, others = ([_tolerant(reply) for reply in islice(replies, len(group))] for group in groups)
    return Seen(where, worker, hashes, job_around.by_pipeline(backend, job_id, raw)), others


def _named(raw: RawJob) -> Iterator[str]:
    """The ids in dependency_ids, which the set of dependencies loses as they finish."""
    try:
        ids = json.loads(raw.value("dependency_ids") or b"[]")
    except (ValueError, RecursionError):
        ids = []
    yield from (other for other in ids if _is_name(other)) if isinstance(ids, list) else ()
    if first := decode.name(raw.value("dependency_id")):
        yield first


def _is_name(other: object) -> bool:
    """Whether it is an id that Redis could hold: JSON can also spell half of a surrogate pair."""
    try:
        return isinstance(other, str) and bool(decode.wire(other))
    except UnicodeEncodeError:
        return False


def _where(backend: Backend, job_id: str, *, raw: RawJob, executions: Sequence[str]) -> list[Command]:
    keys, origin, member = backend.keys, decode.name(raw.value("origin")), decode.wire(job_id)
    started = decode.wire(keys.registry(Registry.STARTED, origin))
    return [
        ("LPOS", decode.wire(keys.queue(origin)), member, "MAXLEN", FARTHEST),
        ("LPOS", decode.wire(keys.intermediate(origin)), member, "MAXLEN", FARTHEST),
        *(("ZSCORE", decode.wire(keys.registry(registry, origin)), member) for registry in SETS),
        *(("ZSCORE", started, decode.wire(composite)) for composite in executions),
    ]


def _is_gone(values: object) -> bool:
    """A worker that ended well leaves its hash for a minute, with the time of its death."""
    birth, death = decode.many(values) or (None, None)
    return not birth or bool(death)


def _fields(key: str, *fields: str) -> Command:
    return ("HMGET", decode.wire(key), *fields)


def _tolerant(reply: object) -> object:
    """As decode.lenient; a server before 6.0.6 refuses LPOS, which _found then makes up for."""
    return NO_LPOS if isinstance(reply, BackendError) and reply.code == "refused" else decode.lenient(reply)


def _found(backend: Backend, job_id: str, *, raw: RawJob, replies: Sequence[object]) -> tuple[Registry | None, int | None, float | None]:
    """The registry that fits the job's status, else the first one that holds it."""
    in_list, in_intermediate, *scores = replies
    if NO_LPOS in (in_list, in_intermediate):
        in_list, in_intermediate = _positions(backend, job_id, raw)
    held: dict[Registry, float | None] = dict(zip(SETS, map(decode.decimal, scores), strict=False))
    held[Registry.STARTED] = next((score for score in map(decode.decimal, (scores[0], *scores[len(SETS) :])) if score is not None), None)
    held[Registry.QUEUED], held[Registry.INTERMEDIATE] = decode.decimal(in_list), decode.decimal(in_intermediate)
    status = decode.text(raw.value("status"), limit=80)
    fits = [registry for registry in Registry if registry.value == status or ALSO_IN.get(status) is registry]
    if status == "finished":
        # RQ 2.3 to 2.7 leave a job that waits for its next repeat as finished.
        fits.insert(0, Registry.SCHEDULED)
    for registry in (*fits, *Registry):
        value = held.get(registry)
        if value is not None:
            is_list = registry in (Registry.QUEUED, Registry.INTERMEDIATE)
            return registry, int(value) if is_list else None, None if is_list else value
    return None, None, None


def _positions(backend: Backend, job_id: str, raw: RawJob) -> tuple[int | None, int | None]:
    keys, origin, member = backend.keys, decode.name(raw.value("origin")), decode.wire(job_id)
    lists = (decode.wire(keys.queue(origin)), decode.wire(keys.intermediate(origin)))
    replies = backend.read(*(("LRANGE", key, 0, NEAREST - 1) for key in lists), strict=False)
    found = [decode.members(decode.lenient(reply)) for reply in replies]
    first, second = (members.index(member) if member in members else None for members in found)
    return first, second


def _executions(raw: RawJob, hashes: Sequence[object], *, now_s: int) -> tuple[ExecutionRow, ...]:
    rows = []
    for (execution_id, score), values in zip(raw.executions, hashes, strict=True):
        worker, created_at, heartbeat = decode.many(values) or (None, None, None)
        deadline = decode.at(score)
        row = ExecutionRow(execution_id, decode.name(worker), decode.at(created_at), decode.at(heartbeat), deadline, 0 <= score <= now_s)
        rows.append(row)
    return tuple(rows)


def _relatives(ids: Sequence[str], hashes: Sequence[object], hides: Redaction) -> tuple[Relative, ...]:
    pairs = ((other, decode.many(values) or (None, None, None)) for other, values in zip(ids, hashes, strict=True))
    # Those that are gone come last: there is nothing to do about them.
    return tuple(sorted((_relative(other, values, hides) for other, values in pairs), key=lambda found: not found.status))


def _relative(job_id: str, values: Sequence[object], hides: Redaction) -> Relative:
    status, description, origin = values
    word = decode.text(status, limit=80)
    # The function alone of RQ's own description: the arguments in it cannot be told from what rules hide without the job's data.
    text = decode.text(description) if hides.is_shown else ""
    called = CALLED.match(text)
    return Relative(job_id, word, called.group(1) if called else hides.text(text), decode.name(origin), _registry_of(word))


def _registry_of(status: str) -> Registry | None:
    """The registry that RQ keeps jobs of a status in; None for those it keeps in none."""
    known = ALSO_IN.get(status)
    return known or next((registry for registry in Registry if registry.value == status), None)
