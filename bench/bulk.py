"""Bulk actions on 100,000 jobs against bare scripts that do the same unchecked: how fast, and how long a call holds the server."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench import bare
from bench.seed import Size, fill
from bench.snapshots import kept, restored
from bench.tables import Table, Verdict
from rqdash.actions.batches import BATCH, carried_out
from rqdash.actions.scripted import Order
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.outcome import Verdict as Said
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry

OF_BARE = 2.0
MOST_MS = 5.0
LOGGED_US = 1_000
QUEUE, ELSEWHERE = "hot", "elsewhere"


@dataclass(frozen=True, slots=True)
class Case:
    """One action on jobs of the hot queue, chosen and ordered by one of ORDERS; dump names the data it begins with."""

    name: str
    verb: str
    registry: Registry
    order: str
    dump: str


@dataclass(frozen=True, slots=True)
class Ran:
    """Of one way to do it: jobs, seconds, and the longest single call and the calls over 5 ms by the server's SLOWLOG."""

    jobs: int
    took_s: float
    longest_ms: float
    slow: int

    @property
    def rate(self) -> float:
        return self.jobs / self.took_s


ORDERS: dict[str, Callable[[list[str]], list[str]]] = {
    "from the head": lambda ids: ids,
    "every 5th": lambda ids: ids[::5],
    "random order": lambda ids: random.Random(1).sample(ids, len(ids)),
}
FAILED, QUEUED, BOTH = "failed", "queued", "both"
CASES = (
    *(Case("requeue failed", "requeue", Registry.FAILED, order, FAILED) for order in ORDERS),
    *(Case("delete failed", "delete", Registry.FAILED, order, FAILED) for order in ORDERS),
    *(Case("delete queued", "delete", Registry.QUEUED, order, QUEUED) for order in ORDERS),
    *(Case("move queued", "move", Registry.QUEUED, order, QUEUED) for order in ORDERS),
    Case("delete failed while half as many wait", "delete", Registry.FAILED, "from the head", BOTH),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a case gave: the bare script, and ours in one go."""

    case: Case
    bare: Ran
    ours: Ran


@dataclass(frozen=True, slots=True)
class Dumps:
    """The data that cases begin with, and how many jobs are acted upon."""

    jobs: int
    by_name: Mapping[str, Path]


@contextmanager
def prepared(jobs: int) -> Iterator[Dumps]:
    """Queues of so many jobs, made once; each case begins with them anew."""
    sizes = {FAILED: Size(1, 0, jobs, 0, 0), QUEUED: Size(1, jobs, 0, 0, 0), BOTH: Size(1, jobs // 2, jobs, 0, 0)}
    with TemporaryDirectory() as directory:
        yield Dumps(jobs, {name: kept(Path(directory), name, make=_filler(size)) for name, size in sizes.items()})


def measured(dumps: Dumps) -> list[Found]:
    """One result a case."""
    return [Found(case, _ran(dumps.by_name[case.dump], case, _bare), _ran(dumps.by_name[case.dump], case, _ours)) for case in CASES]


def table(dumps: Dumps, found: Sequence[Found]) -> Table:
    """One row a case."""
    head = (
        "action",
        "order",
        "jobs",
        "bare, jobs/s",
        "ours, jobs/s",
        "times slower",
        "longest call, ms",
        "calls over 5 ms",
        "bare's longest, ms",
    )
    rows, verdicts = [], []
    for one in found:
        case, plain, ours = one.case, one.bare, one.ours
        ratio = round(plain.rate / ours.rate, 2)
        figures = (round(plain.rate), round(ours.rate), ratio, round(ours.longest_ms, 1), ours.slow, round(plain.longest_ms, 1))
        rows.append((case.name, case.order, ours.jobs, *figures))
        verdicts += judged(f"{case.name}, {case.order}", ratio=ratio, ran=ours)
    note = (
        f"A queue with {dumps.jobs:,} jobs in the list or registry acted upon. Bare: the same change of state by a script without a check, "
        f"in batches of {BATCH} (bench/bare.py). Ours: rqdash.actions on all ids at once; every job's outcome "
        "was done. Longest call: by the server's SLOWLOG."
    )
    return Table(f"Bulk actions on {dumps.jobs:,} jobs", head, rows, note, verdicts)


def judged(what: str, *, ratio: float, ran: Ran) -> tuple[Verdict, Verdict]:
    """Within twice the bare script's time, and no call over 5 ms."""
    longest = f"{ran.longest_ms:.1f} ms, {ran.slow} calls over {MOST_MS:.0f} ms"
    return (
        Verdict(what, f"{ratio:.2f}x of the bare script", f"{OF_BARE:.0f}x", ratio <= OF_BARE),
        Verdict(f"{what}, longest call", longest, f"{MOST_MS:.0f} ms", ran.longest_ms <= MOST_MS),
    )


def _filler(size: Size) -> Callable[[redis.Redis], None]:
    return lambda client: fill(client, size=size, now=datetime.now(UTC))


Way = Callable[[Server, Case, list[str]], float]


def _ran(dump: Path, case: Case, way: Way) -> Ran:
    with restored(dump) as server, server.client() as client:
        ids = ORDERS[case.order]([raw.decode() for raw in _stored(client, case)])
        return logged(client, lambda: (len(ids), way(server, case, ids)))


def logged(client: redis.Redis, work: Callable[[], tuple[int, float]]) -> Ran:
    """What work answers, jobs and seconds, with the script calls that its server notes meanwhile."""
    client.config_set("slowlog-log-slower-than", LOGGED_US)
    client.config_set("slowlog-max-len", 100_000)
    client.slowlog_reset()
    jobs, took_s = work()
    calls = [entry["duration"] / 1000 for entry in client.slowlog_get(100_000) if entry["command"].upper().startswith(b"EVALSHA")]
    return Ran(jobs, took_s, max(calls, default=0.0), sum(call > MOST_MS for call in calls))


def _stored(client: redis.Redis, case: Case) -> list[bytes]:
    if case.registry is Registry.QUEUED:
        return client.lrange(f"rq:queue:{QUEUE}", 0, -1)
    return client.zrange(f"rq:failed:{QUEUE}", 0, -1)


def _bare(server: Server, case: Case, ids: list[str]) -> float:
    source = f"rq:queue:{QUEUE}" if case.registry is Registry.QUEUED else f"rq:failed:{QUEUE}"
    to_queue = QUEUE if case.verb == "requeue" else ELSEWHERE
    with server.client() as client:
        began_s = time.perf_counter()
        done = bare.carried_out(client, case.verb, (source, f"rq:queue:{to_queue}"), to_queue=to_queue, ids=ids, size=BATCH)
        took_s = time.perf_counter() - began_s
    assert done == len(ids), done
    return took_s


def _ours(server: Server, case: Case, ids: list[str]) -> float:
    to_queue = {"requeue": QUEUE, "move": ELSEWHERE}.get(case.verb, "")
    order = Order(case.verb, QUEUE, case.registry, to_queue=to_queue)
    backend = backend_of(server)
    try:
        began_s = time.perf_counter()
        outcome, failure = carried_out(backend, order, ids=ids)
        took_s = time.perf_counter() - began_s
    finally:
        backend.close()
    assert failure is None, failure
    assert outcome.counts() == {Said.DONE: len(ids)}, outcome.counts()
    return took_s


def backend_of(server: Server) -> Backend:
    """A backend named bench."""
    retry = Retry(NoBackoff(), 0)
    profile = Profile(name="bench", host="127.0.0.1", port=server.port)
    return Backend(profile, reader=server.client(retry=retry), writer=server.client(retry=retry))
