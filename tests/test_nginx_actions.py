"""Every action on jobs, queues, workers and a backend, by the forms of its page, as a browser behind nginx and TLS sends them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from rqdash.demo.servers import Server
from rqdash.model.caller import Role
from tests.behind_nginx import PREFIXES, Front, front
from tests.pages import Document
from tests.served import Served, served
from tests.stored import EXECUTION, Stored

FAR_S = 4e9
OF_JOBS = (
    ("failed", "requeue", {}),
    ("failed", "move", {"to_queue_new": "mended"}),
    ("failed", "delete", {}),
    ("queued", "cancel", {}),
    ("canceled", "requeue", {}),
    ("scheduled", "reschedule", {"minutes": "90"}),
    ("scheduled", "enqueue", {}),
    ("deferred", "enqueue", {}),
    ("intermediate", "rescue", {}),
    ("started", "requeue", {}),
)
"""Registry, verb, and what is filled in where it asks."""
OF_OTHERS = (
    ("/b/live/queue?name=spare", "/queue/empty", {}),
    ("/b/live/queue?name=spare", "/queue/delete", {}),
    ("/workers?backend=live", "/suspend", {"for_s": "600"}),
    ("/workers?backend=live", "/resume", {}),
    ("/b/live/worker?name=busy-1", "/worker/shutdown", {}),
    ("/b/live/worker?name=busy-1", "/worker/stop-job", {}),
    ("/b/live/worker?name=busy-1", "/worker/kill-horse", {}),
)
"""Page, where the button leads, and what is filled in."""


@dataclass(slots=True)
class Desk:
    """A signed-in operator in front of nginx."""

    front: Front
    data: Served
    client: httpx.Client

    def press(self, page: str, leads_to: str, typed: dict[str, str]) -> str:
        """Presses a button with the first row ticked, answers what it asks; the address that it ends at."""
        form = Document(self.client.get(page).text).form(leads_to)
        button = next((button for button in form.buttons if button.action.endswith(leads_to)), form.buttons[0])
        chosen = [*form.ticks[:1], *([button.field] if button.field else [])]
        answer = self.client.post(urljoin(self.front.url, button.action or form.action), data=form.data(tick=chosen))
        if urlsplit(str(answer.url)).path.endswith(leads_to):
            asks = Document(answer.text).form(leads_to)
            answer = self.client.post(urljoin(self.front.url, asks.action), data=asks.data(typed=typed))
        assert answer.status_code == 200, answer.text
        return str(answer.url)


@pytest.fixture(params=list(PREFIXES))
def desk(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Iterator[Desk]:
    data = served(tmp_path / "data", {"live": server})
    with server.client() as client:
        fill(Stored(client))
    environ = {"RQDASH_DATA_DIR": str(tmp_path / "data"), "RQDASH_PROCESSES": "1", "RQDASH_THREADS": "4", "RQDASH_BACKGROUND": "off"}
    with front(request.param, tmp_path / "front", environ) as running:
        client = running.client(follow_redirects=True)
        token = data.access.links.issue("noor", now=datetime.now(UTC), role=Role.OPERATOR)
        form = Document(client.get("/sign-in/link", params={"token": token}).text).form("sign-in")
        client.post(urljoin(running.url, form.action), data=form.data())
        yield Desk(running, data, client)


def fill(stored: Stored) -> None:
    for number in range(3):
        stored.failed(f"failed-{number}", score=FAR_S)
        stored.waiting(f"waiting-{number}")
        stored.waiting(f"spare-{number}", queue="spare")
        stored.entry("scheduled", stored.job(f"due-{number}", status="scheduled"), FAR_S)
    stored.entry("deferred", stored.job("child", status="deferred"), FAR_S)
    stored.client.rpush(stored.keys.intermediate("mail"), stored.job("popped"))
    stored.entry("started", stored.job("lost", status="started"), 1e9)
    stored.running(stored.worker("busy-1", state="busy", queues="slow", current_job="runs"), "runs", queue="slow")
    stored.client.zadd("rq:executions:runs", {EXECUTION: FAR_S})


def test_every_action_is_done_by_the_forms_of_its_page(desk: Desk) -> None:
    ended, verbs = [], []

    for registry, verb, typed in OF_JOBS:
        ended.append(desk.press(f"/b/live/queue?name=mail&registry={registry}", f"/jobs/{verb}", typed))
        entry = desk.data.access.audit.entries(1)[0]
        verbs.append((registry, entry.verb, entry.outcomes))
    for page, leads_to, typed in OF_OTHERS:
        before = len(desk.data.access.audit.entries(50))
        ended.append(desk.press(page, leads_to, typed))
        assert len(desk.data.access.audit.entries(50)) == before + 1, leads_to

    below = f"https://{urlsplit(desk.front.url).netloc}{PREFIXES[desk.front.variant]}/"
    assert [address for address in ended if not address.startswith(below)] == []
    assert verbs == [(registry, verb, {"done": 1}) for registry, verb, _ in OF_JOBS]
