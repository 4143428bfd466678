"""Measures how long a page value takes to become HTML, for 50 and for 200 rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from flask import render_template

from rqdash.model.caller import Caller, Role
from rqdash.model.job import JobList, JobRow
from rqdash.model.profile import Profile
from rqdash.model.queue import QueueSummary
from rqdash.model.registry import Registry
from rqdash.model.reply import Coverage
from rqdash.model.worker import CurrentJob, Worker
from rqdash.web import shell
from rqdash.web.marks import mark
from rqdash.web.paging import pager
from rqdash.web.queue import VERBS, QueuePage, tabs
from rqdash.web.queues import QueueRow, QueuesPage
from rqdash.web.route import Page
from rqdash.web.workers import WorkerRow, WorkersPage, state_tabs
from tests.site import site

RUNS = 30
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROFILE = Profile(name="orders", hue="indigo", environment="prod", protected=True, endpoint_version=3)
ALLOWED_MS = {50: 15.0, 200: 60.0}


@dataclass(frozen=True, slots=True)
class Rendered:
    """One page of so many rows; ms is the median of the runs."""

    page: str
    rows: int
    ms: float

    @property
    def is_fine(self) -> bool:
        return self.ms <= ALLOWED_MS[self.rows]


def measured() -> list[Rendered]:
    with TemporaryDirectory() as directory:
        app = site(Path(directory), {}).app
        with app.test_request_context():
            return [
                Rendered(name, rows, _median_ms(template, make(rows)))
                for rows in ALLOWED_MS
                for name, template, make in (
                    ("queues", "queues.html", queues),
                    ("failed jobs", "queue.html", jobs),
                    ("workers", "workers.html", workers),
                )
            ]


def _median_ms(template: str, page: Page) -> float:
    caller = Caller("account", "mira", Role.OPERATOR, ("*",))
    around = shell.Shell("", caller, shell.nav(caller, "queues"), flag=shell.flag(PROFILE), may_operate=True, as_of=NOW)
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        render_template(template, page=page, shell=around, backend=getattr(page, "mark", None))
        took.append((time.perf_counter() - began) * 1000)
    return median(took)


def queues(rows: int) -> QueuesPage:
    found = [
        QueueSummary("orders", f"queue-{n}", n, n % 7, n % 3, 0, n * 3, oldest_enqueued_at=NOW - timedelta(seconds=n), workers=n % 4)
        for n in range(rows)
    ]
    listed = tuple(QueueRow(mark(PROFILE), queue) for queue in found)
    return QueuesPage(Coverage(1, 1), listed, (), pager(page=1, size=rows, total=rows), "", is_ascending=False, as_of=NOW)


def jobs(rows: int) -> QueuePage:
    listed = tuple(
        JobRow(
            "orders",
            f"7f3c00b2-52e1-4d0e-9b4c-{n:012d}",
            "webhooks",
            Registry.FAILED,
            status="failed",
            function="app.webhooks.deliver",
            arguments=f"'https://hooks.acme.example/v2/orders', event='order.paid', order_id={n}",
            enqueued_at=NOW - timedelta(seconds=90),
            started_at=NOW - timedelta(seconds=30),
            ended_at=NOW - timedelta(seconds=n),
            worker="webhooks-5c8f7d9b66-x2kqp",
            error_type="ConnectTimeout",
            error_message="HTTPSConnectionPool(host='hooks.acme.example', port=443): Max retries exceeded",
        )
        for n in range(rows)
    )
    queue = QueueSummary("orders", "webhooks", failed=rows)
    found = JobList("orders", "webhooks", Registry.FAILED, listed, rows, 0, rows, NOW)
    pages = pager(page=1, size=rows, total=rows)
    return QueuePage(mark(PROFILE), queue, tabs(queue, Registry.FAILED), found, pages, 0, VERBS[Registry.FAILED], NOW)


def workers(rows: int) -> WorkersPage:
    current = CurrentJob(
        "7f3c00b2", queue="webhooks", function="app.webhooks.deliver", arguments="order_id=1", started_at=NOW, timeout_s=180
    )
    listed = tuple(
        WorkerRow(
            mark(PROFILE),
            Worker(
                "orders",
                f"webhooks-{n}",
                "busy",
                ("webhooks", "mail"),
                n,
                "host-1",
                rq_version="3.0.0",
                heartbeat_at=NOW,
                birth_at=NOW,
                current=current,
            ),
        )
        for n in range(rows)
    )
    pages = pager(page=1, size=rows, total=rows)
    return WorkersPage(Coverage(1, 1), listed, state_tabs(listed, ""), (), pages, rows, rows, 1, (("3.0.0", rows),), (), NOW)


def table(rows: list[Rendered]) -> str:
    lines = ["| page | rows | HTML, ms | allowed |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {row.page} | {row.rows} | {row.ms:.1f} | {ALLOWED_MS[row.rows]:.0f} |" for row in rows])
