"""Two hosts on one PostgreSQL: real gunicorn servers with data directories of their own and the same keys, and the death of one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import redis
from sqlalchemy import update

from rqdash.demo.servers import HOST, Server
from rqdash.model.caller import Role
from rqdash.model.profile import Secrets
from rqdash.store import Store, connect
from rqdash.store.keys import make_keys
from rqdash.store.leases import Leases
from rqdash.store.tables import OperationRow
from tests.databases import Postgres
from tests.operating import fail_jobs
from tests.pages import Document
from tests.processes import wait_until
from tests.served import Served, served

JOBS = 20_000
PASSWORD = "correct horse battery"
OPERATION = {"verb": "requeue", "on": ["orders"], "q": "status:failed"}


@dataclass(frozen=True, slots=True)
class Hosts:
    """one and two serve; url is the database that they share, store a way to it."""

    one: Served
    two: Served
    url: str
    store: Store
    server: Server

    def start(self, host: Served) -> Served:
        return host.start(processes=1, RQDASH_DATABASE_URL=self.url)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, _shared_server: Server) -> Iterator[Hosts]:
    """Both, serving one backend called orders; the second has nothing of the first but its keys."""
    url, first, second = postgres.database(), tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    make_keys(first)
    shutil.copytree(first / "keys", second / "keys")
    with _shared_server.client() as client:
        client.flushall()
    made = Hosts(
        served(first, {"orders": _shared_server}, url=url), served(second, {}, url=url), url, connect(url, data_dir=first), _shared_server
    )
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(made.start, (made.one, made.two)))
    yield made
    for host in (made.one, made.two):
        host.hang_up()
        host.stop()
        assert host.store is not None
        host.store.close()
    made.store.close()


@pytest.fixture(autouse=True)
def _fresh_connections(hosts: Hosts) -> Iterator[None]:
    """gunicorn closes a connection that rests for a few seconds."""
    yield
    for host in (hosts.one, hosts.two):
        host.hang_up()


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    """A browser, to which both hosts are one name, as they are behind a load balancer."""
    with httpx.Client(timeout=30) as client:
        yield client


def sign_in(client: httpx.Client, host: Served, name: str) -> None:
    form = Document(client.get(f"{host.url}/sign-in").text).form("/sign-in")
    answer = client.post(f"{host.url}/sign-in", data=form.data(typed={"name": name, "password": PASSWORD}))
    assert answer.status_code == 303


def post(client: httpx.Client, host: Served, path: str, form: dict[str, str], *, drawn_by: Served) -> httpx.Response:
    """A form that one host drew, posted to another."""
    token = Document(client.get(f"{drawn_by.url}/account").text).form("/sign-out").data()["csrf_token"]
    return client.post(f"{host.url}{path}", data={"csrf_token": token, **form})


def listed(host: Served) -> dict[str, Any]:
    return {row["mark"]["name"]: row for row in host.get("/connections").json()["rows"]}


def test_an_edit_on_one_host_is_seen_by_the_other_at_once(hosts: Hosts) -> None:
    stored = hosts.one.profiles.get("orders")
    secret = hosts.one.profiles.create(
        type(stored)(name="vault", host=HOST, port=1, enabled=False), secrets=Secrets(password="paper lantern orbit"), by="mira"
    )
    opened = hosts.two.profiles.secrets(secret)

    disabled = hosts.one.post("/connections/orders/disable", {})
    seen = listed(hosts.two)["orders"]["is_enabled"]
    stale = hosts.two.post("/connections/orders/enable", {"version": str(stored.version)})
    enabled = hosts.two.post("/connections/orders/enable", {})

    assert opened.password == "paper lantern orbit"
    assert (disabled.status, seen, stale.status, enabled.status) == (200, False, 409, 200)
    assert listed(hosts.one)["orders"]["is_enabled"]
    assert hosts.one.get("/b/orders/queue?name=mail").status == hosts.two.get("/b/orders/queue?name=mail").status == 404


def test_a_session_of_one_host_is_good_on_the_other_until_it_is_revoked_on_either(hosts: Hosts, browser: httpx.Client) -> None:
    hosts.one.access.accounts.add("mira", role=Role.ADMIN, password=PASSWORD)
    sign_in(browser, hosts.one, "mira")
    with httpx.Client(timeout=30) as elsewhere:
        sign_in(elsewhere, hosts.two, "mira")
        both = [client.get(f"{host.url}/account").status_code for client in (browser, elsewhere) for host in (hosts.one, hosts.two)]

        ended = post(browser, hosts.two, "/sessions/end", {}, drawn_by=hosts.one)
        after = [client.get(f"{host.url}/account").status_code for client in (browser, elsewhere) for host in (hosts.one, hosts.two)]

    assert both == [200, 200, 200, 200]
    assert ended.status_code == 303
    assert after == [200, 200, 303, 303]


def test_a_role_taken_away_on_one_host_is_gone_on_the_other(hosts: Hosts, browser: httpx.Client) -> None:
    account = hosts.one.access.accounts.add("ben", role=Role.ADMIN, password=PASSWORD)
    sign_in(browser, hosts.two, "ben")
    before = browser.get(f"{hosts.two.url}/people").status_code

    changed = hosts.one.post(f"/people/{account.id}/rights", {"role": "viewer", "grants": "orders"})

    assert (before, changed.status) == (200, 200)
    assert browser.get(f"{hosts.two.url}/people").status_code == 403


def test_failed_sign_ins_count_together(hosts: Hosts) -> None:
    hosts.one.access.accounts.add("nia", role=Role.VIEWER, password=PASSWORD)
    statuses = []
    for host in (hosts.one, hosts.two) * 3:
        with httpx.Client(timeout=30) as stranger:
            form = Document(stranger.get(f"{host.url}/sign-in").text).form("/sign-in")
            statuses.append(stranger.post(f"{host.url}/sign-in", data=form.data(typed={"name": "nia", "password": "x"})).status_code)

    assert statuses == [401] * 5 + [429]


def test_of_all_that_ask_for_a_lease_one_has_it(hosts: Hosts) -> None:
    stores = [connect(hosts.url, data_dir=host.data_dir) for host in (hosts.one, hosts.two)]
    asking = [(Leases(store), f"{place}-{number}") for number in range(4) for place, store in enumerate(stores)]

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda each: each[0].take("test", each[1], for_s=60), asking))
    holder = got.index(True)
    asking[holder][0].release("test", asking[holder][1])

    assert got.count(True) == 1
    assert asking[holder - 1][0].take("test", "somebody else", for_s=60)
    for store in stores:
        store.close()


def begun(hosts: Hosts) -> str:
    """An operation that the first host runs: the second stands still until the first has it."""
    path = f"/operations/{hosts.one.post('/operations', OPERATION).json()['operation']['id']}"
    assert wait_until(lambda: operation(hosts.one, path)["state"] == "planned")
    with hosts.two.stopped():
        hosts.one.post(f"{path}/start", {"why": "two hosts"})
        assert wait_until(lambda: operation(hosts.one, path)["tried"] > 0)
    return path


def operation(host: Served, path: str) -> dict[str, Any]:
    found: dict[str, Any] = host.get(path).json()["operation"]
    return found


def lapse(hosts: Hosts) -> None:
    """The lease of whoever died runs out now: nobody waits half a minute for it here."""
    with hosts.store.write() as session:
        session.execute(update(OperationRow).values(until_s=0.0))


def test_a_host_finishes_what_another_died_at_and_each_goes_on_without_the_other(hosts: Hosts) -> None:
    with hosts.server.client() as client:
        ids = fail_jobs(client, JOBS)
        path = begun(hosts)
        hosts.one.kill()
        left = operation(hosts.two, path)
        lapse(hosts)

        finished = wait_until(lambda: operation(hosts.two, path)["state"] == "done")
        queued = requeued(client)

    done = operation(hosts.two, path)
    assert left["state"] == "running"
    assert finished, done
    assert 0 < left["tried"] < JOBS
    assert (done["tally"], sorted(queued)) == ({"done": JOBS}, ids)
    hosts.start(hosts.one)
    hosts.one.hang_up()
    assert operation(hosts.one, path)["state"] == "done"
    hosts.two.kill()
    assert hosts.one.get("/connections").status == 200


def requeued(client: redis.Redis) -> list[str]:
    return [job_id.decode() for job_id in client.lrange("rq:queue:mail", 0, -1)]


def test_the_audit_log_is_one(hosts: Hosts) -> None:
    entries = hosts.one.get("/activity?since=1h").json()["rows"]

    verbs = [row["entry"]["verb"] for row in entries]
    who = {row["entry"]["name"] for row in entries}
    assert {"disable connection", "enable connection", "sign-in", "end session", "change account", "start operation"} <= set(verbs)
    assert {f"test-{hosts.one.data_dir.name}", f"test-{hosts.two.data_dir.name}", "mira"} <= who
    assert [row["entry"]["id"] for row in entries] == sorted((row["entry"]["id"] for row in entries), reverse=True)
    assert all(datetime.fromisoformat(row["entry"]["began_at"]) <= datetime.now(UTC) for row in entries)
