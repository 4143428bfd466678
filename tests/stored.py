"""Puts jobs and workers into Redis field by field, for states that RQ makes rarely or not at all: old versions, garbled, hostile."""

from __future__ import annotations

import base64
import pickle
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import redis

from rqdash.model.keys import Keys
from rqdash.model.names import encoded

NOW = datetime(2026, 11, 23, 17, 40, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
EXECUTION = "0123456789abcdef0123456789abcdef"
HOSTILE = (
    "<script>alert(1)</script>",
    "a/b?c#d",
    "a//b",
    "../x",
    "/x",
    "",
    "two\nlines",
    "x" * 4096,
    "🐳 queue",
    "a:b:c",
    "one,two",
    "\udcff\udcfe",
)
TRACE = """Traceback (most recent call last):
  File "/srv/app/tasks.py", line 7, in send
    raise ValueError(n)
ValueError: no such customer
"""


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ago(seconds: float) -> str:
    return iso(NOW - timedelta(seconds=seconds))


def packed(function: str = "app.tasks.send", *arguments: object) -> bytes:
    """A job's data as RQ writes it."""
    return zlib.compress(pickle.dumps((function, None, arguments, {})))


def packed_call(function: str, *arguments: object, **keywords: object) -> bytes:
    """The same with keyword arguments."""
    return zlib.compress(pickle.dumps((function, None, arguments, keywords)))


@dataclass(frozen=True, slots=True)
class Stored:
    """Writes under one prefix; names may be any bytes (surrogateescape)."""

    client: redis.Redis
    keys: Keys = field(default_factory=Keys)

    def queue(self, name: str) -> None:
        self.client.sadd(self.keys.queues, encoded(self.keys.queue(name)))

    def job(self, job_id: str, *, queue: str = "mail", **fields: object) -> str:
        """A hash with the fields of an ordinary job; a field given as None is left out."""
        plain = {
            "data": packed("app.tasks.send", 7),
            "status": "queued",
            "origin": queue,
            "description": "app.tasks.send(7)",
            "created_at": ago(600),
            "enqueued_at": ago(599),
            "started_at": "",
            "ended_at": "",
            "timeout": 180,
            **fields,
        }
        mapping = {name: encoded(value) if isinstance(value, str) else value for name, value in plain.items() if value is not None}
        self.client.hset(encoded(self.keys.job(job_id)), mapping=mapping)
        return job_id

    def waiting(self, job_id: str, *, queue: str = "mail", **fields: object) -> str:
        """As RQ does, the job is there before anybody can take it."""
        self.queue(queue)
        self.job(job_id, queue=queue, **fields)
        self.client.rpush(encoded(self.keys.queue(queue)), encoded(job_id))
        return job_id

    def entry(self, registry: str, member: str, score: float, *, queue: str = "mail") -> None:
        self.client.zadd(encoded(self.keys.registry(registry, queue)), {encoded(member): score})

    def failed(self, job_id: str, *, queue: str = "mail", score: float = NOW_S + 1000, ended_s_ago: float = 10, trace: str = TRACE) -> str:
        self.entry("failed", job_id, score, queue=queue)
        packed_trace = base64.b64encode(zlib.compress(trace.encode()))
        self.client.xadd(encoded(self.keys.results(job_id)), {"type": 2, "exc_string": packed_trace})
        return self.job(job_id, queue=queue, status="failed", started_at=ago(ended_s_ago + 5), ended_at=ago(ended_s_ago))

    def worker(self, name: str, *, queues: str = "mail", state: str = "idle", **fields: object) -> str:
        """A listed worker with a hash; queues as RQ writes them, with commas between."""
        key = encoded(self.keys.worker(name))
        plain = {"birth": ago(3600), "last_heartbeat": ago(5), "queues": queues, "state": state, "version": "3.0.0", "pid": 41, **fields}
        self.client.hset(key, mapping={field: encoded(value) if isinstance(value, str) else value for field, value in plain.items()})
        self.client.expire(key, 400)
        self.client.sadd(self.keys.workers, key)
        for queue in queues.split(","):
            self.client.sadd(encoded(self.keys.queue_workers(queue)), key)
        return name

    def running(self, worker: str, job_id: str, *, queue: str = "mail", execution: str = EXECUTION) -> str:
        """A job that a worker of RQ 3.0 runs."""
        composite = f"{job_id}:{execution}"
        began = (NOW - timedelta(seconds=30)).timestamp()
        fields = {"id": execution, "worker_name": encoded(worker), "created_at": began, "last_heartbeat": began + 20}
        self.client.hset(encoded(self.keys.execution(composite)), mapping=fields)
        self.client.zadd(encoded(self.keys.executions(job_id)), {execution: NOW_S + 60})
        self.client.sadd(encoded(self.keys.worker_executions(worker)), encoded(composite))
        self.entry("started", composite, NOW_S + 60, queue=queue)
        return self.job(job_id, queue=queue, status="started", started_at=ago(30), worker_name=worker)


def variety(client: redis.Redis, *, prefix: str = "rq") -> Stored:
    """A bit of everything: every registry, old and garbled jobs, ghosts, foreign members, hostile names, lost workers."""
    stored = Stored(client, Keys(prefix))
    _mail(stored)
    _odd(stored)
    for name in HOSTILE:
        stored.waiting(f"job of {name}", queue=name, description=f"say({name})")
        stored.failed(name or "empty", queue=name)
        stored.worker(f"w {name}", queues=name, state="busy")
    return stored


def _mail(stored: Stored) -> None:
    for number in range(5):
        stored.waiting(f"waiting-{number}")
        stored.failed(f"failed-{number}", ended_s_ago=100 - number)
    stored.failed("failed-forever", score=-1, ended_s_ago=50)
    stored.failed("failed-long-ago", score=NOW_S - 1)
    stored.entry("finished", stored.job("finished-1", status="finished", ended_at=ago(3)), float("inf"))
    stored.entry("finished", stored.job("finished-2", status="finished", ended_at=ago(2)), NOW_S + 5)
    stored.entry("scheduled", stored.job("due", status="scheduled"), NOW_S - 60)
    stored.entry("scheduled", stored.job("later", status="scheduled"), NOW_S + 60)
    stored.entry("deferred", stored.job("child", status="deferred", dependency_ids='["waiting-0", "nobody"]'), float("inf"))
    stored.entry("canceled", stored.job("canceled-1", status="canceled"), NOW_S - 5)
    stored.entry("ready", stored.job("ready-1", status="ready_to_enqueue"), NOW_S - 5)
    stored.client.rpush(stored.keys.intermediate("mail"), stored.job("popped"))
    stored.running(stored.worker("busy-1", state="busy", queues="mail,high"), "running-1")
    stored.client.sadd(stored.keys.dependents("waiting-0"), "child")
    stored.client.sadd(stored.keys.dependencies("child"), "waiting-0")
    stored.client.set(stored.keys.scheduler_lock("mail"), "abc", ex=60)


def _odd(stored: Stored) -> None:
    client, keys = stored.client, stored.keys
    client.sadd(keys.queues, "somebody:else", b"\xff\xfe")
    client.sadd(keys.workers, "somebody:else", keys.worker("lost-1"))
    client.sadd(keys.queue_workers("mail"), keys.worker("lost-1"))
    client.hset(keys.worker("zombie"), "total_working_time", "1.5")
    client.sadd(keys.workers, keys.worker("zombie"))
    stored.worker("old", state="busy", current_job=stored.job("running-2", status="started"), version="2.6.1")
    stored.entry("started", "running-2", NOW_S + 60)
    stored.entry("started", f"abandoned:{EXECUTION}", NOW_S - 100)
    stored.waiting("garbled", data=b"\xff\x00", status=b"\xff", created_at="yesterday", timeout="1h", number_of_retries="many")
    client.rpush(keys.queue("mail"), "ghost", "zombie-job", "wrong-type")
    client.hset(keys.job("zombie-job"), "last_heartbeat", ago(1))
    client.set(keys.job("wrong-type"), "no hash")
    client.set(keys.queue("wrong"), "no list")
    stored.queue("wrong")
    stored.failed("failed-old", ended_s_ago=1)
    client.delete(keys.results("failed-old"))
    client.hset(keys.job("failed-old"), "exc_info", zlib.compress(TRACE.encode()))
    client.delete(keys.job("failed-3"))
