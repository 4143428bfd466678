"""Every page in a real browser, light and dark, wide and narrow: no error, nothing its policy forbids, fit for all people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from rqdash.model.caller import Role
from tests.browsed import Shown, fill, shown
from tests.browser import Watched, chromium, context, watched
from tests.places import ADMIN, NEWCOMER, PLACES, STRANGER, VIEWER, Place

WIDTHS = (1440, 390)
HEIGHT = 900
ROLES = {ADMIN: Role.ADMIN, VIEWER: Role.VIEWER, NEWCOMER: Role.ADMIN}


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Shown]:
    with shown(tmp_path_factory.mktemp("browsed")) as running:
        fill(running)
        running.site.access.accounts.add(NEWCOMER, role=Role.ADMIN, password=None, grants=("nothing-yet",))
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


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_page_is_sound_in_both_themes(pages: dict[str, Watched], dashboard: Shown, place: Place) -> None:
    seen = pages[place.who]

    place.reach(seen.page, dashboard)

    assert seen.status == place.status
    for theme in ("light", "dark"):
        seen.page.emulate_media(color_scheme=theme)
        assert {"axe": seen.axe(), "sideways": seen.sideways(), "errors": seen.errors()} == {"axe": [], "sideways": [], "errors": []}, theme
