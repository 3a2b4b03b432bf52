"""Sections by condition: classes, filters, CSV, strip map, steps, trend; with metres and without."""

import csv
import io
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app import data, identity, section_data
from app.components.distress_table import distress_frame
from app.components.index_steps import (
    allowed_words,
    correction_table,
    corrections,
    deduct_table,
    index_words,
)
from app.components.measures import (
    AREA_SHARE,
    AT_BEST,
    DENSITY,
    GRADE_COLOURS,
    HPMS,
    INDEX,
    MEASURES,
    NO_DATA,
    colour_of,
    measure_classes,
)
from app.components.section_figures import units_words
from app.components.section_table import add_grades, class_words, section_csv, worst_first
from app.components.section_trend import change_words
from app.components.strip_map import mark_places, unit_steps
from db import rollup
from db.models import (
    AnalysisResult,
    AuditEvent,
    DistressQuantity,
    Section,
    SectionResult,
    Survey,
    SurveyImage,
)
from db.session import reading, transaction
from engine.condition import correct_deducts, hpms_class
from engine.severity import LTPP
from engine.vocabulary import DistressType, Severity
from tests.unit.web.measured import Measured, fill_measured
from tests.unit.web.rows import SETTINGS_HASH, Filled
from tests.unit.web.test_pages import open_page, said


@pytest.fixture
def measured(empty_app: None) -> Measured:
    return fill_measured()


def table_of(measured: Measured) -> pd.DataFrame:
    return data.section_table(measured.survey, data.version_of(measured.survey))


@given(st.integers(0, 100))
def test_a_percent_has_the_class_of_the_standard_in_words_and_colour(percent: int) -> None:
    grade = HPMS.grade(percent)
    assert grade == hpms_class(percent)
    assert colour_of(percent, measure_classes(HPMS, 100)) == GRADE_COLOURS[grade or ""]


@given(st.floats(0, 100))
def test_an_index_has_one_class_in_words_and_colour(value: float) -> None:
    grade = INDEX.grade(value)
    assert grade == ("good" if value >= 70 else "fair" if value >= 55 else "poor")
    assert colour_of(value, measure_classes(INDEX, 100)) == GRADE_COLOURS[grade]


def test_without_a_value_or_a_standard_there_is_no_class() -> None:
    assert INDEX.grade(math.nan) is None and DENSITY.grade(3.0) is None
    assert colour_of(math.nan, measure_classes(INDEX, 100)) == NO_DATA


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_names_its_formula_and_standard(measure: object) -> None:
    assert measure.formula and measure.standard  # type: ignore[attr-defined]


def test_the_worst_comes_first_whichever_way_a_measure_runs(measured: Measured) -> None:
    table = table_of(measured)
    for measure in (INDEX, DENSITY, HPMS):
        keys = list(worst_first(table, measure)["section_key"])
        assert keys[0] == "R2-2" and keys[-2:] == ["R1-1", "R2-3"], measure


def test_the_csv_names_formulas_and_defuses_formulas(measured: Measured) -> None:
    table = add_grades(table_of(measured), INDEX)
    version = data.version_of(measured.survey)
    text = section_csv(table, INDEX, measured.survey, version).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 6 and rows[0]["section_key"] == "R2-2"
    assert {row["section_key"] for row in rows} >= {"'=R1-3"} and "\n=" not in text
    index = next(head for head in rows[0] if head.startswith("condition_index ["))
    assert "D6433" in index and "deduct" in index
    assert float(rows[0]["condition_index_low"]) <= float(rows[0][index])
    assert float(rows[0][index]) <= float(rows[0]["condition_index_high"])
    assert rows[-1][index] == ""
    hpms = next(head for head in rows[0] if head.startswith("hpms_cracking_percent ["))
    assert "490.311" in hpms
    assert rows[0]["checkpoint"] == "county" and rows[0]["severity_standard"] == "none: no severity was told"
    with transaction() as session:
        session.execute(update(AnalysisResult).values(settings={"severity_standard": LTPP.as_dict()}))
    section_data.shown_analysis.clear()
    text = section_csv(table, INDEX, measured.survey, version).decode("utf-8-sig")
    last = list(csv.DictReader(io.StringIO(text)))[-1]
    assert last["severity_standard"] == "LTPP: low under 6 mm, high over 19 mm"


def test_a_class_without_severities_is_told_as_one_at_best(measured: Measured) -> None:
    for severity in (Severity.LOW, Severity.NOT_MEASURABLE):
        with transaction() as session:
            session.execute(update(DistressQuantity).values(severity=severity))
            rollup.refresh_sections(session, measured.survey, measured.checkpoint, SETTINGS_HASH)
        data.section_table.clear()
        table = add_grades(table_of(measured), INDEX)
        assert table["at_best"].any() == (severity == Severity.NOT_MEASURABLE)
    worst = table["condition_index_at_worst"] < table["condition_index"] - 1
    assert worst.sum() >= 3
    told = dict(zip(table["section_key"], class_words(table), strict=True))
    for row in table[worst].to_dict("records"):
        # poor is as bad as it gets
        expected = "poor" if row["grade"] == "poor" else f"{row['grade']} at best"
        assert told[row["section_key"]] == expected
    assert any("at best" in str(words) for words in told.values()) and told["R2-3"] is None
    text = section_csv(table, INDEX, measured.survey, "v").decode("utf-8-sig")
    rows = {row["section_key"].lstrip("'"): row for row in csv.DictReader(io.StringIO(text))}
    graded = next(head for head in rows["R1-1"] if head.startswith("class ["))
    assert {key: row[graded] or None for key, row in rows.items()} == told
    assert sum(row["condition_index_at_worst"] != "" for row in rows.values()) == 5
    page = open_page("sections", survey=measured.survey)
    assert not page.error and any(caption.value == AT_BEST for caption in page.caption)
    assert any("at best" in str(cell) for cell in page.dataframe[0].value["graded"])
    # classes of cracked area need no severity
    assert not add_grades(table, HPMS)["at_best"].any()


def test_the_table_page_filters_by_road_class_type_and_severity(measured: Measured) -> None:
    page = open_page("sections", survey=measured.survey)
    assert not page.error
    assert page.selectbox[1].label == "Measure" and page.selectbox[1].value == INDEX
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Sections surveyed"] == "5 of 6" and shown["Uneven sections"] == "1"

    def keys() -> set[str]:
        return set(page.dataframe[0].value["section_key"])

    def choose(label: str, *words: str) -> None:
        box = next(box for box in page.multiselect if box.label == label)
        box.set_value(list(words)).run()
        assert not page.exception

    assert len(keys()) == 6
    choose("Road", "B 10")
    assert keys() == {"R1-1", "R1-2", "=R1-3"}
    choose("Condition", "good", "fair")
    assert keys() == {"R1-1", "R1-2"}
    choose("Distress", "alligator")
    assert keys() == {"R1-2"}
    choose("Severity", "low")
    assert "No section passes the filters" in said(page)  # alligator cracking here is high
    choose("Distress")
    assert keys() == {"R1-2"}
    choose("Surface", "not given")
    assert "No section passes the filters" in said(page)


def test_filters_offer_what_occurs(measured: Measured) -> None:
    page = open_page("sections", survey=measured.survey)
    offered = {box.label: box.options for box in page.multiselect}
    assert offered["Distress"] == ["Longitudinal", "Transverse", "Block", "Alligator"]
    assert offered["Severity"] == ["Low", "Medium", "High", "Not measurable"]


def test_sample_units_that_are_needed_follow_the_sections_own_spread() -> None:
    def units(*indices: float | None) -> list[dict[str, Any]]:
        return [{"condition_index": index} for index in indices]

    assert units_words([], 30) == ""
    assert units_words(units(80.0, None), 30) == " on 2 of 30 sample units, 11 needed"  # s 10 by D6433
    assert units_words(units(80.0, 81.0, 80.0), 30) == " on 3 of 30 sample units, 5 needed"
    spread = math.sqrt(2) * 20
    needed = math.ceil(30 * spread**2 / (6.25 * 29 + spread**2))
    assert units_words(units(40.0, 80.0), 30) == f" on 2 of 30 sample units, {needed} needed"


def test_the_road_table_has_the_means_of_its_sections(measured: Measured) -> None:
    version = data.version_of(measured.survey)
    roads = section_data.road_totals(measured.survey, version).set_index("road")
    table = table_of(measured)
    here = table[(table["road"] == "B 10") & (table["images"] > 0)]
    wanted = (here["condition_index"] * here["surveyed_area_m2"]).sum() / here["surveyed_area_m2"].sum()
    assert roads.loc["B 10", "condition_index"] == pytest.approx(wanted)
    network = section_data.network_totals(measured.survey, version)
    assert network["sections"] == 6 and network["surveyed_sections"] == 5
    assert network["crack_density_m_per_m2_low"] < network["crack_density_m_per_m2"]


def test_the_more_of_a_section_is_seen_the_less_is_its_error_of_sampling(measured: Measured) -> None:
    """A quarter of it was photographed: the ends of its density's interval by hand."""
    with reading() as session:
        found = session.scalars(
            select(AnalysisResult)
            .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
            .where(
                SurveyImage.survey_id == measured.survey, SurveyImage.section_id == measured.sections["R2-1"]
            )
        ).all()
        densities = np.array([row.crack_density_m_per_m2 for row in found])
    row = table_of(measured).set_index("section_key").loc["R2-1"]
    assert row["surveyed_share"] == pytest.approx(95 / 400)
    # Student's t for 90 % and 18 degrees of freedom, from a printed table.
    sampled = 1.7341 * densities.std(ddof=1) / math.sqrt(19) * math.sqrt(1 - 95 / 400)
    mean = densities.mean()
    assert row["crack_density_m_per_m2_low"] == pytest.approx(
        mean - math.hypot(0.1 * mean, sampled), rel=1e-4
    )
    assert row["crack_density_m_per_m2_high"] == pytest.approx(
        mean + math.hypot(0.15 * mean, sampled), rel=1e-4
    )


def test_a_section_page_shows_condition_distresses_steps_and_trend(measured: Measured) -> None:
    page = open_page("section", survey=measured.survey, section=measured.sections["R2-1"])
    assert not page.error
    shown = {metric.label: (metric.value, metric.delta) for metric in page.metric}
    row = table_of(measured).set_index("section_key").loc["R2-1"]
    assert (
        shown["Condition index"][0] == f"{row['condition_index']:.0f}"
        and " to " in shown["Condition index"][1]
    )
    assert "PASER" in shown["Rating"][1]
    assert shown["Surveyed length"] == ("24 %", "332.5 m² on 4 of 4 sample units, 4 needed")
    assert "Uneven section" in said(page)
    found = page.dataframe[0].value
    assert set(found["kind"]) == {"Longitudinal", "Transverse", "Alligator", "Block"}
    assert found["length_m"].sum() / 332.5 == pytest.approx(row["crack_density_m_per_m2"], rel=1e-3)
    assert "greatest corrected deduct" in said(page) and "not typed alligator" in said(page)
    assert "Severity not measurable" in said(page).replace("\\", "")
    trend = page.dataframe[1].value
    assert list(trend["Survey"]) == ["County 2024", "County 2025"]
    change = "Change, earlier to later, against County 2025"
    assert trend[change][0].startswith("-") and trend["Real?"][0] in ("yes", "no")
    earlier = open_page("section", survey=measured.earlier, section=measured.sections["R2-1"])
    backwards = earlier.dataframe[1].value[change.replace("2025", "2024")]
    assert backwards[1] == trend[change][0], "the sign is of time, whichever survey is looked at"


def test_the_steps_are_those_of_the_index(measured: Measured) -> None:
    version = data.version_of(measured.survey)
    condition = section_data.rolled_up(measured.survey, measured.sections["R2-2"], version)["condition"]
    deducts, steps = deduct_table(condition), correction_table(corrections(condition)[0])
    assert len(deducts) == len(condition["deducts"]) and "m²" in set(deducts["Quantity"].str.split().str[-1])
    greatest = max(float(value) for value in steps["Corrected deduct"])
    assert condition["value"] == pytest.approx(100 - greatest, abs=0.05)
    assert [int(q) for q in steps["q (deducts over 2)"]][-1] <= 1


def holds(equation: str) -> bool:
    """Whether `left = right` of a printed equation agree to what is printed."""
    left, right = equation.split(" = ")
    value = eval(left.replace("x", "*"))  # numbers and signs only
    return math.isclose(value, float(right), abs_tol=0.5 * 10 ** -len(right.partition(".")[2]) + 1e-9)


# The standard's m of 95 is 1.46; a cap lets more deducts count. 97 of one deduct; 1 with m over 10.
@pytest.mark.parametrize(
    "deducts", [[95, 60, 50, 40, 30], [94.96, 60.04, 7.7], [97], [1.0], [48, 23, 18, 6, 5]]
)
@pytest.mark.parametrize("stored", [True, False])
def test_each_printed_equation_of_the_steps_holds(deducts: list[float], stored: bool) -> None:
    found = correct_deducts(deducts)
    condition: dict[str, Any] = {"deducts": [{"points": value} for value in deducts]}
    if stored:
        condition |= {"correction": asdict(found[0]), "capped": found[1] and asdict(found[1])}
    standard, capped = corrections(condition)
    assert (capped is not None) == (deducts[-1] == 30)
    assert f"(100 - {math.ceil(10 * max(deducts)) / 10:.1f})" in allowed_words(standard)
    for correction in (standard, capped):
        if correction is None:
            continue
        equation, _, most = allowed_words(correction).removeprefix("m = ").partition(", at most 10: ")
        assert holds(equation)
        assert float(most or equation.split(" = ")[1]) == pytest.approx(correction["allowed"], abs=0.005)
        table = correction_table(correction)
        for line in table.to_dict("records"):
            parts = line["Deducts"].split(" + ")
            assert sum(map(float, parts)) == pytest.approx(float(line["Total"]), abs=0.05 * (len(parts) + 1))
        equation = index_words(correction).replace("(the greatest corrected deduct) ", "")
        assert holds(equation)
        assert equation.split()[2] == f"{table['Corrected deduct'].astype(float).max():.1f}"


def test_a_cap_is_shown_as_a_step_of_its_own_after_the_standards(empty_app: None) -> None:
    def page() -> None:
        from app.components.index_steps import draw_index_steps
        from engine.change import DistressAmount
        from engine.condition import condition_index
        from engine.vocabulary import DistressType, Severity

        amounts = [
            DistressAmount(DistressType(kind), Severity(grade), amount, amount)
            for kind, grade, amount in (
                ("alligator", "medium", 8.3), ("alligator", "high", 60.0), ("block", "low", 3.0),
                ("longitudinal", "low", 0.2), ("longitudinal", "high", 8.6),
            )
        ]  # fmt: skip
        draw_index_steps(condition_index(amounts, 100.0).as_dict())

    drawn = AppTest.from_function(page).run()
    assert not drawn.exception
    steps = [text.value for text in drawn.markdown if text.value.startswith("**")]
    assert "standard's index" in steps[3] and "Cap (ours" in steps[4]
    assert steps[5].startswith("**6. Index.**")
    assert steps[1].count("m = 1 + 9/98") == steps[4].count("m = 1 + 9/98") == 1


def test_another_checkpoint_is_marked_and_not_compared(measured: Measured) -> None:
    with transaction() as session:
        photos = select(SurveyImage.id).where(SurveyImage.survey_id == measured.earlier)
        for table, which in (
            (SectionResult, SectionResult.survey_id == measured.earlier),
            (AnalysisResult, AnalysisResult.image_id.in_(photos)),
        ):
            session.execute(update(table).where(which).values(checkpoint_id=measured.other_checkpoint))
        session.get_one(Survey, measured.earlier).shown_checkpoint_id = measured.other_checkpoint
    trend = section_data.trend(measured.survey, measured.sections["R2-1"])
    assert list(trend["not_comparable"].notna()) == [True, False]
    rows = trend.to_dict("records")
    assert change_words(rows[0], rows[1], INDEX)[:2] == ("–", "not comparable")
    page = open_page("section", survey=measured.survey, section=measured.sections["R2-1"])
    assert "different checkpoints" in said(page).replace("\\", "")
    links = [getattr(link, "label", "") for link in page.get("page_link")]
    assert "Analyse County 2024 again" in links


def test_an_analysis_of_the_same_checkpoint_is_preferred_to_the_shown_one(measured: Measured) -> None:
    with transaction() as session:
        session.get_one(Survey, measured.earlier).shown_checkpoint_id = measured.other_checkpoint
    trend = section_data.trend(measured.survey, measured.sections["R2-1"])
    assert list(trend["checkpoint"]) == ["county", "county"] and trend["not_comparable"].isna().all()


def test_a_section_that_nobody_surveyed_says_so(measured: Measured) -> None:
    page = open_page("section", survey=measured.survey, section=measured.sections["R2-3"])
    assert not page.error and not page.metric
    assert "No photo of this section has been analysed" in said(page)


def test_without_metres_sections_are_listed_by_cracked_area(filled: Filled) -> None:
    with transaction() as session:
        session.execute(update(SectionResult).values(crack_density_m_per_m2=None, surveyed_area_m2=None))
    page = open_page("sections", survey=filled.survey)
    assert not page.error
    assert page.selectbox[1].value == AREA_SHARE
    assert "Share of the whole picture" in said(page)
    assert page.dataframe[0].value["crack_area_pct"][0] == pytest.approx(100 * 110 / 3072)
    section = open_page("section", survey=filled.survey, section=1)
    assert not section.error and "need the ground plane" in said(section)


def test_the_layer_holds_the_asked_measure_with_its_interval(measured: Measured, client: TestClient) -> None:
    address = f"/api/networks/{measured.network}/sections.geojson?survey={measured.survey}"
    table = table_of(measured).set_index("section_key")
    for name in ("condition_index", "hpms_cracking_percent", "crack_density_m_per_m2"):
        features = client.get(f"{address}&measure={name}").json()["features"]
        found = {feature["properties"]["key"]: feature["properties"] for feature in features}
        assert found["R2-1"]["value"] == pytest.approx(table.loc["R2-1", name], abs=1e-3)
        assert found["R2-3"]["value"] is None
        assert (found["R2-1"]["low"] is None) == (name == "hpms_cracking_percent")
    assert client.get(f"{address}&measure=password_hash").status_code == 404


def test_distresses_are_in_the_order_of_the_vocabulary_with_densities() -> None:
    line = {"zone": None, "count": 1, "length_m": 6.0, "area_m2": 2.0, "mean_width_mm": 4.0}
    table = distress_frame(
        [
            {"kind": "alligator", "severity": "low", **line},
            {"kind": "transverse", "severity": "high", **line},
        ],
        40.0,
    )
    assert list(table["kind"]) == ["transverse", "alligator"]
    assert list(table["density_m_per_m2"]) == [0.15, 0.15]
    assert math.isnan(table["density_percent"][0]) and table["density_percent"][1] == 5.0


def test_the_line_of_the_sample_units_is_broken_where_nothing_is_known() -> None:
    units: list[dict[str, Any]] = [
        {"from_m": 0.0, "to_m": 100.0, "value": 0.5},
        {"from_m": 100.0, "to_m": 200.0, "value": None},
        {"from_m": 200.0, "to_m": 300.0, "value": 0.7},
    ]
    assert unit_steps(units, "value") == (
        [0.0, 100.0, None, 200.0, 300.0, None],
        [0.5, 0.5, None, 0.7, 0.7, None],
    )


def test_severities_of_a_type_lie_beside_one_another_inside_their_row() -> None:
    kinds = [DistressType.LONGITUDINAL, DistressType.BLOCK]
    table = pd.DataFrame(
        [("longitudinal", "low"), ("longitudinal", "high"), ("block", "low")], columns=["kind", "severity"]
    )
    places = mark_places(table, kinds)
    assert places["block", "low"] == 0
    assert 1.5 > places["longitudinal", "low"] > 1 > places["longitudinal", "high"] > 0.5


def test_without_a_survey_the_page_says_what_to_do(empty_app: None) -> None:
    page = open_page("sections")
    assert "No survey yet" in said(page) and not page.error


def test_a_corrected_section_is_shown_at_once(measured: Measured) -> None:
    before = data.version_of(measured.survey)
    with transaction() as session:
        session.get_one(Section, measured.sections["R1-1"]).functional_class = "express"
        actor = identity.current_actor()
        session.add(
            AuditEvent(
                agency_id=actor.agency_id,
                user_id=actor.user_id,
                action="network.edit_sections",
                subject="County",
            )
        )
    assert data.version_of(measured.survey) != before
    assert "express" in set(table_of(measured)["functional_class"])
