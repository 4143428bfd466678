"""Live pages: a poll gets 204 while nothing changed, else only what is morphed in; it never takes what is meant for the next page."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.web.digest import digest
from rqdash.web.fragments import Fragments
from rqdash.web.pages import ROUTES
from tests.commands import ran
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


def test_viewers_of_one_moment_cost_the_backend_one_reading(here: Site, mira: Browser, redis_client: redis.Redis) -> None:
    Stored(redis_client).waiting("one")
    viewers = [mira, *(here.sign_in("viewer") for _ in range(4))]
    mira.get("/", headers={POLL: ""})
    redis_client.config_resetstat()

    statuses = [viewer.get("/", headers={POLL: ""}).status_code for viewer in viewers]

    assert statuses == [200] * 5
    assert ran(redis_client).get("evalsha_ro", 0) <= 2


def test_a_poll_without_a_session_is_sent_to_sign_in(here: Site) -> None:
    answer = here.stranger().get("/", headers={POLL: ""})

    assert answer.status_code == 303
