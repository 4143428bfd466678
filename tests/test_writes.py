"""A write is acknowledged only by who was master before and after it, and writes that hang leave the process able to do other things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rqdash.actions import requeue
from rqdash.backends.backend import WRITES_AT_ONCE, Backend
from rqdash.backends.guard import FailoverGuard
from rqdash.backends.sentinel import MasterFacts
from rqdash.backends.watch import Answer
from rqdash.demo.servers import Server
from rqdash.errors import BackendError, Slow, UnknownResult
from rqdash.model.profile import Node
from rqdash.model.registry import Registry
from tests.actors import Witness, write_job
from tests.conftest import backend_of

MASTER, OTHER, SENTINEL = Node("10.0.0.9", 6379), Node("10.0.0.8", 6379), Node("10.0.0.1", 26379)
FINE = MasterFacts(MASTER, frozenset({"master"}), quorum=1, replicas=1, down_after_ms=2000, down_ms=0)


@dataclass(slots=True)
class Told:
    """What a sentinel says when it is asked the first, second... time; the last it says again and again."""

    facts: Sequence[MasterFacts | None]
    asked: int = 0

    def ask(self) -> tuple[Answer, ...]:
        said = self.facts[min(self.asked, len(self.facts) - 1)]
        self.asked += 1
        return (Answer(SENTINEL, said, has_quorum=True, is_reachable=said is not None),)

    def close(self) -> None:
        return None


@dataclass(slots=True)
class Clock:
    """Seconds that pass with every look at it."""

    now_s: float = 0.0

    def __call__(self) -> float:
        self.now_s += 0.001
        return self.now_s


def guard(*facts: MasterFacts | None) -> tuple[FailoverGuard, Told]:
    told = Told(facts)
    return FailoverGuard("orders", told, pools=(), clock=Clock()), told  # type: ignore[arg-type]


def test_a_write_is_confirmed_by_asking_the_sentinels_once_more() -> None:
    watched, told = guard(FINE)
    watched.admit()

    watched.confirm(MASTER)
    watched.admit()

    assert told.asked == 2, "the answer that confirmed one write admits the next"


@pytest.mark.parametrize(
    "afterwards",
    [
        replace(FINE, flags=frozenset({"master", "failover_in_progress"})),
        replace(FINE, flags=frozenset({"master", "s_down"})),
        replace(FINE, node=OTHER),
        None,
    ],
    ids=["being switched", "found down", "replaced", "nobody knows"],
)
def test_a_write_acknowledged_by_a_master_that_was_being_replaced_is_an_unknown_result(afterwards: MasterFacts | None) -> None:
    watched, _ = guard(FINE, afterwards)
    watched.admit()

    with pytest.raises(UnknownResult) as raised:
        watched.confirm(MASTER)

    assert (raised.value.backend, raised.value.stage) == ("orders", "sentinel")
    assert "may be lost" in raised.value.message


def test_a_write_that_went_to_another_server_than_the_master_is_an_unknown_result() -> None:
    watched, _ = guard(FINE)

    with pytest.raises(UnknownResult):
        watched.confirm(OTHER)


@pytest.fixture
def hurried(server: Server) -> Iterator[Backend]:
    """A backend that waits 1 s for an answer."""
    live = backend_of(server)
    live.writer = redis.Redis(host="127.0.0.1", port=server.port, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    yield live
    server.resume()
    live.close()


@dataclass(slots=True)
class Tries:
    """Requeues jobs one by one, and keeps how each ended."""

    backend: Backend
    ended: dict[str, str] = field(default_factory=dict)

    def requeue(self, job_id: str) -> None:
        try:
            outcome = requeue(self.backend, Witness(), queue="mail", registry=Registry.FAILED, ids=[job_id])
            self.ended[job_id] = outcome.jobs[0].verdict.value
        except BackendError as error:
            self.ended[job_id] = f"{type(error).__name__}: {error.message}"


def test_writes_that_hang_let_the_next_ones_go_at_once_with_nothing_done(
    server: Server, redis_client: redis.Redis, hurried: Backend
) -> None:
    ids = [f"job-{number}" for number in range(WRITES_AT_ONCE + 3)]
    for job_id in ids:
        write_job(redis_client, job_id, status="failed")
        redis_client.zadd("rq:failed:mail", {job_id: -1})
    tries = Tries(hurried)
    server.pause()

    with ThreadPoolExecutor(len(ids)) as threads:
        list(threads.map(tries.requeue, ids))
    server.resume()

    slow = [job_id for job_id, said in tries.ended.items() if said.startswith(Slow.__name__)]
    assert len(slow) >= 3
    assert all("earlier writes still wait" in tries.ended[job_id] for job_id in slow[:3])
    assert all(redis_client.zscore("rq:failed:mail", job_id) == -1 for job_id in slow[:3])
