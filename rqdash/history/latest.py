"""The newest sample of each backend, with all its registries: what /metrics tells."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from rqdash.history.archive import Archive
from rqdash.history.counting import oldest_s
from rqdash.history.tables import BackendRow, LatestRow
from rqdash.history.tiers import RATES, Value
from rqdash.model.census import Census
from rqdash.model.reply import Reply

Totals = Mapping[str, Value]

REGISTRIES = ("queued", "intermediate", "started", "deferred", "ready", "scheduled", "failed", "finished", "canceled")
STATES = ("busy", "idle", "started", "suspended", "lost")


@dataclass(frozen=True, slots=True)
class LatestQueue:
    """One queue; counts by REGISTRIES; oldest_s None when unknown."""

    name: str
    counts: tuple[int, ...]
    oldest_s: float | None
    workers: int
    workers_busy: int


@dataclass(frozen=True, slots=True)
class Latest:
    """A backend when it was asked last; what it holds is of answered_s, None before it ever answered. problem is "" while it answers."""

    backend: str
    asked_s: float
    answered_s: float | None
    elapsed_ms: float | None
    problem: str
    queues: tuple[LatestQueue, ...] = ()
    workers: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, float | None] = field(default_factory=dict)
    is_suspended: bool = False


def put(
    session: Session, archive: Archive, *, slot_s: int, replies: Sequence[tuple[int, Reply[Census]]], totals: Mapping[int, Totals]
) -> None:
    """Keeps what each backend answered, in place of what it answered before; of one that did not, only why."""
    for backend_id, reply in replies:
        values: dict[str, object] = {"slot_s": slot_s, "problem": reply.problem.code[:32] if reply.problem else "", "elapsed_ms": None}
        if reply.is_ok and reply.value is not None:
            values |= {
                "answered_s": reply.value.as_of.timestamp(),
                "elapsed_ms": reply.elapsed_ms,
                "body": _body(reply.value, totals.get(backend_id, {})),
            }
        insert = archive.insert(LatestRow).values(**{"backend_id": backend_id, "answered_s": None, "body": b"", **values})
        session.execute(insert.on_conflict_do_update(index_elements=["backend_id"], set_=values))


def read(session: Session, names: Sequence[str]) -> list[Latest]:
    """The newest samples of these backends, in their order; those never asked are left out."""
    rows = session.execute(select(BackendRow.name, LatestRow).join(LatestRow, LatestRow.backend_id == BackendRow.id)).all()
    found = {name: row for name, row in rows if name}
    return [_latest(name, found[name]) for name in names if name in found]


def _body(census: Census, totals: Totals) -> bytes:
    now_s = census.as_of.timestamp()
    queues = [
        [queue.name, [getattr(queue, name) for name in REGISTRIES], oldest_s(queue, now_s), queue.workers, queue.workers_busy]
        for queue in census.queues
    ]
    rates = {name: totals.get(name) for name in RATES}
    body = {"queues": queues, "workers": census.states(), "rates": rates, "suspended": census.is_suspended}
    return zlib.compress(json.dumps(body, separators=(",", ":")).encode("ascii"))


def _latest(name: str, row: LatestRow) -> Latest:
    body = json.loads(zlib.decompress(row.body)) if row.body else {}
    queues = (
        LatestQueue(queue, tuple(counts), oldest_s, workers, busy) for queue, counts, oldest_s, workers, busy in body.get("queues", ())
    )
    problem, asked_s = row.problem, float(row.slot_s)
    workers, rates, suspended = body.get("workers", {}), body.get("rates", {}), body.get("suspended", False)
    return Latest(name, asked_s, row.answered_s, row.elapsed_ms, problem, tuple(queues), workers, rates, is_suspended=suspended)
