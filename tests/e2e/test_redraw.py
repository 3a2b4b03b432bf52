"""A page that draws itself anew again and again still lets its reader go elsewhere."""

import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.conftest import REPOSITORY
from tests.e2e.browser import open_browser
from tests.e2e.server import STARTS_WITHIN_S, free_port

# A fragment that finds, slowly, that the page is behind: a click falls into that time.
SCRIPT = """
import time
import streamlit as st
from app.components.redraw import redraw_page

def watching():
    st.title("Watching")
    @st.fragment(run_every="3s")
    def watch():
        time.sleep(2)
        redraw_page()
    watch()

st.navigation([st.Page(watching, title="Watching"), st.Page(lambda: st.title("Elsewhere"), title="Elsewhere",
                                                            url_path="elsewhere")]).run()
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The script under the product's own settings of Streamlit."""
    shutil.copytree(REPOSITORY / "app" / ".streamlit", tmp_path / ".streamlit")
    (tmp_path / "main.py").write_text(SCRIPT)
    served = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "streamlit", "run", "main.py", "--server.port", served.rsplit(":", 1)[1]]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                urllib.request.urlopen(f"{served}/_stcore/health", timeout=2).close()
                break
            except OSError:
                assert time.monotonic() < until and process.poll() is None
                time.sleep(0.2)
        yield served
    finally:
        process.kill()
        process.wait()


def test_a_click_goes_before_the_page_that_draws_itself_anew(address: str) -> None:
    with open_browser(address) as (context, outside):
        page = context.new_page()
        page.remove_locator_handler(page.locator("body"))  # that waits until the page is drawn: it never is
        page.goto(address)
        expect(page.locator("h1").first).to_have_text("Watching")
        page.wait_for_timeout(5000)  # it has drawn itself anew by then
        page.get_by_role("link", name="Elsewhere").click(timeout=60_000)
        expect(page.locator("h1").first).to_have_text("Elsewhere", timeout=30_000)
        page.wait_for_timeout(3000)
        expect(page.locator("h1").first).to_have_text("Elsewhere")
        assert outside == []
