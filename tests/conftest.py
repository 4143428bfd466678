"""Real servers for every test: one data server a session (emptied for each test), more on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, start_server
from rqdash.model.profile import Profile
from tests.databases import database_url, empty_store, postgres, reopened, store
from tests.require_all import pytest_make_collect_report, pytest_runtest_makereport
from tests.transfers import Pair, paired

__all__ = ["database_url", "empty_store", "postgres", "pytest_make_collect_report", "pytest_runtest_makereport", "reopened", "store"]


@pytest.fixture(scope="session")
def _shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest.fixture
def server(_shared_server: Server) -> Server:
    """An empty data server, shared by the session."""
    with _shared_server.client() as client:
        client.flushall()
        client.config_resetstat()
    return _shared_server


@pytest.fixture
def redis_client(server: Server) -> Iterator[redis.Redis]:
    """A client of the empty server, for preparing and checking data."""
    with server.client() as client:
        yield client


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """start(*options) starts a data server of this test's own; it is stopped afterwards."""
    servers: list[Server] = []

    def _start(*options: str) -> Server:
        servers.append(start_server(tmp_path / f"server-{len(servers)}", arguments=options))
        return servers[-1]

    yield _start
    for running in servers:
        running.stop()


@pytest.fixture(scope="session")
def _second_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("second"))
    yield server
    server.stop()


@pytest.fixture
def pair(server: Server, _second_server: Server) -> Iterator[Pair]:
    """Two backends, here and there, on two empty servers."""
    with paired(server, _second_server) as both:
        yield both


@pytest.fixture
def backend(server: Server) -> Iterator[Backend]:
    """A backend named live over the empty server."""
    live = backend_of(server)
    yield live
    live.close()


def backend_of(server: Server, *, name: str = "live", prefix: str = "rq", **client: object) -> Backend:
    """A backend over a running server, for tests that call queries and actions without an app."""
    retry = Retry(NoBackoff(), 0)
    profile = Profile(name=name, host="127.0.0.1", port=server.port, prefix=prefix, id=name, version=1, endpoint_version=1)
    return Backend(profile, reader=server.client(retry=retry, **client), writer=server.client(retry=retry, **client))
