"""How fast a search goes through jobs: by description, by function and by error, over so many of them. python -m bench.scan [JOBS]"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from bench.seed import Size, fill
from bench.tables import Table, Verdict
from rqdash.backends.backend import Backend
from rqdash.demo.servers import start_server
from rqdash.model.search import search
from rqdash.queries.scan import scan
from tests.round_trips import Tally, counted_backend

JOBS = 1_000_000
RUNS = 3
SLOW_US = 5_000
ENDLESS_S = 600.0


@dataclass(frozen=True, slots=True)
class Case:
    """A search that finds nothing, so that all is looked at, and how many jobs a second it must look at."""

    name: str
    text: str
    least: int


CASES = (
    Case("desc:", "desc:nothing-is-like-this", 200_000),
    Case("fn:", "fn:app.nothing.is_like_this", 100_000),
    Case("error:", "status:failed error:NothingIsLikeThis", 40_000),
)


@dataclass(frozen=True, slots=True)
class Scanned:
    """The best of the runs of one case; round_trips with the two that find out where to look, slow: scripts over 5 ms by SLOWLOG.

    Other processes of the machine interrupt the server, so slow is that of the run with the fewest.
    """

    case: Case
    jobs: int
    seconds: float
    round_trips: int
    slow: int

    @property
    def rate(self) -> float:
        return self.jobs / self.seconds


def measured(jobs: int = JOBS, *, runs: int = RUNS) -> list[Scanned]:
    """Fills a server of its own, half of the jobs queued and half failed, and goes through all of them."""
    size = Size(queues=20, queued=jobs // 2, failed=jobs - jobs // 2, finished=0, workers=0)
    with TemporaryDirectory() as directory:
        server = start_server(Path(directory))
        try:
            with server.client() as client:
                fill(client, size=size, now=datetime.now(UTC))
                client.config_set("slowlog-log-slower-than", SLOW_US)
                client.config_set("slowlog-max-len", 10_000)
                backend, tally = counted_backend(server)
                return [_best(backend, client, case, tally=tally, runs=runs) for case in CASES]
        finally:
            server.stop()


def table(found: Sequence[Scanned]) -> Table:
    rows = [(one.case.name, one.jobs, round(one.rate), round(one.jobs / one.round_trips), one.slow) for one in found]
    verdicts = [
        Verdict(f"scan, {one.case.name}", f"{one.rate:,.0f} jobs/s", f"{one.case.least:,} or more", one.rate >= one.case.least)
        for one in found
    ]
    columns = ("search", "jobs", "jobs a second", "jobs a round trip", "scripts over 5 ms")
    return Table("Scans", columns, rows, f"Searches that find nothing, the best of {RUNS} runs.", verdicts)


def _best(backend: Backend, client: redis.Redis, case: Case, *, tally: Tally, runs: int) -> Scanned:
    found = [_once(backend, client, case, tally=tally) for _ in range(runs)]
    fastest = min(found, key=lambda one: one.seconds)
    return replace(fastest, slow=min(one.slow for one in found))


def _once(backend: Backend, client: redis.Redis, case: Case, *, tally: Tally) -> Scanned:
    client.slowlog_reset()
    before, began_s = tally.round_trips, time.perf_counter()
    found = scan(backend, search(case.text), now=datetime.now(UTC), entries=10**9, budget_s=ENDLESS_S)
    took_s = time.perf_counter() - began_s
    slow = sum(b"EVALSHA" in entry["command"] for entry in client.slowlog_get(10_000))
    return Scanned(case, found.scanned, took_s, tally.round_trips - before, slow)


if __name__ == "__main__":
    print(table(measured(int(sys.argv[1]) if len(sys.argv) > 1 else JOBS)).as_text())
