"""Debian's Chromium with every request to the outside blocked and written down."""

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Error, Locator, Page, Route, expect, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Two busy cores draw a first page slowly; a test that passes does not wait.
PATIENCE_MS = 90_000
# One run often asks for the next: between them the script rests for a moment.
DRAWN = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    const rests = !app || app.dataset.testScriptState === 'notRunning';
    window.restsSince = rests ? window.restsSince ?? Date.now() : undefined;
    return rests && (!app || Date.now() - window.restsSince >= 250);
}"""


def wait_until_drawn(page: Page) -> None:
    """Wait until the script of the page rests: what is being drawn moves, and its downloads are cancelled."""
    with contextlib.suppress(Error):  # the action that waits tells better what it missed
        page.wait_for_function(DRAWN)


def _act_on_what_is_drawn(page: Page) -> None:
    """Have every click, keystroke and expectation on the page wait until it is drawn."""
    page.add_locator_handler(page.locator("body"), lambda _: wait_until_drawn(page), no_wait_after=True)


def follow(link: Locator, goal: Locator) -> None:
    """Click until what it leads to is there: what moves in the very moment of a click misses it."""
    for _ in range(6):
        with contextlib.suppress(AssertionError, Error):
            link.click(timeout=PATIENCE_MS / 6)
            expect(goal).to_be_visible(timeout=PATIENCE_MS / 6)
            return
    expect(goal).to_be_visible()


@contextlib.contextmanager
def open_browser(address: str) -> Iterator[tuple[BrowserContext, list[str]]]:
    """A browser context of 1400 x 900, and the list of outside addresses that pages asked for."""
    chromium = shutil.which("chromium")
    if chromium is None:
        # A run that checks everything must not pass by leaving something out.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no chromium on this machine")
    outside: list[str] = []

    def let_in(route: Route) -> None:
        if route.request.url.startswith((f"{address}/", "data:", "blob:")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        context.route("**/*", let_in)
        context.on("page", _act_on_what_is_drawn)
        yield context, outside
        browser.close()
