"""Jobs that come, run and go without end, by several writers that can be frozen; and what Redis then holds, counted by itself."""

from __future__ import annotations

import itertools
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis

from rqdash.model.keys import Keys
from tests.stored import EXECUTION, Stored, iso

QUEUES = ("mail", "images", "reports")
REGISTRIES = ("started", "scheduled", "deferred", "failed", "finished", "canceled")
MOST_KEPT = 40
"""Of a registry: what a list shows fits on its first page."""
A_DAY_S = 86_400


@dataclass(slots=True)
class Churn:
    """Writers over one database; start() and freeze() take turns. What they do follows from the seed, how they mix from the moment."""

    client: redis.Redis
    seed: int
    writers: int = 2
    done: int = 0
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._over.clear()
        self._threads = [threading.Thread(target=self._write, args=(self.seed * 100 + number,)) for number in range(self.writers)]
        for thread in self._threads:
            thread.start()

    def freeze(self) -> None:
        """Returns when every writer has ended what it was doing."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.seed += 1

    def _write(self, seed: int) -> None:
        chance, stored = random.Random(seed), Stored(self.client)
        while not self._over.is_set():
            queue = chance.choice(QUEUES)
            chance.choice((_enqueue, _enqueue, _end, _end, _run, _forget))(stored, queue, chance, next(self._numbers))
            self.done += 1


def _enqueue(stored: Stored, queue: str, _chance: random.Random, number: int) -> None:
    if stored.client.llen(stored.keys.queue(queue)) < MOST_KEPT:
        stored.waiting(f"job-{number}", queue=queue)


def _run(stored: Stored, queue: str, _chance: random.Random, _number: int) -> None:
    taken = stored.client.lpop(stored.keys.queue(queue))
    if taken is not None:
        stored.running("worker-1", taken.decode(), queue=queue)
        stored.entry("started", f"{taken.decode()}:{EXECUTION}", time.time() + A_DAY_S, queue=queue)


def _end(stored: Stored, queue: str, chance: random.Random, _number: int) -> None:
    """A job that waits comes into some registry."""
    taken = stored.client.lpop(stored.keys.queue(queue))
    if taken is None:
        return
    registry, job_id = chance.choice(REGISTRIES[1:]), taken.decode()
    now = datetime.now(UTC)
    if registry == "failed":
        stored.failed(job_id, queue=queue, score=now.timestamp() + A_DAY_S)
        stored.client.hset(stored.keys.job(job_id), "ended_at", iso(now))
    else:
        stored.entry(registry, stored.job(job_id, queue=queue, status=registry), now.timestamp() + A_DAY_S, queue=queue)


def _forget(stored: Stored, queue: str, chance: random.Random, _number: int) -> None:
    """The oldest of a registry leave it until a page holds the rest, and one more."""
    key = stored.keys.registry(chance.choice(REGISTRIES), queue)
    stored.client.zpopmin(key, max(stored.client.zcard(key) - MOST_KEPT, 0) + 1)


@dataclass(frozen=True, slots=True)
class Held:
    """What Redis holds: jobs by queue and registry, the ids that wait by queue, the failed ones of a queue and of all, newest first."""

    counts: dict[str, dict[str, int]]
    waiting: dict[str, list[str]]
    failed: dict[str, list[str]]
    failures: list[str]


def held(client: redis.Redis) -> Held:
    """Counted by plain commands, with nothing of rqdash's but the names of keys."""
    keys = Keys("rq")
    counts = {
        queue: {"queued": client.llen(keys.queue(queue)), **{r: client.zcard(keys.registry(r, queue)) for r in REGISTRIES}}
        for queue in QUEUES
    }
    waiting = {queue: [raw.decode() for raw in client.lrange(keys.queue(queue), 0, -1)] for queue in QUEUES}
    ended = {
        queue: [(_ended(client, keys, raw), raw.decode()) for raw in client.zrange(keys.registry("failed", queue), 0, -1)]
        for queue in QUEUES
    }
    newest = {queue: [job_id for _, job_id in sorted(found, reverse=True)] for queue, found in ended.items()}
    return Held(counts, waiting, newest, [job_id for _, job_id in sorted(itertools.chain(*ended.values()), reverse=True)])


def _ended(client: redis.Redis, keys: Keys, job_id: bytes) -> bytes:
    found = client.hget(keys.job(job_id.decode()), "ended_at")
    assert found is not None
    return bytes(found)
