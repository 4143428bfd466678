"""Does with one version of RQ what producers do. Requests are lines of JSON on stdin, answers lines on stdout.

It runs in environments of old versions of RQ, where nothing of rqdash is installed.
"""

from __future__ import annotations

import json
import sys
import traceback
from datetime import UTC, datetime, timedelta

import redis
from rq import Queue, Retry
from rq.command import send_stop_job_command
from rq.job import Job

TASKS = "tests.version_tasks"


def _enqueue(connection, *, id, queue="mail", function="note", arguments=(), in_s=None, json=False, **options):  # noqa: A002
    """A job; in_s is when it is due, before now when negative. retry, repeat, webhook and limit are made into RQ's own."""
    target = _queue(connection, queue, json)
    options = {"job_id": id, **options, **_made(options)}
    if in_s is None:
        target.enqueue(f"{TASKS}.{function}", *arguments, **options)
    else:
        target.enqueue_at(datetime.now(UTC) + timedelta(seconds=in_s), f"{TASKS}.{function}", *arguments, **options)


def _made(options):
    made = {}
    if "retry" in options:
        made["retry"] = Retry(**options["retry"])
    if "repeat" in options:
        from rq import Repeat

        made["repeat"] = Repeat(**options["repeat"])
    if "webhooks" in options:
        from rq.webhook import Webhook

        made["webhooks"] = [Webhook(**webhook) for webhook in options["webhooks"]]
    if "rate_limit" in options:
        from rq.rate_limit import RateLimit

        made["rate_limit"] = RateLimit(**options["rate_limit"])
    return made


def _group(connection, *, name, ids, queue="mail", function="note"):
    from rq.group import Group

    data = [Queue.prepare_data(f"{TASKS}.{function}", job_id=job_id) for job_id in ids]
    Group.create(connection=connection, name=name).enqueue_many(Queue(queue, connection=connection), data)


def _cancel(connection, *, id):  # noqa: A002
    Job.fetch(id, connection=connection).cancel()


def _stop(connection, *, id):  # noqa: A002
    send_stop_job_command(connection, id)


def _counts(connection, *, queue, json=False):
    """What RQ counts after its own cleanup."""
    found = _queue(connection, queue, json)
    names = ["scheduled", "deferred", "failed", "finished", "canceled", "started"]
    registries = {name: getattr(found, f"{name}_job_registry") for name in names}
    return {"queued": len(found)} | {name: len(registry) for name, registry in registries.items()}


def _cron(connection, *, name):
    """A scheduler of cron jobs that has just begun, and enqueues one job."""
    from rq.cron import CronScheduler

    scheduler = CronScheduler(connection=connection, name=name, logging_level="ERROR")
    scheduler.register(_tasks().note, "cron", interval=3600)
    scheduler.register_birth()
    enqueued = scheduler.enqueue_jobs()
    scheduler.heartbeat()
    return len(enqueued)


def _work_as_before_streams(connection, *, queue):
    """Works a queue off as with a server before Redis 5, whose results RQ of before 2.1 writes into the job's hash."""
    from rq import SimpleWorker

    old = _another(connection)
    old.__rq_redis_server_version = (4, 0, 9)
    SimpleWorker([Queue(queue, connection=old)], connection=old).work(burst=True, logging_level="ERROR")


def _work_until_ready(connection, *, queue):
    """Works a queue off with a worker that ends whenever dependents are released, between RQ's two transactions."""
    from rq import SimpleWorker

    class Ending(Queue):
        def enqueue_ready_jobs_by_queue(self, job_ids_by_queue_name):
            """The first has made them ready; the second, which is left out here, pushes them."""

    class Worker(SimpleWorker):
        queue_class = Ending

    Worker([Ending(queue, connection=connection)], connection=connection).work(burst=True, logging_level="ERROR")


def _queue(connection, name, is_json):
    from rq.serializers import JSONSerializer

    return Queue(name, connection=connection, serializer=JSONSerializer if is_json else None)


def _tasks():
    from tests import version_tasks

    return version_tasks


def _another(connection):
    return redis.Redis(**connection.connection_pool.connection_kwargs)


VERBS = {
    "enqueue": _enqueue,
    "group": _group,
    "cancel": _cancel,
    "stop": _stop,
    "counts": _counts,
    "cron": _cron,
    "work_as_before_streams": _work_as_before_streams,
    "work_until_ready": _work_until_ready,
}


def main() -> None:
    connection = redis.Redis(host="127.0.0.1", port=int(sys.argv[1]))
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"done": VERBS[request.pop("verb")](connection, **request)}
        except Exception:  # noqa: BLE001  whoever asked fails with it
            answer = {"failed": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
