"""The data part of our pages: the queries that a page's view runs, and the floor under each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench.cases import HOT, Case
from bench.floor import Floor, floor
from bench.views import view
from rqdash.backends.backend import Backend, Command
from rqdash.backends.gather import Gatherer
from rqdash.demo.servers import HOST
from rqdash.model.profile import Profile
from rqdash.queries.overview import summary
from rqdash.queries.workers import workers


class Clocked(Backend):
    """A backend that adds up how long its reads wait for replies, in seconds."""

    waited_s = 0.0

    def read(self, *commands: Command, strict: bool = True) -> list[object]:
        began_s = time.perf_counter()
        replies = super().read(*commands, strict=strict)
        self.waited_s += time.perf_counter() - began_s
        return replies


@contextmanager
def clocked(port: int) -> Iterator[Clocked]:
    """A backend of its own, with two clients as the connection factory sets them up."""
    backend = Clocked(Profile(name="bench", host=HOST, port=port), reader=_client(port), writer=_client(port))
    try:
        yield backend
    finally:
        backend.close()


def query(backend: Backend, case: Case) -> Callable[[], object]:
    """What the view of this page reads and says, as values."""
    now = datetime.now(UTC)
    listed = {"name": HOT, "registry": case.registry, "size": str(case.rows), "page": str(case.page)}
    return {
        "overview": lambda: summary(backend, now=now),
        "workers": lambda: workers(backend, now=now),
        "list": view("queue", backend, listed, gatherer=Gatherer()),
        "job": view("job", backend, {"id": case.job_id}, gatherer=Gatherer()),
    }[case.kind]


@dataclass(slots=True)
class Query:
    """Our query of a page, to be called again and again; waited_s is how long each call waited for its replies."""

    backend: Clocked
    ask: Callable[[], object]
    waited_s: list[float] = field(default_factory=list)

    def __call__(self) -> object:
        before_s = self.backend.waited_s
        found = self.ask()
        self.waited_s.append(self.backend.waited_s - before_s)
        return found


@contextmanager
def floor_of(port: int) -> Iterator[Floor]:
    with _client(port) as client:
        yield floor(client, now_s=int(datetime.now(UTC).timestamp()))


@contextmanager
def querying(port: int, case: Case) -> Iterator[Query]:
    """Our query over connections of its own."""
    with clocked(port) as backend:
        yield Query(backend, query(backend, case))


@contextmanager
def barely(port: int, case: Case) -> Iterator[Callable[[], object]]:
    """The floor of a page over a connection of its own."""
    with floor_of(port) as reader:
        yield bare(reader, case)


def bare(reader: Floor, case: Case) -> Callable[[], object]:
    """The same fields, by the floor."""
    return {
        "overview": reader.overview,
        "workers": reader.workers,
        "list": lambda: reader.queue(HOT, case.registry, offset=case.offset, size=case.rows),
        "job": lambda: reader.job(case.job_id),
    }[case.kind]


def _client(port: int) -> redis.Redis:
    return redis.Redis(host=HOST, port=port, retry=Retry(NoBackoff(), 0), socket_timeout=60)
