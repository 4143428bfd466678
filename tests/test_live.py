"""Live pages: a poll gets 204 while nothing changed, else only what is morphed in; it never takes what is meant for the next page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.reply import Problem
from rqdash.model.trouble import Item, Kind
from rqdash.web import glances, seam
from rqdash.web.digest import digest
from rqdash.web.fragments import Fragments
from rqdash.web.glances import Glance, Glances
from rqdash.web.pages import ROUTES
from rqdash.web.route import Page
from rqdash.web.shell import Shell
from tests.commands import ran
from tests.conftest import backend_of
from tests.site import Browser, Site, site
from tests.stored import Stored

POLL, DIGEST = "Rqdash-Poll", "Rqdash-Digest"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Tone(Enum):
    LOUD = "loud"
    CALM = "calm"


@dataclass(frozen=True)
class Shown:
    name: str
    as_of: datetime
    numbers: tuple[int, ...] = ()
    tone: Tone = Tone.CALM
    more: dict[str, float | None] | None = None
    elapsed_ms: float = 0.0


VALUE = Shown("a", NOW, (1, 2), Tone.CALM, {"x": None})


def test_when_a_value_was_read_is_not_what_it_shows() -> None:
    later = replace(VALUE, as_of=NOW + timedelta(hours=1), elapsed_ms=7.0)

    assert digest(VALUE) == digest(later)


@pytest.mark.parametrize(
    "other",
    [
        replace(VALUE, name="b"),
        replace(VALUE, name="a\udcff"),
        replace(VALUE, numbers=(12,)),
        replace(VALUE, numbers=(1, 2, 3)),
        replace(VALUE, tone=Tone.LOUD),
        replace(VALUE, more={"x": 0.0}),
        replace(VALUE, more={"y": None}),
        replace(VALUE, more={}),
    ],
)
def test_every_other_difference_is_one(other: Shown) -> None:
    assert digest(VALUE) != digest(other)


def test_what_has_no_place_on_a_page_has_no_digest() -> None:
    with pytest.raises(TypeError, match="no digest of object"):
        digest(object())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Problem("slow", "It is slow.", since=NOW, retry_at=NOW), Problem("slow", "It is slow.", since=NOW + timedelta(seconds=3))),
        (Item("a", Kind.DOWN, "", "It is down.", since=NOW, code="down"), Item("a", Kind.DOWN, "", "It is down.", until=NOW, code="down")),
    ],
)
def test_when_a_process_noticed_a_problem_and_tries_again_is_no_news(one: object, other: object) -> None:
    assert digest(one) == digest(other)


def test_since_when_a_queue_waits_is_news() -> None:
    waiting = Item("a", Kind.LATE, "mail", "waits.", since=NOW)

    assert digest(waiting) != digest(replace(waiting, since=NOW + timedelta(seconds=1)))


def test_a_glance_is_worth_a_second_and_the_oldest_go_first() -> None:
    kept = Glances(most=2)
    for name in ("a", "b", "c"):
        kept.put(name, Glance(Page(), Shell(name), NOW))

    ages = [kept.get("c", now=NOW + timedelta(seconds=age)) is not None for age in (-0.1, 0.0, 1.0, 1.1)]

    assert ages == [False, True, True, False]
    assert [kept.get(name, now=NOW) is not None for name in ("a", "b", "c")] == [False, True, True]


def test_the_oldest_renderings_go_first() -> None:
    kept = Fragments(most=2)
    kept.get("a", lambda: b"first a")
    kept.get("b", lambda: b"first b")
    kept.get("a", lambda: b"second a")
    kept.get("c", lambda: b"first c")

    found = [kept.get(key, lambda: b"anew") for key in ("a", "c", "b")]

    assert found == [b"first a", b"first c", b"anew"]


@pytest.fixture
def here(backend: Backend, tmp_path: Path) -> Site:
    return site(tmp_path, {"live": backend})


@pytest.fixture
def mira(here: Site) -> Browser:
    return here.sign_in("operator")


def shown(browser: Browser, path: str) -> str:
    """The digest that a page shows, as its markup says it."""
    page = browser.get(path).get_data(as_text=True)
    return page.partition('data-digest="')[2].partition('"')[0]


def test_only_pages_that_are_read_are_live() -> None:
    assert {route.method for route in ROUTES if route.is_live} == {"GET"}
    assert {"overview", "queues", "queue", "workers", "job"} <= {route.endpoint for route in ROUTES if route.is_live}


@pytest.mark.parametrize("path", ["/", "/queues", "/workers", "/b/live/queue?name=mail"])
def test_a_poll_of_an_unchanged_page_gets_nothing(path: str, mira: Browser, redis_client: redis.Redis) -> None:
    Stored(redis_client).waiting("one")
    known = shown(mira, path)

    answer = mira.get(path, headers={POLL: known})

    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers[DIGEST] == known


def test_a_poll_of_a_changed_page_gets_the_part_that_changes_and_its_digest(mira: Browser, redis_client: redis.Redis) -> None:
    Stored(redis_client).waiting("one")
    known = shown(mira, "/b/live/queue?name=mail")
    Stored(redis_client).waiting("two")

    answer = mira.get("/b/live/queue?name=mail", headers={POLL: known})

    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert text.lstrip().startswith('<div class="main" id="live"')
    assert text.rstrip().endswith("</div>")
    assert "<html" not in text
    assert 'class="side"' not in text
    assert answer.headers[DIGEST] == shown(mira, "/b/live/queue?name=mail") != known


def test_the_answer_to_a_poll_holds_no_token_and_the_page_does(mira: Browser, redis_client: redis.Redis) -> None:
    Stored(redis_client).waiting("one")

    page = mira.get("/b/live/queue?name=mail").get_data(as_text=True)
    polled = mira.get("/b/live/queue?name=mail", headers={POLL: "other"}).get_data(as_text=True)

    assert f'name="csrf_token" value="{mira.token()[:20]}' in page
    assert set(re.findall(r'name="csrf_token" value="([^"]*)"', polled)) == {""}


def test_a_notice_waits_for_the_page_it_is_meant_for(mira: Browser, redis_client: redis.Redis, backend: Backend) -> None:
    Stored(redis_client).waiting("one")
    page = "/b/live/queue?name=mail"
    form = {"queue": "bWFpbA", "registry": "queued", "id": "b25l", "confirmed": "1", "endpoint_version": "1"}
    mira.post("/b/live/jobs/cancel", form)

    mira.get(page, headers={POLL: "other"})
    after = mira.get(page).get_data(as_text=True)

    assert "Canceled 1 job" in after


def test_viewers_of_other_rights_share_no_markup(here: Site, mira: Browser, redis_client: redis.Redis) -> None:
    Stored(redis_client).waiting("one")
    page = "/b/live/queue?name=mail"
    noor = here.sign_in("viewer")

    polled = [browser.get(page, headers={POLL: "other"}).get_data(as_text=True) for browser in (mira, noor)]

    assert ["jobs/move" in text for text in polled] == [True, False]
    assert noor.get(page, headers={POLL: shown(mira, page)}).status_code == 200


def test_a_poll_names_nobody(here: Site) -> None:
    people = [here.sign_in("operator", name=name) for name in ("mira", "noor")]

    polled = [person.get("/queues", headers={POLL: "other"}).get_data(as_text=True) for person in people]

    assert polled[0] == polled[1]
    assert "mira" not in polled[0]
    assert "mira, operator" in people[0].get("/queues").get_data(as_text=True)


LIVE_PATHS = ("/", "/queues", "/b/live/queue?name=mail", "/b/live/queue?name=mail&registry=failed", "/failures", "/workers", "/schedule")


@pytest.mark.parametrize("path", LIVE_PATHS)
def test_viewers_of_one_moment_cost_a_backend_one_reading(
    path: str, here: Site, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seam, "POLL_MAX_AGE_S", 60.0)
    monkeypatch.setattr(glances, "MAX_AGE", timedelta(seconds=60))
    Stored(redis_client).waiting("one")
    viewers = [here.sign_in(role) for role in ("operator", "viewer", "viewer", "admin", "operator")]
    viewers[0].get(path, headers={POLL: "other"})
    redis_client.config_resetstat()

    first = [viewer.get(path, headers={POLL: "other"}) for viewer in viewers]
    again = [viewer.get(path, headers={POLL: answer.headers[DIGEST]}).status_code for viewer, answer in zip(viewers, first, strict=True)]

    assert [answer.status_code for answer in first] == [200] * 5
    assert again == [204] * 5
    assert {name for name in ran(redis_client) if name not in ("config|resetstat", "info")} == set()


def test_polls_go_on_showing_what_becomes_of_a_page_and_a_reading_serves_none_that_comes_a_second_later(
    mira: Browser, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seam, "POLL_MAX_AGE_S", 1e-9)
    monkeypatch.setattr(glances, "MAX_AGE", timedelta())
    digests = []
    for name in ("one", "two", "three"):
        Stored(redis_client).waiting(name)
        digests += [mira.get(path, headers={POLL: ""}).headers[DIGEST] for path in ("/", "/b/live/queue?name=mail")]

    assert len(set(digests)) == len(digests)


def test_two_dashboards_say_the_same_of_a_backend_that_went_down(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start()
    both = [site(tmp_path / name, {"gone": backend_of(server, name="gone")}).sign_in("operator") for name in ("here", "there")]
    with server.client() as client:
        for number, browser in enumerate(both):
            Stored(client).waiting(f"job-{number}")
            browser.get("/")
    server.stop()

    shown_by = [{path: shown(browser, path) for path in ("/", "/queues", "/workers")} for browser in both]

    assert shown_by[0] == shown_by[1]


def test_a_poll_without_a_session_is_sent_to_sign_in(here: Site) -> None:
    answer = here.stranger().get("/", headers={POLL: ""})

    assert answer.status_code == 303
