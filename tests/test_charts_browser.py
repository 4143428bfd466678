"""Charts in a real browser: drawn in the page's colours under its policy, saying what their tables say, at every width."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from rqdash.demo.servers import HOST, start_server
from rqdash.history.archive import Archive
from rqdash.model.caller import Role
from rqdash.model.profile import Profile
from rqdash.store import open_store
from tests.browsed import LIVE, ODD, Shown
from tests.browser import Watched, chromium, context, watched
from tests.recorded import past, record
from tests.served import served
from tests.stored import HOSTILE

CHARTS = 6
# How many points of a chart have the colour of a line, as the browser shows it now.
PAINTED = """
(section) => {
  const canvas = section.querySelector("canvas");
  const [brush, copy] = [[1, 1], [canvas.width, canvas.height]].map((size) =>
    new OffscreenCanvas(...size).getContext("2d", { willReadFrequently: true }));
  copy.drawImage(canvas, 0, 0);
  const seen = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  return [...section.querySelectorAll(".backend > .icon")].map((line) => {
    brush.fillStyle = getComputedStyle(line).color;
    brush.fillRect(0, 0, 1, 1);
    const [red, green, blue] = brush.getImageData(0, 0, 1, 1).data;
    let count = 0;
    for (let at = 0; at < seen.length; at += 4) count += seen[at] === red && seen[at + 1] === green && seen[at + 2] === blue;
    return count;
  });
}
"""
VALUES = "(section) => [...section.querySelectorAll('[data-chart=value]')].map((value) => value.textContent)"
WIDEST = "() => Math.max(...[...document.querySelectorAll('.uplot')].map((plot) => plot.getBoundingClientRect().right))"
# What happens when a poll brings in a new slot.
MOVED = """
() => {
  for (const section of document.querySelectorAll("[data-behaviour=chart]")) section.dataset.read = "moved";
  dispatchEvent(new Event("morphed"));
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Shown]:
    """Two backends with an hour of history that nobody adds to."""
    directory = tmp_path_factory.mktemp("drawn")
    server, site = start_server(directory / "server"), served(directory / "data", {})
    try:
        for name, hue in ((LIVE, "indigo"), (ODD, "violet")):
            site.profiles.create(Profile(name, hue=hue, host=HOST, port=server.port), by="mira")
        remember(directory / "data", {profile.name: profile.id for profile in site.profiles.all()})
        yield Shown(site.start(processes=1, RQDASH_BACKGROUND="off"), server)
    finally:
        site.stop()
        server.stop()


def remember(data_dir: Path, keys: dict[str, str]) -> None:
    now = time.time()
    with closing(open_store("", data_dir=data_dir)) as store, closing(Archive(store)) as archive:
        for place, (name, key) in enumerate(keys.items(), 2):
            record(archive, name, past(now, ["mail", *HOSTILE[:place]]), key=key)


@pytest.fixture(scope="module")
def session(dashboard: Shown, browser: Browser) -> Iterator[Watched]:
    made = context(browser, viewport={"width": 1440, "height": 900}, color_scheme="light")
    dashboard.sign_in(made, "admin", Role.ADMIN)
    yield watched(made.new_page())
    made.close()


@pytest.fixture
def desk(session: Watched) -> Watched:
    session.page.set_viewport_size({"width": 1440, "height": 900})
    session.page.emulate_media(color_scheme="light")
    session.errors()
    return session


def drawn(page: Page, address: str, *, charts: int = CHARTS) -> None:
    page.goto(address)
    page.locator(".uplot").nth(charts - 1).wait_for()


def chart(page: Page, key: str) -> Any:
    return page.locator(f"#chart-{key}")


def test_charts_are_drawn_in_the_colours_of_the_theme_and_again_when_it_changes(desk: Watched, dashboard: Shown) -> None:
    drawn(desk.page, dashboard.address("/insights"))
    light = chart(desk.page, "queued").evaluate(PAINTED)

    desk.page.emulate_media(color_scheme="dark")
    desk.page.wait_for_function(f"() => Math.min(...({PAINTED})(document.querySelector('#chart-queued'))) > 50")
    desk.page.locator(".side").get_by_role("button", name="Theme").click()
    desk.page.wait_for_function(f"() => Math.min(...({PAINTED})(document.querySelector('#chart-queued'))) > 50")

    assert min(light) > 50
    assert desk.page.locator("html").get_attribute("data-theme") == "light"
    assert desk.errors() == []
    desk.page.evaluate("localStorage.clear()")


def test_a_chart_a_phone_wide_stays_in_its_panel_and_grows_with_it(desk: Watched, dashboard: Shown) -> None:
    desk.page.set_viewport_size({"width": 390, "height": 900})
    drawn(desk.page, dashboard.address("/insights"))
    narrow = desk.page.evaluate(WIDEST)

    desk.page.set_viewport_size({"width": 1440, "height": 900})
    desk.page.wait_for_function(f"() => ({WIDEST})() > 1200")

    assert narrow <= 374
    assert (desk.sideways(), desk.errors()) == ([], [])


def test_the_table_says_what_is_drawn_and_the_pointer_says_one_slot_of_it(desk: Watched, dashboard: Shown) -> None:
    with desk.page.expect_response("**/insights.json**") as answered:
        drawn(desk.page, dashboard.address("/insights", rows="all", backend=ODD, range="24h"))
    section = chart(desk.page, "queued")
    newest = section.evaluate(VALUES)

    section.locator("summary").click()
    rows = section.locator("tbody tr:has(td.num)")
    times = rows.locator("time").evaluate_all("(all) => all.map((time) => time.dateTime)")
    table = dict(zip(times, rows.locator("td").all_inner_texts(), strict=True))
    width = section.locator(".u-over").bounding_box()["width"]
    section.locator(".u-over").hover(position={"x": width - 2, "y": 50})
    pointed, moment = section.evaluate(VALUES), section.locator("[data-chart=at]").inner_text()
    desk.page.get_by_role("heading", name="Insights").hover()

    assert table == slots(answered.value.json()["history"]["charts"][0])
    assert pointed[0] in table.values()
    assert ", " in moment
    assert section.evaluate(VALUES) == newest == [next(iter(table.values()))]
    assert desk.errors() == []


def slots(found: dict[str, Any]) -> dict[str, str]:
    """The slots of a chart that were sampled, newest first, as the page writes times and values."""
    begin = datetime.fromisoformat(found["starts_at"]).timestamp()
    values = [(begin + place * found["step_s"], value) for place, value in enumerate(found["series"][0]["values"])]
    said = {datetime.fromtimestamp(at, UTC): f"{value:,g}" for at, value in reversed(values) if value is not None}
    return {at.isoformat(timespec="milliseconds").replace("+00:00", "Z"): text for at, text in said.items()}


def test_what_is_looked_at_closely_stays_when_a_slot_comes_and_a_double_click_leaves_it(desk: Watched, dashboard: Shown) -> None:
    drawn(desk.page, dashboard.address("/insights", range="24h"))
    box = chart(desk.page, "queued").locator(".u-over").bounding_box()
    whole = chart(desk.page, "queued").evaluate(PAINTED)
    desk.page.mouse.move(box["x"] + box["width"] - 60, box["y"] + 40)
    desk.page.mouse.down()
    desk.page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 40, steps=4)
    desk.page.mouse.up()
    close = [chart(desk.page, key).evaluate(PAINTED) for key in ("queued", "workers")]

    with desk.page.expect_response("**/insights.json**") as answered:
        desk.page.evaluate(MOVED)
    answered.value.finished()
    desk.page.evaluate("() => new Promise(requestAnimationFrame)")
    still = [chart(desk.page, key).evaluate(PAINTED) for key in ("queued", "workers")]
    desk.page.mouse.dblclick(box["x"] + 50, box["y"] + 40)

    assert close[0] != whole
    assert still == close
    desk.page.wait_for_function(
        f"() => JSON.stringify(({PAINTED})(document.querySelector('#chart-queued'))) === '{whole}'.replaceAll(' ', '')"
    )
    assert desk.errors() == []


@pytest.mark.parametrize("queue", [HOSTILE[0], "mail"])
def test_the_page_of_a_queue_draws_its_history_when_asked(desk: Watched, dashboard: Shown, queue: str) -> None:
    with dashboard.server.client() as client:
        client.sadd("rq:queues", f"rq:queue:{queue}")
    desk.page.goto(dashboard.of(LIVE, "queue", name=queue))

    desk.page.get_by_role("navigation", name="Range").get_by_role("link", name="6 h").click()
    desk.page.locator(".uplot").nth(4).wait_for()

    assert "range=6h" in desk.page.url
    assert min(chart(desk.page, "queued").evaluate(PAINTED)) > 20
    assert (desk.sideways(), desk.axe(), desk.errors()) == ([], [], [])
