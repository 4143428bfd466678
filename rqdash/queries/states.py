"""The few fields of workers that counting needs, and how they add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rqdash.backends.backend import Command
from rqdash.backends.scripts import Call, load
from rqdash.model.keys import Keys
from rqdash.queries import decode
from rqdash.queries.counts import PACKAGE, parts

FIELDS = ("birth", "state", "queues", "version")


@dataclass(frozen=True, slots=True)
class WorkerState:
    """state as in model.worker: "lost" for a worker that is listed and whose hash is gone."""

    state: str
    queues: str
    rq_version: str


def by_script(keys: Keys, names: Sequence[str]) -> list[Call]:
    """The calls whose rows worker_state() reads, a list of rows a call."""
    script = load(PACKAGE, "hashes", includes=("common",))
    return [Call(script, arguments=(",".join(FIELDS), *(decode.wire(keys.worker(name)) for name in part))) for part in parts(names)]


def by_pipeline(keys: Keys, names: Sequence[str]) -> list[Command]:
    return [("HMGET", decode.wire(keys.worker(name)), *FIELDS) for name in names]


def worker_state(row: object) -> WorkerState:
    """One worker from its FIELDS.

    A hash without birth and state was made anew by a counter (HINCRBY) after the worker's own had lapsed: that worker is lost too.
    """
    birth, state, queues, version = decode.many(row) or (None, None, None, None)
    return WorkerState(state_of(birth=birth, state=state), decode.name(queues), decode.text(version, limit=80))


def state_of(*, birth: object, state: object) -> str:
    """RQ's word for a worker's state, or "lost"; a live worker that wrote none yet has just started."""
    if not isinstance(birth, bytes) and not isinstance(state, bytes):
        return "lost"
    return decode.text(state, limit=80) or "started"


def listening(workers: Iterable[WorkerState], queues: Iterable[str]) -> dict[str, tuple[int, int]]:
    """(live workers, busy ones) by queue, for the queues given.

    RQ stores a worker's queues with commas between, and a name may hold a comma: such a name is looked for whole.
    """
    live = [worker for worker in workers if worker.state != "lost"]
    plain: Counter[str] = Counter()
    busy: Counter[str] = Counter()
    for worker in live:
        names = set(worker.queues.split(","))
        plain.update(names)
        busy.update(names if worker.state == "busy" else ())
    return {queue: _around_commas(live, queue) if "," in queue else (plain[queue], busy[queue]) for queue in queues}


def _around_commas(live: Sequence[WorkerState], queue: str) -> tuple[int, int]:
    found = [worker for worker in live if f",{queue}," in f",{worker.queues},"]
    return len(found), sum(worker.state == "busy" for worker in found)
