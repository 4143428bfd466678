"""rqdash demo as a newcomer and a program meet it: one line, live backends and a dead one, and nothing left when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from redis.sentinel import Sentinel
from rq import Queue, Worker
from rq.cron import CronScheduler

from rqdash.demo.servers import free_port
from tests.processes import alive, descendants, processes, wait_until

ROOT = Path(__file__).parents[1]
READY_S = 90.0


@dataclass(slots=True)
class Demo:
    """A demo that is running, and what it said when it was ready."""

    process: subprocess.Popen[str]
    said: dict[str, Any]

    def get(self, path: str, *, token: str = "") -> tuple[int, dict[str, str], str]:
        """Status, headers by small name, and text of an answer; redirects are not followed."""
        address = urlsplit(self.said["url"])
        asked = HTTPConnection(str(address.hostname), address.port, timeout=15)
        try:
            asked.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = asked.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        finally:
            asked.close()

    def overview(self) -> dict[str, Any]:
        status, _, text = self.get("/api/v1/", token=self.said["api_token"])
        assert status == 200, text
        page: dict[str, Any] = json.loads(text)
        return page

    def end(self, number: signal.Signals) -> tuple[int, set[int]]:
        """Its exit code, and which of the processes it had still run."""
        had = {process.pid for process in descendants(self.process.pid)}
        self.process.send_signal(number)
        code = self.process.wait(60)
        wait_until(lambda: not alive(had), within_s=3)
        return code, alive(had)


def start(data_dir: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rqdash.cli", "demo", "--port", str(free_port()), "--data-dir", str(data_dir), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ready(process: subprocess.Popen[str]) -> Demo:
    assert process.stdout
    assert process.stderr
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return Demo(process, json.loads(line))


def ended(process: subprocess.Popen[str]) -> None:
    """Whatever the test did, nothing of it stays."""
    if process.poll() is None:
        process.terminate()
        process.wait(60)
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def place(backend: dict[str, Any]) -> redis.Redis:
    if backend["kind"] == "sentinel":
        nodes = [(host, int(port)) for host, port in (node.split(":") for node in backend["sentinels"])]
        master: redis.Redis = Sentinel(nodes, socket_timeout=5).master_for(backend["master_name"], socket_timeout=5)
        return master
    return redis.Redis(host=backend["host"], port=backend["port"], socket_timeout=5)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "data of a demo"


@pytest.fixture(scope="module")
def demo(data_dir: Path) -> Iterator[Demo]:
    process = start(data_dir, "--json", "--workers", "1")
    try:
        yield ready(process)
    finally:
        ended(process)


@pytest.fixture
def connections(demo: Demo) -> Iterator[dict[str, redis.Redis]]:
    found = {backend["name"]: place(backend) for backend in demo.said["backends"]}
    yield found
    for connection in found.values():
        connection.close()


def test_it_says_in_one_line_where_it_is_and_what_it_has(demo: Demo) -> None:
    said = demo.said

    assert set(said) == {"url", "sign_in_url", "api_token", "pid", "backends"}
    assert said["sign_in_url"].startswith(f"{said['url']}/sign-in/link?token=")
    assert said["pid"] == demo.process.pid
    assert [(backend["name"], backend["kind"]) for backend in said["backends"]] == [
        ("orders", "sentinel"),
        ("mail", "standalone"),
        ("media", "standalone"),
        ("legacy", "standalone"),
    ]
    assert set(said["backends"][0]) == {"name", "kind", "sentinels", "master_name"}
    assert len(said["backends"][0]["sentinels"]) == 3
    assert all(set(backend) == {"name", "kind", "host", "port"} for backend in said["backends"][1:])


def test_a_stranger_is_sent_to_sign_in(demo: Demo) -> None:
    status, headers, _ = demo.get("/")

    assert status == 303
    assert urlsplit(headers["location"]).path == "/sign-in"


def test_the_sign_in_link_opens_a_page_with_a_button(demo: Demo) -> None:
    status, _, text = demo.get(demo.said["sign_in_url"].removeprefix(demo.said["url"]))

    assert status == 200
    assert "<button" in text


def test_the_overview_shows_three_live_backends_and_one_that_is_down(demo: Demo) -> None:
    page = demo.overview()

    assert [(card["mark"]["name"], card["problem"] is None) for card in page["cards"]] == [
        ("orders", True),
        ("mail", True),
        ("media", True),
        ("legacy", False),
    ]
    assert page["totals"]["coverage"] == {"answered": 3, "asked": 4}


def test_each_live_backend_has_a_real_worker_and_a_cron_scheduler(connections: dict[str, redis.Redis]) -> None:
    live = [connections[name] for name in ("orders", "mail", "media")]

    assert wait_until(lambda: all(len(Worker.all(connection=connection)) == 1 for connection in live))
    assert wait_until(lambda: all(len(CronScheduler.all(connection=connection, cleanup=False)) == 1 for connection in live))


@pytest.mark.parametrize("registry", ["started", "finished", "failed", "deferred", "scheduled"])
def test_its_jobs_come_in_every_state(connections: dict[str, redis.Redis], registry: str) -> None:
    def count() -> int:
        queues = [queue for name in ("orders", "mail", "media") for queue in Queue.all(connection=connections[name])]
        return sum(getattr(queue, f"{registry}_job_registry").get_job_count(cleanup=False) for queue in queues)

    assert wait_until(lambda: count() > 0, within_s=60)


def test_nobody_works_on_its_backlog(connections: dict[str, redis.Redis]) -> None:
    backlog = Queue("exports", connection=connections["orders"])

    assert wait_until(lambda: backlog.count >= 40)
    assert Worker.all(queue=backlog) == []


def test_the_sentinel_group_has_a_replica_and_three_sentinels_that_agree(demo: Demo, connections: dict[str, redis.Redis]) -> None:
    masters = set()
    for node in demo.said["backends"][0]["sentinels"]:
        host, port = node.split(":")
        with redis.Redis(host=host, port=int(port), socket_timeout=5, decode_responses=True) as sentinel:
            masters.add(tuple(sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "orders")))

    assert len(masters) == 1
    assert connections["orders"].info("replication")["connected_slaves"] == 1


def test_a_second_demo_in_the_same_directory_is_refused(demo: Demo, data_dir: Path) -> None:
    second = start(data_dir, "--json")

    _, errors = second.communicate(timeout=30)

    assert second.returncode == 1
    assert "Another demo" in errors
    assert "Traceback" not in errors


def test_sigterm_and_ctrl_c_end_every_child_and_the_next_demo_keeps_what_was_made(demo: Demo, data_dir: Path) -> None:
    first = demo.end(signal.SIGTERM)
    again = start(data_dir, "--json", "--workers", "1", "--no-producers")
    try:
        next_demo = ready(again)
        page = next_demo.overview()
        second = next_demo.end(signal.SIGINT)
    finally:
        ended(again)

    assert [first, second] == [(0, set()), (0, set())]
    assert page["totals"]["coverage"] == {"answered": 3, "asked": 4}


@pytest.mark.parametrize("sign", ["servers/mail", "logs/web.log"])
def test_sigterm_while_it_starts_leaves_nothing(tmp_path: Path, sign: str) -> None:
    process = start(tmp_path / "demo", "--json")
    try:
        has_begun = wait_until((tmp_path / "demo" / sign).exists)
        process.terminate()
        code = process.wait(60)
    finally:
        ended(process)

    assert (has_begun, code) == (True, 0)
    assert wait_until(lambda: not [found for found in processes() if str(tmp_path) in found.command], within_s=5)


def test_when_the_dashboard_ends_so_does_the_demo_and_says_so(tmp_path: Path) -> None:
    process = start(tmp_path / "demo", "--json", "--workers", "0", "--no-producers")
    try:
        ready(process)
        web = next(found for found in descendants(process.pid) if "gunicorn" in found.command and found.parent == process.pid)
        os.kill(web.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    finally:
        ended(process)

    assert process.returncode == 1
    assert "web" in errors
    assert "Traceback" not in errors
