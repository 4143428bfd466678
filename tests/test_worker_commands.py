"""Commands to real workers of four versions of RQ, from the page of each: heard, followed, and said as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model import names
from tests.pages import Document
from tests.processes import wait_until
from tests.site import Browser, site
from tests.versions import Rq, Worker, running
from tests.workers import enqueue, working

VERSIONS = ("1.16.2", "2.6.1", "2.12.0", "3.0.0")


@pytest.fixture
def browser(tmp_path: Path, backend: Backend) -> Browser:
    return site(tmp_path / "data", {"live": backend}).sign_in("operator")


@dataclass(slots=True)
class Operator:
    """Somebody at the page of one worker."""

    browser: Browser
    client: redis.Redis
    name: str

    def page(self) -> Document:
        answer = self.browser.get(f"/b/live/worker?name={self.name}")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return Document(answer.get_data(as_text=True))

    def tells(self, command: str) -> str:
        """Presses a button, and the one of the question that follows; what the next page says."""
        form = self.page().form("/worker/")
        answer = self.browser.client.post(form.button(command).action, data=form.data())
        asks = Document(answer.get_data(as_text=True)).form("/worker/")
        answer = self.browser.client.post(asks.action, data=asks.data())
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return Document(self.browser.get(answer.headers["Location"]).get_data(as_text=True)).text

    def status(self, job_id: str) -> str:
        return (self.client.hget(f"rq:job:{job_id}", "status") or b"").decode()


@pytest.fixture(params=VERSIONS)
def rq(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Rq]:
    with running(request.param, server, tmp_path / "rq") as found:
        yield found


def holding(rq: Rq, client: redis.Redis, job_id: str, *, queue: str) -> None:
    """A job that runs until it is released."""
    rq.driver("enqueue", id=job_id, queue=queue, function="hold")
    assert wait_until(lambda: client.exists(f"running:{job_id}"))


def test_workers_obey_what_they_are_told_and_the_page_says_what_became_of_it(rq: Rq, redis_client: redis.Redis, browser: Browser) -> None:
    worker, doomed = rq.worker("mail", name="w"), rq.worker("third", name="doomed")
    operator = Operator(browser, redis_client, "w")

    holding(rq, redis_client, "stopped", queue="mail")
    assert "w on live stopped its job." in operator.tells("Stop job")
    assert operator.status("stopped") == "stopped"

    holding(rq, redis_client, "killed", queue="mail")
    assert "Killed the work horse of w on live." in operator.tells("Kill work horse")
    assert wait_until(lambda: operator.status("killed") == "failed")

    if rq.has("3.0.0"):
        holding(rq, redis_client, "attempt", queue="mail")
        assert "w on live stopped this execution." in operator.tells("Stop execution")
        assert operator.status("attempt") == "stopped"

    holding(rq, redis_client, "last", queue="mail")
    if not rq.has("3.0.0"):
        ignores(operator, rq, "last")
    ends_after_its_job(operator, worker, "last")

    holding(rq, redis_client, "abandoned", queue="third")
    is_lost_when_redis_says_so(operator, doomed)


def ignores(operator: Operator, rq: Rq, job_id: str) -> None:
    """What came with RQ 3.0 is not offered of an older worker, and not sent to it either."""
    page = operator.page()
    assert f"It runs RQ {rq.version}, which ignores stop execution" in page.text
    assert "Stop execution…" not in [button.text for button in page.form("/worker/").buttons]
    form = {"name": names.to_form("w"), "job": names.to_form(job_id), "confirmed": "1", "endpoint_version": "1"}
    answer = operator.browser.post("/b/live/worker/stop-execution", form)
    assert "w on live would ignore it." in operator.browser.get(answer.headers["Location"]).get_data(as_text=True)
    assert operator.status(job_id) == "started"


def ends_after_its_job(operator: Operator, worker: Worker, job_id: str) -> None:
    """A busy worker that is asked to shut down finishes its job; a second request is known for what it is."""
    assert "w on live was asked to shut down." in operator.tells("Shut down")
    assert wait_until(lambda: operator.client.hexists("rq:worker:w", "shutdown_requested_date"))
    assert "Shutdown asked." in operator.page().text
    form = operator.page().form("/worker/")
    asked = operator.browser.client.post(form.button("Shut down").action, data=form.data()).get_data(as_text=True)
    assert "A second request is a cold shutdown" in asked
    unaware = {"name": names.to_form("w"), "confirmed": "1", "endpoint_version": "1"}
    assert operator.browser.post("/b/live/worker/shutdown", unaware).status_code == 409
    operator.client.rpush(f"release:{job_id}", 1)
    worker.ended()
    assert operator.status(job_id) == "finished"
    assert "It has ended." in operator.page().text


def is_lost_when_redis_says_so(operator: Operator, doomed: Worker) -> None:
    """A worker that is killed is busy for as long as its key lives, and lost from then on, with the job that it left."""
    doomed.kill()
    assert "doomed: busy" in tiles(operator.browser)
    operator.client.pexpire("rq:worker:doomed", 1)
    assert wait_until(lambda: not operator.client.exists("rq:worker:doomed"))
    assert "doomed: lost" in tiles(operator.browser)
    wall = Document(operator.browser.get("/workers").get_data(as_text=True)).text
    assert re.search(r"tests\.version_tasks\.hold of third is started and its worker doomed is gone\.", wall)
    page = Document(operator.browser.get("/b/live/worker?name=doomed").get_data(as_text=True))
    assert "It is lost." in page.text
    assert "Left behind" in page.text
    assert "/b/live/job?id=abandoned" in [link.href for link in page.links]


def tiles(browser: Browser) -> str:
    return Document(browser.get("/workers?view=tiles").get_data(as_text=True)).text


def test_a_simple_worker_hears_and_goes_on_and_an_idle_one_ends_at_once(
    server: Server, redis_client: redis.Redis, browser: Browser
) -> None:
    enqueue(server, "mail", "tests.tasks.hold", "gate", job_timeout=60)

    with working(server, "mail", kind="SimpleWorker", stays=True) as process:
        assert wait_until(lambda: redis_client.exists("gate:running"))
        (key,) = redis_client.smembers("rq:workers")
        operator = Operator(browser, redis_client, key.decode().removeprefix("rq:worker:"))
        ignored = operator.tells("Stop job")
        redis_client.rpush("gate", 1)
        assert wait_until(lambda: redis_client.hget(key, "state") == b"idle")
        ended = operator.tells("Shut down")
        assert process.wait(30) == 0

    assert "heard it, and the job still runs. SimpleWorker ignores this" in ignored
    assert "on live has ended." in ended
