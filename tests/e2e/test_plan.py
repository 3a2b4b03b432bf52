"""From a budget to the papers: the plan made anew in a real browser, then its report and its map layers."""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from pypdf import PdfReader
from sqlalchemy import select

from db.models import Plan
from db.session import reading
from tests.conftest import forget_settings
from tests.e2e.browser import follow, open_browser
from tests.e2e.server import start_web
from tests.integration.workers import worker
from tests.unit.web.measured import Measured, fill_measured

pytestmark = pytest.mark.timeout(900)
WORK_MS = 240_000


@dataclass
class Site:
    address: str
    measured: Measured
    context: BrowserContext
    outside: list[str]


@pytest.fixture
def site(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    shutil.copy(sqlite_template, tmp_path / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(tmp_path))
        forget_settings()
        measured = fill_measured()
        with (
            worker(tmp_path / "worker.log"),
            start_web(tmp_path) as address,
            open_browser(address) as (context, outside),
        ):
            yield Site(address, measured, context, outside)
        forget_settings()


def picture(page: Page, name: str) -> None:
    """Keep how the page looks, where somebody wants to see it."""
    if folder := os.environ.get("PAVESCOPE_SHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=f"{folder}/plan-{name}.png", full_page=True)


def set_budget(page: Page, budget: int) -> None:
    """Type a budget and wait for the plan that it makes."""
    before = len(budgets())
    box = page.get_by_role("textbox", name=re.compile("^Budget a year"))
    box.fill(str(budget))
    box.press("Enter")
    if before == 0:
        page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("heading", name="Compared with other plans")).to_be_visible(timeout=WORK_MS)
    for _ in range(WORK_MS // 500):
        if len(budgets()) > before:
            return
        page.wait_for_timeout(500)
    raise AssertionError("no new plan")


def budgets() -> list[float]:
    """Of the plans made so far, the oldest first."""
    with reading() as session:
        return [plan.request["yearly_budget"] for plan in session.scalars(select(Plan).order_by(Plan.id))]


def export(page: Page, whom: str, into: Path) -> Path:
    """Press the button of the card for somebody, wait for the file, download it."""
    card = page.get_by_test_id("stColumn").filter(has_text=whom)
    card.get_by_role("button", name="Make").click()
    link = page.get_by_role("link", name=re.compile("^Download .*" + re.escape(into.suffix) + "$"))
    expect(link.first).to_be_visible(timeout=WORK_MS)
    with page.expect_download() as caught:
        link.first.click()
    caught.value.save_as(into)
    return into


def test_a_budget_makes_a_plan_and_the_plan_its_report_and_layers(site: Site, tmp_path: Path) -> None:
    page = site.context.new_page()
    page.goto(f"{site.address}/plan?survey={site.measured.survey}")
    set_budget(page, 20_000)
    picture(page, "first")
    set_budget(page, 60_000)
    assert budgets() == [20_000, 60_000]
    with reading() as session:
        first, second = session.scalars(select(Plan).order_by(Plan.id)).all()
        assert first.result["objective"] <= second.result["objective"] * 1.001
        assert second.result["total_cost"] <= 60_000 * second.request["years"]
        projects = second.result["projects"]
    assert projects
    expect(page.get_by_text("60,000").first).to_be_visible()
    picture(page, "second")
    follow(
        page.get_by_role("link", name="Priorities").last,
        page.get_by_role("heading", name="Priorities", exact=True),
    )
    picture(page, "priorities")

    page.goto(f"{site.address}/reports?survey={site.measured.survey}")
    pdf = PdfReader(export(page, "For the council", tmp_path / "report.pdf"))
    said = " ".join(sheet.extract_text() for sheet in pdf.pages)
    assert "County 2025" in said and projects[0]["treatment"] in said
    layers = export(page, "For the GIS department", tmp_path / "layers.gpkg")
    picture(page, "reports")
    sections = gpd.read_file(layers, layer="sections").set_index("section_key")
    planned = {key for project in projects for key in project["section_ids"]}
    assert set(sections.index[sections["planned_treatment"].notna()]) == planned
    with sqlite3.connect(layers) as database:
        styled = {row[0] for row in database.execute("SELECT f_table_name FROM layer_styles")}
    assert {"sections", "projects"} <= styled
    assert site.outside == []
