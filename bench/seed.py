"""Fills a server with jobs and workers as RQ 3.0 writes them, fast and the same each time, without running any."""

from __future__ import annotations

import base64
import pickle
import random
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import redis
from redis.client import Pipeline

from rqdash.model.keys import Keys

BATCH = 1000
WORKER_TTL_S = 86_400
RESULT_TTL_S = 86_400
FAILURE_TTL_S = 31_536_000
NAMES = ("emails", "images", "reports", "crm-sync", "billing", "etl", "webhooks", "search-index")
FUNCTIONS = (
    "shop.mail.send_receipt",
    "shop.media.resize_image",
    "shop.reports.build_pdf",
    "shop.sync.push_to_crm",
    "shop.billing.charge_invoice",
)
ERRORS = (
    ("requests.exceptions.ConnectTimeout", "HTTPSConnectionPool(host='api.example', port=443): Max retries exceeded"),
    ("ValueError", "invalid literal for int() with base 10: 'n/a'"),
    ("KeyError", "'customer_id'"),
    ("requests.exceptions.ReadTimeout", "HTTPSConnectionPool(host='api.example', port=443): Read timed out. (read timeout=10)"),
    ("rq.timeouts.JobTimeoutException", "Task exceeded maximum timeout value (180 seconds)"),
)
EMPTY = dict.fromkeys(("success_callback_name", "failure_callback_name", "stopped_callback_name", "group_id", "last_heartbeat"), "")
"""Fields that RQ 3.0 writes into every job, empty or not."""
TRACE = """Traceback (most recent call last):
  File "/srv/venv/lib/python3.12/site-packages/rq/worker/base.py", line 1650, in perform_job
    return_value = job.perform()
                   ^^^^^^^^^^^^^
  File "/srv/venv/lib/python3.12/site-packages/rq/job.py", line 1492, in perform
    self._result = self._execute()
                   ^^^^^^^^^^^^^^^
  File "/srv/venv/lib/python3.12/site-packages/rq/job.py", line 1541, in _execute
    result = self.func(*self.args, **self.kwargs)
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/app/tasks.py", line {line}, in run
    answer = session.post(url, json=body, timeout=10)
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/venv/lib/python3.12/site-packages/requests/adapters.py", line 700, in send
    raise ConnectionError(error, request=request)
{error}: {message} (attempt {attempt})
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much to make. The first queue holds half of the queued and of the failed jobs; half of the workers are busy."""

    queues: int = 200
    queued: int = 100_000
    failed: int = 20_000
    finished: int = 5_000
    workers: int = 200


def fill(client: redis.Redis, *, size: Size, now: datetime, prefix: str = "rq") -> None:
    """Fills an empty database; 100,000 jobs take some ten seconds."""
    _Filler(client, size, now, Keys(prefix)).fill()


class _Filler:
    def __init__(self, client: redis.Redis, size: Size, now: datetime, keys: Keys) -> None:
        self.client, self.size, self.now, self.keys = client, size, now, keys
        self.random = random.Random(1)
        self.queues = ["hot"] + [f"{NAMES[index % len(NAMES)]}-{index:04d}" for index in range(1, size.queues)]

    def fill(self) -> None:
        for names in _batches(self.queues):
            self.client.sadd(self.keys.queues, *(self.keys.queue(name) for name in names))
        for make, total in ((self._queued, self.size.queued), (self._failed, self.size.failed), (self._finished, self.size.finished)):
            for numbers in _batches(range(total)):
                with self.client.pipeline(transaction=False) as pipeline:
                    for number in numbers:
                        make(pipeline, self._queue(number, total))
                    pipeline.execute()
        for index in range(self.size.workers):
            self._worker(index)

    def _queue(self, number: int, total: int) -> str:
        """The first half to the first queue, the rest to the others in turn."""
        if number < total // 2 or len(self.queues) == 1:
            return self.queues[0]
        return self.queues[1 + number % (len(self.queues) - 1)]

    def _payload(self) -> tuple[bytes, str]:
        """A job's data, of its own as real jobs have it, and the description that RQ makes of it."""
        function, number = self.random.choice(FUNCTIONS), self.random.randrange(10**6)
        arguments = (number, f"user{self.random.randrange(10**5)}@example.com")
        keywords = {"tenant": f"t{number % 500}", "attempt": number % 3, "dry_run": False}
        data = zlib.compress(pickle.dumps((function, None, arguments, keywords)))
        shown = ", ".join((*map(repr, arguments), *(f"{name}={value!r}" for name, value in sorted(keywords.items()))))
        return data, f"{function}({shown})"

    def _job(self, pipeline: Pipeline, queue: str, **fields: str | int | bytes) -> tuple[str, datetime]:
        job_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        data, description = self._payload()
        enqueued_at = self.now - timedelta(seconds=self.random.randrange(300, 86_400))
        moments = {"created_at": _iso(enqueued_at - timedelta(milliseconds=3)), "enqueued_at": _iso(enqueued_at)}
        plain = {"origin": queue, "description": description, "timeout": 180, "worker_name": "", **EMPTY, **moments, **fields}
        pipeline.hset(self.keys.job(job_id), mapping={"data": data, **plain})
        return job_id, enqueued_at

    def _queued(self, pipeline: Pipeline, queue: str) -> None:
        meta = {"meta": pickle.dumps({"source": "api"})} if self.random.random() < 0.2 else {}
        job_id, _ = self._job(pipeline, queue, status="queued", started_at="", ended_at="", **meta)
        pipeline.rpush(self.keys.queue(queue), job_id)

    def _ended(self, pipeline: Pipeline, queue: str, status: str) -> tuple[str, dict[str, str | int | float]]:
        started_at = self.now - timedelta(seconds=self.random.randrange(60, 86_400))
        ended_at = started_at + timedelta(seconds=self.random.randrange(1, 50))
        worker = f"worker-{self.random.randrange(max(self.size.workers, 1)):04d}"
        moments = {"started_at": _iso(started_at), "ended_at": _iso(ended_at)}
        kept = {"result_ttl": RESULT_TTL_S} if status == "finished" else {}
        job_id, _ = self._job(pipeline, queue, status=status, **moments, **kept, worker_name=worker)
        pipeline.expire(self.keys.job(job_id), FAILURE_TTL_S if status == "failed" else RESULT_TTL_S)
        times = {"execution_started_at": started_at.timestamp(), "execution_ended_at": ended_at.timestamp()}
        return job_id, {"worker_name": worker, "execution_id": self._execution_id(), **times}

    def _failed(self, pipeline: Pipeline, queue: str) -> None:
        job_id, result = self._ended(pipeline, queue, "failed")
        error, message = self.random.choice(ERRORS)
        text = TRACE.format(line=self.random.randrange(10, 400), error=error, message=message, attempt=self.random.randrange(1, 4))
        packed = base64.b64encode(zlib.compress(text.encode()))
        pipeline.xadd(self.keys.results(job_id), {"type": 2, **result, "exc_string": packed})
        pipeline.zadd(self.keys.registry("failed", queue), {job_id: int(result_end(result)) + FAILURE_TTL_S})

    def _finished(self, pipeline: Pipeline, queue: str) -> None:
        job_id, result = self._ended(pipeline, queue, "finished")
        value = base64.b64encode(pickle.dumps({"ok": True, "rows": 17}))
        pipeline.xadd(self.keys.results(job_id), {"type": 1, **result, "return_value": value})
        pipeline.expire(self.keys.results(job_id), RESULT_TTL_S)
        pipeline.zadd(self.keys.registry("finished", queue), {job_id: int(self.now.timestamp()) + RESULT_TTL_S})

    def _worker(self, index: int) -> None:
        name = f"worker-{index:04d}"
        queues = [self.queues[0], *self.random.sample(self.queues, min(3, len(self.queues)))]
        key, is_busy = self.keys.worker(name), index % 2 == 0
        with self.client.pipeline(transaction=False) as pipeline:
            pipeline.hset(key, mapping=self._worker_fields(index, queues, "busy" if is_busy else "idle"))
            pipeline.expire(key, WORKER_TTL_S)
            pipeline.sadd(self.keys.workers, key)
            for queue in queues:
                pipeline.sadd(self.keys.queue_workers(queue), key)
            if is_busy:
                self._running(pipeline, name, queues[0])
            pipeline.execute()

    def _worker_fields(self, index: int, queues: list[str], state: str) -> dict[str, str | int | float]:
        return {
            "birth": _iso(self.now - timedelta(seconds=self.random.randrange(600, 400_000))),
            "last_heartbeat": _iso(self.now - timedelta(seconds=self.random.randrange(30))),
            "queues": ",".join(dict.fromkeys(queues)),
            "pid": 1000 + index,
            "hostname": f"host-{index % 20:02d}.example",
            "ip_address": f"10.0.{index % 20}.{index % 250}:40000",
            "version": "3.0.0",
            "python_version": "3.12.7 (main, Oct  8 2024, 08:51:20) [GCC 13.2.0]",
            "state": state,
            "successful_job_count": self.random.randrange(5000),
            "failed_job_count": self.random.randrange(200),
            "total_working_time": round(self.random.random() * 90_000, 3),
        }

    def _running(self, pipeline: Pipeline, worker: str, queue: str) -> None:
        started_at, execution = self.now - timedelta(seconds=20), self._execution_id()
        moments = {"started_at": _iso(started_at), "last_heartbeat": _iso(self.now), "ended_at": ""}
        job_id, _ = self._job(pipeline, queue, status="started", **moments, worker_name=worker)
        composite, deadline = f"{job_id}:{execution}", int(self.now.timestamp()) + WORKER_TTL_S
        moment = started_at.timestamp()
        execution_fields = {"id": execution, "job_id": job_id, "worker_name": worker, "created_at": moment, "last_heartbeat": moment}
        pipeline.hset(self.keys.execution(composite), mapping=execution_fields)
        pipeline.zadd(self.keys.executions(job_id), {execution: deadline})
        pipeline.zadd(self.keys.registry("started", queue), {composite: deadline})
        pipeline.sadd(self.keys.worker_executions(worker), composite)
        for key in (self.keys.execution(composite), self.keys.executions(job_id), self.keys.worker_executions(worker)):
            pipeline.expire(key, WORKER_TTL_S)

    def _execution_id(self) -> str:
        return uuid.UUID(int=self.random.getrandbits(128), version=4).hex


def result_end(result: dict[str, str | int | float]) -> float:
    return float(result["execution_ended_at"])


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _batches(items: list[str] | range) -> Iterator[list[str] | range]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
