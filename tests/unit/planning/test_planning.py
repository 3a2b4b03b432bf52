"""The plan is the best there is, keeps within the money, and says so."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from engine.deterioration import assumed_curve
from engine.errors import SettingsError
from engine.plan_inputs import FixedProject, Forbidden, PlanSection, PlanSettings, Requirement
from engine.plan_prices import solve_prices
from engine.planning import make_plan, prepare, solve
from engine.treatment_sets import US_CITY_AVERAGES
from engine.treatments import Treatment
from engine.vocabulary import DistressType
from tests.unit.planning.brute_force import best_objective
from tests.unit.planning.networks import crack, road_network

FAST = 5.0


def small_case(seed: int) -> tuple[list[PlanSection], list[Treatment], PlanSettings]:
    """A road of two or three sections, two treatments, two or three years."""
    rng = np.random.default_rng(seed)
    sections, at = [], 0.0
    for number in range(int(rng.integers(2, 4))):
        length = float(rng.integers(2, 9) * 50)
        sections.append(
            PlanSection(
                number, str(number), "road", at, at + length, length, 7 * length, "local", "asphalt",
                float(rng.integers(100, 3000)), float(rng.uniform(20, 95)),
            )
        )  # fmt: skip
        at += length
    treatments = [
        Treatment(
            f"T{k}",
            float(rng.uniform(1, 20)),
            "m2",
            int(rng.integers(1, 4)),
            index_min=float(rng.uniform(0, 30)),
            index_max=float(rng.uniform(60, 100)),
            reset_index=float(rng.uniform(60, 100)),
            slope_factor=float(rng.choice([0.5, 0.8, 1.0])),
            min_project_m=float(rng.choice([0, 300, 600])),
            mobilisation_cost=float(rng.choice([0, 500, 3000])),
        )
        for k in range(2)
    ]
    years = int(rng.integers(2, 4))
    budget = tuple(float(b) for b in rng.uniform(0, 25_000, years))
    return sections, treatments, PlanSettings(
        years=years, yearly_budget=budget, carry_over=bool(rng.integers(2)), tail_years=3, time_limit_s=FAST
    )  # fmt: skip


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_no_plan_of_200_small_networks_is_better(first: int) -> None:
    for seed in range(first, first + 20):
        sections, treatments, settings = small_case(seed)
        plan = make_plan(sections, treatments, settings)
        best = best_objective(sections, treatments, settings)
        assert plan["objective"] == pytest.approx(best, rel=1e-6, abs=1e-6), seed
        assert plan["bound"] >= best - 1e-6 * max(best, 1)


@pytest.mark.parametrize("seed", range(0, 60))
def test_the_bound_of_the_prices_holds_and_their_plan_is_affordable(seed: int) -> None:
    sections, treatments, settings = small_case(seed)
    problem = prepare(sections, treatments, settings)
    priced = solve_prices(problem, FAST)
    best = best_objective(sections, treatments, settings)
    assert priced.bound >= best - 1e-6 * max(best, 1)
    assert problem.affordable(priced.choice)
    assert problem.benefit(priced.choice) <= best + 1e-6 * max(best, 1)


@given(seed=st.integers(0, 10_000), more=st.floats(0, 30_000))
@examples(max_examples=25, deadline=None)
def test_more_budget_never_gives_a_worse_plan(seed: int, more: float) -> None:
    sections, treatments, settings = small_case(seed)
    richer = replace(settings, yearly_budget=tuple(b + more for b in settings.budgets or ()))
    less, much = (make_plan(sections, treatments, one)["objective"] for one in (settings, richer))
    assert much >= less - 1e-6 * max(less, 1)


def test_no_money_is_doing_nothing() -> None:
    sections = road_network(3, 6)
    settings = PlanSettings(years=5, yearly_budget=0, time_limit_s=FAST)
    plan = make_plan(sections, US_CITY_AVERAGES, settings)
    assert plan["projects"] == []
    assert plan["objective"] == plan["bound"] == plan["gap"] == 0
    assert plan["condition_by_year"] == plan["without_plan"]
    assert plan["condition_by_year"][-1]["average"] < plan["condition_now"]["average"]
    assert len(plan["unplanned"]) == len(sections)
    json.dumps(plan)


def test_with_money_without_end_all_that_triggers_is_treated() -> None:
    sections = road_network(4, 6)
    settings = PlanSettings(years=5, yearly_budget=None, time_limit_s=FAST)
    problem = prepare(sections, US_CITY_AVERAGES, settings)
    plan = make_plan(sections, US_CITY_AVERAGES, settings)
    triggers = {
        section.id
        for section, allowed in zip(problem.options.sections, problem.options.allowed, strict=True)
        if allowed[1:].any()
    }
    treated = {one for project in plan["projects"] for one in project["section_ids"]}
    assert treated == triggers
    assert len(triggers) > 15
    rich = replace(settings, yearly_budget=1e11)
    assert make_plan(sections, US_CITY_AVERAGES, rich)["objective"] == pytest.approx(
        plan["objective"], rel=1e-6
    )


@pytest.mark.parametrize("budget", [100_000, 150_000, 600_000])
def test_the_optimum_beats_worst_first_within_the_same_money(budget: float) -> None:
    sections = road_network(3, 8, seed=int(budget))
    settings = PlanSettings(years=6, yearly_budget=budget, time_limit_s=FAST)
    best = make_plan(sections, US_CITY_AVERAGES, settings)
    worst = make_plan(sections, US_CITY_AVERAGES, settings, strategy="worst-first")
    assert best["objective"] >= worst["objective"]
    assert best["gap"] < 0.05
    assert worst["bound"] >= best["objective"] * (1 - 1e-9)
    for plan in (best, worst):
        spent = np.cumsum([year["cost"] for year in plan["cost_by_year"]])
        assert (spent <= budget * np.arange(1, 7) + 0.01).all()
        assert sum(p["cost"] for p in plan["projects"]) == pytest.approx(spent[-1])
        assert sum(p["benefit"] for p in plan["projects"]) == pytest.approx(plan["objective"])


def test_without_carry_over_each_year_keeps_to_its_own_money() -> None:
    sections = road_network(3, 8)
    settings = PlanSettings(
        years=5, yearly_budget=(0, 90_000, 0, 200_000, 0), carry_over=False, time_limit_s=FAST
    )
    plan = make_plan(sections, US_CITY_AVERAGES, settings)
    for year, budget in zip(plan["cost_by_year"], settings.budgets or (), strict=True):
        assert year["cost"] <= budget + 0.01
    assert {project["year"] for project in plan["projects"]} == {2, 4}


def test_fixed_is_done_and_forbidden_is_not() -> None:
    sections = road_network(2, 6)
    fixed = FixedProject(sections[0].id, "Reconstruction", 2)
    settings = PlanSettings(
        years=4,
        yearly_budget=5_000_000,
        fixed=(fixed,),
        forbidden=(Forbidden(sections[1].id), Forbidden(sections[7].id, None, 1)),
        time_limit_s=FAST,
    )
    plan = make_plan(sections, US_CITY_AVERAGES, settings)
    (rebuilt,) = [p for p in plan["projects"] if p["treatment"] == "Reconstruction" and p["fixed"]]
    assert sections[0].id in rebuilt["section_ids"] and rebuilt["year"] == 2
    assert "fixed by your agency" in rebuilt["reason"]
    touched = {(one, p["year"]) for p in plan["projects"] for one in p["section_ids"]}
    assert not [year for one, year in touched if one == sections[1].id]
    assert (sections[7].id, 1) not in touched
    said = {one["section_id"]: (one["cause"], one["reason"]) for one in plan["unplanned"]}
    assert said[sections[1].id] == ("forbidden", "Forbidden by your agency.")


def test_fixed_projects_that_cannot_be_are_refused() -> None:
    sections = road_network(1, 3)
    fixed = FixedProject(sections[0].id, "Reconstruction", 1)
    poor = PlanSettings(years=3, yearly_budget=100, fixed=(fixed,))
    with pytest.raises(SettingsError, match=r"fixed projects up to year 1 cost .* may spend 100"):
        make_plan(sections, US_CITY_AVERAGES, poor)
    torn = replace(poor, yearly_budget=None, forbidden=(Forbidden(sections[0].id),))
    with pytest.raises(SettingsError, match="contradict each other or a ban"):
        make_plan(sections, US_CITY_AVERAGES, torn)
    twice = replace(poor, yearly_budget=None, fixed=(fixed, replace(fixed, year=2)))
    with pytest.raises(SettingsError, match="wait until the life"):
        make_plan(sections, US_CITY_AVERAGES, twice)


def test_a_required_condition_is_kept_or_its_shortfall_is_told() -> None:
    sections = road_network(3, 6)
    settings = PlanSettings(years=5, yearly_budget=2_000_000, time_limit_s=FAST)
    wish = Requirement(85, "arterial", from_year=3)
    plan = make_plan(sections, US_CITY_AVERAGES, replace(settings, requirements=(wish,)))
    assert plan["shortfalls"] == []
    assert all(year["by_class"]["arterial"] >= 84.99 for year in plan["condition_by_year"][2:])
    poor = make_plan(sections, US_CITY_AVERAGES, replace(settings, requirements=(wish,), yearly_budget=100))
    assert len(poor["shortfalls"]) == 3
    assert "the money does not reach" in poor["shortfalls"][0]["reason"]


def test_neighbours_share_one_mobilisation() -> None:
    far = 1_000_000.0
    treatment = Treatment("Overlay", 10, "m2", 10, reset_index=100, mobilisation_cost=5000)
    sections = [
        PlanSection(n, str(n), "road", start, start + 100, 100, 700, aadt=10, condition_index=50)
        for n, start in enumerate([0.0, 100.0, 200.0, far])
    ]
    plan = make_plan(sections, [treatment], PlanSettings(years=1, yearly_budget=4 * 7000 + 2 * 5000))
    assert sorted(len(project["section_ids"]) for project in plan["projects"]) == [1, 3]
    assert plan["total_cost"] == pytest.approx(4 * 7000 + 2 * 5000)
    assert (
        "3 neighbours in one project save 10,000"
        in plan["projects"][0]["reason"] + plan["projects"][1]["reason"]
    )
    short = replace(treatment, min_project_m=250)
    long_only = make_plan(sections, [short], PlanSettings(years=1, yearly_budget=1e6))
    assert [project["section_ids"] for project in long_only["projects"]] == [[0, 1, 2]]


def test_no_crack_seal_on_alligator_cracking() -> None:
    seal = next(treatment for treatment in US_CITY_AVERAGES if treatment.name == "Crack seal")
    base = PlanSection("a", "a", "road", 0, 500, 500, 3500, aadt=100, condition_index=75)
    lines = replace(base, quantities=(crack(DistressType.TRANSVERSE, 60.0),))
    fatigued = replace(base, quantities=(*lines.quantities, crack(DistressType.ALLIGATOR, 0.0, 60.0)))
    settings = PlanSettings(years=1, yearly_budget=1e6)
    assert len(make_plan([lines], [seal], settings)["projects"]) == 1
    assert make_plan([fatigued], [seal], settings)["projects"] == []
    assert make_plan([base], [seal], settings)["projects"] == [], "no cracks, nothing to seal"


def test_no_crack_seal_where_cracks_are_too_dense_or_traffic_too_heavy() -> None:
    seal = Treatment(
        "Seal", 3.0, "crack_m", 4, kinds=(DistressType.TRANSVERSE,), density_max_percent=15, slope_factor=0.5
    )
    base = PlanSection("a", "a", "road", 0, 500, 500, 3500, aadt=100, condition_index=75)
    # 15 % is 0.49 m per m2, 1,722 m here.
    cracked, dense = (replace(base, quantities=(crack(DistressType.TRANSVERSE, m),)) for m in (1700, 1750))
    settings = PlanSettings(years=1, yearly_budget=1e6)
    assert len(make_plan([cracked], [seal], settings)["projects"]) == 1
    assert make_plan([dense], [seal], settings)["projects"] == []
    assert make_plan([dense], [replace(seal, density_max_percent=100.0)], settings)["projects"]
    assert make_plan([cracked], [replace(seal, aadt_max=0)], settings)["projects"] == []


def test_costs_by_crack_length_count_the_whole_section() -> None:
    seal = Treatment("Seal", 3.0, "crack_m", 4, slope_factor=0.5)
    half = PlanSection(
        1, "1", "road", 0, 500, 500, 3500, aadt=100, condition_index=75,
        quantities=(crack(DistressType.TRANSVERSE, 60.0),), surveyed_area_m2=1750,
    )  # fmt: skip
    plan = make_plan([half], [seal], PlanSettings(years=1, yearly_budget=1e6))
    assert plan["total_cost"] == pytest.approx(3.0 * 120)


def test_preventive_money_is_kept_for_preventive_treatments() -> None:
    sections = road_network(3, 8)
    settings = PlanSettings(years=5, yearly_budget=200_000, preventive_share=0.6, time_limit_s=FAST)
    plan = make_plan(sections, US_CITY_AVERAGES, settings)
    heavy = np.zeros(5)
    for project in plan["projects"]:
        heavy[project["year"] - 1] += 0 if project["preventive"] else project["cost"]
    assert (np.cumsum(heavy) <= 80_000 * np.arange(1, 6) + 0.01).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"yearly_budget": -1.0}, "budget of year 1 is -1. Enter 0 to 1,000,000,000,000"),
        ({"yearly_budget": 1e18}, r"budget of year 1 is 1e\+18"),
        ({"yearly_budget": float("nan")}, "budget of year 1 is nan"),
        ({"yearly_budget": (1.0, 2.0)}, "budgets for 2 years, the plan has 5"),
        ({"years": 0}, "years is 0. Choose 1 to 30"),
        ({"years": 2.5}, "years is 2.5. Enter a whole number"),
        ({"discount_rate": -0.1}, "discount_rate is -0.1"),
        ({"fixed": (FixedProject("nowhere", "Seal", 1),)}, "section nowhere: the plan has no such section"),
        ({"forbidden": (Forbidden(1, "Paint"),)}, "no treatment 'Paint'. Use one of"),
        ({"fixed": (FixedProject(1, "Crack seal", 9),)}, "year 9. Use 1 to 5"),
        ({"requirements": (Requirement(70, "motorway"),)}, "No surveyed section is of class 'motorway'"),
        ({"requirements": (Requirement(170),)}, "asks for 170"),
    ],
)
def test_bad_settings_say_what_to_enter(change: dict[str, object], says: str) -> None:
    settings = replace(PlanSettings(years=5, yearly_budget=1000), **change)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=says):
        make_plan(road_network(1, 3), US_CITY_AVERAGES, settings)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"length_m": 0.0}, "Section 0-0: length_m is 0.0. Correct the network; it must be over 0"),
        ({"area_m2": float("nan")}, "Section 0-0: area_m2 is nan"),
        ({"condition_index": 130.0}, "Section 0-0: condition_index is 130.0"),
        ({"aadt": -5.0}, "Section 0-0: aadt is -5"),
        ({"id": 2}, "Two sections have the same id"),
    ],
)
def test_bad_sections_are_named(change: dict[str, object], says: str) -> None:
    sections = road_network(1, 3)
    sections[0] = replace(sections[0], **change)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=says):
        make_plan(sections, US_CITY_AVERAGES, PlanSettings(years=2, yearly_budget=1000))


def test_condition_ages_from_the_survey_to_the_start_of_the_plan() -> None:
    new, old = road_network(2, 6), []
    for section in new:
        curve = assumed_curve(section.functional_class, section.surface)
        aged = float(curve.index_after(section.condition_index or 0, 2.0))
        grown = (100 - aged) / (100 - (section.condition_index or 0))
        quantities = tuple(crack(q.kind, q.length_m * grown, q.area_m2 * grown) for q in section.quantities)
        old.append(replace(section, condition_index=aged, quantities=quantities))
    settings = PlanSettings(years=4, yearly_budget=200_000, first_year=2030, time_limit_s=FAST)
    surveyed = [replace(section, surveyed_on=date(2028, 1, 1)) for section in new]
    plan, same = (make_plan(one, US_CITY_AVERAGES, settings) for one in (surveyed, old))
    assert plan["condition_now"]["average"] == pytest.approx(same["condition_now"]["average"], abs=0.02)
    assert plan["condition_surveyed"]["average"] > plan["condition_now"]["average"] + 3
    assert plan["objective"] == pytest.approx(same["objective"], rel=0.01)
    first, other = plan["projects"][0], same["projects"][0]
    assert first["section_ids"] == other["section_ids"]
    assert first["index_before"] == pytest.approx(other["index_before"], abs=0.1)
    assert any("2028-01-01 is aged along the curves to 1 January 2030" in note for note in plan["notes"])
    late = [replace(section, surveyed_on=date(2031, 6, 1)) for section in new]
    for unaged in (late, new):
        made = make_plan(unaged, US_CITY_AVERAGES, settings)
        assert made["condition_surveyed"] == made["condition_now"]
    assert "The survey has no date: the condition is taken as that at the start of 2030." in made["notes"]
    ancient = [replace(section, surveyed_on=date(1900, 1, 1)) for section in new]
    assert make_plan(ancient, US_CITY_AVERAGES, settings)["condition_now"]["average"] == 0
    unnamed = make_plan(surveyed, US_CITY_AVERAGES, replace(settings, first_year=1))
    assert unnamed["condition_surveyed"] == unnamed["condition_now"] and unnamed["notes"] == []


def test_roads_are_not_used_up_until_the_last_year() -> None:
    sections = [replace(section, condition_index=82.0) for section in road_network(1, 12)]
    plan = make_plan(sections, US_CITY_AVERAGES, PlanSettings(years=5, yearly_budget=1e6, time_limit_s=FAST))
    assert plan["projects"] and max(project["year"] for project in plan["projects"]) <= 3


def test_sections_without_a_survey_are_listed_not_planned() -> None:
    sections = road_network(1, 3)
    sections[1] = replace(sections[1], condition_index=None)
    plan = make_plan(sections, US_CITY_AVERAGES, PlanSettings(years=2, yearly_budget=None))
    assert {one["section_id"]: one["reason"] for one in plan["unplanned"]}[2].startswith("The survey gave")
    decided = PlanSettings(years=2, fixed=(FixedProject(2, "Crack seal", 1),))
    with pytest.raises(SettingsError, match="section 2: it has no condition index"):
        make_plan(sections, US_CITY_AVERAGES, decided)
    bare = [replace(section, condition_index=None) for section in sections]
    with pytest.raises(SettingsError, match="No section has a condition index"):
        make_plan(bare, US_CITY_AVERAGES, PlanSettings())


def test_a_large_network_is_near_its_bound() -> None:
    problem = prepare(
        road_network(40, 20),
        US_CITY_AVERAGES,
        PlanSettings(years=8, yearly_budget=400_000, time_limit_s=FAST),
    )
    solved = solve(problem)
    worth = problem.value(solved.choice)
    assert problem.affordable(solved.choice)
    assert (solved.bound - worth) / solved.bound < 0.01


def test_work_can_be_stopped() -> None:
    def stop(share: float, what: str) -> None:
        if share > 0.1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_plan(road_network(10, 10), US_CITY_AVERAGES, PlanSettings(yearly_budget=1e5), progress=stop)
