"""One job with everything that RQ can hold of one: attempts, relatives, group, rate limit, webhooks, and secrets under their names."""

from __future__ import annotations

import base64
import json
import pickle
import time
import zlib
from datetime import UTC, datetime, timedelta

from tests.stored import TRACE, Stored, iso, packed_call

SECRETS = ("tok-live-4711", "s3cr3t-signing", "bearer-of-news", "api-key-0815", "pw-of-bob", "session-xyz", "hush-hush")


def rich(stored: Stored, job_id: str = "rich", *, queue: str = "webhooks", dependents: int = 132) -> str:
    """A job that failed three times. What is secret of it is in SECRETS, each under a name of the usual rules."""
    stored.queue(queue)
    token, signing, bearer, key, password, session, hush = SECRETS
    began = datetime.now(UTC) - timedelta(minutes=10)
    stored.failed(job_id, queue=queue, score=time.time() + 86400)
    stored.client.delete(stored.keys.results(job_id))
    worker = "webhooks-7d9f8c6b5d-8mnvd.1.af0123"
    for kind, after_s in ((4, 192), (4, 262), (5, 572)):
        result(stored, job_id, kind=kind, began=began + timedelta(seconds=after_s), worker=worker)
    url = f"https://hooks.acme.example/v2/orders?token={token}"
    keywords = {
        "event": "order.paid",
        "signing_secret": signing,
        "headers": {"Authorization": f"Bearer {bearer}", "X-Id": "7"},
        "command": ["curl", "--api_key", key, "-v"],
    }
    hook = {
        "url": f"https://bob:{password}@hooks.example/done?token={token}",
        "job_status": "failed",
        "method": "POST",
        "headers": {"Authorization": bearer},
    }
    stored.job(
        job_id,
        queue=queue,
        status="failed",
        data=packed_call("app.webhooks.deliver", url, **keywords),
        description=f"app.webhooks.deliver({url!r}, command={keywords['command']!r}, event='order.paid', signing_secret={signing!r})",
        created_at=iso(began),
        enqueued_at=iso(began + timedelta(seconds=571)),
        started_at=iso(began + timedelta(seconds=572)),
        ended_at=iso(began + timedelta(seconds=582)),
        worker_name=worker,
        timeout=30,
        retries_left=0,
        number_of_retries=2,
        retry_intervals="[60, 300]",
        failure_callback_name="app.hooks.notify",
        failure_callback_timeout=30,
        group_id="night-run",
        rate_limit_key="acme",
        meta=pickle.dumps({"tenant": "acme", "session_token": session}),
        webhooks=json.dumps([hook]),
        dependency_ids='["capture"]',
        custom_secret=hush,
    )
    relatives(stored, job_id, queue=queue, dependents=dependents)
    return job_id


def result(stored: Stored, job_id: str, *, kind: int, began: datetime, worker: str) -> None:
    """An attempt of ten seconds that failed."""
    fields = {
        "type": kind,
        "worker_name": worker,
        "execution_started_at": began.timestamp(),
        "execution_ended_at": began.timestamp() + 10,
        "exc_string": base64.b64encode(zlib.compress(TRACE.encode())),
    }
    stored.client.xadd(stored.keys.results(job_id), fields, id=f"{int(began.timestamp() * 1000) + 10_000}-0")


def relatives(stored: Stored, job_id: str, *, queue: str, dependents: int) -> None:
    """What the job waited for, what waits for it (a third of that is gone), its group, and its slot of a rate limit of two."""
    stored.job("capture", queue=queue, status="finished", description="app.orders.capture(1)")
    for number in range(dependents):
        child = f"close-{number}"
        stored.client.sadd(stored.keys.dependents(job_id), child)
        if number % 3:
            stored.job(child, queue=queue, status="deferred", description="app.orders.close(7)")
    stored.client.sadd(stored.keys.group("night-run"), job_id, "other")
    stored.client.hset(stored.keys.rate_limit("acme"), "concurrency", 2)
    stored.client.zadd(stored.keys.rate_limit_allowed("acme"), {"other": 1, job_id: time.time() - 600})
    stored.client.zadd(stored.keys.rate_limit_waiting("acme"), {"first": 1, "second": 2, "third": 3})
