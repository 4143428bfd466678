"""Never the wrong backend: what answers under a name and an endpoint version is what that version pointed to."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from rqdash.demo.servers import Server, start_server
from rqdash.model.profile import Profile
from tests.served import Served, served

THREADS = 16
NAMES = ("north", "south", "east", "west")
MOVING = ("north", "south")
REQUESTS = 5000 if os.environ.get("RQDASH_SOAK") else 300
JOBS = 400


@dataclass(slots=True)
class Truth:
    """Which server an endpoint version of a profile meant; versions are never used twice."""

    markers: dict[int, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, profile: Profile, markers: dict[int, str]) -> None:
        with self.lock:
            self.markers[profile.endpoint_version] = markers[profile.port]

    def of(self, version: int) -> str:
        """Waits for the editor to have written down what it just did."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with self.lock:
                if version in self.markers:
                    return self.markers[version]
            time.sleep(0.001)
        return "never announced"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Server, ...]]:
    started = tuple(start_server(tmp_path / f"server-{number}") for number in range(len(NAMES)))
    for number, server in enumerate(started):
        mark(server, f"marker-{number}")
    yield started
    for server in started:
        server.stop()


def mark(server: Server, marker: str) -> None:
    """Every server holds the same names, and its own marker in each value: a queue, a description a job."""
    with server.client() as client:
        pipeline = client.pipeline()
        pipeline.sadd("rq:queues", "rq:queue:shared", f"rq:queue:{marker}")
        for number in range(JOBS):
            job = {"status": "failed", "origin": "shared", "description": marker, "created_at": "2026-11-01T10:00:00.000000Z"}
            pipeline.hset(f"rq:job:job-{number}", mapping={**job, "ended_at": "2026-11-01T10:00:01.000000Z"})
            pipeline.zadd("rq:failed:shared", {f"job-{number}": -1})
        pipeline.execute()


@pytest.mark.soak
def test_no_answer_ever_comes_from_a_server_that_its_endpoint_version_did_not_mean(tmp_path: Path, servers: tuple[Server, ...]) -> None:
    markers = {server.port: f"marker-{number}" for number, server in enumerate(servers)}
    site = served(tmp_path / "data", dict(zip(NAMES, servers, strict=True)))
    truth = Truth()
    for profile in site.profiles.all():
        truth.note(profile, markers)
    site.start()
    stop = threading.Event()
    editor = threading.Thread(target=re_point, args=(site, truth, servers, markers, stop))
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    callers = [threading.Thread(target=work, args=(site, truth, number, tally, wrong)) for number in range(THREADS)]

    editor.start()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    stop.set()
    editor.join()
    site.stop()

    print(f"\ncrossings: {len(wrong)} of {sum(tally.values())} requests; {dict(tally)}; endpoint versions: {len(truth.markers)}")
    assert wrong == []
    assert tally["read"] > REQUESTS / 4
    assert tally["write"] > REQUESTS / 20
    assert len(truth.markers) > len(NAMES) + 5


def re_point(site: Served, truth: Truth, servers: tuple[Server, ...], markers: dict[int, str], stop: threading.Event) -> None:
    """Points two of the profiles at other servers, again and again."""
    chance = random.Random(1)
    while not stop.is_set():
        stored = site.profiles.get(chance.choice(MOVING))
        port = chance.choice([server.port for server in servers if server.port != stored.port])
        edited = site.profiles.update(stored.name, replace(stored, port=port), version=stored.version, by="editor")
        truth.note(edited, markers)
        stop.wait(0.02)


def work(site: Served, truth: Truth, number: int, tally: Counter[str], wrong: list[str]) -> None:
    chance = random.Random(number)
    for turn in range(REQUESTS // THREADS + 1):
        name = chance.choice(NAMES)
        kind, problem = (write if turn % 4 == 3 else read)(site, truth, name, chance)
        tally[kind] += 1
        if problem:
            wrong.append(problem)
    site.hang_up()


def read(site: Served, truth: Truth, name: str, chance: random.Random) -> tuple[str, str]:
    """A list, a job, or the overview; what each shows must carry the marker its endpoint version means."""
    path = chance.choice((f"/b/{name}/queue?name=shared&registry=failed", f"/b/{name}/job?id=job-{chance.randrange(JOBS)}", "/"))
    answer = site.get(path)
    if answer.status != 200:
        return ("refused", "") if answer.status in (404, 503) else ("failed", f"{path}: {answer.status} {answer.text[:200]}")
    page = answer.json()
    found = shown(page, path)
    wrong = [f"{path}: version {version} showed {marker}" for version, marker in found if truth.of(version) != marker]
    return "read", "; ".join(wrong)


def shown(page: dict[str, Any], path: str) -> list[tuple[int, str]]:
    """Every (endpoint_version, marker) pair of a page."""
    if path == "/":
        named = ((row["mark"]["endpoint_version"], row["queue"]["name"]) for row in page["queues"])
        # Queues that moves made are named for the same markers.
        return [(version, name.removeprefix("moved-")) for version, name in named if name != "shared"]
    version = page["mark"]["endpoint_version"]
    rows = page["jobs"]["rows"] if "jobs" in page else [page["job"]["row"]]
    return [(version, row["description"]) for row in rows if row["exists"]]


def write(site: Served, truth: Truth, name: str, chance: random.Random) -> tuple[str, str]:
    """Moves a failed job to a queue named for the marker that the page showed, with the version it was drawn from."""
    drawn = site.get(f"/b/{name}/queue?name=shared&registry=failed")
    if drawn.status != 200:
        return ("refused", "") if drawn.status in (404, 503) else ("failed", f"{drawn.status}")
    page = drawn.json()
    version, rows = page["mark"]["endpoint_version"], [row for row in page["jobs"]["rows"] if row["exists"]]
    if not rows:
        return "empty", ""
    target = f"moved-{truth.of(version)}"
    body = {"queue": "shared", "registry": "failed", "ids": [chance.choice(rows)["id"]], "to_queue": target, "endpoint_version": version}
    answer = site.post(f"/b/{name}/jobs/move", body)
    if answer.status in (409, 503):
        return "stale", ""
    return ("write", "") if answer.status == 200 else ("failed", f"move: {answer.status} {answer.text[:200]}")


@pytest.fixture(autouse=True)
def _nothing_moved_to_another_server(servers: tuple[Server, ...]) -> Iterator[None]:
    """A queue named for one marker must exist on that server alone: a write that crossed would have made it elsewhere."""
    yield
    for number, server in enumerate(servers):
        with server.client() as client:
            moved = {key.decode() for key in client.keys("rq:queue:moved-*")}
        assert moved <= {f"rq:queue:moved-marker-{number}"}
