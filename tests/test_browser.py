"""Every page in a real browser, wide and light, narrow and dark: no error, nothing its policy forbids, fit for all people."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState

from rqdash.model.caller import Role
from rqdash.web.pages import ROUTES
from tests.browsed import DEAD, LIVE, Shown, fill, shown
from tests.browser import Watched, chromium, context, watched
from tests.places import ADMIN, NEWCOMER, PLACES, QUEUE, STRANGER, VIEWER, At, Place

# A theme changes colours and a width the layout, so each is looked at by itself. axe takes most of the time, so it looks at every page in
# one of the two, by turns. The soak looks at all four with all of it.
IS_FULL = bool(os.environ.get("RQDASH_SOAK"))
THEMES = {1440: ("light", "dark") if IS_FULL else ("light",), 390: ("dark", "light") if IS_FULL else ("dark",)}
WIDTHS = tuple(THEMES)
HEIGHT = 900
ROLES = {ADMIN: Role.ADMIN, VIEWER: Role.VIEWER, NEWCOMER: Role.ADMIN}


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Shown]:
    with shown(tmp_path_factory.mktemp("browsed")) as running:
        fill(running)
        add = running.site.access.accounts.add
        add(NEWCOMER, role=Role.ADMIN, password=None, grants=("nothing-yet",))
        add(VIEWER, role=Role.VIEWER, password=None, grants=(LIVE, DEAD))
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module", params=WIDTHS, ids=lambda width: f"{width} px")
def pages(request: pytest.FixtureRequest, browser: Browser, dashboard: Shown) -> Iterator[dict[str, Watched]]:
    """A watched page for each who looks, signed in, of one width."""
    contexts: dict[str, BrowserContext] = {}
    for who in (ADMIN, VIEWER, NEWCOMER, STRANGER):
        contexts[who] = context(browser, viewport={"width": request.param, "height": HEIGHT})
        if who != STRANGER:
            dashboard.sign_in(contexts[who], who, ROLES[who])
    yield {who: watched(made.new_page()) for who, made in contexts.items()}
    for made in contexts.values():
        made.close()


@pytest.fixture
def desk(browser: Browser, dashboard: Shown, signed_in: StorageState) -> Iterator[Watched]:
    """A fresh browser of an admin, on a wide screen."""
    made = context(browser, viewport={"width": WIDTHS[0], "height": HEIGHT}, storage_state=signed_in)
    yield watched(made.new_page())
    made.close()


@pytest.fixture(scope="module")
def signed_in(browser: Browser, dashboard: Shown) -> StorageState:
    """What a browser keeps of an admin's sign-in."""
    made = context(browser)
    dashboard.sign_in(made, ADMIN, Role.ADMIN)
    state = made.storage_state()
    made.close()
    return state


def test_every_page_of_the_route_table_is_looked_at() -> None:
    addresses = [place.reach.path.partition("?")[0] for place in PLACES if isinstance(place.reach, At)]
    pages = [route.rule for route in ROUTES if route.method == "GET" and route.template]

    assert [rule for rule in pages if not any(re.fullmatch(re.sub("<[a-z]+>", "[a-z0-9-]+", rule), path) for path in addresses)] == []


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_page_is_sound(pages: dict[str, Watched], dashboard: Shown, place: Place) -> None:
    seen = pages[place.who]

    place.reach(seen.page, dashboard)

    assert (seen.status, seen.is_leaving) == (place.status, False)
    width = seen.page.evaluate("innerWidth")
    for theme in THEMES[width]:
        seen.page.emulate_media(color_scheme=theme)
        found = {"axe": seen.axe() if is_its_turn(place, width) else [], "sideways": seen.sideways(), "errors": seen.errors()}
        assert found == {"axe": [], "sideways": [], "errors": []}, theme


def is_its_turn(place: Place, width: int) -> bool:
    return IS_FULL or (PLACES.index(place) + WIDTHS.index(width)) % 2 == 0


def test_the_policy_is_in_force_and_its_violations_are_noticed(desk: Watched, dashboard: Shown) -> None:
    desk.page.goto(dashboard.address("/"))

    desk.page.evaluate("document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran = true' }))")
    desk.page.evaluate("document.body.setAttribute('style', 'color: red')")

    assert desk.page.evaluate("window.ran") is None
    assert {error.split()[1] for error in desk.errors() if error.startswith("CSP: ")} == {"script-src-elem", "style-src-attr"}


def test_what_is_wrong_is_found(desk: Watched, dashboard: Shown) -> None:
    desk.page.goto(dashboard.address("/"))

    desk.page.evaluate("document.querySelector('h1').innerHTML = '<img src=data:,>'")
    desk.page.evaluate("document.querySelector('main').append('wide'.repeat(999))")

    assert "image-alt" in {finding.partition(" ")[0] for finding in desk.axe()}
    assert desk.sideways()[0].startswith("the page: ")


def test_a_broken_script_is_noticed(desk: Watched, dashboard: Shown) -> None:
    desk.page.route("**/js/select.js", lambda route: route.fulfill(body="throw new Error('broken')", content_type="text/javascript"))

    desk.page.goto(dashboard.address("/"))
    desk.page.wait_for_load_state("load")

    assert "broken" in " ".join(desk.errors())


def test_rows_are_selected_one_by_one_by_range_and_all_at_once(desk: Watched, dashboard: Shown) -> None:
    desk.page.goto(dashboard.of(LIVE, "queue", name=QUEUE, registry="failed"))
    boxes, bar = desk.page.locator("input[name=id]"), desk.page.locator("[data-select=bar]")
    counts = [bar.is_visible()]

    boxes.nth(1).click()
    counts.append(bar.locator("b[data-select=count]").inner_text())
    boxes.nth(4).click(modifiers=["Shift"])
    counts.append(bar.locator("b[data-select=count]").inner_text())
    desk.page.get_by_label("Select this page").check()
    counts.append(bar.locator("b[data-select=count]").inner_text())
    bar.get_by_label("Clear selection (Esc)").click()
    counts.append(bar.is_visible())

    assert counts == [False, "1 selected", "4 selected", "12 selected", False]


def test_the_theme_goes_round_and_is_remembered(desk: Watched, dashboard: Shown) -> None:
    desk.page.emulate_media(color_scheme="light")
    desk.page.goto(dashboard.address("/"))
    button = desk.page.locator(".side").get_by_role("button", name="Theme")

    button.click()
    button.click()
    chosen = button.inner_text()
    desk.page.goto(dashboard.address("/queues"))

    assert chosen == "Theme: dark"
    assert button.inner_text() == "Theme: dark"
    assert desk.page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


def test_keys_lead_to_places_and_rows_unless_they_are_off(desk: Watched, dashboard: Shown) -> None:
    desk.page.goto(dashboard.address("/"))
    with desk.page.expect_navigation():
        desk.page.keyboard.press("g")
        desk.page.keyboard.press("q")
    to_queues = desk.page.url
    desk.page.goto(dashboard.of(LIVE, "queue", name=QUEUE, registry="failed"))
    for key in ("j", "j", "x", "j", "Shift+X"):
        desk.page.keyboard.press(key)
    ticked = [desk.page.locator("input[name=id]").nth(row).is_checked() for row in range(4)]
    desk.page.goto(dashboard.address("/account"))
    desk.page.get_by_label("Single-key shortcuts").uncheck()

    desk.page.get_by_role("heading", name="Account").click()
    desk.page.keyboard.press("0")
    desk.page.keyboard.press("g")
    desk.page.keyboard.press("q")

    assert to_queues == dashboard.address("/queues")
    assert ticked == [False, True, True, False]
    assert desk.page.url == dashboard.address("/account")


def test_the_open_tab_is_in_sight_on_a_phone(desk: Watched, dashboard: Shown) -> None:
    desk.page.set_viewport_size({"width": WIDTHS[1], "height": HEIGHT})

    desk.page.goto(dashboard.of(LIVE, "queue", name=QUEUE, registry="canceled"))

    box = desk.page.locator(".tabs [aria-current]").bounding_box()
    assert box is not None
    assert 0 <= box["x"] <= box["x"] + box["width"] <= WIDTHS[1]
