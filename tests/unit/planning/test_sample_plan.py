"""The sample network, as its truth was written down: what planning is worth on it."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from engine.plan_inputs import PlanSection, PlanSettings
from engine.planning import make_plan, prepare
from engine.sample import SAMPLE_SEED, sample_surveys
from engine.sample_network import make_sample_network
from engine.treatment_sets import US_CITY_AVERAGES

YEARS = 5
LEAST_MARGIN = 0.15
"""So much more area under the curves than worst first the optimum has to give at any of these budgets."""


@cache
def sample_sections() -> tuple[PlanSection, ...]:
    truths = {truth.section_key: truth for truth in sample_surveys(SAMPLE_SEED)[1].section_truths}
    return tuple(
        PlanSection(
            id=section.section_key,
            key=section.section_key,
            road=section.road,
            from_m=section.from_m,
            to_m=section.to_m,
            length_m=section.length_m,
            area_m2=section.length_m * (section.lanes or 2) * (section.lane_width_m or 3.6),
            functional_class=section.functional_class,
            surface=section.surface,
            aadt=section.aadt,
            condition_index=truths[section.section_key].condition_index,
            quantities=truths[section.section_key].quantities,
            surveyed_area_m2=truths[section.section_key].pictured_area_m2,
        )
        for section in make_sample_network(SAMPLE_SEED)
    )


@cache
def planned(budget: float | None, strategy: str = "optimal") -> dict[str, Any]:
    settings = PlanSettings(years=YEARS, yearly_budget=budget, time_limit_s=15.0)
    return make_plan(sample_sections(), US_CITY_AVERAGES, settings, strategy=strategy)


@pytest.mark.parametrize("budget", [40_000.0, 100_000.0, 250_000.0])
def test_the_optimum_beats_worst_first_by_a_margin(budget: float) -> None:
    best, worst = planned(budget), planned(budget, "worst-first")
    margin = best["objective"] / worst["objective"] - 1
    ends = best["condition_by_year"][-1], worst["condition_by_year"][-1]
    print(
        f"\n{budget:,.0f} a year: area under the curves {best['objective']:,.0f} against "
        f"{worst['objective']:,.0f} of worst first (+{100 * margin:.0f} %, gap {100 * best['gap']:.2f} %); "
        f"average index at the end {ends[0]['average']:.1f} against {ends[1]['average']:.1f}"
    )
    assert margin > LEAST_MARGIN
    for plan in (best, worst):
        assert plan["total_cost"] <= YEARS * budget + 0.01


def test_money_is_spent_from_the_first_year() -> None:
    spent = [year["cost"] for year in planned(100_000.0)["cost_by_year"]]
    assert min(spent) > 80_000, "a plan that waits uses roads up"


def test_no_money_is_doing_nothing() -> None:
    plan, nothing = planned(0.0), planned(0.0, "nothing")
    assert plan["projects"] == [] and plan["objective"] == nothing["objective"] == 0
    assert plan["condition_by_year"] == plan["without_plan"] == nothing["condition_by_year"]


def test_with_money_without_end_all_that_triggers_is_treated() -> None:
    options = prepare(
        sample_sections(), US_CITY_AVERAGES, PlanSettings(years=YEARS, yearly_budget=None)
    ).options
    triggers = {
        section.id
        for section, allowed in zip(options.sections, options.allowed, strict=True)
        if allowed[1:].any()
    }
    treated = {one for project in planned(None)["projects"] for one in project["section_ids"]}
    assert treated == triggers
    assert len(triggers) >= 20


@given(budget=st.integers(0, 40).map(lambda step: 10_000.0 * step), more=st.integers(1, 20))
@examples(max_examples=6, deadline=None)
def test_more_budget_is_never_worse(budget: float, more: int) -> None:
    less, much = planned(budget), planned(budget + 10_000.0 * more)
    # Within their gaps two plans may differ the wrong way.
    assert much["objective"] >= less["objective"] - (much["bound"] - much["objective"]) - 1e-6
