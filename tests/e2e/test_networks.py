"""The page of road networks in a real browser: check, map columns, import, edit, find a place."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pytest
from playwright.sync_api import BrowserContext, Error, Page, TimeoutError, expect
from shapely.geometry import LineString, Polygon
from sqlalchemy import select, update

from db.models import Network, Section
from db.session import reading, transaction
from tests.conftest import forget_settings
from tests.e2e.browser import open_browser
from tests.e2e.server import start_web
from tests.unit.web.rows import fill


@dataclass
class Site:
    address: str
    context: BrowserContext
    network: int

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(self.address + path)
        expect(page.get_by_role("heading", name="Road networks")).to_be_visible()
        return page


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("web")
    shutil.copy(sqlite_template, home / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(home))
        forget_settings()
        filled = fill()
        with start_web(home) as address, open_browser(address) as (context, outside):
            yield Site(address, context, filled.network)
            assert outside == []
        forget_settings()


@pytest.fixture
def road_file(tmp_path: Path) -> Path:
    """In metres, with columns under names of its own, an area, and two lines of the same id."""
    lines = [LineString([(7.0 + n / 100, 46.0), (7.01 + n / 100, 46.0)]) for n in range(3)]
    shapes = [*lines, Polygon([(7, 46), (7.01, 46), (7.01, 46.01)])]
    columns = {"id": ["a", "a", "<b>`${c}`", "area"], "rt": ["N1"] * 4, "vpd": [100, 200, 300, 400]}
    path = tmp_path / "roads.gpkg"
    gpd.GeoDataFrame(columns, geometry=shapes, crs=4326).to_crs(32632).to_file(path)
    return path


def sections_of(name: str) -> dict[str, Section]:
    with reading() as session:
        found = select(Section).join(Network, Network.id == Section.network_id).where(Network.name == name)
        return {section.section_key: section for section in session.scalars(found)}


def choose(page: Page, label: str, option: str) -> None:
    """A list closes where the page is drawn anew meanwhile (the map reports its size): open it again."""
    box = page.get_by_role("combobox", name=label, exact=True)
    for _ in range(10):
        box.click()
        try:
            page.get_by_role("option", name=option, exact=True).click(timeout=3000)
        except TimeoutError:
            page.keyboard.press("Escape")
            continue
        break
    expect(box).to_have_value(option)


def type_into(page: Page, column: int, row: int, text: str, saves: str) -> None:
    """Change a cell by keys until the button that saves says so: a page drawn anew closes an open cell."""
    table = page.get_by_role("tabpanel", name="Sections").get_by_test_id("stDataFrame")
    for _ in range(8):
        page.keyboard.press("Escape")
        expect(table).to_have_count(1)
        # For a moment the old one stands beside a new one: then this try is lost.
        with contextlib.suppress(Error, AssertionError):
            table.click(position={"x": 30, "y": 52}, timeout=3000)
            for key in ["ArrowDown"] * row + ["ArrowRight"] * column + ["Enter"]:
                page.keyboard.press(key, delay=30)
            page.wait_for_timeout(500)  # the cell's own field opens
            page.keyboard.press("ControlOrMeta+a")
            page.keyboard.type(text, delay=40)
            page.wait_for_timeout(200)
            page.keyboard.press("Enter")
            expect(page.get_by_role("button", name=saves)).to_be_enabled(timeout=6000)
            return
    raise AssertionError(f"{text} did not reach the table")


def test_a_file_is_checked_mapped_and_only_then_imported(site: Site, road_file: Path) -> None:
    page = site.open("/networks")
    page.get_by_text("Import a GIS file").click()
    page.locator('input[type="file"]').set_input_files(road_file)
    expect(page.get_by_text("nothing is saved yet")).to_be_visible()
    figures = page.get_by_test_id("stMetric")
    expect(figures.filter(has_text="Sections to import")).to_contain_text("3")
    expect(figures.filter(has_text="Left out")).to_contain_text("1")
    expect(page.get_by_text("UTM zone 32N")).to_be_visible()
    expect(page.frame_locator("iframe[title*=st_folium]").first.locator("canvas").first).to_be_attached()
    assert sections_of("District 4") == {}
    # Neither `rt` nor `vpd` is a usual name: they are chosen by hand.
    page.get_by_text("of 11 found").click()
    choose(page, "Road", "rt")
    choose(page, "AADT", "vpd")
    page.get_by_role("spinbutton", name="Cut centrelines every (m)").fill("300")
    page.get_by_role("button", name="Check again").click()
    expect(figures.filter(has_text="Sections to import")).to_contain_text("9")
    page.get_by_role("textbox", name="Name of the network").fill("District 4")
    page.get_by_role("button", name="Import 9 sections").click()
    expect(page.get_by_text("9 sections imported, 2.3 km.")).to_be_visible()
    expect(page.get_by_role("heading", name="District 4")).to_be_visible()
    saved = sections_of("District 4")
    assert "a-000300" in saved and "a-001080#2" not in saved
    assert {section.road for section in saved.values()} == {"N1"}
    assert {section.aadt for section in saved.values()} == {100, 200, 300}
    page.close()


def test_a_file_that_cannot_be_used_is_refused_with_the_remedy(site: Site, tmp_path: Path) -> None:
    (tmp_path / "roads.geojson").write_text("<OGRVRTDataSource/>")
    page = site.open("/networks")
    page.get_by_text("Import a GIS file").click()
    page.locator('input[type="file"]').set_input_files(tmp_path / "roads.geojson")
    expect(page.get_by_text("roads.geojson is not a network file that can be read.")).to_be_visible()
    expect(page.get_by_text("What to do:")).to_be_visible()
    page.close()


def test_cells_are_changed_and_a_second_person_is_told(site: Site) -> None:
    page = site.open(f"/networks?network={site.network}")
    page.get_by_role("tab", name="Sections").click()
    expect(page.get_by_text("Sections 1 to 3 of 3")).to_be_visible()
    type_into(page, column=5, row=0, text="asphalt", saves="Save 1 change")
    type_into(page, column=10, row=1, text="5000000", saves="Save 2 changes")
    page.get_by_role("button", name="Save 2 changes").click()
    alert = page.get_by_role("alert").filter(has_text="Section S1, AADT: 5000000 is not a whole number")
    expect(alert).to_be_visible()
    assert sections_of("Town")["S0"].surface is None, "half of it was saved"
    page.get_by_role("button", name="Discard and load anew").click()
    expect(alert).to_have_count(0)
    type_into(page, column=5, row=0, text="asphalt", saves="Save 1 change")
    type_into(page, column=10, row=1, text="1200", saves="Save 2 changes")
    page.get_by_role("button", name="Save 2 changes").click()
    expect(page.get_by_text("Saved: 2 values changed.")).to_be_visible()
    saved = sections_of("Town")
    assert (saved["S0"].surface, saved["S1"].aadt) == ("asphalt", 1200)

    type_into(page, column=5, row=2, text="concrete", saves="Save 1 change")
    with transaction() as session:
        session.execute(update(Section).where(Section.section_key == "S2").values(surface="gravel"))
    page.get_by_role("button", name="Save 1 change").click()
    told = page.get_by_role("alert").filter(has_text="Section S2, Surface: it is gravel now, not empty")
    expect(told).to_be_visible()
    page.get_by_role("button", name="Discard and load anew").click()
    expect(told).to_have_count(0)
    assert sections_of("Town")["S2"].surface == "gravel"
    page.close()


def test_a_place_is_found_by_chainage(site: Site) -> None:
    page = site.open(f"/networks?network={site.network}")
    page.get_by_role("tab", name="Find a place").click()
    forms = page.get_by_test_id("stForm")
    form = forms.filter(has_text="Where is a chainage?")
    form.get_by_role("spinbutton", name="Chainage (m)").fill("350")
    form.get_by_role("button", name="Find the position").click()
    expect(page.get_by_text(re.compile(r"Latitude 50\.000000\d, longitude 8\.0050000"))).to_be_visible()
    back = forms.filter(has_text="Which chainage is here?")
    back.get_by_role("spinbutton", name="Latitude").fill("50.0001")
    back.get_by_role("spinbutton", name="Longitude").fill("8.005")
    back.get_by_role("button", name="Find the chainage").click()
    expect(page.get_by_text(re.compile(r"11\.1 m to the left of rising chainage"))).to_be_visible()
    page.close()


def test_sample_units_are_changed(site: Site) -> None:
    page = site.open(f"/networks?network={site.network}")
    page.get_by_role("tab", name="Sample units").click()
    page.get_by_role("spinbutton", name="Length of a sample unit (m)").fill("50")
    page.get_by_role("button", name="Save the length").click()
    expect(page.get_by_text("Sample units are 50 m long now")).to_be_visible()
    page.close()
