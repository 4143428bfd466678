"""The sets in which RQ lists its queues and workers, and names found again through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rqdash.backends.backend import Backend, Command
from rqdash.errors import NotFound
from rqdash.model import names
from rqdash.queries import decode
from rqdash.queries.reading import read_lenient

SCAN_COUNT = 10_000
RESOLVE_STEPS = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """Names in a set, by their bytes. total is its size without foreign members; is_whole is False when it was too large to read."""

    names: tuple[str, ...]
    total: int
    is_whole: bool = True


def commands(key: str) -> tuple[Command, Command]:
    """What to send for listed(): the size, and up to about 10,000 members; a larger set is never read whole."""
    return ("SCARD", decode.wire(key)), ("SSCAN", decode.wire(key), 0, "COUNT", SCAN_COUNT)


def listed(size: object, scan: object, *, prefix: str) -> Listed:
    """The names in a set of keys; members that do not start with prefix are somebody else's and left out."""
    cursor, found = _scan(scan)
    start = decode.wire(prefix)
    ours = {member for member in found if member.startswith(start)}
    foreign = len(set(found)) - len(ours)
    total = max((decode.integer(size) or 0) - foreign, len(ours))
    return Listed(tuple(decode.name(member[len(start) :]) for member in sorted(ours)), total, cursor == 0)


def queue_names(backend: Backend) -> tuple[str, ...]:
    """The queues that RQ lists, by name, up to about 10,000; one round trip, from <prefix>:queues."""
    size, scan = read_lenient(backend, *commands(backend.keys.queues))
    return listed(size, scan, prefix=backend.keys.queue("")).names


def unlisted_queues(backend: Backend, queues: Sequence[str]) -> tuple[str, ...]:
    """Those of the queues that RQ does not list; one round trip, from <prefix>:queues."""
    key = decode.wire(backend.keys.queues)
    replies = read_lenient(backend, *(("SISMEMBER", key, decode.wire(backend.keys.queue(queue))) for queue in queues))
    return tuple(queue for queue, reply in zip(queues, replies, strict=True) if not reply)


def resolve_queue(backend: Backend, reference: str) -> str:
    """The queue that a query parameter means: itself, or the one whose name has this ~<sha256>.

    Raises NotFound. No round trip for a plain name; one per 10,000 queues (at most 20) in <prefix>:queues for a digest.
    """
    return _resolved(backend, reference, key=backend.keys.queues, prefix=backend.keys.queue(""), what="queue")


def resolve_worker(backend: Backend, reference: str) -> str:
    """The worker that a query parameter means, as resolve_queue, through <prefix>:workers."""
    return _resolved(backend, reference, key=backend.keys.workers, prefix=backend.keys.worker(""), what="worker")


def _resolved(backend: Backend, reference: str, *, key: str, prefix: str, what: str) -> str:
    if not names.is_digest(reference):
        return reference
    start = decode.wire(prefix)
    for member in _members(backend, key):
        if member.startswith(start) and names.matches(reference, decode.name(member[len(start) :])):
            return decode.name(member[len(start) :])
    raise NotFound(f"No {what} of {backend.name} has this reference. It may have been deleted.")


def _members(backend: Backend, key: str) -> Iterator[bytes]:
    cursor = 0
    for _ in range(RESOLVE_STEPS):
        (reply,) = read_lenient(backend, ("SSCAN", decode.wire(key), cursor, "COUNT", SCAN_COUNT))
        cursor, found = _scan(reply)
        yield from found
        if cursor == 0:
            return


def _scan(reply: object) -> tuple[int, list[bytes]]:
    parts = decode.many(reply)
    return (decode.integer(parts[0]) or 0, decode.members(parts[1])) if len(parts) == 2 else (0, [])
