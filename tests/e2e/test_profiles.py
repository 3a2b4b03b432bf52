"""The page Cameras in a real browser: the picture follows every change, points are dragged, versions kept."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import profile_data
from tests.conftest import forget_settings
from tests.e2e.browser import open_browser
from tests.e2e.server import start_web
from tests.unit.web.photo_rows import measure_ahead
from tests.unit.web.rows import Filled, fill


@dataclass
class Site:
    address: str
    rows: Filled
    context: BrowserContext
    outside: list[str]


@pytest.fixture
def site(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    shutil.copy(sqlite_template, tmp_path / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(tmp_path))
        forget_settings()
        rows = fill()
        measure_ahead(rows)
        with start_web(tmp_path) as address, open_browser(address) as (context, outside):
            yield Site(address, rows, context, outside)
        forget_settings()


def picture(page: Page, name: str) -> None:
    """Keep how the page looks, where somebody wants to see it."""
    if folder := os.environ.get("PAVESCOPE_SHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=f"{folder}/cameras-{name}.png", full_page=True)


def test_a_camera_is_tried_on_a_photo_set_by_points_and_saved(site: Site) -> None:
    page = site.context.new_page()
    page.goto(f"{site.address}/cameras?survey={site.rows.survey}")
    rectified = page.get_by_alt_text("The photo rectified to the road's plane")
    expect(rectified).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_contain_text("asked: 30 mm")
    # Live: another pitch, another picture.
    before = rectified.get_attribute("src")
    assert before is not None
    page.get_by_label("Pitch (°)", exact=True).fill("22")
    page.get_by_label("Pitch (°)", exact=True).press("Enter")
    expect(rectified).not_to_have_attribute("src", before)
    page.wait_for_function(
        "image => image.complete && image.naturalWidth > 0", arg=rectified.element_handle()
    )
    picture(page, "values")
    # What cannot be is said, and the saved version is not touched.
    page.get_by_label("Pitch (°)", exact=True).fill("-39")
    page.get_by_label("Pitch (°)", exact=True).press("Enter")
    expect(page.get_by_text("above the horizon")).to_be_visible()
    expect(page.get_by_role("button", name="Save version 2")).to_be_disabled()
    page.get_by_label("Pitch (°)", exact=True).fill("22")
    page.get_by_label("Pitch (°)", exact=True).press("Enter")
    # Points are dragged with the mouse and moved with the keys.
    page.get_by_text("Four points on the road").click()
    third = page.get_by_role("button", name="Point 3")
    expect(third).to_be_visible()
    x = page.get_by_label("Point 3 x (px)")
    start = float(x.input_value())
    box = third.locator(".ring").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] - 20, middle[1] - 6, steps=4)
    expect(page.locator('[data-part="loupe"]').first).to_be_visible()
    page.mouse.up()
    expect(x).not_to_have_value(f"{start:.1f}")
    dragged = float(x.input_value())
    assert dragged < start
    third.press("ArrowRight")
    expect(x).to_have_value(f"{dragged + 1:.1f}")
    expect(page.get_by_text(re.compile("Found: Height"))).to_be_visible()
    picture(page, "points")
    page.get_by_role("button", name="Save version 2").click()
    expect(page.get_by_text("Saved: Front, version 2.")).to_be_visible()
    page.get_by_role("button", name="Use version 2 for it").click()
    expect(page.get_by_text("the next analysis measures by Front, version 2")).to_be_visible()
    newest = profile_data.profiles()[0]
    assert newest["version"] == 2 and newest["surveys"] == ["May"]
    assert site.outside == []
