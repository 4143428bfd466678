"""Measures what each page reads on a full server: round trips, commands, the server's time and ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import redis

from bench.seed import Size, fill
from bench.tables import Table, Verdict
from rqdash.backends.backend import Backend
from rqdash.demo.servers import start_server
from rqdash.model.registry import TABS, Registry
from rqdash.queries.job import job
from rqdash.queries.jobs import jobs
from rqdash.queries.overview import summary
from rqdash.queries.queue_page import queue_page
from rqdash.queries.workers import workers
from tests.round_trips import Tally, counted_backend, spent

RUNS = 15
LOGGED_US = 100
MOST_SERVER_MS = 5.0
ROWS = 50
QUEUES_A_TRIP = 150


@dataclass(frozen=True, slots=True)
class Measured:
    """One page: what a warm read cost.

    server_ms is the longest single call of a read by SLOWLOG, 0 when under 0.1; client_ms the whole read; both are medians of the runs,
    for other processes of the machine interrupt the server.
    """

    page: str
    round_trips: int
    commands: int
    server_ms: float
    client_ms: float
    allowed: int

    @property
    def is_fine(self) -> bool:
        return self.round_trips <= self.allowed and self.server_ms <= MOST_SERVER_MS


def measured(size: Size, *, executable: Path | None = None) -> list[Measured]:
    """Fills a server of its own and reads every page of it."""
    with TemporaryDirectory() as directory:
        server = start_server(Path(directory), executable=executable)
        try:
            with server.client() as client:
                fill(client, size=size, now=datetime.now(UTC))
                backend, tally = counted_backend(server)
                further = max(size.queues - 1, 0) // QUEUES_A_TRIP
                rows = [_measured(page, read, client, tally, 2 + further) for page, read in _pages(backend)]
                backend.reader.connection_pool.disconnect()
                return rows
        finally:
            server.stop()


def table(rows: list[Measured]) -> Table:
    """The measurements, one page a line."""
    head = ("page", "round trips", "commands", "server, ms", "client, ms")
    lines = [(row.page, row.round_trips, row.commands, round(row.server_ms, 2), round(row.client_ms, 1)) for row in rows]
    verdicts = [
        Verdict(
            row.page,
            f"{row.round_trips} round trips, {row.server_ms:.1f} ms a call",
            f"{row.allowed}, {MOST_SERVER_MS:.0f} ms",
            row.is_fine,
        )
        for row in rows
    ]
    note = "Of a warm connection. Server: the longest single call of a read by SLOWLOG; both times are medians."
    return Table("Round trips and the server's time of each read", head, lines, note, verdicts)


def _pages(backend: Backend) -> Iterator[tuple[str, Callable[[], object]]]:
    now = datetime.now(UTC)
    yield "overview, queues", lambda: summary(backend, now=now)
    yield "workers", lambda: workers(backend, now=now)
    for registry in TABS:
        yield f"queue, {registry}, {ROWS} rows", lambda registry=registry: _queue(backend, registry, ROWS, now)
    yield "queue, failed, 200 rows", lambda: _queue(backend, Registry.FAILED, 200, now)
    for registry in (Registry.QUEUED, Registry.FAILED):
        last = jobs(backend, "hot", registry, offset=0, size=200, now=now).rows[-1].id
        yield f"job, {registry}", lambda last=last: job(backend, last, now=now)
    with_last = backend.reader.lindex(backend.keys.queue("hot"), -1)
    yield "job, last of its queue", lambda: job(backend, with_last.decode(), now=now)


def _queue(backend: Backend, registry: Registry, size: int, now: datetime) -> None:
    queue_page(backend, "hot", registry, offset=0, size=size, now=now)


def _measured(page: str, read: Callable[[], object], client: redis.Redis, tally: Tally, allowed: int) -> Measured:
    read()
    # At 0 the server would log every command inside a script too, and spend more on that than on reading.
    client.config_set("slowlog-log-slower-than", LOGGED_US)
    times, longest_us = [], []
    cost = Tally()
    for _ in range(RUNS):
        client.slowlog_reset()
        began = time.perf_counter()
        _, cost = spent(tally, read)
        times.append(time.perf_counter() - began)
        longest_us.append(max((entry["duration"] for entry in client.slowlog_get(100)), default=0))
    return Measured(page, cost.round_trips, cost.commands, median(longest_us) / 1000, median(times) * 1000, allowed)
