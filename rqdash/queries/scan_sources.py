"""Where a search looks: the lists and registries of the queues it names, and whole ids at once, wherever they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.model.registry import Registry
from rqdash.model.search import ORDER, Search
from rqdash.queries import counts, decode, sets
from rqdash.queries.pages import key_of
from rqdash.queries.reading import read_either, read_lenient

LISTS = (Registry.QUEUED, Registry.INTERMEDIATE)
UPWARD = (Registry.STARTED, Registry.SCHEDULED)
"""From the lowest score up: a heartbeat raises the scores of started jobs, so none is missed; of scheduled ones the next due is first."""
MOST_IDS = 200


@dataclass(frozen=True, slots=True)
class Source:
    """One list or registry of one queue, with how many entries it has."""

    registry: Registry
    queue: str
    size: int

    @property
    def order(self) -> str:
        """list: from the tail, where new jobs arrive; down, up: by score."""
        return "list" if self.registry in LISTS else "up" if self.registry in UPWARD else "down"

    @property
    def rank(self) -> tuple[int, bytes]:
        """Where it stands among the sources of any scan: by registry, then by the queue's name."""
        return rank(self.registry, self.queue)


@dataclass(frozen=True, slots=True)
class Placed:
    """A job that was asked for by its id: an entry of a registry; score b"" in a list."""

    registry: Registry
    queue: str
    member: bytes
    score: bytes = b""


def rank(registry: Registry, queue: str) -> tuple[int, bytes]:
    return ORDER.index(registry), decode.wire(queue)


def sources(backend: Backend, search: Search) -> tuple[Source, ...]:
    """Every list and registry that may hold what is searched and is not empty, in the order they are scanned.

    Queues are those the search names, else the ones RQ lists, up to about 10,000. Two round trips, one when it names them.
    """
    registries = search.registries
    named = search.queues
    queues = tuple(filter(search.on_queue, sets.queue_names(backend))) if named is None else named
    if not queues or not registries:
        return ()
    sizes = read_either(
        backend, lambda: _sizes_by_script(backend, queues, registries), otherwise=lambda: _sizes_by_pipeline(backend, queues, registries)
    )
    pairs = ((registry, queue) for queue in queues for registry in registries)
    found = (Source(registry, queue, size) for (registry, queue), size in zip(pairs, sizes, strict=True) if size)
    return tuple(sorted(found, key=lambda source: source.rank))


def placed(backend: Backend, search: Search, ids: Sequence[str]) -> tuple[Placed, ...]:
    """Where jobs of these ids are, of the first 200, as far as the search looks there; in registries of the queue they name as theirs.

    That a queued or started job is where its status says is taken at its word: a list can only be searched through. Two round trips.
    """
    keys, ids = backend.keys, ids[:MOST_IDS]
    replies = read_lenient(backend, *(("HMGET", decode.wire(keys.job(job_id)), "status", "origin") for job_id in ids))
    known = [(job_id, *_pair(reply)) for job_id, reply in zip(ids, replies, strict=True)]
    sets_of = [registry for registry in search.registries if registry not in LISTS]
    asked = [(job_id, queue, registry) for job_id, _, origin in known for queue in _queues(search, origin) for registry in sets_of]
    scores = read_lenient(backend, *(("ZSCORE", key_of(keys, queue, registry), decode.wire(job_id)) for job_id, queue, registry in asked))
    found = [
        Placed(registry, queue, decode.wire(job_id), _score(score))
        for (job_id, queue, registry), score in zip(asked, scores, strict=True)
        if score is not None
    ]
    told = (
        Placed(registry, decode.name(origin), decode.wire(job_id))
        for job_id, status, origin in known
        for registry in (Registry.STARTED, Registry.QUEUED)
        if status == registry.value.encode() and origin is not None and registry in search.registries
    )
    return (*found, *(place for place in told if search.on_queue(place.queue) and not _is_among(place, found)))


def _queues(search: Search, origin: bytes | None) -> tuple[str, ...]:
    """The queues whose registries may hold a job: its own, and those the search names, for jobs that are gone but for their entry."""
    own = (decode.name(origin),) if origin is not None else ()
    return tuple(queue for queue in dict.fromkeys((*own, *(search.queues or ()))) if search.on_queue(queue))


def _is_among(place: Placed, found: Sequence[Placed]) -> bool:
    return any((place.registry, place.queue, place.member) == (other.registry, other.queue, other.member) for other in found)


def _pair(reply: object) -> tuple[bytes | None, bytes | None]:
    values = decode.many(reply) or (None, None)
    status, origin = (value if isinstance(value, bytes) else None for value in values)
    return status, origin


def _score(reply: object) -> bytes:
    """A score as scripts give it; redis-py gives a float."""
    return reply if isinstance(reply, bytes) else repr(reply).encode()


def _sizes_by_script(backend: Backend, queues: Sequence[str], registries: Sequence[Registry]) -> list[int]:
    script = load(counts.PACKAGE, "sizes", includes=("common",))
    kinds = [_kind(registry) for registry in registries]
    calls = [
        Call(script, arguments=(decode.wire(backend.keys.prefix), len(kinds), *kinds, *map(decode.wire, part)))
        for part in counts.parts(queues)
    ]
    replies = backend.read(*calls)
    return [decode.integer(size) or 0 for reply in replies for size in decode.many(reply)]


def _sizes_by_pipeline(backend: Backend, queues: Sequence[str], registries: Sequence[Registry]) -> list[int]:
    commands: list[Command] = [
        ("LLEN" if registry in LISTS else "ZCARD", key_of(backend.keys, queue, registry)) for queue in queues for registry in registries
    ]
    return [decode.integer(size) or 0 for size in read_lenient(backend, *commands)]


def _kind(registry: Registry) -> str:
    return "wip" if registry is Registry.STARTED else registry.value
