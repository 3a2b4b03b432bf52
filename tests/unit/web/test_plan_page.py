"""The page Plan: settings that solve anew as a job, the plan's figures, its map, and what is never stale."""

from datetime import timedelta
from typing import Any

import pytest
import streamlit
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from app import data, identity, plan_actions, plan_data, plan_pruning
from app.components.plan_ageing import ageing_lines, edited_rows
from app.components.plan_charts import budget_line, scenario_lines, treatment_looks
from app.components.plan_draft import NO_COSTS_TOP, SLIDER_STEPS, _new_draft, slider_top
from app.components.plan_figures import gap_words, moments_of
from app.components.plan_map import _Projects, map_config
from app.components.plan_money import MOST, money, read_amount, short_money
from app.components.plan_projects import plan_csv
from app.components.plan_ready import changed_since
from app.components.plan_scenarios import against_worst_first, scenario_rows
from app.plan_actions import PlanRequest
from db.models import Agency, ExportedFile, Job, Network, Plan, Section, SectionResult, Survey
from db.session import reading, transaction
from engine.deterioration import Deterioration
from engine.errors import SettingsError
from engine.project_table import PROJECT_COLUMNS
from engine.treatment_sets import TREATMENT_SETS
from engine.treatments import Treatment
from engine.vocabulary import JobKind, JobState
from jobs.planning import make_plan_job
from jobs.running import run_job
from tests.unit.web.measured import Measured, fill_measured
from tests.unit.web.rows import Filled
from tests.unit.web.test_pages import open_page, said


@pytest.fixture
def measured(empty_app: None) -> Measured:
    return fill_measured()


def request(survey_id: int, **more: Any) -> PlanRequest:
    return PlanRequest(survey_id, **{"yearly_budget": 60_000.0, "years": 3, "draws": 20, **more})


def work() -> None:
    """What a worker would do with the jobs that wait."""
    for job in plan_jobs(JobState.QUEUED):
        run_job(job.id, {JobKind.MAKE_PLAN: make_plan_job})


def plan_jobs(state: JobState | None = None) -> list[Job]:
    with reading() as session:
        found = select(Job).where(Job.kind == JobKind.MAKE_PLAN).order_by(Job.id)
        return list(session.scalars(found if state is None else found.where(Job.state == state)))


def make(survey_id: int, **more: Any) -> int:
    """Make a plan through the real job; its id."""
    plan_actions.request_plan(identity.current_actor(), request(survey_id, **more))
    work()
    job = plan_jobs()[-1]
    assert job.state == JobState.SUCCEEDED, job.error
    return int(job.parameters["made_id"])


def number_input(page: AppTest, label: str) -> Any:
    return next(box for box in page.number_input if box.label.startswith(label))


def budget_box(page: AppTest) -> Any:
    return next(box for box in page.text_input if box.label.startswith("Budget"))


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def test_projects_and_sections_carry_the_whole_plan(measured: Measured) -> None:
    plan_id = make(measured.survey)
    made, projects = plan_data.plan(plan_id), plan_data.project_table(plan_id)
    assert len(projects) == len(made["result"]["projects"]) > 0
    assert projects["cost"].sum() == pytest.approx(made["result"]["total_cost"])
    assert list(projects["rank"]) == list(range(1, len(projects) + 1))
    sections = plan_data.section_plan(plan_id)
    assert set(sections.index) == set(measured.sections) and sections.index.is_unique
    assert (sections["reason"].str.len() > 10).all()
    once = sections[sections["later"] == ""]
    for project in projects.to_dict("records"):
        if set(project["section_keys"]) <= set(once.index):
            own = once.loc[list(project["section_keys"])]
            assert own["cost"].sum() == pytest.approx(project["cost"])
            assert set(own["year"]) == {project["year"]}
    left = {entry["section_id"] for entry in made["result"]["unplanned"]}
    assert set(sections.index[sections["year"].isna()]) == left and "R2-3" in left
    assert [row["id"] for row in plan_data.plans(measured.survey)] == [plan_id]


def test_an_id_that_comes_again_shows_the_new_plan(measured: Measured) -> None:
    first = make(measured.survey)
    before = plan_data.plan(first)["name"]
    plan_actions.delete_plan(identity.current_actor(), first)
    with pytest.raises(SettingsError):
        plan_data.project_table(first)
    second = make(measured.survey, years=2)
    assert second == first  # SQLite gives the id again
    assert plan_data.plan(second)["name"] != before
    assert set(plan_data.project_table(second)["year"]) <= {
        plan_actions.next_year(),
        1 + plan_actions.next_year(),
    }


def test_another_agencys_plan_is_not_there(measured: Measured) -> None:
    plan_id = make(measured.survey)
    with transaction() as session:
        other = Agency(name="Other")
        session.add(other)
        session.flush()
        session.get_one(Plan, plan_id).agency_id = other.id
    for read in (plan_data.plan, plan_data.project_table, plan_data.section_plan):
        with pytest.raises(SettingsError):
            read(plan_id)
    assert plan_data.newest_plan_id(measured.survey) is None and not plan_data.plans(measured.survey)
    page = open_page("plan", survey=measured.survey, plan=plan_id)
    assert "no longer there" in page.info[0].value and not page.metric


def test_the_first_plan_is_made_on_demand_and_once(measured: Measured) -> None:
    page = open_page("plan", survey=measured.survey)
    assert not page.metric and not plan_jobs()
    budget_box(page).set_value("50,000").run()
    assert not plan_jobs()  # nothing is made before it is asked for
    press(page, "Make the plan")
    press(page, "Plan again")
    assert [job.parameters["yearly_budget"] for job in plan_jobs()] == [50_000.0]
    work()
    page.run()
    assert not page.exception and not page.error
    assert page.query_params["plan"] == str(plan_jobs()[0].parameters["made_id"])
    assert "index-km-years" in said(page) and "with this budget" in said(page)
    assert "the averages below go by length only" in said(page)
    assert float(metrics(page)["Cost"].removesuffix(" USD").replace(",", "")) <= 5 * 50_000
    assert not plan_jobs(JobState.QUEUED)  # showing it asks for nothing


def test_a_changed_budget_makes_a_new_plan_and_stops_the_older_job(measured: Measured) -> None:
    make(measured.survey)
    page = open_page("plan", survey=measured.survey)
    assert budget_box(page).value == "60,000" and number_input(page, "Years").value == 3
    page.slider[0].set_value(page.slider[0].max // 2).run()
    half = int(page.slider[0].max) // 2
    assert budget_box(page).value == f"{half:,}"  # both inputs show one budget
    budget_box(page).set_value("40.000").run()
    assert page.slider[0].value == 40_000
    states = [(job.parameters["yearly_budget"], job.state) for job in plan_jobs()[1:]]
    assert states == [(half, JobState.CANCELLED), (40_000, JobState.QUEUED)]
    assert "shows the one before" in said(page)
    work()
    page.run()
    made_id = plan_jobs()[-1].parameters["made_id"]
    assert page.query_params["plan"] == str(made_id)
    assert plan_data.plan(made_id)["request"]["yearly_budget"] == 40_000
    assert "40,000 USD a year" in said(page) and len(plan_jobs()) == 3


def test_a_budget_beyond_the_slider_is_taken_and_stays(measured: Measured) -> None:
    make(measured.survey)
    page = open_page("plan", survey=measured.survey)
    end = int(page.slider[0].max)
    budget_box(page).set_value(str(7 * end)).run()
    assert budget_box(page).value == f"{7 * end:,}" and page.slider[0].value == page.slider[0].max == end
    assert f"{7 * end:,} USD" in said(page).replace("\\", "")
    page.run()
    assert [job.parameters["yearly_budget"] for job in plan_jobs()[1:]] == [7 * end]
    page.slider[0].set_value(end // 2).run()
    assert budget_box(page).value == f"{end // 2:,}"


def test_a_browser_that_is_faster_than_the_page_changes_no_budget(measured: Measured) -> None:
    page = open_page("plan", survey=measured.survey)
    slider: Any = page.slider[0]
    before = int(slider.value)
    budget_box(page).set_value("20000").run()
    # The slider of before comes with the next click.
    page.slider[0].set_value(before)
    press(page, "Make the plan")
    assert [job.parameters["yearly_budget"] for job in plan_jobs()] == [20_000]
    assert budget_box(page).value == "20,000" and page.slider[0].value == 20_000
    page.slider[0].set_value(2 * before).run()
    budget_box(page).set_value("20,000").run()  # again one of before
    assert plan_jobs()[-1].parameters["yearly_budget"] == 2 * before
    budget_box(page).set_value("21000").run()
    assert plan_jobs()[-1].parameters["yearly_budget"] == 21_000


@pytest.mark.parametrize("typed", ["1e13", "250.5", "9000000000000", "-5", "", "1,000.00"])
def test_a_budget_that_cannot_be_told_makes_no_plan(measured: Measured, typed: str) -> None:
    make(measured.survey)
    page = open_page("plan", survey=measured.survey)
    budget_box(page).set_value(typed).run()
    assert "0 to 1,000,000,000,000" in page.error[0].value.replace("\\", "") and len(plan_jobs()) == 1
    assert budget_box(page).value == typed  # to be mended
    budget_box(page).set_value("70000").run()
    assert not page.error and plan_jobs()[-1].parameters["yearly_budget"] == 70_000


@given(st.integers(0, MOST), st.sampled_from(["", ",", ".", " ", "'", "\u00a0"]))
def test_an_amount_is_read_as_it_is_written(amount: int, separator: str) -> None:
    written = f"{amount:,}".replace(",", separator)
    assert read_amount(written) == read_amount(f" {written} EUR", "EUR") == amount


@pytest.mark.parametrize(
    "text", ["1e5", "12,50", "1,000.00", "0.250", "1.000,5", "٣", "2,50,000", "1.000 000"]
)
def test_an_amount_with_two_meanings_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        read_amount(text)


def test_unnamed_plans_do_not_pile_up(measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_pruning, "KEPT_UNNAMED", 2)
    named = make(measured.survey, name="For the council", scenarios=False, draws=0)
    kept_by_file, *rest = [
        make(measured.survey, yearly_budget=10_000.0 * (1 + turn), scenarios=False, draws=0)
        for turn in range(4)
    ]
    actor = identity.current_actor()
    with transaction() as session:
        session.add(
            ExportedFile(
                agency_id=actor.agency_id, survey_id=measured.survey, plan_id=kept_by_file, format="pdf",
                file_name="a.pdf", content_hash="0" * 64, size_bytes=1, provenance={},
            )
        )  # fmt: skip
    assert plan_pruning.prune_unnamed(actor, measured.survey, shown_id=rest[0]) == 0
    assert plan_pruning.prune_unnamed(actor, measured.survey) == 1
    left = {row["id"] for row in plan_data.plans(measured.survey)}
    assert left == {named, kept_by_file, *rest[1:]}


def test_more_settings_count_when_they_are_sent(measured: Measured) -> None:
    make(measured.survey)
    page = open_page("plan", survey=measured.survey)
    number_input(page, "Target").set_value(60)
    number_input(page, "Compare").set_value(30)
    number_input(page, "Main").set_value(40)
    next(box for box in page.text_input if box.label == "Name of the plan").set_value("For the council")
    press(page, "Plan with these settings")
    job = plan_jobs()[-1]
    asked = {
        name: job.parameters[name] for name in ("target_percent", "preventive_share", "minimum_index", "name")
    }
    assert asked == {
        "target_percent": 60.0, "preventive_share": 0.3, "minimum_index": {"main": 40.0},
        "name": "For the council",
    }  # fmt: skip
    work()
    page.run()
    assert not page.exception and "For the council" in said(page)
    next(box for box in page.text_input if box.label == "Name of the plan").set_value("The same again")
    press(page, "Plan with these settings")
    again = plan_jobs()[-1].parameters
    assert again["name"] == "The same again" and again["target_percent"] == 60.0
    assert "Prevention first (30 %)" in str(page.table[1].value.columns.to_list())
    assert len(plan_jobs()) == 3


def test_how_roads_age_can_be_changed_where_it_is_not_fitted(measured: Measured) -> None:
    table = data.section_table(measured.survey, data.version_of(measured.survey))
    fitted = (
        Deterioration("main", "asphalt", 18.0, source="fitted", pairs=12, scale_low=15.5, scale_high=21),
    )
    lines = ageing_lines(table, fitted, ())
    assert list(lines["said"]) == ["assumed", "fitted from 12 sections (15.5 to 21.0 years)"]
    free = lines[lines["source"] != "fitted"].copy()
    assert edited_rows(lines, free, ()) == []
    free["life_years"] = 33.0
    own = edited_rows(lines, free, ())
    assert [(row["functional_class"], row["surface"], row["life_years"]) for row in own] == [
        ("local", None, 33.0)
    ]
    again = ageing_lines(table, fitted, own).set_index("functional_class")
    assert again.loc["local", "said"] == "your agency's" and again.loc["main", "life_years"] == 18.0
    # The rows reach the plan, which opens with them again.
    made = plan_data.plan(make(measured.survey, curves=tuple(own)))
    assert [curve["source"] for curve in made["result"]["curves"]].count("agency") == 1
    draft = _new_draft("x", made["request"], 1.0)
    assert draft["values"]["curves"][0]["life_years"] == 33.0
    page = open_page("plan", survey=measured.survey)
    press(page, "Plan with these settings")
    assert [row["life_years"] for row in plan_jobs()[-1].parameters["curves"]] == [33.0]


def test_what_cannot_be_planned_is_refused_and_loses_nothing(measured: Measured) -> None:
    make(measured.survey)
    page = open_page("plan", survey=measured.survey)
    page.slider[0].set_value(page.slider[0].max // 2).run()
    waiting = plan_jobs()[-1].id
    next(box for box in page.text_input if box.label == "Currency").set_value("").run()
    assert "currency" in page.error[0].value
    assert [job.id for job in plan_jobs(JobState.QUEUED)] == [waiting]
    page.selectbox[1].set_value("Metric, without costs").run()
    next(box for box in page.text_input if box.label == "Currency").set_value("EUR").run()
    assert "cost" in page.error[0].value and len(plan_jobs()) == 2
    assert metrics(page)  # the plan before is still shown


def test_a_set_that_is_gone_makes_no_plan_by_itself(measured: Measured) -> None:
    actor = identity.current_actor()
    plan_actions.save_treatments(actor, "Ours", TREATMENT_SETS[plan_actions.READY_SET], None)
    make(measured.survey, treatment_set="Ours")
    page = open_page("plan", survey=measured.survey)
    assert page.selectbox[1].value == "Ours" and not page.info
    plan_actions.delete_treatments(actor, "Ours")
    page = open_page("plan", survey=measured.survey)
    assert "no set here" in page.warning[0].value and page.selectbox[1].value is None
    number_input(page, "Years").set_value(2).run()
    assert next(button for button in page.button if button.label == "Plan again").disabled
    assert len(plan_jobs()) == 1  # no other set's prices are taken
    page.selectbox[1].set_value(plan_actions.READY_SET).run()
    assert len(plan_jobs()) == 2 and plan_jobs()[-1].parameters["treatment_set"] == plan_actions.READY_SET


def test_a_failed_job_says_why(measured: Measured) -> None:
    make(measured.survey)
    page = open_page("plan", survey=measured.survey)
    budget_box(page).set_value("30 000").run()
    with transaction() as session:
        job = session.get_one(Job, plan_jobs()[-1].id)
        job.state, job.error = JobState.FAILED, "The machine ran out of memory."
    page.run()
    assert "ran out of memory" in page.error[0].value and "Retry" in [button.label for button in page.button]


def test_a_plan_that_is_behind_says_so(measured: Measured) -> None:
    actor = identity.current_actor()
    ours = TREATMENT_SETS[plan_actions.READY_SET]
    plan_actions.save_treatments(actor, "Ours", ours, None)
    make(measured.survey, treatment_set="Ours")
    page = open_page("plan", survey=measured.survey)
    assert not page.warning
    plan_actions.save_treatments(actor, "Ours", ours[:-1], 1)
    plan_actions.set_wish(actor, measured.sections["R1-1"], "forbid", comment="Dug up next year")
    page.run()
    assert "other treatments" in page.warning[0].value and "1 pin or ban is newer" in page.warning[0].value
    press(page, "Plan again")
    work()
    page.run()
    assert not page.warning
    plan_actions.remove_wish(actor, measured.sections["R1-1"], "forbid")
    page.run()
    assert "1 pin or ban that it keeps was removed" in page.warning[0].value
    plan_actions.set_wish(actor, measured.sections["R1-1"], "forbid", comment="Dug up next year")
    press(page, "Plan again")
    work()
    page.run()
    assert not page.warning
    # Another analysis is shown, which has the same sections.
    with transaction() as session:
        session.execute(update(SectionResult).values(settings_hash="6" * 64))
        session.get_one(Survey, measured.survey).shown_settings_hash = "6" * 64
    page.run()
    assert "another analysis" in page.warning[0].value


def test_a_survey_without_results_or_metres_says_what_to_do(filled: Filled) -> None:
    page = open_page("plan", survey=filled.survey)
    assert not page.exception and "condition index" in said(page) + page.subheader[0].value
    with transaction() as session:
        session.get_one(Survey, filled.survey).network_id = None
    page = open_page("plan", survey=filled.survey)
    assert page.subheader[0].value == "This survey runs over no network"
    assert not page.slider


def test_without_a_survey_the_page_offers_the_first_steps(empty_app: None) -> None:
    page = open_page("plan")
    assert not page.exception and page.subheader[0].value == "No survey yet"


def test_the_map_shows_a_year_and_leaves_the_rest_grey(measured: Measured) -> None:
    plan_id = make(measured.survey)
    made, projects = plan_data.plan(plan_id), plan_data.project_table(plan_id)
    lines = plan_data.section_lines(made)
    assert set(lines) == set(measured.sections)
    whole = map_config(made, projects, lines, by_year=True, year=None)
    assert len(whole["projects"]) == len(projects)
    drawn = {key for keys in projects["section_keys"] for key in keys}
    assert len(whole["rest"]) == len(lines) - len(drawn)
    year = int(projects["year"].iloc[0])
    some = map_config(made, projects, lines, by_year=False, year=year)
    assert {one["rank"] for one in some["projects"]} == set(projects.loc[projects["year"] == year, "rank"])
    colours = treatment_looks(made["result"]["treatments"])
    named = {row["label"]: row["colour"] for row in some["legend"]}
    for treatment in projects.loc[projects["year"] == year, "treatment"]:
        assert named[treatment] == colours[treatment][0]


def test_no_name_ends_the_script_of_the_map() -> None:
    assert "</script>" not in _Projects({"told": "</script><script>alert(1)"}).config


def test_colours_and_patterns_tell_forty_treatments_apart() -> None:
    looks = treatment_looks([f"T{number}" for number in range(40)])
    assert len(set(looks.values())) == 40


def test_the_comparison_has_each_plan_once(measured: Measured) -> None:
    made = plan_data.plan(make(measured.survey, target_percent=50.0, preventive_share=0.1))
    lines = scenario_lines(made)
    assert list(lines) == ["own", "worst-first", "nothing", "preventive", "target"]
    assert all(len(moments) == 3 for moments in lines.values())
    worst = plan_data.plan(make(measured.survey, strategy="worst-first"))
    assert list(scenario_lines(worst)) == ["own", "budget", "nothing"]


def test_the_csv_of_projects_is_that_of_the_exports_and_defuses_formulas(measured: Measured) -> None:
    plan_id = make(measured.survey)
    text = plan_csv(plan_data.plan(plan_id), plan_data.project_table(plan_id).assign(road="=1+1"))
    head, line = text.decode("utf-8-sig").splitlines()[:2]
    assert head.startswith(",".join(PROJECT_COLUMNS)) and head.endswith("survey,plan,plan_made_at")
    assert ",USD," in line and "'=1+1" in line and ",=1+1" not in line


def test_everything_cost_counts_what_suits_at_its_dearest(measured: Measured) -> None:
    cheap = Treatment("Cheap", 1.0, "m2", 5)
    dear = Treatment("Dear", 2.0, "m", 5, index_max=50, mobilisation_cost=10_000)
    table = data.section_table(measured.survey, data.version_of(measured.survey))
    known = table[table["condition_index"].notna()]
    area = known["length_m"] * 2 * 3.6
    expected = area.where(known["condition_index"] > 50, known["length_m"] * 2 + 10_000).sum()
    assert plan_data.everything_cost(measured.survey, [cheap, dear]) == pytest.approx(expected)
    assert plan_data.everything_cost(measured.survey, [Treatment("Blank", None, "m2", 5)]) == 0


def test_wishes_of_a_foreign_network_are_not_told(measured: Measured) -> None:
    with reading() as session:
        section = session.scalar(select(Section.id).where(Section.section_key == "R1-2"))
    assert section is not None
    plan_actions.set_wish(identity.current_actor(), section, "comment", comment="Utility works")
    assert [wish["comment"] for wish in plan_data.wishes(measured.network)] == ["Utility works"]
    with transaction() as session:
        other = Agency(name="Other")
        session.add(other)
        session.flush()
        session.get_one(Network, measured.network).agency_id = other.id
    assert plan_data.wishes(measured.network) == []


def test_a_pin_set_while_a_plan_was_solved_is_noticed(measured: Measured) -> None:
    plan_id = make(measured.survey)
    with transaction() as session:
        row = session.get_one(Plan, plan_id)
        row.result = {**row.result, "read_at": row.created_at.isoformat()}
        row.created_at += timedelta(minutes=5)
    streamlit.cache_data.clear()
    made = plan_data.plan(plan_id)
    assert changed_since(made, False, []) == []
    plan_actions.set_wish(identity.current_actor(), measured.sections["R1-1"], "forbid")
    assert changed_since(made, False, []) == ["1 pin or ban is newer than it"]


def test_a_plan_with_pins_says_so_beside_the_best_and_beside_doing_nothing(measured: Measured) -> None:
    actor, year = identity.current_actor(), plan_actions.next_year()
    treatment = TREATMENT_SETS[plan_actions.READY_SET][-1].name
    plan_actions.set_wish(actor, measured.sections["R2-2"], "pin", treatment=treatment, year=year)
    made = plan_data.plan(make(measured.survey, yearly_budget=None))
    rows = {row["scenario"]: row for row in scenario_rows(made)}
    assert rows["nothing"]["label"] == "Only what is pinned" and rows["nothing"]["total_cost"] > 0
    assert rows["budget"]["label"] == "This budget (this plan)"
    page = open_page("plan", survey=measured.survey)
    assert "the best possible with 1 pin" in said(page)
    assert page.table[1].value.loc["Budget a year", "Only what is pinned"] == "–"


def test_the_same_money_is_only_said_where_it_is() -> None:
    best = {"objective": 120.0, "total_cost": 100_000.0, "average": 80.0}
    worst = {"objective": 100.0, "total_cost": 99_000.0, "average": 79.0}
    assert against_worst_first(best, worst).startswith("For the same money") and "20 %" in (
        against_worst_first(best, worst)
    )
    told = against_worst_first(best, {**worst, "total_cost": 97_000.0, "average": 81.0})
    assert told.startswith("With the same budget") and "better average" in told


@pytest.mark.parametrize(
    ("budget", "costs", "told"),
    [
        (100.0, [90.0, 80.0], "budget a year"),
        (100.0, [20.0, 180.0], "budget a year; above it with money carried over"),
        (1e9, [90.0], ""),
        (None, [90.0], ""),
        (100.0, [0.0], ""),
    ],
)
def test_the_line_of_the_budget(budget: float | None, costs: list[float], told: str) -> None:
    assert budget_line(budget, costs) == told


def test_the_condition_is_told_at_the_survey_and_at_the_start(measured: Measured) -> None:
    made = plan_data.plan(make(measured.survey))
    heads = list(moments_of(made, "2025-05-13"))
    assert heads[0] == "At the survey (2025-05-13)"
    assert heads[1] == f"Start of {plan_actions.next_year()}" and "doing nothing" in heads[-1]


@given(st.floats(0, 1e12))
def test_the_slider_reaches_the_cost_in_round_steps(most: float) -> None:
    top = slider_top(most)
    assert most <= top <= max(2 * most, NO_COSTS_TOP)
    assert top < 10_000 or top % SLIDER_STEPS == 0


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (0.0, "the best possible with 2 pins"),
        (0.0031, "at most 0.31 % below the best possible with 2 pins"),
        (0.042, "at most 4.2 % below the best possible with 2 pins"),
    ],
)
def test_the_gap_in_words(gap: float, words: str) -> None:
    assert gap_words(gap, 2) == words and gap_words(gap) == words.removesuffix(" with 2 pins")


def test_money_is_short_where_it_is_much() -> None:
    assert money(85_300.4, "USD") == "85,300 USD"
    assert money(1_499_204, "EUR") == "1,499,204 EUR" and money(12_340_000, "EUR") == "12.3 million EUR"
    assert short_money(1_499_204, "EUR") == "1.50 million EUR"
    assert money(None, "EUR") == "–"
