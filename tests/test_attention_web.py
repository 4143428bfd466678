"""Needs attention on the overview: what is wrong, why, since when and where it is mended, in words, in links and in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, free_port
from rqdash.model.profile import Profile
from tests.conftest import backend_of
from tests.editing import EDIT, registry, submit
from tests.pages import Document
from tests.site import Browser, Site, site
from tests.stored import Stored


@pytest.fixture
def dead(server: Server) -> Iterator[Backend]:
    backend = backend_of(replace(server, port=free_port()), name="legacy")
    yield backend
    backend.close()


@pytest.fixture
def stored(redis_client: redis.Redis) -> Stored:
    return Stored(redis_client)


@pytest.fixture
def place(tmp_path: Path, backend: Backend) -> Site:
    return site(tmp_path / "data", {"live": backend})


@pytest.fixture
def mira(place: Site) -> Browser:
    return place.sign_in("viewer", name="mira")


def attention(browser: Browser, path: str = "/") -> str:
    """The markup of the section."""
    page = browser.get(path).get_data(as_text=True)
    return re.search(r'<section class="panel" aria-labelledby="attention">.*?</section>', page, re.DOTALL)[0]  # type: ignore[index]


def text(markup: str) -> str:
    return " ".join(Document(markup).text.split()).replace(" :", ":")


def since(**delta: float) -> str:
    return (datetime.now(UTC) - timedelta(**delta)).isoformat()


def test_nothing_wrong_is_quiet(mira: Browser, stored: Stored) -> None:
    stored.queue("mail")
    stored.worker("w-1")

    found = attention(mira)

    assert "Nothing needs you" in text(found)
    assert "<table" not in found
    assert "Healthy" in Document(mira.get("/").get_data(as_text=True)).text


def test_an_item_says_what_and_leads_to_where_it_is_mended(mira: Browser, stored: Stored) -> None:
    stored.waiting("one", queue="a b&c", enqueued_at=since(minutes=41))

    found = attention(mira)

    assert "a b&c: 1 job waits and no worker listens." in text(found)
    assert 'href="/b/live/queue?name=a+b%26c"' in found or 'href="/b/live/queue?name=a%20b%26c"' in found
    assert 'data-shows="for"' in found


def test_a_dead_backend_is_the_worst_and_the_others_are_looked_at(tmp_path: Path, backend: Backend, dead: Backend, stored: Stored) -> None:
    stored.waiting("one", enqueued_at=since(minutes=41))
    place = site(tmp_path / "data", {"live": backend, "legacy": dead})
    admin, viewer = place.sign_in("admin"), place.sign_in("viewer")

    found = attention(admin)

    rows = [text(row) for row in re.findall(r"<tr data-hue.*?</tr>", found, re.DOTALL)]
    assert len(rows) == 2
    assert rows[0].startswith("legacy")
    assert "Down" in rows[0]
    assert "1 job waits and no worker listens." in rows[1]
    assert 'href="/connections/legacy"' in found
    assert "/connections/" not in attention(viewer)


def test_only_eight_are_shown_until_all_are_asked_for(mira: Browser, stored: Stored) -> None:
    for number in range(14):
        stored.waiting(f"job-{number}", queue=f"q{number}")

    few, every = attention(mira), attention(mira, "/?attention=all")

    assert "Show all 14" in text(few)
    assert few.count("<tr data-hue") == 8
    assert every.count("<tr data-hue") == 14
    assert "Show fewer" in text(every)


@pytest.mark.parametrize(("word", "is_suspended"), [("warning", False), ("suspended", True)])
def test_the_chip_of_a_backend_and_its_card_agree_with_its_items(mira: Browser, stored: Stored, word: str, is_suspended: bool) -> None:
    stored.waiting("one")
    if is_suspended:
        stored.client.set(stored.keys.suspended, 1)

    overview, elsewhere = (mira.get(path).get_data(as_text=True) for path in ("/", "/workers"))

    for page in (overview, elsewhere):
        chips = re.search(r'<nav class="scope".*?</nav>', page, re.DOTALL)
        assert chips is not None
        assert f'<span class="sr">{word}</span>' in chips[0]
    card = re.search(r'<article class="card".*?</article>', overview, re.DOTALL)
    assert card is not None
    assert ("Suspended" if is_suspended else "1 warning") in text(card[0])


def test_a_chip_is_plain_again_once_all_is_well(mira: Browser, stored: Stored) -> None:
    stored.waiting("one")
    mira.get("/")
    stored.worker("w-1")
    stored.client.hset(stored.keys.job("one"), "enqueued_at", since(seconds=1))

    page = mira.get("/").get_data(as_text=True)

    assert '<span class="sr">warning</span>' not in page


def test_the_items_are_in_the_json(place: Site, stored: Stored) -> None:
    stored.waiting("one", queue="reports", enqueued_at=since(minutes=41))

    body = place.stranger().get("/api/v1/", headers=place.token("viewer")).get_json()

    (need,) = body["attention"]["needs"]
    assert body["attention"]["total"] == 1
    assert (need["mark"]["name"], need["item"]["kind"], need["item"]["queue"]) == ("live", "unattended", "reports")
    assert need["item"]["since"].endswith("Z")


def test_what_could_not_be_looked_at_is_said(tmp_path: Path, server: Server, redis_client: redis.Redis) -> None:
    redis_client.execute_command(
        "ACL", "SETUSER", "plain", "reset", "on", "nopass", "~rq:*", "+@read", "+@connection", "+@scripting", "-info"
    )
    backend = backend_of(server, username="plain")
    mira = site(tmp_path / "data", {"live": backend}).sign_in("viewer")

    found = text(attention(mira))

    assert "Nothing needs you" in found
    assert "live: eviction, memory and clock unknown." in found
    backend.close()
    redis_client.execute_command("ACL", "DELUSER", "plain")


def test_a_profile_says_from_when_on_it_warns(tmp_path: Path, server: Server, stored: Stored) -> None:
    place = site(tmp_path / "data")
    profiles = registry(place)
    profiles.create(Profile("orders", host="127.0.0.1", port=server.port), by="mira")
    admin = place.sign_in("admin", name="ada")
    stored.waiting("one", enqueued_at=since(minutes=8))
    stored.worker("w-1")
    before = text(attention(admin))

    status, _ = submit(admin, EDIT, {"oldest_warn_s": "600", "failures_warn_per_hour": "20", "clock_skew_warn_s": "2.5"})

    stored_now = profiles.get("orders")
    assert "mail: its oldest job waits longer than 5 m 00 s." in before
    assert (status, "Nothing needs you" in text(attention(admin))) == (303, True)
    assert (stored_now.oldest_warn_s, stored_now.failures_warn_per_hour, stored_now.clock_skew_warn_s) == (600, 20, 2.5)
    assert stored_now.endpoint_version == 1


@pytest.mark.parametrize(("field", "typed"), [("oldest_warn_s", "-1"), ("oldest_warn_s", "soon"), ("clock_skew_warn_s", "0.5")])
def test_a_limit_that_cannot_be_is_said_at_its_field(tmp_path: Path, field: str, typed: str) -> None:
    place = site(tmp_path / "data")
    registry(place).create(Profile("orders"), by="mira")

    status, page = submit(place.sign_in("admin", name="ada"), EDIT, {field: typed})

    assert status == 400
    assert f'id="{field}-hint"' in page or f'aria-describedby="{field}' in page
