"""Hostile names: whatever queues, jobs, workers and errors are called is text on a page, and each link and form reaches its own."""

from __future__ import annotations

import base64
import html
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model import names
from rqdash.web.filters import middle, shown_name
from tests.contents import changed, contents
from tests.pages import Document, Fields, person, program
from tests.served import Served, served
from tests.site import Browser, site
from tests.stored import HOSTILE, Stored

SCRIPT = "<script>alert(1)</script>"
LONG = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(1300))
"""4 KB that do not get smaller when packed, for whatever travels in a cookie; 1 KB of it are 3 KB in an address."""
NAMES = (*HOSTILE, LONG, LONG[:340], "%2e%2e", "~" + "0123456789abcdef" * 4, "a\x00b", "cr\rlf\r\n", "%00", "+ &=#", " ", "'\"><img src=x>")
PLAIN = re.compile("[A-Za-z0-9_-]+")
FOREVER = float("inf")
LISTS = ("/", "/queues?size=200", "/workers?size=200")
FAILED = ("requeue", "move", "delete")
"""The verbs tried on the failed job of each name; the others are tried on the waiting one."""
BUTTONS = {"requeue": "Requeue", "move": "Move", "delete": "Delete", "cancel": "Cancel", "empty": "Empty"}


def waits(name: str) -> str:
    """The id of the job that waits in the queue of this name; the job that failed there is called as the queue is."""
    return f"{name}/waits"


def plain(name: str) -> str:
    """The id, as RQ makes them, of another job that failed in the queue of this name: workers refuse to run the hostile ones."""
    return names.digest(name)[:32]


def fill(client: redis.Redis) -> None:
    """For each name a queue with two jobs, a worker that runs a third, and the name again in every text of theirs."""
    stored = Stored(client)
    for name in NAMES:
        trace = f'Traceback (most recent call last):\n  File "{name}", line 1, in {name}\n    {name}\nValueError: {name}\n'
        packed = base64.b64encode(zlib.compress(trace.encode("utf-8", "surrogateescape")))
        texts = {"description": name, "group_id": name, "rate_limit_key": name}
        stored.waiting(waits(name), queue=name, **texts)
        stored.failed(name, queue=name, score=FOREVER)
        stored.failed(plain(name), queue=name, score=FOREVER)
        client.hset(names.encoded(f"rq:job:{name}"), mapping={field: names.encoded(text) for field, text in texts.items()})
        client.xadd(names.encoded(f"rq:results:{name}"), {"type": 2, "exc_string": packed})
        stored.worker(name, queues=name, state="busy", current_job=f"{name}/runs")
        stored.running(name, f"{name}/runs", queue=name)
        client.zadd(names.encoded(f"rq:wip:{name}"), dict.fromkeys(client.zrange(names.encoded(f"rq:wip:{name}"), 0, -1), FOREVER))


def reached(address: str, ask: Callable[[str], object]) -> tuple[str, str]:
    """("queue" or "job", the name) that the JSON of a link's address is about."""
    data = ask(address)
    assert isinstance(data, dict), address
    return ("job", data["job"]["row"]["id"]) if "job" in data else ("queue", data["queue"]["name"])


def ours(document: Document) -> dict[str, list[str]]:
    """The words and title of every link to a queue or a job, by address."""
    links = [link for link in document.links if urlsplit(link.href).path in ("/b/live/queue", "/b/live/job")]
    return {link.href: [*(had.title + had.text.strip() for had in links if had.href == link.href)] for link in links}


@pytest.fixture
def place(tmp_path: Path, server: Server, redis_client: redis.Redis) -> Iterator[Served]:
    """Real gunicorn, whose parser of HTTP is the first to meet a hostile address."""
    fill(redis_client)
    dashboard = served(tmp_path / "data", {"live": server}).start()
    yield dashboard
    dashboard.stop()


def test_every_name_is_text_and_every_link_reaches_exactly_what_it_names(place: Served) -> None:
    visitor = person(place)
    ask = asker(place)
    lists = {path: visitor.get(path).text for path in LISTS}
    queues = {href: reached(href, ask)[1] for page in lists.values() for href in ours(Document(page)) if "/queue?" in href}
    tabs = [f"{href}&registry={name}" for href in queues if not is_tab(href) for name in ("queued", "failed", "started")]
    pages = lists | {href: visitor.get(href).text for href in tabs}
    jobs = {href for page in pages.values() for href in ours(Document(page)) if "/job?" in href}
    pages |= {href: visitor.get(href).text for href in jobs}

    wrong = [(path, problem) for path, page in pages.items() for problem in wrong_links(path, page, ask)]

    assert set(queues.values()) == set(NAMES)
    assert {reached(href, ask)[1] for href in jobs} == {job for name in NAMES for job in (name, plain(name), waits(name), f"{name}/runs")}
    assert [path for path, page in pages.items() if "<script>alert" in page or "<img src=x" in page] == []
    assert all(html.escape(SCRIPT) in page for page in lists.values())
    assert wrong == []


def wrong_links(path: str, page: str, ask: Callable[[str], object]) -> list[str]:
    """The links of a page that reach something they do not name; those of a job's page lead to itself and to its queue."""
    here = {} if path in LISTS else dict([reached(path, ask)])
    if "job" in here:
        here["queue"] = job_at(path, ask)["row"]["queue"]
    wrong = []
    for href, words in ours(Document(page)).items():
        kind, name = reached(href, ask)
        is_right = name == here[kind] if kind in here else is_tab(href) or any(names_it(said, name) for said in words)
        wrong += [] if is_right else [f"{href} of {words} reaches {kind} {name}"]
    return wrong


def names_it(words: str, name: str) -> bool:
    """Whether a link's words or title show a name, be it without its middle."""
    shown = shown_name(name)
    return any(form in words for form in (shown[:200], *(middle(shown, keep) for keep in (10, 18))))


def is_tab(href: str) -> bool:
    """Whether a link names a registry too; its words are the registry's, or a count."""
    return "registry" in parse_qs(urlsplit(href).query) and "/queue?" in href


def job_at(address: str, ask: Callable[[str], object]) -> dict[str, Any]:
    data = ask(address)
    assert isinstance(data, dict)
    found: dict[str, Any] = data["job"]
    return found


def asker(place: Served) -> Callable[[str], object]:
    """Asks the API what is at an address, once for each."""
    known: dict[str, object] = {}
    caller = program(place)

    def ask(address: str) -> object:
        if address not in known:
            answer = caller.get(f"/api/v1{address}")
            assert answer.status == 200, (address, answer.text)
            known[address] = answer.json()
        return known[address]

    return ask


@pytest.fixture
def browser(tmp_path: Path, backend: Backend, redis_client: redis.Redis) -> Browser:
    """An operator of the server where everything has a hostile name."""
    fill(redis_client)
    return site(tmp_path / "data", {"live": backend}).sign_in("operator")


def touched(verb: str, name: str) -> set[bytes]:
    """The keys that an action on one job of the queue of this name, and on no other, changes."""
    queue, job = f"rq:queue:{name}", target(verb, name)
    texts = {
        "requeue": {f"rq:failed:{name}", f"rq:job:{job}", queue},
        "move": {f"rq:failed:{name}", f"rq:job:{job}", "rq:queue:moved here"},
        "delete": {f"rq:failed:{name}", f"rq:job:{job}", f"rq:results:{job}"},
        "cancel": {f"rq:canceled:{name}", f"rq:job:{job}", queue},
        "empty": {f"rq:job:{job}", queue},
    }
    return {names.encoded(key) for key in texts[verb]}


def target(verb: str, name: str) -> str:
    """The job that a verb is tried on."""
    return {"requeue": plain, "move": plain, "delete": str}.get(verb, waits)(name)


@pytest.mark.parametrize("verb", ["requeue", "move", "delete", "cancel", "empty"])
def test_each_action_by_the_forms_of_the_page_changes_exactly_its_own_job(browser: Browser, redis_client: redis.Redis, verb: str) -> None:
    redis_client.sadd("rq:queues", "rq:queue:moved here")

    for name in NAMES:
        before = contents(redis_client)

        landed = act(browser, verb, name, target(verb, name))

        assert changed(before, contents(redis_client)) == touched(verb, name), (verb, name)
        assert " 1 job of " in Document(landed).text
        assert "<script>alert" not in landed


@pytest.mark.parametrize("verb", ["requeue", "move"])
def test_a_job_whose_id_would_end_a_worker_is_refused_and_nothing_changes(browser: Browser, redis_client: redis.Redis, verb: str) -> None:
    redis_client.sadd("rq:queues", "rq:queue:moved here")
    before = contents(redis_client)

    for name in (name for name in NAMES if not PLAIN.fullmatch(name)):
        landed = act(browser, verb, name, name)

        assert "1 refused, for workers" in Document(landed).text, name
    assert changed(before, contents(redis_client)) == set()


@pytest.mark.parametrize("verb", ["requeue", "move", "delete"])
def test_each_action_of_a_jobs_own_page_changes_exactly_that_job(browser: Browser, redis_client: redis.Redis, verb: str) -> None:
    redis_client.sadd("rq:queues", "rq:queue:moved here")

    for name in NAMES:
        before = contents(redis_client)
        registry = Document(browser.get(queue_page(name, verb)).get_data(as_text=True))
        link = next(link for link in registry.links if "/job?" in link.href and shown_name(target(verb, name))[:200] == link.title)

        landed = send(browser, browser.get(link.href).get_data(as_text=True), verb, tick=[])

        assert changed(before, contents(redis_client)) == touched(verb, name), (verb, name)
        assert " 1 job of " in Document(landed).text


def queue_page(name: str, verb: str) -> str:
    """The address of the registry that an action is tried in."""
    return f"/b/live/queue?{urlencode({'name': names.ref(name), 'registry': 'failed' if verb in FAILED else 'queued'})}"


def way(verb: str) -> str:
    return "/queue/empty" if verb == "empty" else f"/jobs/{verb}"


def act(browser: Browser, verb: str, name: str, job_id: str) -> str:
    """Ticks the box of a job on the page of a queue, presses the verb's button and answers what it asks; the page it lands on."""
    page = browser.get(queue_page(name, verb)).get_data(as_text=True)
    ticks = Document(page).form(way(verb)).ticks
    return send(browser, page, verb, tick=[pair for pair in ticks if pair == ("id", names.to_form(job_id))])


def send(browser: Browser, page: str, verb: str, *, tick: Fields) -> str:
    form = Document(page).form(way(verb))
    answer = browser.client.post(form.button(BUTTONS[verb]).action, data=form.data(tick=tick))
    if answer.status_code == 200:
        asks = Document(answer.get_data(as_text=True)).form(way(verb))
        more = {"to_queue": names.to_form("moved here")} if verb == "move" else {}
        answer = browser.client.post(asks.action, data=asks.data(typed=more))
    assert answer.status_code == 303, answer.get_data(as_text=True)
    landed = browser.get(answer.headers["Location"])
    assert landed.status_code == 200
    return landed.get_data(as_text=True)
