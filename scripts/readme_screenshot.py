"""Photograph the network map of the sample for the readme. Makes and analyses the sample where HOME lacks it.

Run: python scripts/readme_screenshot.py [--home FOLDER] [--out docs/images/overview.png]
Needs Debian's chromium.
"""

import argparse
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Route, sync_playwright

BROWSER_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run"
)
WIDTH_PX, HEIGHT_PX = 1400, 1000
START_TIMEOUT_S = 120.0
DRAW_TIMEOUT_MS = 60_000
COLOURS = 255  # a palette keeps the picture small, and screens have few colours anyway


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[str]:
    """The web process on a free port; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "app.server:application", "--port", str(port)]
    with subprocess.Popen([*command, "--log-level", "warning"], env=environment) as web:
        try:
            until = time.monotonic() + START_TIMEOUT_S
            while not answers(f"{address}/healthz"):
                if web.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("The web process did not start.")
                time.sleep(0.5)
            yield address
        finally:
            web.terminate()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own process
            return True
    except (urllib.error.URLError, TimeoutError):
        return False


def photograph(address: str) -> bytes:
    """PNG of the map once its sections are drawn; nothing but our own process is asked."""

    def only_here(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=BROWSER_FLAGS.split()
        )
        page = browser.new_page(viewport={"width": WIDTH_PX, "height": HEIGHT_PX})
        page.route("**/*", only_here)
        page.goto(address, timeout=DRAW_TIMEOUT_MS)
        sections = page.frame_locator("iframe").first.locator("path.leaflet-interactive, canvas").first
        sections.wait_for(state="attached", timeout=DRAW_TIMEOUT_MS)
        page.wait_for_timeout(5000)
        picture = page.screenshot(timeout=DRAW_TIMEOUT_MS)
        browser.close()
    return picture


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="data folder; a temporary one if not given")
    parser.add_argument("--out", type=Path, default=Path("docs/images/overview.png"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = options.home or Path(temporary)
        environment = {**os.environ, "PAVESCOPE_HOME": str(home)}
        if not (home / "pavescope.db").exists():
            subprocess.run(
                [str(Path(sys.executable).with_name("pavescope")), "demo"], env=environment, check=True
            )
        with serving(environment) as address:
            picture = photograph(address)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS).save(options.out, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
