"""No secret is anywhere it does not belong: a run of everything, with marked secrets, whose every trace is looked through."""

from __future__ import annotations

import base64
import io
import json
import logging
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from werkzeug.test import TestResponse

from rqdash.cli import main
from rqdash.demo.servers import HOST, Server, free_port
from rqdash.model.profile import Kind, Node, Profile, Secrets
from rqdash.profiles.registry import Profiles
from rqdash.web.binding import COOKIE
from rqdash.web.pages import ROUTES
from tests.editing import registry
from tests.leaks import SPECIAL, Sieve, errors_kept, written
from tests.pages import Document, Person
from tests.served import Served
from tests.site import Browser, Site, site
from tests.stored import variety
from tests.tls import authority

NEW, EDIT, TEST = "/connections/new", "/connections/orders/edit", "/connections/test"
READS = tuple(route for route in ROUTES if route.method == "GET" and route.endpoint != "link")
STAGES: Mapping[str, Mapping[str, str]] = {
    "target": {"host": "169.254.169.254"},
    "name": {"host": "no-such-host.invalid"},
    "connect": {"port": "1"},
    "TLS": {"tls": "1", "tls_verify": "1"},
    "sign-in": {},
    "sentinels": {"kind": "sentinel", "master_name": "orders"},
    "fields": {"port": "a lot", "connect_timeout_s": "soon"},
    "certificate": {"tls": "1", "client_cert_pem": "none", "client_key": "none"},
}


class Parrot(socketserver.BaseRequestHandler):
    """Answers whatever it is sent with an error that repeats it, as a server or proxy without HELLO does."""

    def handle(self) -> None:
        while said := self.request.recv(65536):
            words = said.replace(b"\r\n", b" ")
            self.request.sendall(b"-ERR unknown command, with args beginning with: " + words + b"\r\n")


@dataclass
class Place:
    """A dashboard, those who use it, and the sieve that all they are answered goes through."""

    site: Site
    sieve: Sieve
    browser: Browser
    api: dict[str, str]

    @property
    def profiles(self) -> Profiles:
        return registry(self.site)

    def admin(self) -> Browser:
        """Another admin: live tests are counted for each. Its session is a secret."""
        browser = self.site.sign_in("admin")
        self.sieve.secret(_cookie(browser))
        return browser

    def see(self, what: str, response: TestResponse, *, belongs: str = "") -> TestResponse:
        """Looks through an answer and its headers; the cookie alone is where a session's token goes."""
        headers = [(name, value) for name, value in response.headers if name != "Set-Cookie"]
        self.sieve.look(what, response.get_data(), belongs=belongs)
        self.sieve.look(f"headers of {what}", headers, belongs=belongs)
        return response

    def send(self, path: str, typed: Mapping[str, str], *, browser: Browser | None = None) -> TestResponse:
        return self.see(f"{path} {sorted(typed)}", (browser or self.browser).post(path, typed))


def _cookie(browser: Browser) -> str:
    cookie = browser.client.get_cookie(COOKIE)
    assert cookie is not None
    return cookie.value


@pytest.fixture
def place(tmp_path: Path, server: Server, parrot: int, caplog: pytest.LogCaptureFixture) -> Place:
    # Before the database is opened, which only then writes down every statement with its values.
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="sqlalchemy")
    made, sieve = site(tmp_path / "data"), Sieve()
    api = made.token()
    sieve.secret(api["Authorization"].removeprefix("Bearer "))
    found = Place(made, sieve, made.sign_in(), api)
    sieve.secret(_cookie(found.browser))
    with server.client() as client:
        variety(client)
    orders = Profile("orders", host=HOST, port=server.port)
    parroted = replace(orders, name="parroted", port=parrot, username="dash")
    for profile in (orders, parroted, replace(parroted, name="nobody", port=free_port())):
        found.profiles.create(profile, secrets=Secrets(sieve.mark("stored")), by="test")
    nodes = (Node(HOST, parrot), Node(HOST, free_port()))
    group = Profile("group", kind=Kind.SENTINEL, sentinels=nodes, master_name="orders", sentinel_username="watcher")
    found.profiles.create(group, secrets=Secrets(sieve.mark("stored"), sieve.mark("watching")), by="test")
    return found


@pytest.fixture
def parrot() -> Iterator[int]:
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer((HOST, 0), Parrot) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield int(listening.server_address[1])
        listening.shutdown()
        thread.join()


def test_no_secret_is_anywhere_it_does_not_belong(place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    with errors_kept(monkeypatch) as errors:
        for part in (reads, edits, trials, pastes, imports, sign_ins, strangers, commands, served_run):
            part(place)
    for error in errors:
        place.sieve.look(f"an error {type(error).__name__}", written(error))
    place.sieve.look_at_logs(caplog.records)
    place.sieve.look_at_objects()
    for entry in place.site.access.audit.entries(200):
        place.sieve.look("an audit row", entry)
    stored = [path for path in place.site.settings.data_dir.rglob("*") if path.is_file() and path.parent.name != "keys"]
    for path in stored:
        place.sieve.look(f"the file {path.name}", path.read_bytes())

    print(f"\n{place.sieve.seen} places, {len(place.sieve.known)} secrets, {len(errors)} errors, {len(caplog.records)} log records")
    assert place.sieve.found == []
    assert {error.code for error in errors} >= {"invalid", "stale", "refused", "denied", "csrf", "throttled"}
    assert any(path.read_bytes().startswith(b"SQLite format 3") for path in stored)


def reads(place: Place) -> None:
    """Every page, as a page and as JSON, of each backend."""
    for route in READS:
        for name in ("orders", "parroted", "nobody", "group"):
            address = route.rule.replace("<profile>", name).replace("<backend>", name).replace("<int:version>", "1")
            query = {"name": "mail", "id": "failed-1"} if route.endpoint in ("queue", "job") else {}
            place.see(address, place.browser.get(address, query_string=query))
            place.see(f"JSON of {address}", place.site.stranger().get(f"/api/v1{address}", query_string=query, headers=place.api))


def edits(place: Place) -> None:
    """Saves that work, that are stale, and that the rebind rule or validation refuse."""
    fields = typed(place)
    assert place.send(EDIT, {**fields, "password": place.sieve.mark("typed")}).status_code == 303
    assert place.send(EDIT, {**fields, "password": place.sieve.mark("stale")}).status_code == 409
    fields = typed(place)
    assert place.send(EDIT, {**fields, "host": "elsewhere.example"}).status_code == 400
    assert place.send(EDIT, {**fields, "port": "a lot", "password": place.sieve.mark("typed")}).status_code == 400
    assert place.send(EDIT, {**fields, "name": "Not A Name", "password": place.sieve.mark("typed")}).status_code == 400
    told = {"version": fields["version"], "password": place.sieve.mark("told"), "sentinel_host": [{}]}
    place.see("JSON of a save", place.site.stranger().post(f"/api/v1{EDIT}", json=told, headers=place.api))
    place.send("/connections/orders/duplicate", {"version": fields["version"], "new_name": "copy"})
    place.send("/connections/copy/delete", {"version": "1", "typed": "other"})


def typed(place: Place) -> dict[str, str]:
    """What the editor's form would send."""
    form = Document(place.browser.get(EDIT).get_data(as_text=True)).form(TEST)
    return {name: values[0] for name, values in form.data().items() if name != "csrf_token"}


def trials(place: Place) -> None:
    """Live tests that fail at each stage, of what is typed and of what is stored, one account each for there is a limit."""
    certificate, key = authority().client(password=place.sieve.mark("opens"))
    place.sieve.secret(key.splitlines()[2])
    port = str(place.profiles.get("parroted").port)
    fields = {**typed(place), "profile": "", "version": "0", "username": "dash", "sentinel_host": HOST, "sentinel_port": port}
    for stage, wrong in STAGES.items():
        secrets = {"password": place.sieve.mark("tested"), "sentinel_password": place.sieve.mark("tested")}
        assert place.send(TEST, {**fields, **secrets, **wrong}, browser=place.admin()).status_code in (200, 400), stage
        place.send(TEST, {**fields, **secrets, "port": port}, browser=place.admin())
    keyed = {"tls": "1", "client_cert_pem": certificate, "client_key": key, "client_key_password": place.sieve.mark("wrong")}
    place.send(TEST, {**fields, **keyed}, browser=place.admin())
    for name in ("orders", "parroted", "nobody", "group"):
        place.send(f"/connections/{name}/test", {}, browser=place.admin())
    for _ in range(11):
        place.send(TEST, {**fields, "port": "1", "password": place.sieve.mark("tried")})


def pastes(place: Place) -> None:
    """URLs that hold a password, well and badly written."""
    for shape in ("redis://:{}@h:6379/0", "redis://u:{}@h/1/2", "redis://dash:{}@h:x/abc", "http://u:{}@h", "{}", "redis://h?password={}"):
        for write in (str, quote_all):
            fields = {**typed(place), "do": "fill", "url": shape.format(write(place.sieve.mark("pasted")))}
            place.send(NEW, fields)
            place.send(EDIT, fields)


def quote_all(text: str) -> str:
    return quote(text, safe="")


def imports(place: Place) -> None:
    """Files with secrets that are read, refused, saved, and read by a program."""
    for text in import_texts(place):
        form = {"files": [(io.BytesIO(text.encode()), "settings.py")], "text": text, "csrf_token": place.browser.token()}
        read = place.see("an import", place.browser.client.post("/connections/import", data=form, content_type="multipart/form-data"))
        place.see("JSON of an import", place.site.stranger().post("/api/v1/connections/import", json={"text": text}, headers=place.api))
        for form_found in Document(read.get_data(as_text=True)).forms:
            if "/save" in form_found.action:
                data = {**form_found.data(), "csrf_token": [place.browser.token()]}
                place.see("a saved import", place.browser.client.post("/connections/import/save", data=data))


def import_texts(place: Place) -> list[str]:
    return [
        f"SENTINEL = {{'INSTANCES': [('h', 1), ('i', 2)], 'MASTER_NAME': 'm', 'PASSWORD': {place.sieve.mark('filed')!r}}}\n",
        f"SENTINEL = {{'INSTANCES': x, 'PASSWORD': {place.sieve.mark('filed')!r}}}\n",
        f"REDIS_URL = 'redis://:{quote_all(place.sieve.mark('filed'))}@h:6379/0'\n",
        f"REDIS_URL=redis://:{place.sieve.mark('filed')}@h/x\n",
        f"SENTINEL = [{place.sieve.mark('filed')!r}, (\n",
        f"sentinel monitor m h 6379 2\nsentinel auth-pass m {json.dumps(place.sieve.mark('filed'))}\n",
    ]


def sign_ins(place: Place) -> None:
    """Right and wrong passwords, one-time links, and changes of the password."""
    password = place.sieve.mark("account")
    place.site.access.accounts.add("mira", role=place.site.access.accounts.list()[0].role, password=password)
    for name, tried in (("mira", place.sieve.mark("wrong")), ("nobody", place.sieve.mark("wrong")), ("mira", password)):
        stranger = Browser(place.site.stranger())
        page = Document(stranger.get("/sign-in").get_data(as_text=True)).form("/sign-in")
        place.see("a sign-in", stranger.client.post("/sign-in", data=page.data(typed={"name": name, "password": tried})))
    place.sieve.secret(_cookie(stranger))
    for old, new, again in ((place.sieve.mark("old"), place.sieve.mark("new"), ""), (password, "short", "short")):
        place.send("/account", {"old": old, "new": new, "repeated": again or new}, browser=stranger)
    token = place.sieve.secret(place.site.access.links.issue("mira", now=datetime.now(UTC)))
    guest = Browser(place.site.stranger())
    opened = place.see("a link's page", guest.get(f"/sign-in/link?token={token}"), belongs=token)
    form = Document(opened.get_data(as_text=True)).form("/sign-in/link").data()
    for turn in range(2):
        place.see(f"a link used {turn}", guest.client.post("/sign-in/link", data=form))
    place.sieve.secret(_cookie(guest))


def strangers(place: Place) -> None:
    """Requests with secrets that open nothing, or at the wrong address."""
    for token in (place.sieve.secret("rqd_" + "A1b2C3d4" * 5), place.sieve.mark("bearer").encode("ascii", "ignore").decode()):
        place.see("a wrong token", place.site.stranger().get("/api/v1/", headers={"Authorization": f"Bearer {token}"}))
    for body in ('{"password": "' + place.sieve.mark("garbled"), "[1]", "{}"):
        asked = place.site.stranger().post(f"/api/v1{NEW}", data=body.encode(), headers=place.api, content_type="application/json")
        place.see("a garbled body", asked)
    place.see("no CSRF token", place.browser.client.post(NEW, data={"password": place.sieve.mark("forged")}))
    place.see("another method", place.browser.client.put(NEW, data={"password": place.sieve.mark("forged")}))


def commands(place: Place) -> None:
    """The command line: what it prints is looked through but for the token or link that it was asked for."""
    passphrase, password = place.sieve.mark("phrase"), place.sieve.mark("added")
    run(place, ["user", "add", "nora", "--role", "viewer", "--password-stdin"], typed=f"{password}\n")
    for asked in (["token", "add", "robot", "--role", "viewer"], ["link", "nora"]):
        made = run(place, asked, is_secret=True)
        place.sieve.secret(made.strip().splitlines()[-1].rpartition("=")[2])
    for asked in (["token", "list"], ["user", "list"], ["export"], ["export", "orders", "--format", "url"], ["keys", "check"]):
        run(place, asked)
    run(place, ["export", "orders", "--format", "rq-settings"])
    sealed = run(place, ["export", "--with-secrets", "--passphrase-stdin"], typed=f"{passphrase}\n")
    directory = place.site.settings.data_dir.parent
    (directory / "sealed.json").write_text(sealed)
    run(place, ["import", str(directory / "sealed.json"), "--json", "--passphrase-stdin"], typed=f"{place.sieve.mark('guessed')}\n")
    for number, text in enumerate(import_texts(place)):
        (directory / f"settings-{number}.py").write_text(text)
        run(place, ["import", str(directory / f"settings-{number}.py"), "--json", "--dry-run"])
        run(place, ["import", str(directory / f"settings-{number}.py"), "--all"])
    run(place, ["keys", "rotate"])


def run(place: Place, arguments: list[str], *, typed: str = "", is_secret: bool = False) -> str:
    environ = {"RQDASH_DATA_DIR": str(place.site.settings.data_dir)}
    result = CliRunner().invoke(main, arguments, input=typed, env=environ)
    assert result.exception is None or isinstance(result.exception, SystemExit), (arguments, result.exception)
    assert "no such option" not in result.output.lower(), result.output
    assert "no such command" not in result.output.lower(), result.output
    place.sieve.look(f"rqdash {' '.join(arguments[:2])} says", result.stderr if is_secret else result.output)
    return result.stdout


def served_run(place: Place) -> None:
    """The same dashboard under gunicorn at its most talkative, whose log is a file beside the database."""
    token = place.api["Authorization"].removeprefix("Bearer ")
    link = place.sieve.secret(place.site.access.links.issue("mira", now=datetime.now(UTC)))
    served = Served(place.site.settings.data_dir, free_port(), place.profiles, place.site.access, token).start(
        processes=1, RQDASH_LOG_LEVEL="debug"
    )
    try:
        person = Person(served.port, {"Cookie": f"{COOKIE}={_cookie(place.browser)}"})
        for path in ("/", "/queues", "/connections", "/b/parroted/queue?name=mail", "/b/nobody/queue?name=mail", EDIT):
            place.sieve.look(f"served {path}", person.get(path).text)
            place.sieve.look(f"served JSON {path}", served.get(path).text)
        place.sieve.look("a served link", person.get(f"/sign-in/link?token={link}").text, belongs=link)
        told = {"password": place.sieve.mark("served"), "port": "a lot", "kind": "standalone", "name": "new"}
        place.sieve.look("a served save", served.post(NEW, told).text)
        served.hang_up()
    finally:
        served.stop()
    log = (place.site.settings.data_dir / "served.log").read_text()
    place.sieve.look("gunicorn's log", log)
    assert "DEBUG" in log


def base64_inside(text: str) -> str:
    return base64.b64encode(f"dash:{text}".encode()).decode()


def test_the_sieve_finds_a_secret_however_it_is_written() -> None:
    sieve = Sieve()
    secret = sieve.mark("hidden")
    ways: list[Callable[[str], str]] = [str, quote_all, repr, json.dumps, lambda text: text.partition(SPECIAL)[2], base64_inside]

    for number, way in enumerate(ways):
        sieve.look(str(number), f"before {way(secret)} after")
    sieve.look("nothing", "before and after")
    sieve.look("its place", secret, belongs=secret)

    assert [found.partition(" ")[0] for found in sieve.found] == [str(number) for number in range(len(ways))]
