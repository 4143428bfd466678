"""The page of failures: one list over all backends, groups, what it says of what it could not see, and who may act."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rqdash.backends.backend import Backend
from rqdash.demo.servers import HOST, Server, free_port
from rqdash.model.keys import Keys
from rqdash.model.names import encoded
from rqdash.model.profile import Profile
from tests.commands import written
from tests.conftest import backend_of
from tests.site import Site, site
from tests.stored import HOSTILE, TRACE, Stored, ago

FAR, DEAD = "far", "dead"
App = Callable[..., Site]


@pytest.fixture
def stored(redis_client: redis.Redis) -> Stored:
    return Stored(redis_client)


@pytest.fixture
def other(redis_client: redis.Redis) -> Stored:
    return Stored(redis_client, Keys("other"))


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


def fail(stored: Stored, job_id: str, *, queue: str = "mail", ended_s_ago: float = 10, trace: str = TRACE, **fields: object) -> None:
    """A failed job on a queue that RQ lists; it never expires, whatever the clock says."""
    stored.queue(queue)
    stored.failed(job_id, queue=queue, score=-1, ended_s_ago=ended_s_ago, trace=trace)
    for field, value in fields.items():
        key = encoded(stored.keys.job(job_id))
        stored.client.hdel(key, field) if value is None else stored.client.hset(key, field, str(value))


def read(found: Site, path: str, role: str = "admin") -> str:
    answer = found.sign_in(role).get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def said(page: str) -> str:
    """What is read on a page, in one line."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)))


def jobs(page: str) -> list[str]:
    """What the rows of the list call their jobs, from the first to the last."""
    return re.findall(r'<td class="half mid"><a class="name mono"[^>]*>([^<]*)</a>', page)


def test_failures_of_all_backends_are_one_list_by_their_end(app: App, stored: Stored, other: Stored) -> None:
    for number in range(6):
        fail(stored if number % 2 else other, f"job-{number}", ended_s_ago=100 - number, description=f"d{number}", data=None)

    page = read(app(), "/failures")

    assert jobs(page) == ["d5", "d4", "d3", "d2", "d1", "d0"]
    assert "all 6 on live, far" in said(page)
    assert "1 to 6 of 6" in said(page)


def test_older_failures_follow_page_by_page_across_backends(app: App, stored: Stored, other: Stored) -> None:
    for number in range(130):
        fail(stored if number % 3 else other, f"job-{number}", ended_s_ago=number, description=f"d{number}", data=None)
    browser = app().sign_in()

    pages, address = [], "/failures"
    while address:
        page = browser.get(address).get_data(as_text=True)
        pages.append(page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        address = html.unescape(found.group(1)) if found else ""

    assert [name for page in pages for name in jobs(page)] == [f"d{number}" for number in range(130)]
    assert "51 to 100 of 130" in said(pages[1])
    assert "101 to 130 of 130" in said(pages[2])


def test_a_row_opens_in_place_to_its_error_and_leads_to_others_like_it(app: App, stored: Stored) -> None:
    fail(stored, "job", queue="mail,high")

    page = read(app(), "/failures?backend=live")

    assert "<details><summary" in page
    assert "/srv/app/tasks.py" in page
    assert "raise ValueError(n)" in page
    searches = {parse_qs(urlsplit(html.unescape(link)).query).get("q", [""])[0] for link in re.findall(r'href="(/failures\?[^"]+)"', page)}
    assert {"error:ValueError", "fn:app.tasks.send", 'queue:"mail,high"'} <= searches
    assert all("backend=live" in link for link in re.findall(r'href="(/failures\?[^"]*q=[^"]+)"', page))


def test_every_link_of_a_row_finds_the_row_again_whatever_its_names(app: App, stored: Stored) -> None:
    for number, name in enumerate(HOSTILE):
        fail(stored, f"job-{number}", queue=name, description=f"d{number}", data=None)
    browser = app().sign_in()
    page = browser.get("/failures").get_data(as_text=True)

    links = re.findall(r'<a class="link" href="([^"]+)">Same queue</a>', page)

    found = [jobs(browser.get(html.unescape(link)).get_data(as_text=True)) for link in links]
    assert sorted(found) == sorted([f"d{number}"] for number in range(len(HOSTILE)))


def test_groups_count_over_all_backends_with_functions_and_times(app: App, stored: Stored, other: Stored) -> None:
    for number in range(3):
        fail(stored, f"a{number}", trace=TRACE.replace("customer", f"customer {number}"))
    fail(other, "b", trace=TRACE.replace("customer", "customer 99"))
    fail(other, "c", trace=TRACE.replace("ValueError", "KeyError"))
    found = app()

    page = read(found, "/failures?view=groups")
    data = found.stranger().get("/api/v1/failures?view=groups", headers=found.token("viewer")).get_json()

    assert "Grouped all 5 on live, far." in said(page)
    assert "no such customer &lt;n&gt;" in page
    assert "in app.tasks.send" in said(page)
    counts = [(row["group"]["count"], [(mark["name"], count) for mark, count in row["shares"]]) for row in data["groups"]]
    assert counts == [(4, [("live", 3), ("far", 1)]), (1, [("far", 1)])]


def test_a_group_is_acted_on_by_a_search_for_it_as_of_now(app: App, stored: Stored, other: Stored) -> None:
    fail(stored, "a")
    fail(other, "b")
    page = read(app(), "/failures?view=groups")

    forms = re.findall(r'<form class="row" method="post" action="/operations".*?</form>', page, re.DOTALL)

    (form,) = forms
    assert re.search(r'name="q" value="status:failed group:[0-9a-f]{12}"', form)
    assert re.search(r'name="as_of" value="20[^"]+Z"', form)
    assert re.findall(r'name="on" value="([^"]+)"', form) == ["far", "live"]
    assert re.findall(r'name="verb" value="([^"]+)"', form) == ["requeue", "delete"]


def test_the_whole_group_is_planned_on_all_its_backends(app: App, stored: Stored, other: Stored) -> None:
    for number in range(3):
        fail(stored, f"a{number}", trace=TRACE.replace("customer", f"customer {number}"))
    fail(other, "b")
    browser = app().sign_in()
    form = re.search(r'action="/operations".*?</form>', browser.get("/failures?view=groups").get_data(as_text=True), re.DOTALL)
    assert form is not None
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="(q|as_of|on)" value="([^"]*)"', form[0]):
        fields.setdefault(name, []).append(html.unescape(value))

    answer = browser.post("/operations", {**fields, "verb": "requeue"})

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/operations/")
    assert stored.client.zcard(stored.keys.registry("failed", "mail")) == 3


def test_viewers_and_backends_that_are_read_only_have_no_buttons(app: App, stored: Stored) -> None:
    fail(stored, "a")
    found = app()

    pages = [read(found, path, "viewer") for path in ("/failures", "/failures?view=groups", "/failures?q=error:Value")]

    assert not any('method="post"' in page for page in pages)


def test_a_search_narrows_the_list_and_a_mistake_is_explained_while_the_list_stays(app: App, stored: Stored, other: Stored) -> None:
    fail(stored, "a", description="da", data=None)
    fail(other, "b", description="db", data=None, trace=TRACE.replace("ValueError", "KeyError"))
    found = app()

    narrowed, by_backend = read(found, "/failures?q=error:key"), read(found, "/failures?q=backend:l*")
    mistaken = read(found, "/failures?q=error:key+nope:x")

    assert (jobs(narrowed), jobs(by_backend)) == (["db"], ["da"])
    assert "all 2 on live, far" in said(narrowed)
    assert len(jobs(mistaken)) == 2
    assert "There is no field nope" in said(mistaken)
    assert "At character 11" in said(mistaken)
    assert "All that match" not in mistaken


def test_nothing_failed_nothing_matches_and_nothing_known_are_three_sentences(app: App, stored: Stored) -> None:
    found = app(dead=True)
    nothing_failed = read(found, "/failures?backend=live")
    fail(stored, "a")

    nothing_matches = read(found, "/failures?backend=live&q=error:Nope")
    unknown = read(found, f"/failures?backend={DEAD}")

    assert "Nothing failed" in nothing_failed
    assert "Nothing matches" in nothing_matches
    assert "1 of 1 failures were read" in said(nothing_matches)
    assert "Whether anything failed is unknown" in unknown


@pytest.mark.parametrize("path", ["/failures", "/failures?view=groups"])
def test_a_dead_backend_is_told_in_a_line_and_spoils_nothing(app: App, stored: Stored, path: str) -> None:
    fail(stored, "a")

    page = read(app(dead=True), path)

    assert "no such customer" in page
    assert f"</svg><b>{DEAD}</b>" in page
    assert "Its failures are not in this list." in page


def test_the_header_says_which_window_it_covers_and_offers_more(app: App, stored: Stored) -> None:
    keys = stored.keys
    stored.queue("mail")
    with stored.client.pipeline(transaction=False) as pipeline:
        for number in range(1_200):
            pipeline.zadd(keys.registry("failed", "mail"), {f"job-{number}": 4_000_000_000 - number})
            pipeline.hset(keys.job(f"job-{number}"), mapping={"ended_at": ago(number), "status": "failed", "exc_info": TRACE})
        pipeline.execute()
    found = app()

    page, grouped = read(found, "/failures"), read(found, "/failures?view=groups")
    whole = read(found, "/failures?view=groups&window=5000")

    assert "Newest end first: the newest 1,000 of 1,200 on live, all 0 on far · Scan more." in said(page)
    assert "Grouped the newest 1,000 of 1,200 on live, all 0 on far · Scan more." in said(grouped)
    assert "window=5000" in grouped
    assert "Grouped all 1,200 on live, far." in said(whole)


def test_what_is_no_window_page_or_place_is_the_first_page(app: App, stored: Stored) -> None:
    fail(stored, "a", description="da", data=None)
    found = app()

    pages = [read(found, f"/failures?{query}") for query in ("window=7", "window=x&after=zzz", "view=odd", "page=-1&size=9", "after=")]

    assert all(jobs(page) == ["da"] for page in pages)


def test_only_backends_that_the_caller_may_see_are_listed(app: App, stored: Stored, other: Stored) -> None:
    fail(stored, "a", description="da", data=None)
    fail(other, "b", description="db", data=None)
    browser = app().sign_in("operator", grants=("far",))

    page = browser.get("/failures").get_data(as_text=True)

    assert jobs(page) == ["db"]
    assert "live" not in said(page)
    assert browser.get("/failures?backend=live").status_code == 404


def test_a_stranger_is_sent_to_sign_in_and_the_page_writes_nothing(app: App, stored: Stored) -> None:
    fail(stored, "a")
    found = app()
    stored.client.config_resetstat()

    answer = found.stranger().get("/failures")
    read(found, "/failures")
    read(found, "/failures?view=groups&q=error:Value")

    assert answer.status_code == 303
    assert written(stored.client) == set()
