"""What the same pages cost with RQ's own API alone, no web server; run by the interpreter of its environment, with a plan in JSON.

Every call is one of RQ 3.0's that does not clean up: observing must not change anything.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

REGISTRIES = ("started", "failed", "finished", "scheduled", "deferred", "canceled")


def overview(connection: Any) -> object:
    from rq import Queue

    return [
        (queue.name, queue.count, *(getattr(queue, f"{registry}_job_registry").get_job_count(cleanup=False) for registry in REGISTRIES))
        for queue in Queue.all(connection=connection)
    ]


def listed(connection: Any, registry: str, offset: int, size: int) -> object:
    from rq import Queue

    queue = Queue("hot", connection=connection)
    if registry == "queued":
        return queue.get_jobs(offset, size)
    ids = queue.failed_job_registry.get_job_ids(offset, offset + size - 1, desc=True, cleanup=False)
    from rq.job import Job

    return [(job, job.latest_result()) for job in Job.fetch_many(ids, connection=connection) if job]


def workers(connection: Any) -> object:
    from rq import Worker

    return [(worker.name, worker.get_state(), worker.get_current_job()) for worker in Worker.all(connection=connection)]


def job(connection: Any, job_id: str) -> object:
    from rq.job import Job

    found = Job.fetch(job_id, connection=connection)
    return found, found.latest_result()


def main() -> None:
    """Reads {"port", "most", "within_s", "cases": [{kind, registry, offset, rows, job_id}]}; prints a list of lists of milliseconds."""
    import redis

    plan = json.load(sys.stdin)
    connection = redis.Redis(port=plan["port"])
    print(json.dumps([_timed(_call(connection, case), plan) for case in plan["cases"]]))


def _call(connection: Any, case: dict[str, Any]) -> Callable[[], object]:
    if case["kind"] == "list":
        return lambda: listed(connection, case["registry"], case["offset"], case["rows"])
    if case["kind"] == "job":
        return lambda: job(connection, case["job_id"])
    return lambda: (overview if case["kind"] == "overview" else workers)(connection)


def _timed(call: Callable[[], object], plan: dict[str, Any]) -> list[float]:
    took: list[float] = []
    until_s = time.perf_counter() + plan["within_s"]
    while not took or (len(took) < plan["most"] and time.perf_counter() < until_s):
        began_s = time.perf_counter()
        call()
        took.append((time.perf_counter() - began_s) * 1000)
    return took


if __name__ == "__main__":
    main()
