"""What a page may cost: two round trips on a warm connection, one more per 150 further queues or 200 further workers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.registry import Registry
from rqdash.queries.census import census
from rqdash.queries.job import job
from rqdash.queries.jobs import jobs
from rqdash.queries.overview import summary
from rqdash.queries.queue import summary_of
from rqdash.queries.workers import workers
from tests.round_trips import counted_backend, spent
from tests.stored import NOW, Stored, variety


def queue_page(backend: Backend, registry: Registry) -> None:
    summary_of(backend, "mail", now=NOW)
    jobs(backend, "mail", registry, offset=0, size=50, now=NOW)


PAGES: tuple[tuple[str, Callable[[Backend], object]], ...] = (
    ("overview", lambda backend: summary(backend, now=NOW)),
    ("workers", lambda backend: workers(backend, now=NOW)),
    ("census", lambda backend: census(backend, now=NOW)),
    ("job with relatives", lambda backend: job(backend, "child", now=NOW)),
    *((f"queue, {registry}", lambda backend, registry=registry: queue_page(backend, registry)) for registry in Registry),
)


def test_a_job_without_relatives_costs_one(server: Server, redis_client: redis.Redis) -> None:
    variety(redis_client)
    backend, tally = counted_backend(server)
    job(backend, "failed-0", now=NOW)

    _, cost = spent(tally, lambda: job(backend, "failed-0", now=NOW))

    assert cost.round_trips == 1
    backend.close()


@pytest.mark.parametrize("read", [read for _, read in PAGES], ids=[page for page, _ in PAGES])
def test_a_page_costs_two_round_trips(server: Server, redis_client: redis.Redis, read: Callable[[Backend], object]) -> None:
    variety(redis_client)
    backend, tally = counted_backend(server)
    read(backend)

    _, cost = spent(tally, lambda: read(backend))

    assert cost.round_trips == 2
    backend.close()


@pytest.mark.parametrize(("queues", "round_trips"), [(0, 2), (150, 2), (151, 3), (301, 4)])
def test_the_overview_costs_one_more_per_150_further_queues(
    server: Server, redis_client: redis.Redis, queues: int, round_trips: int
) -> None:
    stored = Stored(redis_client)
    for number in range(queues):
        stored.queue(f"q{number}")
    for number in range(160):
        stored.worker(f"w{number}", queues="q1")
    backend, tally = counted_backend(server)
    summary(backend, now=NOW)

    found, cost = spent(tally, lambda: summary(backend, now=NOW))

    assert (cost.round_trips, len(found.queues), found.workers) == (round_trips, queues, 160)
    backend.close()


@pytest.mark.parametrize(("size", "round_trips"), [(200, 2), (201, 3)])
def test_the_workers_cost_one_more_per_200_further(server: Server, redis_client: redis.Redis, size: int, round_trips: int) -> None:
    stored = Stored(redis_client)
    for number in range(size):
        stored.worker(f"w{number}")
    backend, tally = counted_backend(server)
    workers(backend, now=NOW)

    found, cost = spent(tally, lambda: workers(backend, now=NOW))

    assert (cost.round_trips, len(found.workers)) == (round_trips, size)
    backend.close()
