"""The page "Benchmarks" as Streamlit's own test driver sees it."""

import json

import pytest

from db.settings import get_settings
from engine.benchmarking.gallery import make_gallery
from engine.benchmarking.plan import Plan, RunSettings, parse_methods
from engine.benchmarking.runs import run_benchmark
from tests.unit.engine_ml.benchmarks import made_up_data
from tests.unit.web.test_pages import open_page, said


@pytest.fixture
def two_benchmarks(empty_app, tmp_path):
    """A finished one named `a_b*c*` with the detector on two sets, and one that has only been planned."""
    folder = get_settings().benchmarks_dir
    data = (made_up_data(tmp_path / "north"), made_up_data(tmp_path / "south"))
    plan = Plan(data, parse_methods(["detector"]), settings=RunSettings(epochs=2, device="cpu"))
    run_benchmark(plan, folder / "a_b*c*")
    make_gallery(plan, folder / "a_b*c*")
    planned = json.loads((folder / "a_b*c*" / "benchmark.json").read_text())
    (folder / "planned").mkdir()
    (folder / "planned" / "benchmark.json").write_text(json.dumps(planned))
    (folder / "something else").mkdir()


def test_without_a_benchmark_the_page_says_how_to_make_one(empty_app):
    page = open_page("benchmarks")
    assert "No benchmark yet" in said(page) and not page.error
    assert page.code[0].value.startswith("pavescope benchmark --data")


def test_a_finished_benchmark_is_shown_with_its_tables_and_pictures(two_benchmarks):
    page = open_page("benchmarks", benchmark="a_b*c*")
    assert not page.error and not page.info
    assert page.selectbox[0].options == ["planned", "a_b*c*"]
    assert page.selectbox[0].value == "a_b*c*"
    assert "every training ends after 2 epochs" in said(page)
    table = page.dataframe[0].value
    assert list(table["Data set"]) == ["all data sets", "north", "south"]
    assert float(table["F1 (Dice)"][1]) > 0.5
    assert [tab.label for tab in page.tabs] == ["Scores", "Plots", "Statistics", "Complexity", "Predictions"]
    assert len(page.get("plotly_chart")) == 4
    assert len(page.tabs[4].get("image")) == 2 * 3  # two test images: photo, truth, prediction
    assert "nothing to compare" in said(page)
    page.selectbox[2].select("detector").run()
    assert "north1" not in said(page) and "north2" in said(page) and not page.exception


def test_a_benchmark_that_has_not_got_far_says_so(two_benchmarks):
    page = open_page("benchmarks", benchmark="planned")
    assert "Not complete: 0 of 2 runs" in said(page).replace("\\", "")
    assert "No run is finished yet" in said(page) and not page.error


def test_an_address_that_leads_out_of_the_folder_shows_the_newest(two_benchmarks):
    assert open_page("benchmarks", benchmark="../../etc").selectbox[0].value == "planned"


def test_a_damaged_benchmark_is_told_and_another_can_be_chosen(two_benchmarks):
    folder = get_settings().benchmarks_dir / "a_b*c*"
    (folder / "gallery.json").write_text("[{}]")
    page = open_page("benchmarks", benchmark="a_b*c*")
    assert "gallery.json is damaged" in page.error[0].value.replace("\\", "") and not page.exception
    (folder / "benchmark.json").write_text("{}")
    page = open_page("benchmarks", benchmark="a_b*c*")
    assert "benchmark.json is damaged" in page.error[0].value.replace("\\", "") and not page.exception
    page.selectbox[0].select("planned").run()
    assert not page.error
