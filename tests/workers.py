"""Real RQ in its own processes: workers that run what is there, and RQ's own answers, for any key prefix.

RQ reads its prefix once, at import (RQ_KEY_PREFIX), so another prefix needs another process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rqdash.demo.servers import Server

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 40.0


def work(server: Server, *queues: str, prefix: str = "rq") -> None:
    """Runs a worker on these queues until they are empty. Raises AssertionError when it fails or takes over 40 s."""
    _ask(server, "work", prefix, queues=list(queues))


def schedule(server: Server, *queues: str, prefix: str = "rq") -> None:
    """Lets RQ's scheduler enqueue what is due on these queues."""
    _ask(server, "schedule", prefix, queues=list(queues))


def enqueue(server: Server, queue: str, function: str, *arguments: object, prefix: str = "rq", **options: object) -> str:
    """Enqueues a job as a producer does; the id."""
    job_id = _ask(server, "enqueue", prefix, queue=queue, function=function, arguments=list(arguments), options=options)
    assert isinstance(job_id, str)
    return job_id


def counts(server: Server, queue: str, *, prefix: str = "rq") -> dict[str, int]:
    """How many jobs RQ counts in the list and the registries of a queue, after its cleanup."""
    found = _ask(server, "counts", prefix, queue=queue)
    assert isinstance(found, dict)
    return found


@contextmanager
def working(server: Server, *queues: str, prefix: str = "rq", kind: str = "Worker", stays: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A worker at work on these queues while the block lasts; ended with its work horse afterwards.

    kind: a class of rq's; stays: it waits for jobs when there are none.
    """
    with _process(server, "work", prefix, queues=list(queues), kind=kind, stays=stays) as process:
        yield process


def _ask(server: Server, verb: str, prefix: str, **request: object) -> object:
    with _process(server, verb, prefix, **request) as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output
    return json.loads(output.splitlines()[-1])


@contextmanager
def _process(server: Server, verb: str, prefix: str, **request: object) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "tests.workers", json.dumps({"verb": verb, "port": server.port, **request})]
    environment = {**os.environ, "RQ_KEY_PREFIX": prefix, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)


def _main(words: Sequence[str]) -> None:
    import redis

    request = json.loads(words[0])
    with redis.Redis(host="127.0.0.1", port=request["port"]) as connection:
        print(json.dumps(_VERBS[request["verb"]](connection, request)))


def _work(connection, request):  # type: ignore[no-untyped-def]
    import rq

    queues = [rq.Queue(name, connection=connection) for name in request["queues"]]
    worker = getattr(rq, request.get("kind", "Worker"))(queues, connection=connection)
    return worker.work(burst=not request.get("stays"))


def _schedule(connection, request):  # type: ignore[no-untyped-def]
    from rq.scheduler import RQScheduler

    scheduler = RQScheduler(request["queues"], connection=connection)
    scheduler.acquire_locks()
    scheduler.enqueue_scheduled_jobs()
    scheduler.release_locks()


def _enqueue(connection, request):  # type: ignore[no-untyped-def]
    from rq import Queue

    queue = Queue(request["queue"], connection=connection)
    return queue.enqueue(request["function"], *request["arguments"], **request["options"]).id


def _counts(connection, request):  # type: ignore[no-untyped-def]
    from rq import Queue

    queue = Queue(request["queue"], connection=connection)
    registries = ("started", "scheduled", "deferred", "failed", "finished", "canceled")
    return {"queued": queue.count} | {name: getattr(queue, f"{name}_job_registry").count for name in registries}


_VERBS = {"work": _work, "schedule": _schedule, "enqueue": _enqueue, "counts": _counts}

if __name__ == "__main__":
    _main(sys.argv[1:])
