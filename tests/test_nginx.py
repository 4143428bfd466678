"""In production form: real nginx with TLS in front of real gunicorn, on a host of its own and below a path, from the files of deploy/."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from rqdash.access.access import Access
from rqdash.demo.servers import HOST, Server, free_port, start_server
from rqdash.model import names
from rqdash.model.caller import Role
from rqdash.model.profile import Profile
from rqdash.profiles.registry import Profiles
from rqdash.web.pages import ROUTES
from tests.behind_nginx import PREFIXES, Front, front
from tests.pages import Document
from tests.processes import wait_until
from tests.served import served
from tests.stored import HOSTILE, Stored

FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=http",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Port": "81",
    "X-Script-Name": "/evil",
    "X-Remote-User": "mira",
    "Remote-User": "mira",
}
MOST_PAGES = 150


@dataclass(slots=True)
class Site:
    front: Front
    access: Access
    profiles: Profiles
    server: Server

    def browser(self, name: str = "mira", role: Role = Role.ADMIN) -> httpx.Client:
        """Signed in by a link, as people are."""
        client = self.front.client(follow_redirects=True)
        token = self.access.links.issue(name, now=datetime.now(UTC), role=role)
        page = Document(client.get("/sign-in/link", params={"token": token}).text)
        form = page.form("sign-in")
        answer = client.post(urljoin(self.front.url, form.action), data=form.data())
        assert answer.status_code == 200, answer.text
        return client


@pytest.fixture(scope="module", params=list(PREFIXES))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("nginx")
    server = start_server(folder / "server")
    data = served(folder / "data", {"live": server})
    data.profiles.create(Profile("dead", host=HOST, port=free_port()), by="test")
    with server.client() as client:
        stored = Stored(client)
        for number in range(60):
            stored.waiting(f"waiting-{number}")
            stored.failed(f"failed-{number}", score=-1)
        for name in HOSTILE:
            stored.waiting(f"of-{names.ref(name)}"[:200], queue=name)
    environ = {"RQDASH_DATA_DIR": str(folder / "data"), "RQDASH_PROCESSES": "2", "RQDASH_THREADS": "4", "RQDASH_BACKGROUND": "off"}
    with front(request.param, folder / "front", environ) as running:
        yield Site(running, data.access, data.profiles, server)
    server.stop()


def addresses(found: Document) -> set[str]:
    """Every address that a page reads: links, forms that search, scripts, styles, pictures."""
    named = {link.href for link in found.links} | {form.action for form in found.forms if form.method == "get"}
    return {address.partition("#")[0] for address in named | set(found.sources) if address and not address.startswith("#")}


def targets(found: Document) -> set[str]:
    """Where the forms and buttons of a page send to."""
    named = {form.action for form in found.forms} | {button.action for form in found.forms for button in form.buttons}
    return {address for address in named if address}


def test_every_page_and_everything_it_names_is_reached_by_its_address(place: Site) -> None:
    client, prefix = place.browser(), PREFIXES[place.front.variant]
    todo, seen, wrong = ["/"], set[str](), []

    while todo and len(seen) < MOST_PAGES:
        path = todo.pop()
        answer = client.get(path)
        if answer.status_code not in (200, 404, 503) or (answer.status_code == 503 and "dead" not in path):
            wrong.append(f"{answer.status_code} {path}")
        page = Document(answer.text if "text/html" in answer.headers["content-type"] else "")
        wrong += [f"{path} sends to {address}" for address in targets(page) if not address.startswith(f"{prefix}/")]
        for address in addresses(page):
            if not address.startswith(f"{prefix}/") or address.startswith("//"):
                wrong.append(f"{path} names {address}")
            relative = address.removeprefix(prefix)
            if relative not in seen and "/sign-" not in relative and "csrf" not in relative:
                seen.add(relative)
                if not relative.startswith("/static/"):
                    todo.append(relative)
                elif client.get(relative).status_code != 200:
                    wrong.append(f"{path} names {address}, which is not there")

    assert wrong == []
    assert len(seen) > 60


def test_every_page_of_the_route_table_answers(place: Site) -> None:
    client = place.browser()
    paths = {route.rule.replace("<backend>", "live").replace("<profile>", "live") for route in ROUTES if route.method == "GET"}

    statuses = {path: client.get(path).status_code for path in sorted(path for path in paths if "<" not in path)}

    assert {path: status for path, status in statuses.items() if status not in (200, 404)} == {}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_keeps_its_queue(name: str, place: Site) -> None:
    client = place.browser()

    answer = client.get("/b/live/queue", params={"name": names.ref(name)})
    form = next(form for form in Document(answer.text).forms if "/queue/empty" in form.action)

    assert answer.status_code == 200
    assert dict(form.fields)["queue"] == names.to_form(name)


def test_an_action_is_done_and_the_caller_s_own_address_is_recorded_whatever_headers_say(place: Site) -> None:
    client = place.browser("noor")
    page = Document(client.get("/b/live/queue", params={"name": "mail", "registry": "failed"}).text)
    form = page.form("jobs/requeue")
    box = form.ticks[0]

    answer = client.post(urljoin(place.front.url, form.button("Requeue").action), data=form.data(tick=[box]), headers=FORGED)

    entry = place.access.audit.entries(1)[0]
    assert answer.status_code == 200
    assert "evil" not in str(answer.url)
    assert (entry.verb, entry.name, entry.address, entry.outcomes) == ("requeue", "noor", HOST, {"done": 1})


def test_forged_headers_open_no_door_and_lead_nowhere(place: Site) -> None:
    client = place.front.client()

    answer = client.get("/queues", headers=FORGED)
    other_host = client.get("/queues", headers={"Host": "evil.example"})

    assert answer.status_code == 303
    assert "evil" not in answer.headers["location"]
    assert urlsplit(answer.headers["location"]).path == f"{PREFIXES[place.front.variant]}/sign-in"
    assert (other_host.status_code, "evil" in other_host.text) == (400, False)


def test_cookies_are_for_https_and_this_path_only(place: Site) -> None:
    client = place.browser()

    found = {cookie.name: (cookie.secure, cookie.path) for cookie in client.cookies.jar}

    assert found["rqdash_session"] == (True, PREFIXES[place.front.variant] or "/")
    assert found["rqdash_form"][0]


def test_nginx_serves_static_files_for_ever_and_each_header_once(place: Site) -> None:
    client = place.browser()
    page = client.get("/")
    sheet = next(address for address in addresses(Document(page.text)) if address.endswith("app.css"))

    answer = client.get(sheet.removeprefix(PREFIXES[place.front.variant]), headers={"Accept-Encoding": "gzip"})

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"]
    assert "etag" in answer.headers
    for name in ("content-security-policy", "x-content-type-options", "strict-transport-security", "x-frame-options"):
        assert len(page.headers.get_list(name)) == 1, name


def test_large_answers_are_compressed(place: Site) -> None:
    client = place.browser()

    answer = client.get("/b/live/queue", params={"name": "mail"}, headers={"Accept-Encoding": "gzip"})

    assert answer.headers["content-encoding"] == "gzip"


def test_a_form_that_is_too_large_is_refused(place: Site) -> None:
    client = place.browser()

    answer = client.post("/connections/import", data={"text": "x" * 1_100_000})

    assert answer.status_code == 413


def test_an_upload_is_read(place: Site) -> None:
    client = place.browser()
    form = next(form for form in Document(client.get("/connections/import").text).forms if "/import" in form.action)
    files = {"file": ("settings.py", b"REDIS_URL = 'redis://redis.example:6380/2'\n")}

    answer = client.post(urljoin(place.front.url, form.action), data=form.data(), files=files)

    assert answer.status_code == 200
    assert "redis.example" in answer.text


def test_a_poll_gets_nothing_or_what_changed(place: Site) -> None:
    client = place.browser()
    page = client.get("/b/live/queue", params={"name": "mail"})
    digest = page.text.partition('data-digest="')[2].partition('"')[0]

    same = client.get("/b/live/queue", params={"name": "mail"}, headers={"Rqdash-Poll": digest})
    other = client.get("/b/live/queue", params={"name": "mail"}, headers={"Rqdash-Poll": "old"})

    assert (same.status_code, same.content) == (204, b"")
    assert (other.status_code, other.headers["rqdash-digest"]) == (200, digest)


def test_a_reload_under_load_loses_no_request(place: Site) -> None:
    client, stop = place.browser(), threading.Event()
    failed: list[str] = []
    answered = [0] * 4

    def ask(number: int) -> None:
        with place.front.client(cookies=client.cookies) as own:
            while not stop.is_set():
                try:
                    status = own.get("/health/ready" if number % 2 else "/account").status_code
                except httpx.HTTPError as error:
                    failed.append(type(error).__name__)
                else:
                    answered[number] += 1
                    if status != 200:
                        failed.append(str(status))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        before = list(answered)
        place.front.reload()
        assert wait_until(lambda before=before: all(now > then + 10 for now, then in zip(answered, before, strict=True)), within_s=60)
    stop.set()
    for thread in threads:
        thread.join()

    assert failed == []
