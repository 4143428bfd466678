"""The keyboard alone completes what people come for: nothing here is clicked, filled or focused but by keys, and the focus is seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Page

from rqdash.demo.servers import HOST, start_server
from rqdash.model.caller import Role
from rqdash.model.keys import Keys
from tests.browsed import LIVE, Shown
from tests.browser import Watched, chromium, context, watched
from tests.served import served
from tests.stored import Stored

PASSWORD = "correct horse battery staple"
FAILED = 14
MOST_STOPS = 200
"""Presses of Tab after which a person would have given up."""
# What has the focus in all of its words, and whether it has an outline of its own, or of the label that stands for a box that is there
# for screen readers alone.
FOCUS = """
() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const label = element.closest("label");
  const isSeen = [element, label].some((drawn) => {
    if (!drawn) return false;
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(drawn);
    const { width, height } = drawn.getBoundingClientRect();
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && !outlineColor.endsWith(", 0)") && width > 1 && height > 1;
  });
  const labels = [...(element.labels ?? [])].map((each) => each.textContent);
  return { isSeen, words: [element.ariaLabel, element.textContent, ...labels].join(" ").replace(/\\s+/g, " ") };
}
"""
SNAPSHOT = re.compile(r'^- \'?(?P<role>\w+)(?: "(?P<name>(?:[^"\\]|\\.)*)")?')


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A served dashboard of one backend, where jobs failed and another queue waits."""
    directory: Path = tmp_path_factory.mktemp("keyboard")
    server = start_server(directory / "server")
    dashboard = served(directory / "data", {LIVE: server})
    dashboard.access.accounts.add("mira", role=Role.ADMIN, password=PASSWORD)
    with server.client() as client:
        stored = Stored(client)
        stored.waiting("waiting", queue="elsewhere")
        stored.queue("mail")
        for number in range(FAILED):
            stored.failed(f"failed-{number}", score=-1, ended_s_ago=number)
    try:
        yield Shown(dashboard.start(), server)
    finally:
        dashboard.stop()
        server.stop()


@pytest.fixture(scope="module")
def desk(shown: Shown) -> Iterator[Watched]:
    with chromium() as browser:
        made = context(browser, viewport={"width": 1440, "height": 900})
        yield watched(made.new_page())
        made.close()


@dataclass(slots=True)
class Hands:
    """Somebody who has no mouse. unseen: where the focus was without being seen."""

    page: Page
    unseen: list[str] = field(default_factory=list)

    def focused(self) -> tuple[str, str]:
        """The role and the name of what has the focus, as assistive technology is told them."""
        self._words()
        found = SNAPSHOT.match(self.page.locator(":focus").aria_snapshot())
        return (found["role"], found["name"] or "") if found else ("", "")

    def to(self, role: str, name: str, *, back: bool = False) -> None:
        """Tabs until what has the focus has this role, and a name that begins so."""
        passed: list[str] = []
        while len(passed) < MOST_STOPS:
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
            passed.append(self._words())
            if passed[-1] and name in passed[-1]:
                found = self.focused()
                if found[0] == role and found[1].startswith(name):
                    return
        raise AssertionError(f"no {role} {name} at any stop of {self.page.url}: {passed}")

    def _words(self) -> str:
        """All words of what has the focus, "" when nothing has; notes when it cannot be seen."""
        focus = self.page.evaluate(FOCUS)
        if focus and not focus["isSeen"]:
            self.unseen.append(f"{focus['words']} on {self.page.url}")
        return f"{focus['words']} " if focus else ""

    def go(self, role: str, name: str) -> None:
        """Presses Enter there and waits for the page that comes."""
        self.to(role, name)
        self.enter()

    def enter(self) -> None:
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def type(self, role: str, name: str, text: str) -> None:
        """In place of what the field holds: arriving by Tab selects it."""
        self.to(role, name)
        self.page.keyboard.type(text)


@pytest.fixture
def hands(desk: Watched) -> Iterator[Hands]:
    made = Hands(desk.page)
    yield made
    assert made.unseen == []
    assert desk.errors() == []


def test_signing_in_finding_a_failed_job_and_requeuing_it(hands: Hands, shown: Shown) -> None:
    page = hands.page
    page.goto(shown.address("/sign-in"))
    assert hands.focused() == ("textbox", "Name")
    page.keyboard.type("mira")
    hands.type("textbox", "Password", PASSWORD)
    hands.enter()

    hands.type("searchbox", "Search jobs", "status:failed id:failed-3")
    hands.enter()
    hands.go("link", "app.tasks.send")
    hands.go("button", "Requeue")

    page.get_by_text("Requeued 1 job").first.wait_for()
    with shown.redis(LIVE) as client:
        assert [raw.decode() for raw in client.lrange(Keys().queue("mail"), 0, -1)] == ["failed-3"]


def test_moving_ten_failed_jobs_to_another_queue(hands: Hands, shown: Shown) -> None:
    page = hands.page
    hands.go("link", "Queues")
    hands.go("link", "mail")
    hands.go("link", f"Failed {FAILED - 1}")

    for _ in range(10):
        hands.to("checkbox", "Select job")
        page.keyboard.press("Space")
    hands.to("checkbox", "Select job", back=True)
    hands.to("checkbox", "Select job")
    hands.go("button", "Move")
    hands.to("combobox", "To queue")
    page.keyboard.press("ArrowDown")
    hands.to("radio", "Back of the queue")
    page.keyboard.press("ArrowRight")
    assert hands.focused() == ("radio", "Front")
    hands.go("button", "Move 10 jobs")

    page.get_by_text("Moved 10 jobs").first.wait_for()
    with shown.redis(LIVE) as client:
        assert _left(client) == (11, FAILED - 11)


def _left(client: redis.Redis) -> tuple[int, int]:
    """How many wait elsewhere, and how many are still failed."""
    return client.llen(Keys().queue("elsewhere")), client.zcard(Keys().registry("failed", "mail"))


def test_adding_a_connection(hands: Hands, shown: Shown) -> None:
    page = hands.page
    hands.go("link", "Connections")
    hands.go("link", "Add a connection")

    hands.type("textbox", "Name", "second")
    hands.to("radio", "")
    page.keyboard.press("ArrowRight")
    hands.type("textbox", "Host", HOST)
    hands.type("textbox", "Port", str(shown.server.port))
    hands.type("textbox", "Database", "1")
    hands.to("checkbox", "Protected")
    page.keyboard.press("Space")
    hands.go("button", "Save")

    page.get_by_role("heading", name="second").first.wait_for()
    made = shown.site.profiles.get("second")
    assert (made.host, made.port, made.db, made.protected) == (HOST, shown.server.port, 1, True)
