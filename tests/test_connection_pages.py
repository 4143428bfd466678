"""The pages of one profile: what it says, how its backend is, its history, how to use it elsewhere, and the limits of tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rqdash.access.pace import Pace
from rqdash.backends.guard import GuardState, Health
from rqdash.backends.probe.report import Report, Status
from rqdash.demo.servers import HOST, SentinelGroup, Server, free_port
from rqdash.errors import Throttled
from rqdash.model.caller import Caller
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from rqdash.model.reply import Problem
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.store import Store, open_store
from rqdash.web import shell
from rqdash.web.connection import tls_sentences
from rqdash.web.trials import AT_ONCE, Trials
from tests.conftest import backend_of
from tests.groups import group_profile, start_group
from tests.pages import Document
from tests.site import Browser, Site, site
from tests.tls import authority

NOW = datetime(2026, 11, 23, 17, 40, tzinfo=UTC)
PASSWORD = "marked-4711-secret"
MIRA = Caller("account", "mira")


@dataclass
class Place:
    """A dashboard over its own registry, and an admin's browser."""

    site: Site
    profiles: Profiles
    store: Store
    browser: Browser

    def text(self, path: str, *, status: int = 200) -> str:
        response = self.browser.get(path)
        assert response.status_code == status, response.get_data(as_text=True)
        return Document(response.get_data(as_text=True)).text


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = site(tmp_path)
    store = open_store(made.settings.database_url, data_dir=made.settings.data_dir)
    return Place(made, open_profiles(store, made.settings), store, made.sign_in("admin"))


@pytest.fixture
def live(place: Place, server: Server) -> Profile:
    """A profile of a server that runs, with a password that the server does not ask for."""
    profile = Profile("live", host=HOST, port=server.port, db=3, username="", notes="asks noor", hue="teal")
    return place.profiles.create(profile, secrets=Secrets(), by="mira")


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    made = start_group(tmp_path_factory.mktemp("group"))
    yield made
    made.stop()


def test_a_profile_has_a_page_with_its_facts_its_state_and_its_ways_on(place: Place, live: Profile) -> None:
    page = Document(place.browser.get("/connections/live").get_data(as_text=True))

    assert f"{HOST}:{live.port}" in page.text
    assert "Healthy" in page.text
    assert "0 queues, 0 workers" in page.text
    assert "by mira, version 1" in page.text
    assert "asks noor" in page.text
    assert {f"/connections/live/{way}" for way in ("edit", "use", "revisions")} <= {link.href for link in page.links}


def test_the_list_of_connections_links_to_each_page(place: Place, live: Profile) -> None:
    page = Document(place.browser.get("/connections").get_data(as_text=True))

    assert "/connections/live" in {link.href for link in page.links}


def test_a_profile_that_does_not_answer_says_why(place: Place) -> None:
    place.profiles.create(Profile("gone", host=HOST, port=free_port()), by="mira")

    text = place.text("/connections/gone")

    assert "Down" in text
    assert "refused" in text
    assert "nothing yet" in text


def test_a_disabled_profile_is_not_connected_to_and_can_be_enabled(place: Place) -> None:
    place.profiles.create(Profile("gone", host=HOST, port=free_port(), enabled=False), by="mira")

    page = Document(place.browser.get("/connections/gone").get_data(as_text=True))

    assert "Disabled" in page.text
    assert page.form("/connections/gone/enable").button("Enable")


def test_the_page_shows_what_each_sentinel_says(place: Place, group: SentinelGroup) -> None:
    place.profiles.create(group_profile(group), by="mira")

    text = place.text("/connections/orders")

    assert "3 of 3 Sentinels agree" in text
    assert f"Master {HOST}:{group.master.port} Replicas 1 Sentinels that answer 3 of 3 Quorum 2 Down after 2.0 s" in text
    assert all(f"{HOST}:{sentinel.port} Answers {HOST}:{group.master.port}" in text for sentinel in group.sentinels)


def test_a_sentinel_that_is_dead_degrades_page_banner_and_chip(place: Place, group: SentinelGroup) -> None:
    profile, dead = group_profile(group), free_port()
    place.profiles.create(replace(profile, sentinels=(*profile.sentinels[:2], Node(HOST, dead))), by="mira")

    text = place.text("/connections/orders")

    assert f"{HOST}:{dead} No answer" in text
    assert "Sentinel is degraded. orders: 2 of 3 Sentinels agree" in text
    assert "orders degraded" in text.partition("Connections / orders")[0]


def test_without_an_answer_of_any_sentinel_the_page_says_blind(place: Place) -> None:
    nodes = (Node(HOST, free_port()), Node(HOST, free_port()))
    place.profiles.create(Profile("orders", kind=Kind.SENTINEL, sentinels=nodes, master_name="orders"), by="mira")

    text = place.text("/connections/orders")

    assert "Blind" in text
    assert "Sentinels that answer 0 of 2" in text


@pytest.mark.parametrize("health", [health for health in Health if health is not Health.OK])
def test_each_state_of_the_guard_has_a_word_on_the_chip_and_a_banner_of_its_own(server: Server, health: Health) -> None:
    backend = backend_of(server)
    backend.guard = _Said(GuardState(health, "So it is.", sentinels=3))
    caution = backend.caution
    assert caution is not None

    (chip,) = shell.chips([(backend.profile, caution)], chosen=())
    notice = shell.caution_notice(caution)

    backend.close()
    assert chip.health == health.value
    assert notice.text.startswith("live: So it is. ")
    assert len({shell.CAUTIONS[each] for each in shell.CAUTIONS}) == len(Health) - 1
    assert (notice.tone == "failed") == (health is Health.NO_MASTER)


@dataclass
class _Said:
    """A guard that was told what the sentinels say."""

    state: GuardState

    def admit(self) -> None:
        return None

    def look(self, *, max_age_s: float = 0.0) -> GuardState:
        return self.state

    def close(self) -> None:
        return None


def test_a_problem_of_the_connection_comes_before_what_the_sentinels_say() -> None:
    (chip,) = shell.chips([(Profile("orders"), Problem("refused", "No."))], chosen=())

    assert chip.health == "down"


def test_the_stored_profile_is_tested_on_its_page_and_the_test_is_in_the_audit_log(place: Place, live: Profile) -> None:
    response = place.browser.post("/connections/live/test")

    text = Document(response.get_data(as_text=True)).text
    assert response.status_code == 200
    assert "passed" in text
    assert "Eviction" in text
    assert [(row.verb, row.backend, row.status) for row in place.site.access.audit.entries(1)] == [("test connection", "live", "done")]


def test_an_eleventh_test_in_a_minute_waits_whatever_is_tested(place: Place, live: Profile) -> None:
    statuses = [place.browser.post("/connections/live/test").status_code for _ in range(10)]

    stored = place.browser.post("/connections/live/test")
    typed = place.browser.post("/connections/test", {"name": "new", "kind": "standalone", "host": HOST, "port": "1"})

    assert statuses == [200] * 10
    assert (stored.status_code, typed.status_code) == (429, 429)
    assert "Try again in" in stored.get_data(as_text=True)
    assert [row.status for row in place.site.access.audit.entries(2)] == ["throttled", "throttled"]
    other = place.site.sign_in("admin", name="noor")
    assert other.post("/connections/live/test").status_code == 200


def test_after_the_minute_there_are_ten_tests_again(place: Place) -> None:
    pace = Pace(place.store, "test", most=10)
    for second in range(10):
        pace.take(MIRA, now=NOW + timedelta(seconds=second))

    with pytest.raises(Throttled) as raised:
        pace.take(MIRA, now=NOW + timedelta(seconds=20))
    pace.take(MIRA, now=NOW + timedelta(seconds=60))

    assert raised.value.retry_after_s == 40


def test_no_more_than_four_tests_run_at_once_in_a_process(place: Place) -> None:
    began, ends = threading.Semaphore(0), threading.Event()

    def slow(profile: Profile, secrets: Secrets) -> Report:
        began.release()
        assert ends.wait(30)
        return Report((), 1.0, Status.OK)

    trials = Trials(slow, Pace(place.store, "test", most=10))
    running = [threading.Thread(target=trials.run, args=(Profile("a"), Secrets()), kwargs={"by": MIRA, "now": NOW}) for _ in range(AT_ONCE)]
    for thread in running:
        thread.start()
    assert all(began.acquire(timeout=30) for _ in running)

    with pytest.raises(Throttled) as raised:
        trials.run(Profile("a"), Secrets(), by=MIRA, now=NOW)
    ends.set()
    for thread in running:
        thread.join(30)

    assert raised.value.retry_after_s > 0
    assert trials.run(Profile("a"), Secrets(), by=MIRA, now=NOW).verdict is Status.OK


def test_each_edit_is_a_revision_with_who_and_what_and_no_secret(place: Place, live: Profile) -> None:
    edited = place.browser.post("/connections/live/edit", _form(live, prefix="shop", password=PASSWORD))
    assert edited.status_code == 303

    text = place.text("/connections/live/revisions")

    assert "prefix: rq → shop" in text
    assert "password: " in text
    assert PASSWORD not in text
    assert "made by mira" in text
    assert "edited by admin-0" in text
    assert "current" in text


def test_a_revision_is_restored_as_an_edit_of_its_own(place: Place, live: Profile) -> None:
    place.browser.post("/connections/live/edit", _form(live, prefix="shop"))
    page = Document(place.browser.get("/connections/live/revisions").get_data(as_text=True))

    response = place.browser.post("/connections/live/restore", page.form("/connections/live/restore").data())

    restored = place.profiles.get("live")
    assert (response.status_code, response.headers["Location"]) == (303, "/connections/live")
    assert (restored.prefix, restored.version) == ("rq", 3)
    assert place.profiles.revisions("live")[0].by == "admin-0"
    assert "Restore version 1" in page.text


def test_restoring_from_an_old_page_answers_409_with_what_changed(place: Place, live: Profile) -> None:
    place.browser.post("/connections/live/edit", _form(live, prefix="shop"))

    response = place.browser.post("/connections/live/restore", {"revision": "1", "version": "1"})

    assert response.status_code == 409
    assert "What somebody else saved meanwhile" in response.get_data(as_text=True)
    assert place.profiles.get("live").prefix == "shop"


def test_restoring_another_place_clears_the_password_and_says_so(place: Place) -> None:
    first = place.profiles.create(Profile("mail", host="one.example"), secrets=Secrets(PASSWORD), by="mira")
    moved = place.browser.post("/connections/mail/edit", _form(first, host="two.example", password=PASSWORD))
    assert moved.status_code == 303

    response = place.browser.post("/connections/mail/restore", {"revision": "1", "version": "2"})

    restored = place.profiles.get("mail")
    assert response.headers["Location"] == "/connections/mail/edit"
    assert "the stored password was cleared" in place.text("/connections/mail/edit")
    assert (restored.host, restored.has_password) == ("one.example", False)


def test_a_revision_that_never_was_is_not_restored(place: Place, live: Profile) -> None:
    response = place.browser.post("/connections/live/restore", {"revision": "77", "version": str(live.version)})

    assert response.status_code in (400, 404)


def test_how_to_use_a_profile_is_shown_without_its_secrets_and_can_be_copied(place: Place) -> None:
    place.profiles.create(Profile("orders-eu", host="redis.example", prefix="shop"), secrets=Secrets(PASSWORD), by="mira")

    response = place.browser.get("/connections/orders-eu/use")

    html = response.get_data(as_text=True)
    text = Document(html).text
    assert PASSWORD not in html
    assert 'password=os.environ["ORDERS_EU_PASSWORD"]' in text
    assert 'REDIS_URL = f"redis://:{password}@redis.example:6379/0"' in text
    assert "RQ_KEY_PREFIX=shop rq worker -c rq_orders_eu default" in text
    assert 'REDISCLI_AUTH="$ORDERS_EU_PASSWORD" redis-cli -h redis.example' in text
    assert html.count('data-behaviour="copy"') == 5
    assert "The key prefix is shop" in text


def test_what_a_page_says_of_tls_is_how_it_is() -> None:
    pem = authority().pem

    assert tls_sentences(Tls(), now=NOW) == ("Off.",)
    assert tls_sentences(Tls(enabled=True, verify=False), now=NOW) == ("On; the certificate is not checked.",)
    assert tls_sentences(Tls(enabled=True, check_hostname=False), now=NOW) == (
        "On, checked against the system's authorities, whatever name the certificate has.",
    )
    checked, expiry = tls_sentences(Tls(enabled=True, ca_pem=pem, server_name="redis.internal"), now=NOW)
    assert checked == "On, checked against the authorities given here, for redis.internal."
    assert expiry.startswith("Authority: It expires on ")


def test_an_api_reads_the_same_pages(place: Place, live: Profile) -> None:
    client, headers = place.site.stranger(), place.site.token()

    pages = {way: client.get(f"/api/v1/connections/live{way}", headers=headers) for way in ("", "/revisions", "/use")}

    assert [page.status_code for page in pages.values()] == [200, 200, 200]
    told = {way: json.loads(page.data) for way, page in pages.items()}
    assert told[""]["profile"]["port"] == live.port
    assert told["/revisions"]["revisions"][0]["by"] == "mira"
    assert told["/use"]["blocks"][1]["text"].startswith("REDIS_URL = ")


def _form(profile: Profile, **changes: str) -> dict[str, str]:
    """The editor's fields for a profile, as a browser sends them."""
    fields = {"name": profile.name, "kind": profile.kind.value, "host": profile.host, "port": str(profile.port), "db": str(profile.db)}
    return fields | {"prefix": profile.prefix, "hue": profile.hue, "enabled": "1", "version": str(profile.version), **changes}


def test_the_list_of_connections_is_paged(place: Place) -> None:
    for number in range(52):
        place.profiles.create(Profile(f"orders-{number}", host="10.0.0.1", enabled=False), by="mira")

    first, second = place.text("/connections"), place.text("/connections?page=2")

    assert "orders-0" in first
    assert "1 to 50 of 52" in first
    assert "orders-51" not in first
    assert "orders-51" in second
    assert "51 to 52 of 52" in second
