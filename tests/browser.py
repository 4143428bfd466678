"""A real Chromium, and what it noticed on a page: errors, violations of the CSP, axe findings, what scrolls sideways."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = f"No browser: none of {', '.join(NAMES)} is on PATH. On Debian: apt-get install chromium."
TIMEOUT_MS = 15_000
# Runs before any script of a page, by the browser's own hand: nothing of the page's policy is lifted for it.
TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.effectiveDirective} refused ${event.blockedURI} in ${event.sourceFile}:${event.lineNumber}`));
"""
AXE = """
async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, impact, nodes }) => nodes.map((node) => `${id} (${impact}): ${node.html.slice(0, 200)} ${node.any[0]?.message ?? ""}`));
}
"""
# A box may be wider than its place where it is meant to scroll; elsewhere whatever can be pressed or typed in must be in sight.
SIDEWAYS = """
() => {
  const root = document.documentElement;
  const mayScroll = ".scroll, .scope, .tabs, .code, textarea";
  const shown = (element) => `<${element.localName} class="${element.getAttribute("class") ?? ""}">`;
  const found = root.scrollWidth > root.clientWidth ? [`the page: ${root.scrollWidth} of ${root.clientWidth} px`] : [];
  for (const element of document.querySelectorAll("body *")) {
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    if (scrolls && element.scrollWidth > element.clientWidth + 1 && !element.matches(mayScroll)) found.push(`${shown(element)} scrolls`);
    const acts = element.matches("a:not(.skip), button:not(.sr), input:not(.sr), select, textarea, summary");
    if (!acts || element.parentElement.closest(mayScroll)) continue;
    const { left, right, width } = element.getBoundingClientRect();
    if (width && (left < -1 || right > root.clientWidth + 1)) found.push(`${shown(element)} reaches from ${left} to ${right} px`);
  }
  return found;
}
"""


def executable() -> str:
    """Where the browser is. Skips the test, with the reason, when there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(MISSING)
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser; it ends with the block."""
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def context(browser: Browser, **options: Any) -> BrowserContext:
    """A browser profile of its own, with the page's policy in force."""
    made = browser.new_context(reduced_motion="reduce", **options)
    made.set_default_timeout(TIMEOUT_MS)
    made.add_init_script(TELL_VIOLATIONS)
    return made


def go(target: Locator) -> None:
    """Clicks what leads to another page, and waits for that page."""
    with target.page.expect_navigation():
        target.click()


def press(page: Page, name: str, *, exact: bool = True) -> None:
    go(page.get_by_role("button", name=name, exact=exact).last)


def follow(page: Page, name: str) -> None:
    go(page.get_by_role("link", name=name).first)


@dataclass(slots=True)
class Watched:
    """A page, the status of its document, and every error it had since the last look."""

    page: Page
    status: int = 0
    is_leaving: bool = False
    """Whether another document was asked for that is not there yet: what is looked at now may vanish under the eye."""
    _errors: list[tuple[str, str]] = field(default_factory=list)

    def errors(self) -> list[str]:
        """What went wrong, and forgets it. That the document itself is an error page is no error of the page."""
        found, self._errors[:] = list(self._errors), []
        own = "Failed to load resource: the server responded with a status of "
        return [
            f"{text} ({url})"
            for text, url in found
            if not (text.startswith(own) and url.partition("#")[0] == self.page.url.partition("#")[0])
        ]

    def axe(self) -> list[str]:
        """The serious and the critical findings of axe, with the rules it comes with; none is switched off."""
        if not self.page.evaluate("'axe' in window"):
            # As an expression: what a debugger evaluates is not the page's script, so the policy need not be lifted.
            self.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
        found: list[str] = self.page.evaluate(AXE)
        return found

    def sideways(self) -> list[str]:
        found: list[str] = self.page.evaluate(SIDEWAYS)
        return found


def watched(page: Page) -> Watched:
    """Notes the page's errors from now on."""
    found = Watched(page)

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found._errors.append((message.text, message.location.get("url", "")))

    def asked(request: Request) -> None:
        if request.is_navigation_request() and request.frame == page.main_frame:
            found.is_leaving = True

    def arrived(_: Page) -> None:
        found.is_leaving = False

    def answered(response: Response) -> None:
        if response.request.is_navigation_request() and response.frame == page.main_frame:
            found.status = response.status

    def failed(request: Request) -> None:
        # A live page that is left takes its poll with it.
        if not (request.failure == "net::ERR_ABORTED" and "rqdash-poll" in request.headers):
            found._errors.append((f"not loaded: {request.failure}", request.url))

    page.on("console", note)
    page.on("request", asked)
    page.on("load", arrived)
    page.on("response", answered)
    page.on("pageerror", lambda error: found._errors.append((f"uncaught: {error}", page.url)))
    page.on("requestfailed", failed)
    return found
