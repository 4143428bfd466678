"""The wall of workers and the page of one: groups, tiles, what differs, what is without a worker, and commands that reach nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model import names
from rqdash.model.spread import Odd, odd
from rqdash.model.worker import Worker
from tests.conftest import backend_of
from tests.pages import Document
from tests.site import Browser, Site, site
from tests.stored import EXECUTION, HOSTILE, Stored, variety

NO_PUBSUB = "~rq:* +@read +@connection +@scripting +info +time -@write -@pubsub"


@pytest.fixture
def place(tmp_path: Path, backend: Backend) -> Site:
    return site(tmp_path / "data", {"live": backend})


@pytest.fixture
def browser(place: Site) -> Browser:
    return place.sign_in("operator")


def read(browser: Browser, path: str) -> Document:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return Document(answer.get_data(as_text=True))


def program(place: Site, path: str) -> dict[str, object]:
    answer = place.stranger().get(f"/api/v1{path}", headers=place.token("viewer"))
    assert answer.status_code == 200
    found: dict[str, object] = answer.json
    return found


def test_a_group_says_what_its_workers_do_and_a_worker_of_two_queues_is_in_both(place: Site, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    stored.worker("a", queues="mail,high", hostname="one", successful_job_count=60)
    stored.worker("b", queues="mail", hostname="two", state="busy")

    queues, hosts = program(place, "/workers?group=queue"), program(place, "/workers?group=host")
    text = read(place.sign_in("viewer"), "/workers?group=queue").text

    assert [(group["name"], group["total"], group["busy"]) for group in queues["groups"]] == [("high", 1, 0), ("mail", 2, 1)]
    assert [row["worker"]["name"] for row in queues["rows"]] == ["a", "b", "a"]
    assert [(group["name"], group["mark"]) for group in hosts["groups"]] == [("one", None), ("two", None)]
    assert queues["rows"][0]["per_minute"] > 0
    assert "An estimate: counters belong to workers" in text


def test_tiles_are_in_groups_and_each_leads_to_its_worker(browser: Browser, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    for number in range(201):
        stored.worker(f"w{number:03}")

    first, second = read(browser, "/workers?view=tiles"), read(browser, "/workers?view=tiles&page=2")

    tiles = [[link.href for link in page.links if "/worker?name=" in link.href] for page in (first, second)]
    assert [len(page) for page in tiles] == [200, 1]
    assert tiles[1] == ["/b/live/worker?name=w200"]
    assert "w000: idle" in first.text


def test_a_worker_whose_version_differs_from_its_queue_is_marked(browser: Browser, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    for name, version in (("a", "3.0.0"), ("b", "3.0.0"), ("canary", "2.6.1")):
        stored.worker(name, version=version, python_version="3.12.1")
    stored.worker("elsewhere", version="1.16.2", queues="other")

    assert read(browser, "/workers").text.count("Others of its queue run") == 1
    assert "Others of its queue run 3.0.0" in read(browser, "/workers?q=worker:canary").text


def test_of_versions_that_as_many_run_the_newest_is_usual_and_patches_of_python_are_alike() -> None:
    old = Worker("live", "old", "idle", queues=("mail",), rq_version="2.6.1", python_version="3.12.1")
    new = Worker("live", "new", "idle", queues=("mail", "high"), rq_version="2.12.0", python_version="3.12.9")
    other = Worker("live", "other", "idle", queues=("high",), rq_version="2.12.0", python_version="3.11.2")

    assert odd([old, new, other]) == {"old": Odd(rq="2.12.0"), "other": Odd(python="3.12")}


def test_what_is_without_a_worker_is_said_and_what_a_live_one_has_is_not(browser: Browser, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    stored.waiting("waits", queue="nobody's")
    stored.waiting("served", queue="mail")
    stored.running(stored.worker("busy", state="busy"), "runs")
    stored.running("vanished", "orphan", execution="f" * 32)
    redis_client.sadd("rq:workers", "rq:worker:vanished")

    wall, filtered = read(browser, "/workers"), read(browser, "/workers?q=queue:mail")

    assert "nobody's : 1 job waits, and no worker listens." in wall.text.replace("nobody's:", "nobody's :")
    assert "app.tasks.send of mail is started and its worker vanished is gone." in wall.text
    assert "1 job left" in wall.text
    assert ("nobody's" in filtered.text, "orphan" in " ".join(link.href for link in filtered.links)) == (False, True)
    assert [link.href for link in wall.links if "id=runs" in link.href] == ["/b/live/job?id=runs"]


def test_both_ways_of_reading_find_the_same_without_a_worker(
    server: Server, redis_client: redis.Redis, place: Site, tmp_path: Path
) -> None:
    stored = variety(redis_client)
    stored.running("vanished", "orphan", execution="f" * 32)
    stored.waiting("waits", queue="lonely")
    redis_client.execute_command("ACL", "SETUSER", "some", "reset", "on", "nopass", "~rq:*", "+@all", "-@scripting")
    limited = site(tmp_path / "limited", {"live": backend_of(server, username="some")})

    found, expected = program(limited, "/workers")["without"], program(place, "/workers")["without"]

    assert found == expected
    assert [item["queue"] for item in found] == ["mail", "lonely"]
    redis_client.execute_command("ACL", "DELUSER", "some")


def test_a_page_of_a_worker_shows_its_queues_its_recent_jobs_and_how_far_was_looked(browser: Browser, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    stored.worker("w", queues="high,mail")
    stored.waiting("waits")
    stored.queue("mail")
    for number in range(3):
        stored.failed(f"failed-{number}", ended_s_ago=10 + number)
        redis_client.hset(f"rq:job:failed-{number}", "worker_name", "w" if number else "another")

    page = read(browser, "/b/live/worker?name=w")

    assert "high 0 waiting mail 1 waiting" in page.text
    assert [link.href for link in page.links if "/job?id=failed" in link.href] == ["/b/live/job?id=failed-1", "/b/live/job?id=failed-2"]
    assert "Looked at all 3 failed and finished jobs of its queues." in page.text


def test_every_worker_of_a_hostile_name_has_a_page_that_its_tile_leads_to(browser: Browser, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    for name in HOSTILE:
        stored.worker(f"w {name}", queues=name)

    links = [link.href for link in read(browser, "/workers?view=tiles").links if "/worker?name=" in link.href]

    assert len(links) == len(HOSTILE)
    assert {browser.get(link).status_code for link in links} == {200}


def test_a_worker_that_never_was_is_not_found_and_one_that_is_lost_tells_what_is_known(browser: Browser, redis_client: redis.Redis) -> None:
    variety(redis_client)

    gone, lost = browser.get("/b/live/worker?name=nobody"), read(browser, "/b/live/worker?name=lost-1")

    assert gone.status_code == 404
    assert "no worker of this name: it has ended, or never was" in gone.get_data(as_text=True)
    assert "It is lost." in lost.text
    assert "that still list it mail" in lost.text
    assert not any("/worker/" in form.action for form in lost.forms)


def test_whether_anybody_listens_is_unknown_to_a_user_who_may_not_ask(server: Server, redis_client: redis.Redis, tmp_path: Path) -> None:
    Stored(redis_client).worker("w")
    redis_client.execute_command("ACL", "SETUSER", "mute", "reset", "on", "nopass", *NO_PUBSUB.split())
    muted = site(tmp_path / "muted", {"live": backend_of(server, username="mute")}).sign_in("operator")

    page = read(muted, "/b/live/worker?name=w")

    assert "unknown whether anybody listens" in page.text
    assert "Nobody listens to its commands." not in page.text
    redis_client.execute_command("ACL", "DELUSER", "mute")


def test_a_command_that_reaches_nobody_says_so_and_is_in_the_log(place: Site, browser: Browser, redis_client: redis.Redis) -> None:
    Stored(redis_client).worker("w")
    warned = read(browser, "/b/live/worker?name=w")

    answer = browser.post("/b/live/worker/shutdown", {"name": names.to_form("w"), "confirmed": "1", "endpoint_version": "1"})

    assert "Nobody listens to its commands." in warned.text
    assert "Nobody was listening: w on live did not get it." in read(browser, answer.headers["Location"]).text
    (row,) = [row for row in place.access.audit.entries() if row.verb == "shutdown"]
    assert (row.backend, row.values, row.outcomes) == ("live", {"worker": "w"}, {"unheard": 1})


def test_a_job_that_has_left_its_worker_meanwhile_is_not_what_gets_hit(place: Site, browser: Browser, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    stored.running(stored.worker("w", state="busy"), "new")
    form = {"name": names.to_form("w"), "job": names.to_form("old"), "execution": EXECUTION, "endpoint_version": "1"}
    verbs, token = ("kill-horse", "stop-job", "stop-execution"), place.token("operator")

    asked = browser.post("/b/live/worker/kill-horse", form)
    pressed = browser.post("/b/live/worker/kill-horse", {**form, "confirmed": "1"})
    said = [place.stranger().post(f"/api/v1/b/live/worker/{verb}", json={"name": "w", "job": "old"}, headers=token) for verb in verbs]

    assert asked.status_code == 409
    assert [answer.json["counts"] for answer in said] == 3 * [{"raced": 1}]
    assert "w on live does not run this job any more." in read(browser, pressed.headers["Location"]).text


def test_a_job_that_finished_first_is_not_said_to_be_stopped(place: Site, redis_client: redis.Redis) -> None:
    stored = Stored(redis_client)
    stored.running(stored.worker("w", state="busy"), "quick")
    stored.job("quick", status="finished", worker_name="w")
    heard = redis_client.pubsub()
    heard.subscribe("rq:pubsub:w")
    assert heard.get_message(timeout=5)

    said = place.stranger().post("/api/v1/b/live/worker/stop-job", json={"name": "w", "job": "quick"}, headers=place.token("operator"))
    told = heard.get_message(timeout=5)
    heard.close()

    assert told is not None
    assert said.json["counts"] == {"raced": 1}


def test_who_may_not_act_has_no_buttons_and_a_protected_profile_asks_for_its_name(
    place: Site, server: Server, redis_client: redis.Redis, tmp_path: Path
) -> None:
    Stored(redis_client).worker("w")
    guarded = {name: backend_of(server, name=name) for name in ("frozen", "precious")}
    guarded["frozen"].profile = replace(guarded["frozen"].profile, read_only=True)
    guarded["precious"].profile = replace(guarded["precious"].profile, protected=True)
    operator = site(tmp_path / "guarded", guarded).sign_in("operator")
    form = {"name": names.to_form("w"), "confirmed": "1", "endpoint_version": "1"}

    pages = (read(place.sign_in("viewer"), "/b/live/worker?name=w"), read(operator, "/b/frozen/worker?name=w"))
    frozen = operator.post("/b/frozen/worker/shutdown", form)
    unnamed = operator.post("/b/precious/worker/shutdown", form)
    named = operator.post("/b/precious/worker/shutdown", {**form, "typed": "precious"})

    assert not any("/worker/" in button.action for page in pages for found in page.forms for button in found.buttons)
    assert (frozen.status_code, unnamed.status_code, named.status_code) == (409, 400, 303)
    assert "Type precious to go on: it is protected." in unnamed.get_data(as_text=True)
