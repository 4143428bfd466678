"""The pages of the schedule: what is said and warned of, how it narrows and pages, who may look, and its JSON."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rqdash.backends.backend import Backend
from rqdash.demo.servers import HOST, Server, free_port
from rqdash.model.keys import Keys
from rqdash.model.names import ref
from rqdash.model.profile import Profile
from tests.commands import written
from tests.conftest import backend_of
from tests.site import Site, site
from tests.stored import HOSTILE, Stored, iso
from tests.timed import Timed

FAR, DEAD = "far", "dead"
POLL = "Rqdash-Poll"
App = Callable[..., Site]


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def timed(redis_client: redis.Redis, now: datetime) -> Timed:
    return Timed(Stored(redis_client), now)


@pytest.fixture
def other(redis_client: redis.Redis, now: datetime) -> Timed:
    return Timed(Stored(redis_client, Keys("other")), now)


@pytest.fixture
def app(tmp_path: Path, server: Server) -> Iterator[App]:
    """app() is a site over two backends that answer; app(dead=True) has one more that does not."""
    made: list[Backend] = []

    def _app(*, dead: bool = False) -> Site:
        made.extend([backend_of(server), backend_of(server, name=FAR, prefix="other")])
        if dead:
            port = free_port()
            client = redis.Redis(host=HOST, port=port, retry=Retry(NoBackoff(), 0))
            made.append(Backend(Profile(name=DEAD, host=HOST, port=port, id=DEAD), reader=client, writer=client))
        return site(tmp_path, {backend.name: backend for backend in made})

    yield _app
    for backend in made:
        backend.close()


def read(found: Site, path: str, role: str = "viewer") -> str:
    answer = found.sign_in(role).get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def said(page: str) -> str:
    """What is read on a page, in one line."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def links(page: str, start: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(rf'href="({start}[^"]*)"', page)]


def test_cron_jobs_and_scheduled_jobs_of_all_backends_are_on_one_page(app: App, timed: Timed, other: Timed) -> None:
    timed.cron("host:41:aa", [timed.cron_job("sync", args='["eu"]'), timed.cron_job("nightly", interval=None, cron="0 3 * * *")])
    timed.due("job-a", 600)
    timed.lock()
    other.due("job-b", 60, ended_at=iso(other.now), number_of_retries=1, retries_left=2)

    page = read(app(), "/schedule")

    text = said(page)
    assert "0 3 * * * in its scheduler's zone" in text
    assert "every 1 m" in text
    assert "'eu'" in text
    assert "attempt 2 of 4" in text
    assert "worker-7 pid 1007" in text
    assert page.index("/b/far/job?id=job-b") < page.index("/b/live/job?id=job-a")
    assert "No cron scheduler is alive" not in text
    assert "No scheduler looks after" not in text


def test_what_stands_still_is_said_with_what_to_do(app: App, timed: Timed, other: Timed) -> None:
    timed.cron("dead", [timed.cron_job("sync")], beat_s=600)
    timed.due("late", -60)
    timed.stored.client.zadd("rq:scheduler:scheduled_jobs", {"a": 1})
    twice = other.cron_job("twice")
    other.cron("a", [twice])
    other.cron("b", [twice])

    text = said(read(app(), "/schedule"))

    assert "No cron scheduler is alive." in text
    assert re.search(r"No scheduler looks after mail ?\. 1 of its 1 scheduled jobs is overdue", text)
    assert "--with-scheduler" in text
    assert "1 cron job is enqueued twice." in text
    assert "The package rq-scheduler is in use here." in text
    assert "no scheduler" in text


def test_the_search_narrows_both_lists_and_explains_a_mistake(app: App, timed: Timed) -> None:
    timed.cron("a", [timed.cron_job("sync"), timed.cron_job("report", queue_name="slow")])
    timed.due("in-mail", 60)
    timed.due("in-slow", 60, queue="slow")
    found = app()

    narrowed = read(found, "/schedule?q=queue:slow")
    mistaken = read(found, "/schedule?q=age:>2h")
    nothing = read(found, "/schedule?q=fn:nothing")

    assert links(narrowed, "/b/live/cron") == ["/b/live/cron?name=report"]
    assert links(narrowed, r"/b/live/job\?") == ["/b/live/job?id=in-slow"]
    assert "cannot be looked for in this list" in mistaken
    assert len(links(mistaken, r"/b/live/job\?")) == 2
    assert "No cron job matches" in nothing
    assert "No scheduled job matches" in nothing


def test_scheduled_jobs_are_paged_by_due_time(app: App, timed: Timed, other: Timed) -> None:
    for number in range(70):
        (timed if number % 2 else other).due(f"job-{number:02}", number + 1)
    found = app()

    pages = [read(found, f"/schedule?page={number}") for number in (1, 2, 9)]

    shown = [[link.partition("id=")[2] for link in links(page, r"/b/(?:live|far)/job\?")] for page in pages]
    assert shown[0] + shown[1] == [f"job-{number:02}" for number in range(70)]
    assert shown[2] == shown[1]
    assert "1 to 50 of 70" in said(pages[0])


def test_a_backend_that_is_down_is_named_and_the_rest_is_there(app: App, timed: Timed) -> None:
    timed.due("job", 60)
    found = app(dead=True)

    page = read(found, "/schedule")
    alone = read(found, f"/schedule?backend={DEAD}")

    assert "Its cron jobs and scheduled jobs are not here." in said(page)
    assert "/b/live/job?id=job" in page
    assert "Cron jobs are unknown" in alone
    assert "Groups are unknown" in read(found, f"/groups?backend={DEAD}")


def test_every_cron_job_leads_to_its_history_whatever_its_name(app: App, timed: Timed) -> None:
    timed.cron("a", [])
    for number, name in enumerate(HOSTILE):
        timed.known(name, timed.stored.job(f"made-{number}", status="finished"))
    browser = app().sign_in("viewer")
    page = browser.get("/schedule").get_data(as_text=True)

    found = [browser.get(link).get_data(as_text=True) for link in links(page, "/b/live/cron")]

    made = sorted(re.findall(r"made-\d+", links(history, r"/b/live/job\?")[0])[0] for history in found)
    assert made == sorted(f"made-{number}" for number in range(len(HOSTILE)))
    assert "<script>alert(1)" not in page


def test_a_history_says_what_expired_and_an_unknown_name_is_not_found(app: App, timed: Timed) -> None:
    timed.cron("a", [timed.cron_job("sync")])
    timed.known("sync", timed.stored.job("there", status="failed"), "gone")
    found = app()

    page = said(read(found, "/b/live/cron?name=sync"))

    assert "the newest 2 of 2" in page
    assert "failed" in page
    assert "expired" in page
    assert found.sign_in().get(f"/b/live/cron?name={ref('nobody')}").status_code == 404


def test_groups_and_rate_limits_are_on_one_page_with_leaks_said(app: App, timed: Timed, other: Timed) -> None:
    timed.group("night", [timed.stored.job("a", status="failed"), "gone"])
    timed.stored.job("waits", status="rate_limited", queue="slow")
    timed.limit("acme", 2, holding=("a",), waiting=("waits",))
    other.group("far away", [other.stored.job("b")])
    found = app()

    page = read(found, "/groups")
    narrowed = read(found, "/groups?q=queue:slow")
    named = read(found, "/groups?q=night")

    text = said(page)
    assert "1 slot is leaked." in text
    assert "1 of 2" in text
    assert "leaked: failed" in text
    assert "far away" in text
    assert "acme" in narrowed
    assert "far away" not in narrowed
    assert "night" in said(named)
    assert "No rate limit matches" in named


def test_empty_pages_say_what_would_be_there(app: App) -> None:
    found = app()

    schedule, groups = read(found, "/schedule"), read(found, "/groups")

    assert "No cron jobs" in schedule
    assert "No scheduled jobs" in schedule
    assert "No groups" in groups
    assert "No rate limits" in groups


def test_the_json_says_the_same(app: App, timed: Timed) -> None:
    timed.cron("a", [timed.cron_job("sync")])
    timed.due("late", -60)
    timed.known("sync", timed.stored.job("made"))
    timed.limit("acme", 1, holding=["made"])
    found = app()
    headers = found.token("viewer")

    schedule, cron, groups = (
        found.stranger().get(f"/api/v1{path}", headers=headers).get_json() for path in ("/schedule", "/b/live/cron?name=sync", "/groups")
    )

    assert [row["job"]["state"] for row in schedule["cron"]] == ["scheduled"]
    assert [(row["scheduled"]["is_overdue"], row["scheduled"]["holder"]) for row in schedule["rows"]] == [(True, None)]
    assert [queue["queue"]["name"] for queue in schedule["unheld"]] == ["mail"]
    assert [job["id"] for _, job in cron["history"]["spawned"]] == ["made"]
    assert groups["limits"][0]["limit"]["slots"][0]["is_leaked"] is False


@pytest.mark.parametrize("path", ["/schedule", "/b/live/cron?name=sync", "/groups"])
def test_pages_write_nothing_and_polls_get_nothing_while_nothing_changed(app: App, timed: Timed, path: str) -> None:
    timed.cron("a", [timed.cron_job("sync", next_s=600)])
    timed.known("sync", timed.stored.job("made"))
    timed.due("later", 600)
    timed.limit("acme", 1, holding=["made"])
    browser = app().sign_in("viewer")
    timed.stored.client.config_resetstat()

    page = browser.get(path).get_data(as_text=True)
    answer = browser.get(path, headers={POLL: page.partition('data-digest="')[2].partition('"')[0]})

    assert answer.status_code == 204
    assert written(timed.stored.client) == set()


def test_a_job_leads_to_its_group_and_its_rate_limit_whatever_their_names(app: App, timed: Timed) -> None:
    names = [name for name in HOSTILE if name]
    for number, name in enumerate(names):
        timed.stored.job(f"job-{number}", group_id=name, rate_limit_key=name, status="started")
        timed.group(name, [f"job-{number}"])
        timed.limit(name, 1, holding=[f"job-{number}"])
    found = app()
    browser, headers = found.sign_in("viewer"), found.token("viewer")

    for number, name in enumerate(names):
        page = browser.get(f"/b/live/job?id=job-{number}").get_data(as_text=True)
        for link in dict.fromkeys(links(page, r"/groups\?")):
            shown = found.stranger().get(f"/api/v1{link}", headers=headers).get_json()

            assert name in [row["group"]["name"] for row in shown["groups"]]
            assert name in [row["limit"]["key"] for row in shown["limits"]]
            assert len(shown["groups"]) < len(names) or len(name) > 300
