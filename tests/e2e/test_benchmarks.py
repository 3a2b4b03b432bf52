"""The page "Benchmarks" and the report's file in a real browser that cannot reach the internet."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from engine.benchmarking.gallery import make_gallery
from engine.benchmarking.plan import Plan, RunSettings, parse_methods
from engine.benchmarking.report import make_report, write_report
from engine.benchmarking.results import read_benchmark
from engine.benchmarking.runs import run_benchmark
from tests.conftest import forget_settings
from tests.e2e.browser import open_browser
from tests.e2e.server import start_web
from tests.unit.engine_ml.benchmarks import made_up_data


@dataclass
class Site:
    address: str
    folder: Path
    context: BrowserContext
    outside: list[str]


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("web")
    shutil.copy(sqlite_template, home / "pavescope.db")
    data = tuple(made_up_data(home / "data" / name) for name in ("north", "south", "west"))
    plan = Plan(data, parse_methods(["detector,checkpoint:base"]), settings=RunSettings(device="cpu"))
    folder = home / "benchmarks" / "three roads"
    run_benchmark(plan, folder)
    make_gallery(plan, folder)
    write_report(make_report(read_benchmark(folder)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(home))
        forget_settings()
        with start_web(home) as address, open_browser(address) as (context, outside):
            yield Site(address, folder, context, outside)
        forget_settings()


def test_the_page_draws_tables_plots_and_pictures_without_the_internet(site: Site) -> None:
    page = site.context.new_page()
    page.goto(site.address + "/benchmarks")
    expect(page.locator("h1")).to_have_text("Benchmarks")
    expect(page).to_have_url(re.compile(r"benchmark=three"))
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    page.get_by_role("tab", name="Plots").click()
    # the radar's outlines are paths, one a method
    expect(page.locator(".js-plotly-plot").first.locator(".polarlayer path.js-line")).to_have_count(2)
    page.get_by_role("tab", name="Predictions").click()
    picture = page.get_by_test_id("stImage").locator("img").first
    expect(picture).to_be_visible()
    page.wait_for_function(
        "picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle()
    )
    with page.expect_download() as found:
        page.get_by_role("button", name="Report (HTML)").click()
    assert found.value.suggested_filename == "three roads.html"
    assert found.value.path().stat().st_size == (site.folder / "report.html").stat().st_size
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert site.outside == []
    page.close()


def test_the_report_opens_from_a_file_and_loads_nothing(site: Site) -> None:
    page = site.context.browser.new_page()  # a context of its own: a file may be read there
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda problem: wrong.append(str(problem)))
    page.goto((site.folder / "report.html").as_uri())
    expect(page.locator(".js-plotly-plot")).to_have_count(6)
    expect(page.locator("svg path.js-line").first).to_be_attached()
    expect(page.locator("figure img").first).to_be_visible()
    assert [url for url in asked if not url.startswith("data:")] == [(site.folder / "report.html").as_uri()]
    assert wrong == []
    page.close()
