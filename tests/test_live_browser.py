"""Live pages in a real browser, under churn: what a person has open, typed, ticked or looks at stays; what they see becomes true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, Request

from rqdash.model.caller import Role
from tests.browsed import LIVE, Shown, fill, shown
from tests.browser import Watched, chromium, context, watched
from tests.stored import Stored, iso

HEIGHT = 500
POLLS, MORPHS = 50, 4
"""A process answers polls of one second with one reading, so not each of 50 quick ones brings something new."""
TURN_MS = 2300
"""A little more than the longest wait between two polls that go well."""

ANSWERED = "() => fetch('/static/favicon.svg').then((answer) => answer.text())"
"""Waits about as long as an answer takes."""
TICK_ON_ANSWER = """
() => {
  const ask = window.fetch;
  window.fetch = async (...words) => {
    const answer = await ask(...words);
    window.fetch = ask;
    document.querySelectorAll("input[name='id']")[2].click();
    return answer;
  };
}
"""
"""A person whose hand is as quick as that."""
TOP = "document.activeElement.getBoundingClientRect().top"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Shown]:
    with shown(tmp_path_factory.mktemp("live")) as running:
        fill(running)
        yield running


@pytest.fixture
def desk(browser: Browser, dashboard: Shown) -> Iterator[Watched]:
    """An admin's browser whose clock the test moves, so that 50 polls take seconds."""
    made = context(browser, viewport={"width": 1440, "height": HEIGHT})
    dashboard.sign_in(made, "mira", Role.ADMIN)
    page = made.new_page()
    page.clock.install()
    yield watched(page)
    made.close()


@pytest.fixture
def churn(dashboard: Shown) -> Iterator[Stored]:
    with dashboard.redis(LIVE) as client:
        yield Stored(client)


def is_poll(request: Request) -> bool:
    return "rqdash-poll" in request.headers


def polled(page: Page) -> int:
    """Lets the next poll happen; gives its status."""
    with page.expect_response(lambda response: is_poll(response.request)) as caught:
        page.clock.run_for(TURN_MS)
    caught.value.finished()
    # The text is morphed in by what waits for it; a turn of the browser's own later it is there.
    page.evaluate("() => new Promise((done) => queueMicrotask(done))")
    return caught.value.status


def until_morphed(page: Page) -> int:
    """Lets polls happen until one brings something new; gives how many it took."""
    for number in range(1, 200):
        if polled(page) == 200:
            return number
    raise AssertionError("200 polls brought nothing new")


def many_polls(page: Page, change: Callable[[int], object]) -> tuple[int, int]:
    """Changes something before each poll; gives how many polls there were, and how many of them brought something."""
    statuses: list[int] = []
    while len(statuses) < POLLS or statuses.count(200) < MORPHS:
        assert len(statuses) < 10 * POLLS, "nothing new comes in"
        change(len(statuses))
        statuses.append(polled(page))
    return len(statuses), statuses.count(200)


def fails(churn: Stored, number: int) -> None:
    """One of 20 jobs fails, again with other arguments: the rows above and below change, and all stay on one page."""
    job_id = churn.failed(f"new-{number % 20}", queue="webhooks", score=-1, ended_s_ago=0)
    churn.client.hset(churn.keys.job(job_id), "description", f"app.tasks.send({number})")


def test_the_focus_and_the_scroll_of_a_list_survive_50_polls(desk: Watched, dashboard: Shown, churn: Stored) -> None:
    page = desk.page
    page.goto(dashboard.of(LIVE, "queue", name="webhooks", registry="failed"))
    link = page.locator("#main .name").nth(5)
    link.focus()
    page.evaluate("scrollTo(0, 120)")
    focused = page.evaluate("document.activeElement.title")

    polls, morphs = many_polls(page, lambda number: fails(churn, number))

    assert polls >= POLLS
    assert morphs >= MORPHS
    page.get_by_role("link", name="app.tasks.send").first.wait_for()
    assert page.evaluate("document.activeElement.title") == focused
    # Rows came in above it, and the browser scrolled along.
    assert 0 < page.evaluate(TOP) < HEIGHT
    assert page.evaluate("scrollY") > 120
    assert desk.errors() == []


def test_open_rows_typed_text_with_its_caret_and_the_scroll_survive_50_polls(desk: Watched, dashboard: Shown, churn: Stored) -> None:
    page = desk.page
    churn.failed("watched", queue="webhooks", score=-1, ended_s_ago=2)
    page.goto(dashboard.address("/failures", backend=LIVE))
    row = page.locator("main tr", has=page.locator("a[href*='id=watched']"))
    row.locator("summary").first.click()
    box = page.locator("#failures-search")
    box.press_sequentially("fn:app.")
    box.evaluate("(input) => input.setSelectionRange(3, 6)")
    page.evaluate("scrollTo(0, 60)")
    caret = "[document.activeElement.name, document.activeElement.selectionStart, document.activeElement.selectionEnd]"
    top = page.evaluate(TOP)

    polls, morphs = many_polls(page, lambda number: fails(churn, number))

    assert (polls >= POLLS, morphs >= MORPHS) == (True, True)
    page.get_by_role("link", name="app.tasks.send").first.wait_for()
    assert row.locator("details[open]").count() == 1
    assert box.input_value() == "fn:app."
    assert page.evaluate(caret) == ["q", 3, 6]
    assert page.evaluate(TOP) == top
    assert desk.errors() == []


def test_a_row_ticked_while_the_answer_is_under_way_stays_as_it_is(desk: Watched, dashboard: Shown, churn: Stored) -> None:
    page = desk.page
    page.goto(dashboard.of(LIVE, "queue", name="webhooks", registry="failed"))
    churn.failed("under-way", queue="webhooks", score=-1, ended_s_ago=0)
    page.evaluate(TICK_ON_ANSWER)
    ticked = page.locator("input[name=id]").nth(2).input_value()

    status = polled(page)

    assert status == 200
    assert page.locator("input[name=id]:checked").input_value() == ticked
    assert page.locator("a[href*='id=under-way']").count() == 0
    page.locator("input[name=id]:checked").uncheck()
    until_morphed(page)
    assert page.locator("main tr", has=page.locator("a[href*='id=under-way']")).is_visible()


def test_ticked_rows_stay_ticked_and_nothing_is_asked_meanwhile(desk: Watched, dashboard: Shown, churn: Stored) -> None:
    page = desk.page
    page.goto(dashboard.of(LIVE, "queue", name="webhooks", registry="failed"))
    polled(page)
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if is_poll(request) else None)

    page.locator("input[name=id]").nth(2).check()
    churn.failed("while-ticked", queue="webhooks", score=-1, ended_s_ago=0)
    for _ in range(POLLS):
        page.clock.run_for(TURN_MS)
    still = page.locator("input[name=id]:checked").count()
    page.locator("input[name=id]:checked").uncheck()
    asked_meanwhile = len(asked)
    until_morphed(page)

    assert still == 1
    assert asked_meanwhile == 0
    assert page.locator("input[name=id]").first.is_visible()


def test_a_form_that_a_poll_brought_in_can_be_sent(desk: Watched, dashboard: Shown, churn: Stored) -> None:
    page = desk.page
    churn.waiting("only", queue="short")
    page.goto(dashboard.of(LIVE, "queue", name="short"))
    churn.waiting("second", queue="short")
    until_morphed(page)

    page.locator("input[name=id]").nth(1).check()
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel 1 job").click()

    page.get_by_text("Canceled 1 job of short").wait_for()


def test_p_pauses_and_goes_on(desk: Watched, dashboard: Shown) -> None:
    page = desk.page
    page.goto(dashboard.address("/queues"))
    polled(page)
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if is_poll(request) else None)

    page.keyboard.press("p")
    for _ in range(5):
        page.clock.run_for(TURN_MS)
    paused = len(asked)
    page.keyboard.press("p")
    polled(page)

    assert paused == 0
    assert page.get_by_role("button", name="Pause refreshing").get_attribute("aria-pressed") == "false"


def test_a_page_that_cannot_be_refreshed_says_so_and_asks_less_often(desk: Watched, dashboard: Shown) -> None:
    page = desk.page
    page.goto(dashboard.address("/queues"))
    polled(page)
    page.route("**/queues", lambda route: route.abort() if is_poll(route.request) else route.continue_())
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if is_poll(request) else None)

    for _ in range(12):
        page.clock.run_for(TURN_MS)
        page.evaluate(ANSWERED)

    assert 2 <= len(asked) <= 5
    assert "failed" in (page.locator("#stamp").get_attribute("title") or "")
    page.unroute("**/queues")
    for _ in range(20):
        page.clock.run_for(40_000)
        page.evaluate(ANSWERED)
        if page.locator("#stamp.warm").count() == 0:
            break
    assert page.locator("#stamp.warm").count() == 0


def test_the_time_of_a_running_job_moves_against_its_limit_without_being_asked_for(desk: Watched, dashboard: Shown, churn: Stored) -> None:
    page, execution, now = desk.page, "a" * 32, datetime.now(UTC)
    churn.running(churn.worker("steady", state="busy", queues="steady"), "long", queue="steady", execution=execution)
    churn.client.hset(churn.keys.job("long"), mapping={"started_at": iso(now), "timeout": 600})
    churn.client.hset(churn.keys.execution(f"long:{execution}"), "created_at", now.timestamp())
    page.goto(dashboard.address("/workers", backend=LIVE, q="worker:steady"))
    page.keyboard.press("p")
    meter = page.locator("tr", has_text="steady").locator("svg[data-from]")

    page.clock.run_for(300_000)
    half = float(meter.locator("rect").last.get_attribute("width") or 0)
    page.clock.run_for(270_000)

    assert 54 < half < 60
    assert "meter--near" in (meter.get_attribute("class") or "")
    assert page.locator("tr", has_text="steady").locator(".warm").inner_text().startswith("9 m")
    assert desk.errors() == []
