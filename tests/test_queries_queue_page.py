"""A queue's counts and a page of it, read together: the same as one after the other, in one round trip."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis

from bench.seed import Size, fill
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import NotFound
from rqdash.model.registry import Registry
from rqdash.queries.jobs import jobs
from rqdash.queries.queue import summary_of
from rqdash.queries.queue_page import queue_page
from rqdash.web import queue as web
from rqdash.web.forms import Raw
from rqdash.web.trends import Trends
from tests.round_trips import counted_backend, spent

NOW = datetime.now(UTC)
FEW = Size(queues=2, queued=240, failed=240, finished=20, workers=4)


@pytest.mark.parametrize("registry", [Registry.QUEUED, Registry.FAILED, Registry.FINISHED, Registry.STARTED, Registry.CANCELED])
@pytest.mark.parametrize("offset", [0, 50, 1000])
def test_together_they_say_what_they_say_alone(redis_client: redis.Redis, backend: Backend, registry: Registry, offset: int) -> None:
    fill(redis_client, size=FEW, now=NOW)

    together = queue_page(backend, "hot", registry, offset=offset, size=50, now=NOW)

    assert together == (summary_of(backend, "hot", now=NOW), jobs(backend, "hot", registry, offset=offset, size=50, now=NOW))


def test_they_take_one_round_trip(server: Server, redis_client: redis.Redis) -> None:
    fill(redis_client, size=FEW, now=NOW)
    backend, tally = counted_backend(server)
    queue_page(backend, "hot", Registry.FAILED, offset=0, size=200, now=NOW)

    _, cost = spent(tally, lambda: queue_page(backend, "hot", Registry.FAILED, offset=0, size=200, now=NOW))
    backend.reader.connection_pool.disconnect()

    assert cost.round_trips == 1


def test_without_scripts_they_say_the_same(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, size=FEW, now=NOW)
    by_script = queue_page(backend, "hot", Registry.FAILED, offset=0, size=50, now=NOW)
    redis_client.execute_command("ACL", "SETUSER", "plain", "on", ">pass", "~rq:*", "+@all", "-@scripting")
    plain = redis.Redis(port=redis_client.connection_pool.connection_kwargs["port"], username="plain", password="pass")

    by_pipeline = queue_page(Backend(backend.profile, reader=plain, writer=plain), "hot", Registry.FAILED, offset=0, size=50, now=NOW)
    plain.close()
    redis_client.execute_command("ACL", "DELUSER", "plain")

    assert by_pipeline == by_script


def test_a_queue_that_is_not_there_is_not_found(backend: Backend) -> None:
    with pytest.raises(NotFound):
        queue_page(backend, "gone", Registry.QUEUED, offset=0, size=50, now=NOW)


def test_a_page_beyond_the_last_shows_the_last(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, size=FEW, now=NOW)
    address = Raw({"backend": "live"}, {"name": ("hot",), "registry": ("failed",), "page": ("9",)}, now=NOW)

    page = web.view(backend, web.parse(address), caller=None, trends=Trends(None))  # type: ignore[arg-type]  # it asks nothing of who calls

    assert (page.pager.page, page.jobs.offset, len(page.jobs.rows)) == (3, 100, 20)
