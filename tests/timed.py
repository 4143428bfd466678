"""Puts cron schedulers, scheduled jobs, groups and rate limits into Redis as versions of RQ write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.names import encoded
from tests.conftest import backend_of
from tests.stored import NOW, Stored, iso

NAME_2_10 = "0f" * 16
"""A scheduler as RQ 2.10 names it."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Writes for one moment, under the prefix of stored."""

    stored: Stored
    now: datetime = field(default=NOW)

    @property
    def now_s(self) -> float:
        return self.now.timestamp()

    def cron_job(
        self, name: str = "app.tasks.send", *, next_s: float | None = 30, last_s: float | None = 30, **fields: object
    ) -> dict[str, object]:
        """An entry of a cron scheduler's list; next in next_s seconds, last last_s seconds ago."""
        return {
            "func_name": "app.tasks.send",
            "name": name,
            "queue_name": "mail",
            "args": None,
            "kwargs": None,
            "interval": 60,
            "cron": None,
            "latest_enqueue_time": None if last_s is None else iso(self.now - timedelta(seconds=last_s)),
            "next_enqueue_time": None if next_s is None else iso(self.now + timedelta(seconds=next_s)),
            "result_ttl": 500,
            **fields,
        }

    def cron(self, name: str = "host:41:aa", jobs: object = (), *, beat_s: float = 5, **fields: object) -> str:
        """A cron scheduler that beat beat_s seconds ago; jobs None leaves its list out, as RQ 2.6 does; bytes are put as they are."""
        keys, client = self.stored.keys, self.stored.client
        values = {"name": encoded(name), "hostname": "host", "pid": 41, "created_at": iso(self.now), "config_file": "app.cron", **fields}
        if jobs is not None:
            values["cron_jobs"] = jobs if isinstance(jobs, bytes) else json.dumps(jobs)
        client.hset(encoded(keys.cron_scheduler(name)), mapping=values)
        client.zadd(keys.cron_schedulers, {encoded(name): self.now_s - beat_s})
        return name

    def known(self, name: str, *ids: str, last_s: float = 30) -> None:
        """A name that RQ 2.12 keeps, with the jobs it made, the first one last."""
        keys, client = self.stored.keys, self.stored.client
        client.zadd(keys.cron_jobs, {encoded(name): self.now_s - last_s})
        for number, job_id in enumerate(ids):
            client.zadd(encoded(keys.cron_history(name)), {encoded(job_id): self.now_s - last_s - number})

    def due(self, job_id: str, in_s: float, *, queue: str = "mail", **fields: object) -> str:
        self.stored.queue(queue)
        self.stored.entry("scheduled", job_id, self.now_s + in_s, queue=queue)
        return self.stored.job(job_id, queue=queue, **{"status": "scheduled", "enqueued_at": "", **fields})

    def lock(self, queue: str = "mail", *, pid: int | None = None) -> None:
        """The scheduler's lock of a queue as RQ 2.10 sets it, or with a pid as those before."""
        keys, client = self.stored.keys, self.stored.client
        client.set(encoded(keys.scheduler_lock(queue)), pid or NAME_2_10)
        if pid is None:
            client.hset(keys.scheduler(NAME_2_10), mapping={"name": NAME_2_10, "hostname": "worker-7", "pid": 1007})

    def group(self, name: str, ids: Iterable[str]) -> None:
        keys, client = self.stored.keys, self.stored.client
        client.sadd(keys.groups, encoded(name))
        client.sadd(encoded(keys.group(name)), *map(encoded, ids))

    def limit(self, key: str, concurrency: int, *, holding: Iterable[str] = (), waiting: Iterable[str] = ()) -> None:
        """A rate limit; the first of holding and waiting came a minute ago, each other one a second later."""
        keys, client = self.stored.keys, self.stored.client
        client.sadd(keys.rate_limits, encoded(key))
        client.hset(encoded(keys.rate_limit(key)), "concurrency", concurrency)
        for name, ids in ((keys.rate_limit_allowed(key), holding), (keys.rate_limit_waiting(key), waiting)):
            for number, job_id in enumerate(ids):
                client.zadd(encoded(name), {encoded(job_id): self.now_s - 60 + number})


@contextmanager
def both_ways(server: Server) -> Iterator[tuple[Backend, Backend]]:
    """A backend that reads by script, and one whose user may only read, and run no script."""
    with server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "plain", "reset", "on", "nopass", "~rq:*", "+@read", "+@connection", "-@scripting", "-@write"
        )
        scripted, plain = backend_of(server), backend_of(server, username="plain")
        yield scripted, plain
        for backend in (scripted, plain):
            backend.close()
        client.execute_command("ACL", "DELUSER", "plain")


def timed(stored: Stored) -> None:
    """A bit of everything by the clock, for people to look at: relative to the real time."""
    now = Timed(stored, datetime.now(UTC))
    nightly = now.cron_job("nightly", interval=None, cron="0 3 * * *", args='["eu"]', queue_name="digests")
    now.cron("web-1:41:0a1b2c", [nightly, now.cron_job("sync", job_timeout=60)])
    now.cron("web-2:77:3d4e5f", [nightly], beat_s=30)
    now.cron("web-0:9:ffffff", None, beat_s=700)
    now.known("nightly", stored.job("made-1", queue="digests", status="finished"), "expired")
    now.due("late", -300, queue="digests")
    now.due("retry", 90, queue="reports", ended_at=iso(now.now), number_of_retries=1, retries_left=2)
    now.lock("reports")
    now.group("month-end", [*(stored.job(f"part-{number}", status=("finished", "failed")[number % 2]) for number in range(6)), "gone"])
    now.limit("partner-api", 2, holding=("part-0", stored.job("queued-part")), waiting=(stored.job("held-back", status="rate_limited"),))
