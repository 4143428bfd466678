"""The web servers that are measured: ours under gunicorn, and the rivals as they come."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.cases import HOT, Case
from bench.rivals import RQ_DASHBOARD, RQ_DASHBOARD_FAST, Rival
from rqdash.demo.servers import HOST, Server, free_port
from rqdash.model.caller import Role
from rqdash.web.binding import COOKIE
from tests.processes import descendants, wait_until
from tests.served import served

BACKEND = "bench"
START_S = 120.0
PATIENCE_S = 35.0
"""A little more than gunicorn gives a page before it ends the process."""


class PageFailed(Exception):
    """A page answered something else than 200."""


@dataclass(frozen=True, slots=True)
class Site:
    """A running web server. path gives a page's address, or None where it has none; rows counts those in its answer, if it can tell."""

    name: str
    port: int
    path: Callable[[Case], str | None]
    rows: Callable[[Case, bytes], int | None]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    pids: Sequence[int] = ()
    """Of its serving processes."""

    @contextmanager
    def reader(self, case: Case) -> Iterator[Callable[[], bytes]]:
        """Reads one page again and again over a connection of its own. What it gives raises PageFailed."""
        path = self.path(case)
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE_S)

        def ask() -> bytes:
            connection.request("GET", path or "", headers=dict(self.headers))
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise PageFailed(f"{answer.status}")
            return body

        def read() -> bytes:
            was_kept = connection.sock is not None
            try:
                return ask()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if was_kept and isinstance(error, ConnectionError):
                    # Kept open and not used, it was closed meanwhile; every client asks again then.
                    return read()
                raise PageFailed(f"{type(error).__name__}") from None

        try:
            yield read
        finally:
            connection.close()


@contextmanager
def ours(server: Server, *, port: int) -> Iterator[tuple[Site, Site]]:
    """Our pages as JSON and as HTML, from two gunicorn processes; port is where they reach the server."""
    with TemporaryDirectory() as directory:
        site = served(Path(directory), {BACKEND: replace(server, port=port, process=None)})
        account = site.access.accounts.add("bench", role=Role.OPERATOR, password=None)
        session = site.access.sessions.start(account, HOST, now=datetime.now(UTC))
        # The recorder reads the server too, and would be counted as a page's doing.
        site.start(RQDASH_BACKGROUND="off")
        assert site.process is not None
        try:
            pids = [process.pid for process in descendants(site.process.pid)]
            bearer, cookie = {"Authorization": f"Bearer {site.token}"}, {"Cookie": f"{COOKIE}={session}"}
            yield (
                Site("rqdash JSON", site.port, lambda case: f"/api/v1{_our_path(case)}", _our_rows, bearer, pids),
                Site("rqdash HTML", site.port, _our_path, _unknown, cookie, pids),
            )
        finally:
            site.stop()


def _our_path(case: Case) -> str:
    if case.kind == "list":
        return f"/b/{BACKEND}/queue?name={HOT}&registry={case.registry}&size={case.rows}&page={case.page}"
    paths = {"overview": "/", "workers": "/workers?size=200", "job": f"/b/{BACKEND}/job?id={case.job_id}"}
    return paths[case.kind]


def _our_rows(case: Case, body: bytes) -> int:
    page = json.loads(body)
    found = {
        "overview": lambda: len(page["cards"][0]["summary"]["queues"]),
        "workers": lambda: len(page["rows"]),
        "list": lambda: len(page["jobs"]["rows"]),
        "job": lambda: 1,
    }
    return found[case.kind]()


@contextmanager
def rq_dashboard(*, port: int) -> Iterator[tuple[Site, Site]]:
    """rq-dashboard by its own factory under gunicorn with two processes: what its pages fetch, and the pages around it."""
    listens = free_port()
    environ = {"RQ_DASHBOARD_REDIS_URL": f"redis://{HOST}:{port}", "RQ_DASHBOARD_URL_PREFIX": "/"}
    command = ["gunicorn", "--workers", "2", "--bind", f"{HOST}:{listens}", "rq_dashboard.app:create_app()"]
    with _running(RQ_DASHBOARD, command, environ=environ, listens=listens, path="/favicon.ico"):
        yield (
            Site("rq-dashboard JSON", listens, _dashboard_json, _dashboard_rows),
            Site("rq-dashboard HTML", listens, _dashboard_html, _unknown),
        )


def _dashboard_json(case: Case) -> str:
    if case.kind == "list":
        return f"/0/data/jobs/{HOT}/{case.registry}/{case.rows}/asc/{case.page}.json"
    paths = {"overview": "/0/data/queues.json", "workers": "/0/data/workers.json", "job": f"/0/data/job/{case.job_id}.json"}
    return paths[case.kind]


def _dashboard_html(case: Case) -> str:
    """Pages without their data, which a script of theirs fetches as JSON."""
    if case.kind == "list":
        return f"/0/view/jobs/{HOT}/{case.registry}/{case.rows}/asc/{case.page}"
    paths = {"overview": "/", "workers": "/0/view/workers", "job": f"/0/view/job/{case.job_id}"}
    return paths[case.kind]


def _dashboard_rows(case: Case, body: bytes) -> int:
    page = json.loads(body)
    name = {"overview": "queues", "workers": "workers", "list": "jobs"}.get(case.kind)
    return len(page[name]) if name else 1


@contextmanager
def rq_dashboard_fast(*, port: int) -> Iterator[tuple[Site, Site]]:
    """rq-dashboard-fast by its own command, which is one uvicorn process. It has no JSON of one job."""
    listens = free_port()
    command = ["rq-dashboard-fast", "--host", HOST, "--port", str(listens), "--redis-url", f"redis://{HOST}:{port}"]
    with _running(RQ_DASHBOARD_FAST, command, environ={}, listens=listens, path="/rq/login"):
        yield (
            Site("rq-dashboard-fast JSON", listens, _fast_json, _fast_rows),
            Site("rq-dashboard-fast HTML", listens, _fast_html, _unknown),
        )


def _fast_json(case: Case) -> str | None:
    paths = {"overview": "/rq/queues/json", "workers": "/rq/workers/json", "list": f"/rq/jobs/json?{_fast_query(case)}"}
    return paths.get(case.kind)


def _fast_html(case: Case) -> str:
    paths = {"overview": "/rq/queues", "workers": "/rq/workers", "list": f"/rq/jobs?{_fast_query(case)}", "job": f"/rq/job/{case.job_id}"}
    return paths[case.kind]


def _fast_query(case: Case) -> str:
    return f"queue_name={HOT}&state={case.registry}&page={case.page}&per_page={case.rows}"


def _fast_rows(case: Case, body: bytes) -> int:
    page = json.loads(body)
    if case.kind != "list":
        return len(page)
    return sum(len(jobs) for queue in page["data"] for jobs in queue.values() if isinstance(jobs, list))


def _unknown(_case: Case, _body: bytes) -> None:
    return None


@contextmanager
def _running(rival: Rival, command: Sequence[str], *, environ: Mapping[str, str], listens: int, path: str) -> Iterator[None]:
    options: dict[str, Any] = {"env": os.environ | environ, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([str(rival.bin / command[0]), *command[1:]], stdin=subprocess.DEVNULL, **options)
    try:
        if not wait_until(lambda: _answers(listens, path), within_s=START_S):
            raise PageFailed(f"{rival.name} did not start")
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int, path: str) -> bool:
    probe = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        probe.request("GET", path)
        return probe.getresponse().status == 200
    except OSError:
        return False
    finally:
        probe.close()
