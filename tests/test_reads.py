"""Reads never write: every GET of the product works for a Redis user who may only read, and the server saw no write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import redis

from rqdash.demo.servers import HOST, Server
from rqdash.model import names
from rqdash.model.profile import Profile, Secrets
from rqdash.model.registry import Registry
from rqdash.profiles.registry import open_profiles
from rqdash.store import open_store
from rqdash.web.pages import ROUTES
from rqdash.web.route import Route
from tests.commands import ran, written
from tests.contents import contents
from tests.pages import Document
from tests.site import Browser, Site, site
from tests.stored import Stored, variety
from tests.timed import timed

SCRIPTS = "~rq:* +@read +@connection +@scripting +info +time +pubsub|numsub -@write"
NO_SCRIPTS = "~rq:* +@read +@connection -@scripting -info +time +pubsub|numsub -@write"
PASSWORD = "only-for-reading"
READS = tuple(route for route in ROUTES if route.method == "GET")


@dataclass(frozen=True, slots=True)
class Reader:
    """A dashboard whose only profile signs in to Redis as a user of these rights, and who looks at it."""

    site: Site
    browser: Browser
    token: dict[str, str]

    def seen(self, address: str, *, route: Route) -> list[str]:
        """What a browser gets at an address and, where the API has it, what a program gets; both must work."""
        page = self.browser.get(address)
        assert page.status_code == (303 if route.endpoint == "sign_in" else 200), (address, page.status_code, page.get_data(as_text=True))
        if not route.in_api:
            return [page.get_data(as_text=True)]
        data = self.browser.client.get(f"/api/v1{address}", headers=self.token)
        assert data.status_code == 200, (address, data.status_code, data.get_data(as_text=True))
        return [page.get_data(as_text=True), data.get_data(as_text=True)]


@pytest.fixture
def user(redis_client: redis.Redis) -> Iterator[str]:
    """The name of a Redis user that a test makes; it is gone afterwards."""
    yield "reader"
    redis_client.execute_command("ACL", "DELUSER", "reader")


def reader(tmp_path: Path, server: Server, rules: str) -> Reader:
    """The profile goes through the registry, so its password and all connections do too."""
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "reader", "reset", "on", f">{PASSWORD}", *rules.split())
    place = site(tmp_path / "data")
    profiles = open_profiles(open_store(place.settings.database_url, data_dir=place.settings.data_dir), place.settings)
    profile = Profile(name="live", host=HOST, port=server.port, username="reader")
    profiles.create(profile, secrets=Secrets(PASSWORD), by="test")
    return Reader(place, place.sign_in("admin"), place.token("admin"))


def addresses(route: Route, queues: list[str], jobs: list[str]) -> list[str]:
    """Every address of a route: of a queue with each registry, of a job all that lists link to; of the others, one."""
    if route.endpoint == "queue":
        wanted = [(queue, registry) for queue in queues for registry in Registry]
        return [f"/b/live/queue?{urlencode({'name': names.ref(queue), 'registry': registry.value})}" for queue, registry in wanted]
    if route.endpoint == "job":
        return jobs
    if route.endpoint == "job_runs":
        return [jobs[0].replace("/job?", "/job/runs?")]
    if route.endpoint == "cron":
        return ["/b/live/cron?name=nightly"]
    if route.endpoint == "worker":
        return ["/b/live/worker?name=busy-1"]
    if "<operation>" in route.rule or "<person>" in route.rule:
        # There is none here, and their pages read the store alone.
        return []
    return [route.rule.replace("<profile>", "live").replace("<backend>", "live")]


def everything(whose: Reader, queues: list[str]) -> dict[str, list[str]]:
    """What every read route answers, by endpoint; jobs are visited by the links of the lists of jobs."""
    answers: dict[str, list[str]] = {}
    jobs: dict[str, None] = {}
    for route in sorted(READS, key=lambda route: route.endpoint == "job"):
        answers[route.endpoint] = [text for address in addresses(route, queues, list(jobs)) for text in whose.seen(address, route=route)]
        if route.endpoint == "queue":
            jobs = dict.fromkeys(job_links(answers["queue"]))
    return answers


def job_links(lists: list[str]) -> list[str]:
    """The links to jobs that still are, of pages each followed by its JSON."""
    found = []
    for page, data in zip(lists[::2], lists[1::2], strict=True):
        links = dict.fromkeys(link.href for link in Document(page).links if link.href.startswith("/b/live/job?"))
        rows = json.loads(data)["jobs"]["rows"]
        found += [href for href, row in zip(links, rows, strict=True) if row["exists"]]
    return found


def queue_names(client: redis.Redis) -> list[str]:
    found = (names.decoded(key) for key in client.smembers("rq:queues"))
    return [key.removeprefix("rq:queue:") for key in found if key.startswith("rq:queue:")]


@pytest.fixture
def filled(redis_client: redis.Redis, user: str) -> redis.Redis:
    """A server with everything in it, for whoever prepares and checks."""
    variety(redis_client)
    timed(Stored(redis_client))
    return redis_client


def test_every_page_reads_by_script_as_a_user_who_may_only_read_and_nothing_is_written(
    filled: redis.Redis, server: Server, tmp_path: Path
) -> None:
    whose = reader(tmp_path, server, SCRIPTS)
    before = contents(filled)
    filled.config_resetstat()

    answers = everything(whose, queue_names(filled))

    assert set(answers) == {route.endpoint for route in READS}
    assert len(answers["queue"]) > 200
    assert len(answers["job"]) > 60
    assert ran(filled)["evalsha_ro"] > 100
    assert written(filled) == set()
    assert contents(filled) == before


def test_without_scripts_and_info_every_page_reads_by_pipelines_and_says_what_it_cannot_know(
    filled: redis.Redis, server: Server, tmp_path: Path
) -> None:
    whose = reader(tmp_path, server, NO_SCRIPTS)
    before = contents(filled)
    filled.config_resetstat()

    answers = everything(whose, queue_names(filled))

    assert set(answers) == {route.endpoint for route in READS}
    assert len(answers["job"]) > 60
    assert ran(filled).get("hget", 0) > 100
    assert written(filled) == set()
    assert contents(filled) == before
    for endpoint in ("overview", "connections"):
        text = Document(answers[endpoint][0]).text
        assert "unknown" in text
        assert "The Redis user of live may not run info" in text
