"""The page Change reads like for like, and lays photo pairs over each other."""

import base64
import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from sqlalchemy import delete, select, update

from app import change_data, section_data
from app.change_pictures import pair_pictures
from app.components.change_view import _remedy, change_csv, change_geojson, sorted_changes
from app.components.measures import FORMULA_KEYS
from app.data import version_of
from app.layers import index_ends
from db.models import AnalysisResult, SectionResult, Survey, SurveyImage
from db.session import reading, transaction
from engine.change import Measured, section_change
from engine.condition import FORMULAS
from engine.sample import SAMPLE_SEED, sample_surveys
from tests.conftest import forget_settings
from tests.unit.condition.two_surveys import AGREEMENT, TwoSurveys, analyse, how, make
from tests.unit.web.test_pages import open_page

SECTIONS = 2


@pytest.fixture(scope="module")
def template(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, TwoSurveys]]:
    home = tmp_path_factory.mktemp("two-surveys")
    shutil.copy(sqlite_template, home / "pavescope.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAVESCOPE_HOME", str(home))
        forget_settings()
        made = make(SECTIONS)
        forget_settings()
    yield home, made


@pytest.fixture
def two(template: tuple[Path, TwoSurveys], home: Path) -> TwoSurveys:
    """The two surveys in a home of their own."""
    shutil.copytree(template[0], home, dirs_exist_ok=True)
    forget_settings()
    st.cache_data.clear()
    return template[1]


def versions(two: TwoSurveys) -> tuple[str, str]:
    return version_of(two.first), version_of(two.second)


def photos_of(number: int) -> list:
    keys = sorted({photo.truth.section_key for photo in sample_surveys(SAMPLE_SEED)[0].photos})[:SECTIONS]
    return [photo for photo in sample_surveys(SAMPLE_SEED)[number].photos if photo.truth.section_key in keys]


def pair_of(two: TwoSurveys) -> change_data.AnalysisPair:
    return change_data.analysis_pair(two.first, two.second, versions(two))


def runs_of(pair: change_data.AnalysisPair) -> tuple[tuple[int, str], tuple[int, str]]:
    assert pair.first is not None and pair.second is not None
    return (
        (pair.first["checkpoint_id"], pair.first["settings_hash"]),
        (pair.second["checkpoint_id"], pair.second["settings_hash"]),
    )


def test_the_same_checkpoint_and_settings_are_compared(two: TwoSurveys) -> None:
    pair = pair_of(two)
    assert pair.reason is None
    table = change_data.change_table(two.first, two.second, runs_of(pair), versions(two))
    assert len(table) == SECTIONS and table["low_index"].isna().all()
    table = change_data.index_change_table(two.first, two.second, runs_of(pair), versions(two))
    with reading() as session:
        rolled = {
            (row.survey_id, row.section_id): row.crack_density_m_per_m2
            for row in session.scalars(select(SectionResult))
        }
    for line in table.to_dict("records"):
        before, after = (rolled[survey, line["id"]] for survey in (two.first, two.second))
        assert line["difference_density"] == pytest.approx(after - before)
        assert line["low_density"] < line["difference_density"] < line["high_density"]
        assert line["low_index"] <= line["difference_index"] <= line["high_index"]
        assert isinstance(line["real_density"], bool)
    worst_first = sorted_changes(table, "density")["difference_density"].tolist()
    assert sorted(worst_first, reverse=True) == worst_first


def test_both_pages_give_a_section_one_interval_of_the_index(two: TwoSurveys) -> None:
    """That of a section whose cracking has no severity reaches down to where all of it is high."""
    with transaction() as session:
        for row in session.scalars(select(SectionResult)):
            row.condition = {**row.condition, "value_low": 20.0}
    runs = runs_of(pair_of(two))
    table = change_data.index_change_table(two.first, two.second, runs, versions(two))
    with reading() as session:
        before, after = (index_ends(session, survey) for survey in (two.first, two.second))
    for line in table.to_dict("records"):
        first = Measured(line["first_index"], *before[line["id"]])
        second = Measured(line["second_index"], *after[line["id"]])
        assert first.low == second.low == 20.0
        change = section_change(first, second)
        assert (line["low_index"], line["high_index"]) == pytest.approx((change.low, change.high))
        assert line["real_index"] is False


def test_intervals_of_the_index_are_worked_out_where_it_differs_most(
    two: TwoSurveys, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    ends = change_data.ends_of_index
    monkeypatch.setattr(change_data, "ends_of_index", lambda row: read.append(row.section_id) or ends(row))
    monkeypatch.setattr(change_data, "MAX_INTERVALS", 1)
    runs = runs_of(pair_of(two))
    change_data.change_table(two.first, two.second, runs, versions(two))
    assert read == []
    table = change_data.index_change_table(two.first, two.second, runs, versions(two))
    most = table.loc[table["difference_index"].abs().idxmax(), "id"]
    assert set(read) == {most} and len(read) == 2
    assert table.set_index("id")["low_index"].notna().to_dict()[most]
    assert table["low_index"].notna().sum() == 1


def test_the_trend_does_not_compare_another_way_of_measuring(two: TwoSurveys) -> None:
    section = int(
        change_data.change_table(two.first, two.second, runs_of(pair_of(two)), versions(two))["id"][0]
    )
    trend = section_data.trend(two.second, section)
    assert len(trend) == 2 and trend["not_comparable"].isna().all()
    with transaction() as session:
        session.execute(delete(AnalysisResult).where(AnalysisResult.image_id > 3 * SECTIONS))
    analyse(two.second, photos_of(1), two.checkpoint, how(agreement=asdict(AGREEMENT)), version=3)
    reasons = section_data.trend(two.second, section).set_index("survey_id")["not_comparable"]
    assert "measurement version" in reasons[two.first] and reasons[[two.second]].isna().all()


def test_the_list_is_ready_for_a_map(two: TwoSurveys) -> None:
    pair = pair_of(two)
    table = change_data.index_change_table(two.first, two.second, runs_of(pair), versions(two))
    layer = json.loads(change_geojson(table, pair, ("2024", "2025")))
    assert [feature["properties"]["id"] for feature in layer["features"]] == table["id"].tolist()
    assert all(len(feature["geometry"]["coordinates"]) > 1 for feature in layer["features"])
    properties = layer["features"][0]["properties"]
    assert properties["crack_density_m_per_m2_difference"] == table["difference_density"].iloc[0]
    assert properties["checkpoint"] == "base" and properties["severity_standard"].startswith(
        "D6433: low under"
    )
    assert properties["first_survey"] == "2024"
    for name, said in layer["measures"].items():
        assert f"{name}_second" in properties
        assert said == {
            "unit": said["unit"], "formula": FORMULAS[FORMULA_KEYS.get(name, name)][0],
            "standard": FORMULAS[FORMULA_KEYS.get(name, name)][1],
        }  # fmt: skip


def test_the_csv_names_formula_standard_and_checkpoint(two: TwoSurveys) -> None:
    pair = pair_of(two)
    table = change_data.index_change_table(two.first, two.second, runs_of(pair), versions(two))
    text = change_csv(table, pair, ("2024", "=2025")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    index = f"condition_index_second [{'; '.join(FORMULAS['condition_index'])}]"
    assert float(rows[0][index]) == pytest.approx(table["second_index"].iloc[0])
    assert any(head.startswith("condition_index_difference [second - first; ") for head in rows[0])
    assert rows[0]["checkpoint"] == "base" and rows[0]["second_survey"] == "'=2025"
    assert rows[0]["severity_standard"] == "D6433: low under 10 mm, high over 75 mm"


def test_another_checkpoint_is_refused_and_the_older_survey_offered(two: TwoSurveys) -> None:
    analyse(two.second, photos_of(1), two.other_checkpoint, how())
    # The later survey still has a comparable analysis, which is not the shown one.
    assert pair_of(two).reason is None
    with transaction() as session:
        session.execute(
            delete(AnalysisResult).where(
                AnalysisResult.checkpoint_id == two.checkpoint,
                AnalysisResult.image_id.in_(
                    select(SurveyImage.id).where(SurveyImage.survey_id == two.second)
                ),
            )
        )
        session.execute(update(SectionResult).values(images=SectionResult.images))
    st.cache_data.clear()
    pair = pair_of(two)
    assert pair.reason is not None and "checkpoint" in pair.reason
    assert _remedy(pair)[:2] == (0, "adapted")


def test_a_newer_way_of_measuring_is_no_change_of_the_road(two: TwoSurveys) -> None:
    with transaction() as session:
        session.execute(delete(AnalysisResult).where(AnalysisResult.image_id > 3 * SECTIONS))
    analyse(two.second, photos_of(1), two.checkpoint, how(agreement=asdict(AGREEMENT)), version=3)
    pair = pair_of(two)
    assert pair.reason is not None and "measurement version" in pair.reason
    assert _remedy(pair)[:2] == (0, "base")


def test_a_survey_that_is_not_analysed_is_named(two: TwoSurveys) -> None:
    with transaction() as session:
        session.execute(delete(AnalysisResult).where(AnalysisResult.image_id > 3 * SECTIONS))
        session.execute(delete(SectionResult).where(SectionResult.survey_id == two.second))
        session.execute(update(Survey).where(Survey.id == two.second).values(shown_checkpoint_id=None))
    pair = pair_of(two)
    assert pair.reason == "The later one is not analysed yet."
    assert _remedy(pair)[:2] == (1, "base")


def test_photos_pair_with_the_nearest(two: TwoSurveys) -> None:
    table = change_data.change_table(two.first, two.second, runs_of(pair_of(two)), versions(two))
    pairs = change_data.photo_pairs(int(table["id"].iloc[0]), two.first, two.second, runs_of(pair_of(two)))
    assert [round(pair["apart_m"], 3) for pair in pairs] == [0.6] * 3
    assert [pair["second_id"] - pair["first_id"] for pair in pairs] == [3 * SECTIONS] * 3


def decoded(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


def test_a_pair_lies_on_each_other_with_its_new_cracks(two: TwoSurveys) -> None:
    runs = runs_of(pair_of(two))
    table = change_data.change_table(two.first, two.second, runs, versions(two))
    pair = change_data.photo_pairs(int(table["id"].iloc[0]), two.first, two.second, runs)[0]
    shown = pair_pictures(pair["first_id"], pair["second_id"], runs, versions(two))
    assert shown["registered"] and shown["rectified"]
    assert shown["error_mm"] < 4
    before, after = decoded(shown["before"]).astype(float), decoded(shown["after"]).astype(float)
    reached = before.mean(axis=2) > 5
    # Laid over each other the stones agree; a few pixels off they would not.
    agreement = np.corrcoef(before[reached].mean(axis=1), after[reached].mean(axis=1))[0, 1]
    off = np.corrcoef(before[reached].mean(axis=1), np.roll(after, 6, 1)[reached].mean(axis=1))[0, 1]
    assert agreement > 0.5 > off
    cracks = decoded(shown["after_cracks"])
    assert (cracks[..., 3] > 0).any()


def test_photos_of_different_places_stand_side_by_side(two: TwoSurveys) -> None:
    runs = runs_of(pair_of(two))
    shown = pair_pictures(1, 3 * SECTIONS + 4, runs, versions(two))
    assert not shown["registered"]
    assert decoded(shown["before"]).shape == decoded(shown["after"]).shape


def test_the_page_draws_the_index_with_its_intervals(two: TwoSurveys) -> None:
    page = open_page("change", first=two.first, second=two.second)
    assert not page.exception
    page.get("button_group")[0].set_value("index").run()
    assert not page.exception
    assert page.dataframe[0].value["interval"].str.contains(" to ").all()
