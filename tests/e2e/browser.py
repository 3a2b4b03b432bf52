"""Debian's Chromium with every request to the outside blocked and written down."""

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Route, expect, sync_playwright

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
        yield context, outside
        browser.close()
