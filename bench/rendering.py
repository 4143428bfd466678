"""Measures how long a page value takes to become HTML, for 50 and for 200 rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from flask import render_template

from bench.cases import HOT
from bench.data import clocked
from bench.seed import Size, fill
from bench.tables import Table, Verdict
from bench.views import CALLER, route, view
from rqdash.backends.backend import Backend
from rqdash.backends.gather import Gatherer
from rqdash.demo.servers import start_server
from rqdash.web import shell
from rqdash.web.route import Page
from tests.site import site

SIZE = Size(queues=200, queued=1_000, failed=500, finished=0, workers=200)
ALLOWED_MS = {50: 15.0, 200: 60.0}
PAGES = (
    ("queues", "queues", {}),
    ("failed jobs", "queue", {"name": HOT, "registry": "failed"}),
    ("workers", "workers", {}),
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One page of so many rows; ms is the processor's time, the median of the runs."""

    page: str
    rows: int
    ms: float

    @property
    def is_fine(self) -> bool:
        return self.ms <= ALLOWED_MS[self.rows]


def measured(runs: int) -> list[Rendered]:
    """Every page at every size, of a server that has enough rows for it."""
    with TemporaryDirectory() as directory, _filled() as backend:
        app, gatherer = site(Path(directory), {}).app, Gatherer()
        pages = [
            (name, rows, route(endpoint).template, view(endpoint, backend, query | {"size": str(rows)}, gatherer=gatherer)())
            for rows in ALLOWED_MS
            for name, endpoint, query in PAGES
        ]
        gatherer.stop()
        with app.test_request_context():
            return [Rendered(name, rows, _median_ms(template, page, backend, runs)) for name, rows, template, page in pages]


@contextmanager
def _filled() -> Iterator[Backend]:
    with TemporaryDirectory() as directory:
        server = start_server(Path(directory))
        try:
            with server.client() as client:
                fill(client, size=SIZE, now=datetime.now(UTC))
            with clocked(server.port) as backend:
                yield backend
        finally:
            server.stop()


def _median_ms(template: str, page: Page, backend: Backend, runs: int) -> float:
    flag = shell.flag(backend.profile)
    around = shell.Shell("", CALLER, shell.nav(CALLER, "queues"), flag=flag, may_operate=True, as_of=datetime.now(UTC))
    took = []
    for _ in range(runs):
        began = time.thread_time()
        render_template(template, page=page, shell=around, backend=getattr(page, "mark", None))
        took.append((time.thread_time() - began) * 1000)
    return median(took)


def table(rows: list[Rendered]) -> Table:
    lines = [(row.page, row.rows, round(row.ms, 1), ALLOWED_MS[row.rows]) for row in rows]
    verdicts = [
        Verdict(f"HTML of {row.page}, {row.rows} rows", f"{row.ms:.1f} ms", f"{ALLOWED_MS[row.rows]:.0f} ms", row.is_fine) for row in rows
    ]
    return Table(
        "From a page's value to its HTML", ("page", "rows", "HTML, ms", "allowed, ms"), lines, "Processor time, medians.", verdicts
    )
