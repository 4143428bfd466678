"""The benchmark itself: it fills a server with what the queries then read, within the limits it holds them to."""

from __future__ import annotations

from datetime import UTC, datetime

import redis

from bench.round_trips import measured, table
from bench.seed import Size, fill
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.registry import TABS
from rqdash.queries.overview import summary
from tests.workers import counts

SMALL = Size(queues=4, queued=400, failed=400, finished=40, workers=6)


def test_the_seed_is_what_it_says_and_what_rq_counts(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    now = datetime.now(UTC)
    fill(redis_client, size=SMALL, now=now)

    found = summary(backend, now=now)

    assert (len(found.queues), found.workers, found.workers_busy) == (4, 6, 3)
    hot = next(queue for queue in found.queues if queue.name == "hot")
    assert counts(server, "hot") == {registry.value: hot.count(registry) for registry in TABS}
    assert sum(queue.queued for queue in found.queues) == 400


def test_every_page_is_measured_and_costs_two_round_trips() -> None:
    rows = measured(Size(queues=4, queued=2000, failed=2000, finished=40, workers=6))

    assert {row.round_trips for row in rows} == {2}
    assert table(rows).count("\n") == len(rows) == 13
