"""What the report says in words, sentence by sentence: each from numbers that a test can work out."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import shapely

from engine import plan_reasons
from jobs.export.data import ExportData
from jobs.export.pdf.condition import at_best_words
from jobs.export.pdf.facts import Facts, class_words, gather, length_of, road_length
from jobs.export.pdf.maps import shape_of
from jobs.export.pdf.plan import CAUSES, OTHER_REASON, money_words, scenario_name, years_words
from jobs.export.pdf.summary import work_words
from tests.unit.export.made_up import made_up_export
from tests.unit.export.planned_network import planned_network
from tests.unit.export.test_pdf import text_of, written


@pytest.fixture(scope="module")
def network() -> ExportData:
    return planned_network()


def changed(data: ExportData, **plan: Any) -> ExportData:
    return replace(data, plan={**(data.plan or {}), **plan})


def facts_of(data: ExportData, **plan: Any) -> Facts:
    return gather(changed(data, **plan))


def test_a_road_that_is_treated_twice_is_work_twice_and_road_once(
    tmp_path: Path, network: ExportData
) -> None:
    assert network.plan is not None
    once = gather(network)
    data = replace(
        changed(network, projects=[*network.plan["projects"], network.plan["projects"][0]]),
        projects=pd.concat([network.projects, network.projects.iloc[:1]], ignore_index=True),
    )
    twice = gather(data)
    assert road_length(twice) == road_length(once) == pytest.approx(length_of(once.projects))
    assert length_of(twice.projects) > road_length(twice)
    assert work_words(twice) in text_of(written(data, tmp_path))


def asked(data: ExportData, **request: Any) -> ExportData:
    return replace(data, request={**(data.request or {}), **request})


@pytest.mark.parametrize(
    ("costs", "carry_over", "said"),
    [
        ([90.0, 60.0, 110.0], True, ""),
        (
            [10.0, 30.0, 250.0],
            True,
            "used in 2027 and 2028: what is left is kept for later years, where it does more.",
        ),
        ([90.0, 60.0, 10.0], True, "used in 2029: by the plan’s curves and treatments there is no more"),
        # Without carrying over each year has its own 100 only.
        ([90.0, 60.0, 49.0], False, "used in 2029: by the plan’s"),
        ([10.0, 60.0, 90.0], False, "used in 2027: by the plan’s"),
        # What is left of the money drawn upon in the second year has no use in the third.
        (
            [10.0, 120.0, 20.0],
            True,
            "does more; by the plan’s curves and treatments in 2029 there is no more",
        ),
    ],
)
def test_a_year_that_uses_under_half_of_its_money_gets_a_sentence(
    network: ExportData, costs: list[float], carry_over: bool, said: str
) -> None:
    lines = [{"year": 2027 + n, "cost": cost} for n, cost in enumerate(costs)]
    data = asked(network, yearly_budget=100.0, carry_over=carry_over)
    words = money_words(facts_of(data, cost_by_year=lines))
    assert ("Under half of the money at hand" in words) == bool(said)
    assert said in words


def test_without_a_limit_no_year_uses_too_little(network: ExportData) -> None:
    assert "Under half" not in money_words(gather(asked(network, yearly_budget=None)))


def test_years_in_words() -> None:
    assert years_words([2027]) == "2027"
    assert years_words([2027, 2028, 2030]) == "2027, 2028 and 2030"


def test_the_scenarios_say_what_benefit_is(tmp_path: Path, network: ExportData) -> None:
    text = text_of(written(network, tmp_path))
    assert "the area between the condition curves with and without it over the plan’s years" in text
    assert "weighted by length and traffic" in text
    assert "go by length only" in text
    even = text_of(written(asked(network, traffic_exponent=0.0), tmp_path))
    assert "go by length only: a plan" not in even


def test_doing_nothing_with_pinned_projects_is_called_what_it_is(tmp_path: Path, network: ExportData) -> None:
    nothing = next(one for one in network.scenarios if one["scenario"] == "nothing")
    assert scenario_name(nothing) == scenario_name({**nothing, "pinned": 0}) == "Do nothing"
    others = [one for one in network.scenarios if one is not nothing]
    pinned = replace(network, scenarios=[{**nothing, "pinned": 2, "total_cost": 12_345.0}, *others])
    text = text_of(written(pinned, tmp_path))
    assert "Only what is pinned – 12,345" in text
    assert "Do nothing" not in text
    assert "This budget" in text


def test_the_condition_when_surveyed_stands_beside_that_at_the_start(
    tmp_path: Path, network: ExportData
) -> None:
    assert network.plan is not None
    aged = {**network.plan["condition_now"], "average": 61.4}
    data = changed(
        network, condition_surveyed={**network.plan["condition_now"], "average": 66.6}, condition_now=aged
    )
    text = text_of(written(data, tmp_path))
    assert "at the start of 2027: an average of 61.4, from 66.6, and" in text
    assert "survey again" not in text
    old = replace(data, provenance={**data.provenance, "surveyed_on": "2016-05-10"})
    assert "The survey is of 2016: survey again before money is committed." in text_of(written(old, tmp_path))
    assert "surveyed start 2027" in text
    assert "today" not in text.replace("today’s money", "")


def test_a_condition_that_did_not_age_is_told_once(tmp_path: Path, network: ExportData) -> None:
    assert network.plan is not None
    text = text_of(written(changed(network, condition_surveyed=network.plan["condition_now"]), tmp_path))
    assert "Since the survey" not in text
    assert "surveyed start" not in text


@pytest.mark.parametrize(("severity", "told"), [("not_measurable", False), ("low", True)])
def test_severities_that_nobody_could_tell_are_not_claimed(tmp_path: Path, severity: str, told: bool) -> None:
    data = made_up_export(planned=False)
    sections = data.sections.copy()
    sections["worst_severity"] = severity
    settings = '{"severity_standard": {"low_below_mm": 10.0, "high_above_mm": 75.0}}'
    provenance = {**data.provenance, "settings": settings}
    text = text_of(written(replace(data, sections=sections, provenance=provenance), tmp_path))
    assert "low under 10.0 mm, high over 75.0 mm" in text
    assert ("None could be told in this survey" not in text) == told


def test_classes_that_cracking_without_severity_could_make_worse_are_at_best(
    tmp_path: Path,
) -> None:
    data = made_up_export(planned=False)
    sections = data.sections.copy()
    sections["condition_index_at_worst"] = sections["condition_index"]
    assert not at_best_words(gather(replace(data, sections=sections)))
    sections["condition_index_at_worst"] -= 20
    coarse = replace(data, sections=sections)
    rows = gather(coarse).sections
    words = {class_words(row) for row in rows if row["condition_index"] is not None}
    assert any(word.endswith(" at best") for word in words)
    assert "poor at best" not in words, "it cannot be worse"
    text = text_of(written(coarse, tmp_path))
    assert "part of the cracking has no severity" in text
    assert "the class could be worse" in text


def test_an_index_beside_its_class_shows_why_it_is_that_class(tmp_path: Path) -> None:
    data = made_up_export(planned=False)
    sections = data.sections.copy()
    sections.loc[sections["condition_index"].notna(), "condition_index"] = 54.54
    text = text_of(written(replace(data, sections=sections), tmp_path))
    assert "54.5 poor" in text
    assert not re.search(r"\b55 \(.{1,20}\) poor", text)


@pytest.mark.parametrize(
    ("looked", "said"), [(True, "depth, which no photo shows"), (False, "no pothole class")]
)
def test_whether_potholes_were_looked_for(tmp_path: Path, looked: bool, said: str) -> None:
    data = made_up_export(planned=False)
    sections = data.sections.copy()
    sections["pothole_m2"] = 0.37 if looked else 0.0
    provenance = {**data.provenance, "settings": f'{{"potholes": {str(looked).lower()}}}'}
    text = text_of(written(replace(data, sections=sections, provenance=provenance), tmp_path))
    assert said in text
    assert ("potholes 0.37 m²" in text) == looked


def test_every_cause_of_the_planner_has_a_group(tmp_path: Path, network: ExportData) -> None:
    assert set(CAUSES) == set(plan_reasons.CAUSES)
    keys = list(network.sections["section_key"][: len(CAUSES) + 1])
    causes = [*CAUSES, "of a later version"]
    unplanned = [
        {"section_id": key, "cause": cause, "reason": "As it is."}
        for key, cause in zip(keys, causes, strict=True)
    ]
    text = text_of(written(changed(network, unplanned=unplanned), tmp_path))
    for words in (*CAUSES.values(), OTHER_REASON):
        assert f"{words} 1 " in text


def test_a_map_is_as_high_as_its_network_needs() -> None:
    # At 60 degrees a degree of longitude is half as long as one of latitude.
    assert shape_of([shapely.LineString([(10, 59.9), (10.4, 60.1)])]) == pytest.approx(1.0, rel=1e-3)
    assert shape_of([shapely.LineString([(10, 59.9), (12, 59.9)])]) < 0.01
    assert shape_of([shapely.LineString(), None]) == 1.0


def test_years_and_costs_are_not_torn_beside_large_amounts(tmp_path: Path, network: ExportData) -> None:
    projects = network.projects.copy()
    projects["cost"] = projects["cost"].round() * 10_000 + 123_456_789
    text = text_of(written(replace(network, projects=projects), tmp_path))
    table = text[text.rindex("Benefit per 1,000") :]
    for project in gather(network).projects:
        assert re.search(rf" {project['year']} {re.escape(project['treatment'])} ", table)
