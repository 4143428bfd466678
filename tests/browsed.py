"""A dashboard with something of everything to look at: backends in every condition, jobs in every registry, hostile names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import redis
from playwright.sync_api import BrowserContext

from rqdash.demo.servers import HOST, Server, free_port, start_server
from rqdash.model.caller import Role
from rqdash.model.profile import Profile
from tests.rich import rich
from tests.served import Served, served
from tests.stored import EXECUTION, Stored, packed, variety
from tests.timed import timed

LIVE, PROTECTED, READ_ONLY, EMPTY, ODD, DEAD, DISABLED = "live", "orders-eu-central-1a", "archive", "fresh", "odd", "legacy", "retired"
DATABASES = {LIVE: 0, PROTECTED: 1, READ_ONLY: 2, EMPTY: 3, ODD: 4, DISABLED: 5}
TRACE = """Traceback (most recent call last):
  File "/opt/venv/lib/python3.11/site-packages/rq/worker/base.py", line 1634, in perform_job
    return_value = job.perform()
  File "/srv/shop/webhooks/tasks.py", line 41, in deliver
    response = session.post(url, json=payload, timeout=10)
  File "/opt/venv/lib/python3.11/site-packages/requests/sessions.py", line 637, in post
    return self.request("POST", url, data=data, json=json, **kwargs)
  File "/opt/venv/lib/python3.11/site-packages/urllib3/connectionpool.py", line 793, in urlopen
    retries = retries.increment(method, url, error=new_e, _pool=self)
requests.exceptions.ConnectionError: HTTPSConnectionPool(host='hooks.example.net', port=443): Max retries exceeded with url: /v2/orders
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """The running dashboard, and the server that holds its backends' data, a database each."""

    site: Served
    server: Server

    def address(self, path: str, **query: str) -> str:
        return f"{self.site.url}{path}{'?' + urlencode(query) if query else ''}"

    def of(self, backend: str, page: str, **query: str) -> str:
        return self.address(f"/b/{backend}/{page}", **query)

    def redis(self, backend: str) -> redis.Redis:
        """A client of one backend's data."""
        return self.server.client(db=DATABASES[backend])

    def link(self, name: str, role: Role) -> str:
        """A sign-in link that works once."""
        return self.address("/sign-in/link", token=self.site.access.links.issue(name, now=datetime.now(UTC), role=role))

    def sign_in(self, context: BrowserContext, name: str, role: Role) -> None:
        """Signs a browser in as people do: the link, then its button."""
        page = context.new_page()
        page.goto(self.link(name, role))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(self.address("/"))
        page.close()


@contextmanager
def shown(directory: Path) -> Iterator[Shown]:
    """Starts the server and the dashboard; both end with the block."""
    server = start_server(directory / "server")
    site = served(directory / "data", {})
    try:
        for profile in profiles(server):
            site.profiles.create(profile, by="mira")
        yield Shown(site.start(), server)
    finally:
        site.stop()
        server.stop()


def profiles(server: Server) -> tuple[Profile, ...]:
    """One profile a condition; names and labels as long as they may be."""
    at = {"host": HOST, "port": server.port}
    return (
        Profile(LIVE, hue="indigo", environment="prod", db=0, **at),
        Profile(PROTECTED, hue="plum", environment="production", db=1, protected=True, arguments="described", **at),
        Profile(READ_ONLY, hue="teal", db=2, read_only=True, arguments="hidden", **at),
        Profile(EMPTY, hue="azure", environment="eu", db=3, **at),
        Profile(ODD, hue="violet", environment="test", db=4, **at),
        Profile(DEAD, hue="copper", environment="old", host=HOST, port=free_port()),
        Profile(DISABLED, hue="olive", db=5, enabled=False, **at),
    )


def fill(shown: Shown) -> None:
    """What is usual on three backends, what is odd on one, nothing on the others."""
    for backend in (LIVE, PROTECTED, READ_ONLY):
        with shown.redis(backend) as client:
            usual(Stored(client))
            rich(Stored(client), queue="billing")
            timed(Stored(client))
    with shown.redis(ODD) as client:
        stored = variety(client)
        for number in range(56):
            stored.waiting(f"long-{number}", queue="long")


def usual(stored: Stored) -> None:
    """The queue webhooks, with jobs in each of its registries and a worker that runs one of them now."""
    now = time.time()
    for number in range(12):
        url, order = f"https://hooks.example.net/v2/orders/{number}", {"order": 4711 + number, "retry": True}
        fields = {"data": packed("shop.webhooks.deliver", url, order), "description": f"shop.webhooks.deliver({url!r}, {order!r})"}
        stored.failed(f"failed-{number}", queue="webhooks", score=-1, ended_s_ago=number, trace=TRACE)
        stored.client.hset(stored.keys.job(f"failed-{number}"), mapping=fields)
    for number in range(4):
        stored.waiting(f"waiting-{number}", queue="webhooks")
    for number in range(3):
        stored.entry("finished", stored.job(f"done-{number}", queue="webhooks", status="finished"), float("inf"), queue="webhooks")
    stored.entry("scheduled", stored.job("later", queue="webhooks", status="scheduled"), now + 3600, queue="webhooks")
    stored.entry("deferred", stored.job("child", queue="webhooks", status="deferred", dependency_ids='["waiting-0"]'), 1, queue="webhooks")
    stored.entry("canceled", stored.job("canceled", queue="webhooks", status="canceled"), 1, queue="webhooks")
    worker = stored.worker("webhooks-7d9f8c6b5d-x2kqp.1.af0123456789", queues="webhooks,mail", state="busy")
    stored.client.hset(stored.keys.worker(worker), "last_heartbeat", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    stored.running(worker, "running", queue="webhooks")
    stored.entry("started", f"running:{EXECUTION}", now + 3600, queue="webhooks")
