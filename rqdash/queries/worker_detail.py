"""One worker with what surrounds it: its queues, what it left behind, its recent jobs, and whether it listens to commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, NotFound
from rqdash.model.job import JobRow
from rqdash.model.search import literal, search
from rqdash.model.worker import Attends, Recent, WorkerDetail
from rqdash.queries import attended, decode, worker_rows, workers
from rqdash.queries.attended import Attended
from rqdash.queries.reading import read_lenient
from rqdash.queries.scan import Scan, rows, scan
from rqdash.queries.sets import Listed, commands, listed

MOST_QUEUES = 200
"""Of one worker's."""
SCANNED_QUEUES = 20
MOST_JOBS = 20
ENTRIES = 1_000
"""Looked at in one registry for its jobs, of all queues together."""
BUDGET_S = 0.2
STATES = ("failed,stopped", "finished")
"""Where jobs are that it ran; each is scanned by itself, so that many of one hide none of the other."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def worker_detail(backend: Backend, name: str, *, now: datetime) -> WorkerDetail:
    """Everything about one worker. Of one that is lost: which queues list it, and the jobs it left.

    Raises NotFound when it is neither listed nor has a hash. Three round trips and those of the scans, some 10; one more for a worker
    that is lost, and two more in all where scripts are denied.
    """
    keys = backend.keys
    key = decode.wire(keys.worker(name))
    asked = (("SISMEMBER", decode.wire(keys.workers), key), ("PTTL", decode.wire(keys.suspended)))
    heard = ("PUBSUB", "NUMSUB", decode.wire(keys.pubsub(name)))
    *replies, subscribed = backend.read(*commands(keys.queues), *asked, heard, strict=False)
    size, scanned, is_listed, suspended = map(decode.lenient, replies)
    (raw,) = workers.read_found(backend, [name], []).workers
    found = worker_rows.worker(raw, backend=backend, name=name)
    if found.state == "lost" and not is_listed:
        raise NotFound(f"{backend.name} has no worker of this name: it has ended, or never was. Jobs keep the name of who ran them.")
    names = found.queues or _listing(backend, name, listed(size, scanned, prefix=keys.queue("")))
    around = workers.read_found(backend, [], names[:MOST_QUEUES]).queues
    listeners, why = _listeners(subscribed)
    return WorkerDetail(
        replace(found, queues=names),
        bool(is_listed),
        workers.suspension(suspended, now=now)[0],
        listeners,
        why,
        tuple(Attends(queue.queue, queue.waiting) for queue in around),
        tuple(left for left in attended.left_jobs(backend, _of(around, name)) if found.state == "lost"),
        _recent(backend, name, names, now=now),
        now,
    )


def _listing(backend: Backend, name: str, queues: Listed) -> tuple[str, ...]:
    """The queues whose sets still list a worker that says nothing itself."""
    key = decode.wire(backend.keys.worker(name))
    asked = queues.names[: workers.MOST_QUEUES]
    replies = read_lenient(backend, *(("SISMEMBER", decode.wire(backend.keys.queue_workers(queue)), key) for queue in asked))
    return tuple(queue for queue, reply in zip(asked, replies, strict=True) if reply)


def _of(queues: Sequence[Attended], name: str) -> list[Attended]:
    """The queues with only those of their jobs that this worker left."""
    wanted = decode.wire(name)
    return [replace(queue, left=tuple(left for left in queue.left if left.worker == wanted)) for queue in queues]


def _listeners(reply: object) -> tuple[int | None, str]:
    """How many listen, from PUBSUB NUMSUB's answer; None where the ACL forbids asking, with the reason."""
    if isinstance(reply, BackendError):
        return None, f"{reply.message} {reply.hint}".strip()
    numbers = [part for part in _flat(reply) if isinstance(part, int)]
    return (numbers[0] if numbers else 0), ""


def _flat(reply: object) -> list[object]:
    """redis-py pairs a channel with its number; older ones and RESP2 do not."""
    return [part for item in decode.many(reply) for part in (decode.many(item) or (item,))]


def _recent(backend: Backend, name: str, queues: Sequence[str], *, now: datetime) -> Recent:
    """The newest jobs that it ran, by when they ended, as far as a bounded scan of what failed and finished in its queues finds them."""
    if not name or not queues:
        return Recent((), 0, 0, is_whole=True)
    text = f"worker:{literal(name)} queue:{','.join(map(literal, queues[:SCANNED_QUEUES]))}"
    scans = [
        scan(backend, search(f"{text} status:{state}"), now=now, most=MOST_JOBS, entries=ENTRIES, budget_s=BUDGET_S) for state in STATES
    ]
    matches = [match for one in scans for match in one.matches]
    newest = sorted((row for row in rows(backend, matches, now=now) if row.exists), key=_moment, reverse=True)[:MOST_JOBS]
    return Recent(tuple(newest), sum(one.scanned for one in scans), sum(one.total for one in scans), is_whole=_is_whole(scans))


def _is_whole(scans: Sequence[Scan]) -> bool:
    return all(one.is_whole for one in scans)


def _moment(row: JobRow) -> datetime:
    return row.ended_at or row.started_at or LONG_AGO
