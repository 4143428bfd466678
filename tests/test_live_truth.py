"""What a live page says is true: a failure comes up by itself, a killed worker is lost, and a frozen Redis is shown as it is.

The soak measures how long a failure takes to its row: make soak ARGS="tests/test_live_truth.py -s".
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from playwright.sync_api import Browser, Page, Request

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, start_server
from rqdash.model.caller import Role
from rqdash.model.keys import Keys
from tests.browsed import LIVE, Shown
from tests.browser import chromium, context
from tests.churning import QUEUES, REGISTRIES, Churn, Held, held
from tests.pages import Document
from tests.processes import wait_until
from tests.served import served
from tests.site import Browser as Client
from tests.site import Site, site
from tests.workers import enqueue, working

IS_FULL = bool(os.environ.get("RQDASH_SOAK"))
FAILURES = 10 if IS_FULL else 1
SLOWEST_S = 4.0
FREEZES, DASHBOARDS = 200 if IS_FULL else 20, 4
SHARED_S = 1.05
"""A little more than a reading may be old when it answers another poll."""
POLL = {"Rqdash-Poll": "something older"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A served dashboard of one backend."""
    directory: Path = tmp_path_factory.mktemp("truth")
    server = start_server(directory / "server")
    dashboard = served(directory / "data", {LIVE: server})
    try:
        yield Shown(dashboard.start(), server)
    finally:
        dashboard.stop()
        server.stop()


@pytest.fixture(scope="module")
def page(shown: Shown) -> Iterator[Page]:
    """An operator's screen, whose clock is nobody's but its own."""
    with chromium() as browser:
        made = _context(browser, shown)
        yield made
        made.context.close()


def _context(browser: Browser, shown: Shown) -> Page:
    made = context(browser, viewport={"width": 1440, "height": 900})
    shown.sign_in(made, "mira", Role.OPERATOR)
    return made.new_page()


def is_poll(request: Request) -> bool:
    return "rqdash-poll" in request.headers


def ended_s(client: redis.Redis, job_id: str) -> float:
    """When a job ended, as its worker wrote it."""
    written = client.hget(Keys("rq").job(job_id), "ended_at")
    assert written is not None
    return datetime.fromisoformat(written.decode()).replace(tzinfo=UTC).timestamp()


@pytest.mark.soak
def test_a_job_that_fails_comes_up_on_the_open_failures_page_by_itself(page: Page, shown: Shown) -> None:
    page.goto(shown.address("/failures"))
    page.evaluate("window.isTheSame = true")
    took: list[float] = []

    with working(shown.server, "mail", stays=True), shown.redis(LIVE) as client:
        for number in range(FAILURES):
            client.set(f"run-{number}:fails", 1)
            job_id = enqueue(shown.server, "mail", "tests.tasks.count_and_fail", f"run-{number}")
            page.locator("main tbody tr", has=page.locator(f"a[href*='{job_id}']")).wait_for()
            took.append(time.time() - ended_s(client, job_id))

    assert page.evaluate("window.isTheSame")
    if IS_FULL:
        print(f"\nfrom failing to its row: {', '.join(f'{took_s:.1f}' for took_s in sorted(took))} s")
        assert max(took) < SLOWEST_S


def test_a_worker_killed_with_sigkill_is_lost_as_soon_as_redis_says_so(page: Page, shown: Shown) -> None:
    with shown.redis(LIVE) as client, working(shown.server, "killed", stays=True) as process:
        assert wait_until(lambda: client.scard(Keys("rq").queue_workers("killed")) == 1)
        key = next(iter(client.smembers(Keys("rq").queue_workers("killed"))))
        name = key.decode().removeprefix(Keys("rq").worker(""))
        assert wait_until(lambda: client.hget(key, "state") == b"idle")
        page.goto(shown.address("/workers"))
        before = said_of(page, name)

        os.kill(process.pid, signal.SIGKILL)
        with page.expect_request(is_poll) as while_listed:
            pass
        while_listed.value.response()
        still = said_of(page, name)
        client.pexpire(key, 1)
        assert wait_until(lambda: not client.exists(key))
        with page.expect_request(is_poll) as next_poll:
            pass
        answer = next_poll.value.response()

    assert answer is not None
    assert answer.status == 200
    page.locator("main").get_by_text("lost", exact=True).first.wait_for()
    assert ["lost" in said.lower() for said in (before, still, said_of(page, name))] == [False, False, True]


def said_of(page: Page, worker: str) -> str:
    """What the page says in the one place that speaks of a worker."""
    return page.locator("main tbody tr, main li", has=page.locator(f"[title*='{worker}'], :text('{worker[:12]}')")).first.inner_text()


@dataclass(frozen=True, slots=True)
class Desk:
    """One dashboard as its own process would be; asks as a browser and as a program do."""

    browser: Client
    token: dict[str, str]

    def polled(self, path: str) -> tuple[Document, Any]:
        """A page as what a poll morphs in, and as JSON."""
        fragment, answer = self.browser.get(path, headers=POLL), self.browser.get(f"/api/v1{path}", headers=POLL | self.token)
        assert (fragment.status_code, answer.status_code) == (200, 200)
        return Document(fragment.get_data(as_text=True)), answer.get_json()


@pytest.fixture
def desks(tmp_path: Path, backend: Backend) -> list[Desk]:
    """Several, each with readings of its own: they take turns, so that none has one that is still fresh."""
    made: list[Site] = [site(tmp_path / str(number), {LIVE: backend}) for number in range(DASHBOARDS)]
    return [Desk(one.sign_in("operator"), one.token("operator")) for one in made]


@pytest.mark.soak
def test_the_poll_after_a_freeze_at_any_instant_equals_what_redis_holds(
    desks: list[Desk], server: Server, redis_client: redis.Redis
) -> None:
    instants, churn = random.Random(20_261_124), Churn(redis_client, seed=5)
    asked_s = [0.0] * DASHBOARDS
    wrong: list[str] = []

    for number in range(FREEZES):
        turn = number % DASHBOARDS
        until = churn.done + instants.randrange(5, 200)
        churn.start()
        assert wait_until(lambda until=until: churn.done >= until)  # type: ignore[misc]
        assert wait_until(lambda turn=turn: time.monotonic() - asked_s[turn] > SHARED_S)  # type: ignore[misc]
        churn.freeze()
        found = differences(desks[turn], held(redis_client), queue=instants.choice(QUEUES))
        wrong += [f"freeze {number}: {difference}" for difference in found]
        asked_s[turn] = time.monotonic()

    assert wrong == []
    assert churn.done > FREEZES * 20


def differences(desk: Desk, there: Held, *, queue: str) -> list[str]:
    """Where the next polls of the overview, of a queue and of the failures say something else than what is there."""
    lists = [difference for registry in ("queued", "failed") for difference in _queue(desk, there, queue, registry)]
    return _overview(desk, there) + lists + _failures(desk, there)


def _overview(desk: Desk, there: Held) -> list[str]:
    document, page = desk.polled("/")
    summaries = {queue["name"]: queue for queue in page["cards"][0]["summary"]["queues"]}
    found = _unequal("overview, JSON", {q: {r: summaries[q][r] for r in ("queued", *REGISTRIES)} for q in summaries}, there.counts)
    total = {r: sum(counts[r] for counts in there.counts.values()) for r in ("queued", "failed", "scheduled")}
    found += _unequal("overview, totals", {r: page["totals"][r] for r in total}, total)
    failed = {_asked(link.href)["name"]: link.text for link in document.links if "registry=failed" in link.href}
    return found + _unequal("overview", failed, {q: str(counts["failed"]) for q, counts in there.counts.items() if counts["failed"]})


def _queue(desk: Desk, there: Held, queue: str, registry: str) -> list[str]:
    document, page = desk.polled(f"/b/{LIVE}/queue?name={queue}&registry={registry}")
    where, ids = f"{queue}, {registry}", there.waiting[queue] if registry == "queued" else there.failed[queue]
    found = _unequal(f"{where}, JSON", {tab["registry"]: tab["count"] for tab in page["tabs"]}, there.counts[queue])
    found += _unequal(f"{where}, rows of JSON", [row["id"] for row in page["jobs"]["rows"]], ids[:50])
    said = [re.fullmatch(r"(\w+)\s+([\d,]+)", " ".join(link.text.split())) for link in document.links if "/queue?" in link.href]
    tabs = {match[1].lower(): int(match[2]) for match in said if match}
    return found + _unequal(where, tabs, there.counts[queue]) + _unequal(f"{where}, rows", _jobs(document), ids[:50])


def _failures(desk: Desk, there: Held) -> list[str]:
    document, page = desk.polled("/failures")
    found = _unequal("failures, JSON", [row["failed"]["job"]["id"] for row in page["rows"]], there.failures[:50])
    found += _unequal("failures, total", sum(seen["window"]["total"] for seen in page["covered"]), len(there.failures))
    return found + _unequal("failures", _jobs(document), there.failures[:50])


def _jobs(document: Document) -> list[str]:
    """The jobs that a list links to, each once."""
    return list(dict.fromkeys(_asked(link.href)["id"] for link in document.links if "/job?" in link.href))


def _asked(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def _unequal(what: str, said: object, there: object) -> list[str]:
    return [] if said == there else [f"{what} says {said}, Redis {there}"]
