"""The page "Models" in a real browser: the slider between two checkpoints, and a checkpoint's download."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from app import actions
from app import checkpoint_actions as checkpoints
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.conftest import forget_settings
from tests.e2e.browser import open_browser
from tests.e2e.server import start_web
from tests.integration.checkpoints import register
from tests.integration.surveys import draw_photos, import_photos


@dataclass
class Site:
    address: str
    context: BrowserContext
    outside: list[str]


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Base and one checkpoint more, compared on two photos."""
    home = tmp_path_factory.mktemp("web")
    shutil.copy(sqlite_template, home / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(home))
        forget_settings()
        actor = actions.local_actor()
        survey_id = import_photos(draw_photos(home / "photos", 2))
        base_id, _ = checkpoints.in_force(actor)
        other = register(home, "rear `${camera}`", 1)
        run_job(checkpoints.request_comparison(actor, survey_id, base_id, other), WORK_OF)
        with start_web(home) as address, open_browser(address) as (context, outside):
            yield Site(address, context, outside)
        forget_settings()


def width_seen(half: Locator) -> float:
    """Share of the stage that a half shows, 0 to 1."""
    seen: float = half.evaluate(
        """half => {
            const edges = getComputedStyle(half).clipPath.match(/[0-9.]+(?=%|px)/g).map(Number);
            const [right, left] = edges.length === 4 ? [edges[1], edges[3]] : [edges[1] ?? 0, edges[1] ?? 0];
            return (100 - right - left) / 100;
        }"""
    )
    return seen


def expect_pictures(page: Page) -> None:
    """The photo and both masks have arrived, in the photo's size."""
    pictures = page.locator(
        ".slider img"
    )  # reaches into the component's shadow, as no script of the page can
    expect(pictures).to_have_count(3)
    for number in range(3):
        decoded = pictures.nth(number).evaluate("async image => (await image.decode(), image.naturalWidth)")
        assert decoded == 320


def test_the_divider_parts_the_masks_of_two_checkpoints(site: Site) -> None:
    page = site.context.new_page()
    page.goto(site.address + "/models")
    expect(page.locator("h1")).to_have_text("Models")
    expect_pictures(page)
    expect(page.locator('[data-part="second-name"]')).to_have_text("rear `${camera}`")
    left, right = page.locator('[data-part="left"]'), page.locator('[data-part="right"]')
    assert (width_seen(left), width_seen(right)) == (0.5, 0.5)
    stage = page.locator(".stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    assert width_seen(left) == pytest.approx(0.25, abs=0.01)
    assert width_seen(right) == pytest.approx(0.75, abs=0.01)
    # the keyboard moves it too, and a zoomed photo is dragged instead
    page.get_by_label("Divider between the checkpoints").focus()
    page.keyboard.press("End")
    assert width_seen(left) == 1
    page.get_by_role("button", name="+").click()
    sheet = page.locator(".slider .sheet").first
    before = sheet.evaluate("sheet => sheet.style.transform")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2 + 30, steps=3)
    page.mouse.up()
    assert sheet.evaluate("sheet => sheet.style.transform") != before
    assert width_seen(left) == 1
    page.get_by_label("Cracks", exact=True).uncheck()
    expect(left).to_be_hidden()
    expect(page.get_by_alt_text("Survey photo")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert site.outside == []
    page.close()


def test_a_checkpoint_is_downloaded_as_it_is_stored(site: Site) -> None:
    page = site.context.new_page()
    page.goto(site.address + "/models")
    with page.expect_download() as found:
        page.get_by_role("button", name="Export").click()
    assert found.value.suggested_filename.startswith("base-")
    _, stored = checkpoints.export_checkpoint(
        actions.local_actor(), checkpoints.checkpoint_id_of(actions.local_actor(), "base")
    )
    assert Path(found.value.path()).read_bytes() == stored.read_bytes()
    page.close()
