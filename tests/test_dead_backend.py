"""One dead backend: while legacy refuses or hangs, every overview comes in time, whole for the others, and says which and why."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rqdash.demo.servers import Server, free_port, start_server
from tests.pages import Document, Person, person
from tests.processes import wait_until
from tests.served import Served, served

SECONDS = 30 if os.environ.get("RQDASH_SOAK") else 4
PAGES_A_SECOND = 25 if os.environ.get("RQDASH_SOAK") else 10
SLOWEST_S = 2.5 if os.environ.get("RQDASH_SOAK") else 10
"""The issue's own limit for every page, in the soak, which has the machine to itself; beside other tests only that nothing hangs."""
QUEUES = {"orders": ("invoices", "webhooks", "refunds"), "mail": ("digests", "receipts")}
REASONS = {
    "refuses": ("legacy refused the connection",),
    # A call that a page stops waiting for is slow; when it has ended its error is known.
    "hangs": ("legacy did not answer in time", "legacy is slow", "legacy does not answer"),
}


@dataclass(slots=True)
class Tally:
    """What the visitors saw: seconds a page, and what was wrong with any."""

    took_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        return sorted(self.took_s)[min(len(self.took_s) - 1, int(len(self.took_s) * share))]


@pytest.fixture
def legacy(tmp_path: Path) -> Iterator[Server]:
    """A server that does not run yet."""
    server = Server(tmp_path / "legacy", free_port())
    yield server
    server.stop()


@pytest.fixture
def site(tmp_path: Path, legacy: Server) -> Iterator[Served]:
    """A dashboard of legacy, asked first, and two live backends."""
    live = {name: start_server(tmp_path / name) for name in QUEUES}
    for name, server in live.items():
        with server.client() as client:
            client.sadd("rq:queues", *(f"rq:queue:{queue}" for queue in QUEUES[name]))
    place = served(tmp_path / "data", {"legacy": legacy, **live})
    yield place
    place.stop()
    for server in live.values():
        server.stop()


@pytest.mark.soak
@pytest.mark.parametrize("way", ["refuses", "hangs"])
def test_every_overview_comes_in_time_and_whole_for_the_others(site: Served, legacy: Server, way: str) -> None:
    if way == "hangs":
        legacy.start()
    visitor = person(site.start(), timeout_s=20)
    if way == "hangs":
        assert wait_until(lambda: "3 of 3" in Document(visitor.get("/").text).text)
        legacy.pause()

    tally = visited(visitor, way)

    summary = f"p50 {tally.percentile(0.5):.3f} s, p99 {tally.percentile(0.99):.3f} s, max {max(tally.took_s):.3f} s"
    print(f"\nlegacy {way}: {len(tally.took_s)} overviews at {PAGES_A_SECOND} a second: {summary}")
    assert tally.wrong == []
    assert len(tally.took_s) == SECONDS * PAGES_A_SECOND
    assert max(tally.took_s) < SLOWEST_S


def visited(visitor: Person, way: str) -> Tally:
    """The overview, asked for 25 times a second whether or not the pages before have come."""
    tally = Tally()
    began_s = time.monotonic()
    threads = [
        threading.Thread(target=visit, args=(visitor, way, began_s + turn / PAGES_A_SECOND, tally)) for turn in range(PAGES_A_SECOND)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def visit(visitor: Person, way: str, first_s: float, tally: Tally) -> None:
    """One page a second; a page that is late does not put off the clock by which the next ones are meant."""
    for turn in range(SECONDS):
        time.sleep(max(0.0, first_s + turn - time.monotonic()))
        began_s = time.monotonic()
        answer = visitor.get("/")
        tally.took_s.append(time.monotonic() - began_s)
        tally.wrong += [f"{way}, page {turn}: {problem}" for problem in problems(answer.status, answer.text, way)]


def problems(status: int, page: str, way: str) -> list[str]:
    """What is missing on an overview: queues of the live backends, which backend is down, or why."""
    document = Document(page)
    links = {link.href for link in document.links}
    missing = [queue for name, queues in QUEUES.items() for queue in queues if f"/b/{name}/queue?name={queue}" not in links]
    said = [text for text in ("2 of 3", "legacy does not answer") if text not in document.text]
    why = [] if any(reason in document.text for reason in REASONS[way]) else [f"no reason among {REASONS[way]}"]
    return ([f"status {status}"] if status != 200 else []) + [f"lacks {text}" for text in (*missing, *said)] + why
