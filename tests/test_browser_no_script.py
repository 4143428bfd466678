"""Every action in a real browser that runs no script: by its links, its boxes and its buttons alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import redis
from playwright.sync_api import Browser, Page

from rqdash.model.caller import Role
from rqdash.model.keys import Keys
from rqdash.model.names import encoded
from rqdash.web.filters import shown_name
from tests.browsed import DEAD, LIVE, PROTECTED, READ_ONLY, Shown, shown
from tests.browser import chromium, context, follow, go, press
from tests.stored import HOSTILE, Stored

KEYS = Keys()
PASSWORDS = ("correct horse battery staple", "tr0ub4dor and three friends")
REACHED_EXACTLY = (HOSTILE[0], HOSTILE[1], HOSTILE[3], HOSTILE[5], HOSTILE[7], HOSTILE[11])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Shown]:
    with shown(tmp_path_factory.mktemp("browsed")) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(browser: Browser, dashboard: Shown) -> Iterator[Page]:
    """The page of an admin whose browser runs no script."""
    made = context(browser, java_script_enabled=False)
    dashboard.sign_in(made, "admin", Role.ADMIN)
    yield made.new_page()
    made.close()


@dataclass(frozen=True, slots=True)
class Hands:
    """Somebody at a backend's lists, and what its Redis then holds."""

    page: Page
    dashboard: Shown
    backend: str
    client: redis.Redis

    def open(self, queue: str, registry: str = "queued") -> None:
        """Goes there as people do: through the list of queues, so that the link carries the name."""
        self.page.goto(self.dashboard.address("/queues", backend=self.backend))
        go(self.page.locator("tbody th a.name", has_text=shown_name(queue)[:9]))
        go(self.page.get_by_role("navigation", name="Registries").get_by_role("link", name=registry.capitalize()))

    def tick(self, *rows: int) -> None:
        for row in rows:
            self.page.locator("input[name=id]").nth(row).check()

    def press(self, name: str) -> None:
        press(self.page, name)

    def said(self) -> str:
        return self.page.locator("main [role=status]").first.inner_text()

    def waiting(self, queue: str) -> list[bytes]:
        return list(self.client.lrange(encoded(KEYS.queue(queue)), 0, -1))

    def registered(self, registry: str, queue: str) -> list[bytes]:
        return list(self.client.zrange(encoded(KEYS.registry(registry, queue)), 0, -1))


@pytest.fixture
def hands(signed_in: Page, dashboard: Shown) -> Iterator[Callable[[str], Hands]]:
    """hands(backend): at an empty database of that backend."""
    clients: list[redis.Redis] = []

    def at(backend: str) -> Hands:
        clients.append(dashboard.redis(backend))
        clients[-1].flushdb()
        return Hands(signed_in, dashboard, backend, clients[-1])

    yield at
    for client in clients:
        client.close()


def fail(hands: Hands, queue: str = "mail", count: int = 3) -> None:
    """Failed jobs, of which the first in the list is the newest."""
    for number in range(count):
        Stored(hands.client).failed(f"job-{number}", queue=queue, score=-1, ended_s_ago=number)
    Stored(hands.client).queue(queue)


def wait(hands: Hands, queue: str = "mail", count: int = 3) -> None:
    for number in range(count):
        Stored(hands.client).waiting(f"job-{number}", queue=queue)


def test_ticked_jobs_are_requeued(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    fail(at)

    at.open("mail", "failed")
    at.tick(0, 2)
    at.press("Requeue")

    assert at.said() == "Requeued 2 jobs of mail on live."
    assert sorted(at.waiting("mail")) == [b"job-0", b"job-2"]
    assert at.registered("failed", "mail") == [b"job-1"]


def test_ticked_jobs_are_canceled_after_a_question(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    wait(at)

    at.open("mail")
    at.tick(0, 1)
    at.press("Cancel…")
    asked = at.waiting("mail")
    at.press("Cancel 2 jobs on live")

    assert asked == [b"job-0", b"job-1", b"job-2"]
    assert at.said() == "Canceled 2 jobs of mail on live."
    assert at.waiting("mail") == [b"job-2"]
    assert at.registered("canceled", "mail") == [b"job-0", b"job-1"]


def test_ticked_jobs_are_deleted_after_a_question(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    fail(at)

    at.open("mail", "failed")
    at.tick(0, 1)
    at.press("Delete…")
    asked = at.registered("failed", "mail")
    at.press("Delete 2 jobs from live")

    assert len(asked) == 3
    assert at.said() == "Deleted 2 jobs of mail on live."
    assert at.registered("failed", "mail") == [b"job-2"]
    assert not at.client.exists(KEYS.job("job-0"), KEYS.job("job-1"))


def test_a_question_can_be_left(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    fail(at)

    at.open("mail", "failed")
    at.tick(0)
    at.press("Delete…")
    follow(at.page, "Keep them")

    assert "registry=failed" in at.page.url
    assert len(at.registered("failed", "mail")) == 3


@pytest.mark.parametrize(
    ("place", "expected"), [("Front", [b"job-0", b"job-1", b"other"]), ("Back of the queue", [b"other", b"job-0", b"job-1"])]
)
def test_ticked_jobs_are_moved_to_either_end_of_a_queue(hands: Callable[[str], Hands], place: str, expected: list[bytes]) -> None:
    at = hands(LIVE)
    wait(at)
    Stored(at.client).waiting("other", queue="zebra")

    at.open("mail")
    at.tick(0, 1)
    at.press("Move…")
    at.page.get_by_label("To queue").select_option(label="zebra")
    at.page.get_by_text(place, exact=True).click()
    at.press("Move 2 jobs on live")

    assert at.said() == "Moved 2 jobs of mail to zebra on live."
    assert at.waiting("zebra") == expected
    assert at.waiting("mail") == [b"job-2"]


def test_failed_jobs_are_moved_to_a_queue_that_is_new(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    fail(at)

    at.open("mail", "failed")
    at.tick(1)
    at.press("Move…")
    at.page.get_by_label("Or a new one").fill("later/on?")
    at.press("Move 1 job on live")

    assert at.said() == "Moved 1 job of mail to later/on? on live."
    assert at.waiting("later/on?") == [b"job-1"]
    assert at.client.sismember(KEYS.queues, KEYS.queue("later/on?"))


def test_a_move_without_a_queue_asks_again(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    wait(at)

    at.open("mail")
    at.tick(0)
    at.press("Move…")
    at.press("Move 1 job on live")

    assert at.said() == "Choose the queue to move to."
    assert len(at.waiting("mail")) == 3


def test_a_queue_is_emptied_after_a_question(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    wait(at)
    Stored(at.client).failed("kept", score=-1)

    at.open("mail")
    at.press("Empty…")
    asked = at.waiting("mail")
    at.press("Delete 3 jobs from live")

    assert len(asked) == 3
    assert at.said() == "Deleted 3 jobs of mail on live."
    assert at.waiting("mail") == []
    assert at.registered("failed", "mail") == [b"kept"]


def test_a_protected_backend_wants_its_name(hands: Callable[[str], Hands]) -> None:
    at = hands(PROTECTED)
    fail(at)

    at.open("mail", "failed")
    at.tick(0)
    at.press("Delete…")
    at.page.get_by_label("Type its name").fill("orders")
    at.press(f"Delete 1 job from {PROTECTED}")
    refused, kept = at.said(), at.registered("failed", "mail")
    at.page.get_by_label("Type its name").fill(PROTECTED)
    at.press(f"Delete 1 job from {PROTECTED}")

    assert refused == f"Type {PROTECTED} to go on: it is protected."
    assert len(kept) == 3
    assert at.said() == f"Deleted 1 job of mail on {PROTECTED}."
    assert len(at.registered("failed", "mail")) == 2


def test_nothing_ticked_does_nothing(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    fail(at)

    at.open("mail", "failed")
    at.press("Requeue")

    assert "No job is ticked" in at.page.locator("main").inner_text()
    assert len(at.registered("failed", "mail")) == 3


def test_a_read_only_backend_has_nothing_to_press(hands: Callable[[str], Hands]) -> None:
    at = hands(READ_ONLY)
    fail(at)

    at.open("mail", "failed")

    assert at.page.locator("main form[method=post] button, main input[name=id]").count() == 0
    assert at.page.locator(".flag").inner_text().count("Read-only: rqdash changes nothing here") == 1


def test_a_job_requeued_on_its_page_is_shown_again(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    fail(at)

    at.open("mail", "failed")
    go(at.page.locator("tbody a.name").first)
    at.press("Requeue")

    assert at.said() == "Requeued 1 job of mail on live."
    assert at.page.locator("#job-id").inner_text() == "job-0"
    assert at.waiting("mail") == [b"job-0"]


def test_a_job_deleted_on_its_page_leads_back_to_its_queue(hands: Callable[[str], Hands]) -> None:
    at = hands(LIVE)
    fail(at)

    at.open("mail", "failed")
    go(at.page.locator("tbody a.name").first)
    at.press("Delete…")
    at.press("Delete 1 job from live")

    assert at.said() == "Deleted 1 job of mail on live."
    assert at.page.locator("h1").inner_text().endswith("mail")
    assert len(at.registered("failed", "mail")) == 2


@pytest.mark.parametrize("name", REACHED_EXACTLY, ids=lambda name: ascii(name)[:16])
def test_jobs_of_a_queue_of_any_name_are_requeued_there(hands: Callable[[str], Hands], name: str) -> None:
    at = hands(LIVE)
    fail(at, queue=name)

    at.open(name, "failed")
    at.tick(0)
    at.press("Requeue")

    assert at.said().startswith("Requeued 1 job of ")
    assert at.waiting(name) == [b"job-0"]


def test_a_connection_is_made_tested_changed_copied_switched_and_deleted(signed_in: Page, dashboard: Shown) -> None:
    page, said = signed_in, signed_in.locator("main [role=status]").first
    page.goto(dashboard.address("/connections"))
    follow(page, "Add a connection")
    page.get_by_label("Name", exact=True).fill("spare")
    page.get_by_label("Host", exact=True).fill("127.0.0.1")
    page.get_by_label("Port", exact=True).fill(str(dashboard.server.port))
    page.get_by_label("Database", exact=True).fill("7")

    press(page, "Test")
    tested = said.inner_text()
    save(page)
    made = said.inner_text()
    page.get_by_label("Environment").fill("eu")
    save(page)
    changed = dashboard.site.profiles.get("spare").environment
    press(page, "Duplicate")
    copied = dashboard.site.profiles.get("spare-2")
    press(page, "Enable")
    enabled = dashboard.site.profiles.get("spare-2").enabled
    follow(page, "Edit spare-2")
    press(page, "Disable")
    disabled = dashboard.site.profiles.get("spare-2").enabled
    delete(page, "spare-2")

    assert "passed" in tested
    assert made == "The connection spare is saved."
    assert (changed, copied.port, copied.enabled, enabled, disabled) == ("eu", dashboard.server.port, False, True, False)
    assert said.inner_text().startswith("The connection spare-2 is deleted.")
    assert "spare-2" not in dashboard.site.profiles.names


def save(page: Page) -> None:
    press(page, "Save")


def delete(page: Page, name: str) -> None:
    follow(page, f"Edit {name}")
    follow(page, "Delete…")
    page.get_by_label(f"Type {name}").fill(name)
    press(page, f"Delete the connection {name}")


def test_a_tested_connection_keeps_its_flag(signed_in: Page, dashboard: Shown) -> None:
    signed_in.goto(dashboard.address(f"/connections/{PROTECTED}/edit"))

    press(signed_in, "Test")

    assert signed_in.locator(".top .flag").inner_text().startswith(PROTECTED)


def test_a_url_fills_the_form(signed_in: Page, dashboard: Shown) -> None:
    signed_in.goto(dashboard.address("/connections/new"))

    signed_in.get_by_label("From a URL").fill("redis://rqdash@cache.example.net:6380/4")
    press(signed_in, "Fill the fields")

    shown_texts = {label: signed_in.get_by_label(label, exact=True).input_value() for label in ("Host", "Port", "Database", "Redis user")}
    assert shown_texts == {"Host": "cache.example.net", "Port": "6380", "Database": "4", "Redis user": "rqdash"}


def test_the_fields_of_a_kind_appear_with_it(signed_in: Page, dashboard: Shown) -> None:
    signed_in.goto(dashboard.address("/connections/new"))

    before = signed_in.get_by_label("Master name").is_visible()
    signed_in.get_by_text("Sentinel", exact=True).click()

    assert (before, signed_in.get_by_label("Master name").is_visible()) == (False, True)
    assert not signed_in.get_by_label("Host", exact=True).is_visible()


def test_a_page_of_a_backend_that_is_down_says_whose_it_is_and_tries_again(signed_in: Page, dashboard: Shown) -> None:
    signed_in.goto(dashboard.of(DEAD, "queue", name="mail"))
    address = signed_in.url

    follow(signed_in, "Try again")

    assert signed_in.url == address
    assert signed_in.locator(".flag").inner_text().startswith(DEAD)
    assert "No answer since" in signed_in.locator("main").inner_text()


def test_somebody_signs_in_changes_the_password_and_signs_out(browser: Browser, dashboard: Shown) -> None:
    dashboard.site.access.accounts.add("noor", role=Role.OPERATOR, password=PASSWORDS[0])
    made = context(browser, java_script_enabled=False)
    page = made.new_page()

    sign_in(page, dashboard, PASSWORDS[0])
    follow(page, "noor, operator")
    page.get_by_label("Old password").fill(PASSWORDS[0])
    page.get_by_label("New password").fill(PASSWORDS[1])
    page.get_by_label("The same again").fill(PASSWORDS[1])
    press(page, "Change the password")
    changed = page.locator("main [role=status]").inner_text()
    press(page, "Sign out")
    out = page.url
    sign_in(page, dashboard, PASSWORDS[0])
    refused = page.locator("main [role=status]").inner_text()
    sign_in(page, dashboard, PASSWORDS[1])

    assert changed.startswith("Your password is changed.")
    assert out.endswith("/sign-in")
    assert refused == "The name or the password is wrong."
    assert page.url == dashboard.address("/")
    made.close()


def sign_in(page: Page, dashboard: Shown, password: str) -> None:
    page.goto(dashboard.address("/sign-in"))
    page.get_by_label("Name").fill("noor")
    page.get_by_label("Password").fill(password)
    press(page, "Sign in")
