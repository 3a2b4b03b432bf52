"""Sections by condition in a real browser: table and map, section, steps, strip map, photo."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.conftest import forget_settings
from tests.e2e.browser import open_browser
from tests.e2e.server import start_web
from tests.e2e.test_pages import expect_colours, map_frame
from tests.unit.web.measured import Measured, fill_measured
from tests.unit.web.rows import fill


@dataclass
class Site:
    address: str
    rows: Measured
    context: BrowserContext
    outside: list[str]

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(self.address + path)
        expect(page.locator("h1")).to_be_visible()
        return page


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("web")
    shutil.copy(sqlite_template, home / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(home))
        forget_settings()
        fill()
        rows = fill_measured()
        with start_web(home) as address, open_browser(address) as (context, outside):
            yield Site(address, rows, context, outside)
        forget_settings()


@pytest.fixture(autouse=True)
def nothing_leaves(site: Site) -> Iterator[None]:
    yield
    assert site.outside == []


def test_the_map_has_the_standards_classes_and_a_legend_that_names_it(site: Site) -> None:
    page = site.open(f"/sections?survey={site.rows.survey}")
    frame = map_frame(page)
    legend = frame.locator(".pavescope-legend")
    for words in ("Condition index", "ASTM D6433", "good, 70 and more", "poor, under 55", "no data"):
        expect(legend).to_contain_text(words)
    expect_colours(page, frame, {"253,231,37"}, {"33,145,140"}, {"68,1,84"}, {"141,153,166"})
    page.get_by_role("tab", name="Roads").click()
    expect(page.get_by_role("button", name="Download as CSV (2 roads)")).to_be_visible()
    page.close()


def test_a_filter_leaves_the_other_sections_faint(site: Site) -> None:
    page = site.open(f"/sections?survey={site.rows.survey}")
    frame = map_frame(page)
    expect_colours(page, frame, {"68,1,84"})
    page.get_by_label("Road class").click()
    page.get_by_role("option", name="main").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("tab", name="Sections (3 of 6)")).to_be_visible()
    expect_colours(page, frame, {"195,204,213"}, {"253,231,37"})
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download as CSV (3 sections)").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8-sig")
    assert "'=R1-3" in text and "D6433" in text and "R2-1" not in text
    page.close()


def test_a_section_opens_from_the_map_and_leads_to_a_photo(site: Site) -> None:
    page = site.open(f"/sections?survey={site.rows.survey}")
    frame = map_frame(page)
    expect_colours(page, frame, {"68,1,84"})
    # In the middle of R2-1, and between two photos of it.
    centre = frame.locator("body").evaluate("() => window.map.latLngToContainerPoint([50.2032, 8.2014])")
    frame.locator("#map_div").click(position=centre)
    expect(page).to_have_url(re.compile(r"/(section\?.*section=|photo\?photo=)"))
    page.goto(f"{site.address}/section?survey={site.rows.survey}&section={site.rows.sections['R2-1']}")
    expect(page.get_by_text("Uneven section")).to_be_visible()
    strip = page.get_by_test_id("stPlotlyChart").first
    for words in ("Longitudinal", "Alligator", "Chainage (m)", "Not measurable"):
        expect(strip).to_contain_text(words)
    page.get_by_text("How the condition index came about").click()
    expect(page.get_by_text("the greatest corrected deduct").last).to_be_visible()
    expect(page.get_by_test_id("stTable").first).to_contain_text("Alligator")
    # A click on a photo's point of the strip map opens the photo.
    strip.locator(".scatterlayer .trace .points path").first.click(force=True)
    expect(page).to_have_url(re.compile(r"/photo\?photo=\d+"))
    page.close()
