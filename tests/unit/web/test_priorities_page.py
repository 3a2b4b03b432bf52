"""Priorities: by condition, by a plan; filters, decisions and whether the plan keeps them, CSV, bad cases."""

import csv
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from app import actions, data, identity, plan_actions, plan_data, priorities_data
from app.components import priorities_rows as rows
from app.components import priorities_table
from app.components.measures import AREA_SHARE, INDEX
from app.components.priorities_plan import answers_of, comments_of
from app.components.priorities_table import condition_csv
from app.components.section_table import add_grades
from app.plan_actions import PlanRequest
from db.models import AuditEvent, Section, SectionResult, Survey, User, UserRole
from db.session import reading, transaction
from engine.project_table import projects_csv
from engine.vocabulary import Role, WishKind
from jobs.planning import make_plan, store_plan
from tests.unit.web.measured import UNSURVEYED, Measured, fill_measured
from tests.unit.web.rows import Filled
from tests.unit.web.test_pages import open_page, said

BUDGET = 60_000.0


@pytest.fixture
def measured(empty_app: None) -> Measured:
    return fill_measured()


def planned(measured: Measured, **asked: Any) -> int:
    """A plan of the survey as the job makes it, with the wishes of now; its id."""
    actor = identity.current_actor()
    wanted = {"yearly_budget": BUDGET, "first_year": 2027, "name": "Council", "draws": 20, **asked}
    with reading() as session:
        values = plan_actions.request_values(
            session, actor, PlanRequest(measured.survey, scenarios=False, **wanted)
        )
    made = make_plan(actor.agency_id, values)
    with transaction() as session:
        return store_plan(session, actor.agency_id, made, job_id=None, created_by=actor.user_id)


def lists(page: AppTest) -> dict[str, pd.DataFrame]:
    """The tables by the head of their key."""
    return {str(table.key).split("-")[0]: table.value.reset_index(drop=True) for table in page.dataframe}


def tabs(page: AppTest) -> list[str]:
    return [tab.label for tab in page.tabs]


def choose(page: AppTest, label: str, *words: object) -> None:
    next(box for box in page.multiselect if box.label == label).set_value(list(words)).run()
    assert not page.exception


def decide(page: AppTest, kind: WishKind, **given: object) -> None:
    """Open the form of a kind, fill it by label, and send it."""
    next(each for each in page.button_group).set_value(kind).run()
    for label, value in given.items():
        fields = [*page.selectbox, *page.text_area]
        next(field for field in fields if field.label.startswith(label)).set_value(value)
    next(button for button in page.button if button.form_id).click().run()
    assert not page.exception


def test_without_a_plan_sections_go_by_condition_and_it_says_so(measured: Measured) -> None:
    page = open_page("priorities", survey=measured.survey)
    assert not page.error and "This is not a plan" in said(page)
    assert "Make a plan" in [button.label for button in page.button]
    table = lists(page)["condition"]
    assert list(table["rank"]) == [1, 2, 3, 4, 5] and table["section_key"][0] == "R2-2"
    assert UNSURVEYED not in set(table["section_key"])
    assert table["reason"][0].startswith("Condition index") and "4,000 vehicles per day" in table["reason"][0]
    choose(page, "Road", "B 10")
    table = lists(page)["condition"]
    # A rank is that of the whole network, whatever is shown of it.
    assert table["section_key"][0] == "=R1-3" and table["rank"][0] > 1
    choose(page, "Condition", "good")
    choose(page, "Distress", "alligator")
    assert "No section passes the filters" in said(page) or set(lists(page)["condition"]["road"]) == {"B 10"}


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.one_of(st.none(), st.integers(1, 90_000))), min_size=1, max_size=30
    )
)
def test_worse_and_busier_never_ranks_later(given_rows: list[tuple[float, int | None]]) -> None:
    table = pd.DataFrame(given_rows, columns=["condition_index", "aadt"]).assign(functional_class=None)
    table["aadt"] = table["aadt"].astype("float64")
    ranked = rows.condition_rows(table, INDEX)
    assert list(ranked["rank"]) == list(range(1, len(table) + 1))
    index, traffic = ranked["condition_index"].to_numpy(), ranked["traffic"].to_numpy()
    before, after = np.triu_indices(len(ranked), 1)
    better = (index[after] < index[before]) & (traffic[after] > traffic[before]) & (index[before] < 100)
    assert not better.any()
    assert (ranked["estimated"] == ranked["aadt"].isna()).all()


def test_traffic_that_nobody_counted_is_the_median_of_its_class() -> None:
    table = pd.DataFrame(
        {
            "condition_index": [50.0] * 5,
            "functional_class": ["main", "main", "main", "local", None],
            "aadt": [1000.0, 3000.0, None, None, 10.0],
        }
    )
    ranked = rows.condition_rows(table, INDEX).sort_values("traffic")
    assert sorted(ranked["traffic"]) == [10, 1000, 1000, 2000, 3000]
    assert ranked.set_index("functional_class").loc["local", "traffic"] == 1000  # the network's median


def test_a_plan_is_listed_by_rank_with_reasons(measured: Measured) -> None:
    plan_id = planned(measured)
    projects = plan_data.project_table(plan_id)
    page = open_page("priorities", survey=measured.survey)
    assert not page.error and "This is not a plan" not in said(page)
    table = lists(page)["projects"]
    assert list(table["rank"]) == list(range(1, len(projects) + 1)) and len(projects) > 1
    order = list(zip(table["year"], -table["benefit_cost"].fillna(0), strict=True))
    assert order == sorted(order)
    assert all(short in full for short, full in zip(table["short"], projects["reason"], strict=True))
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Projects"] == str(len(projects)) and shown["Cost"].endswith(" USD")
    assert "Gain" not in said(page)
    # All of the first one's reason stands under the list.
    assert projects["reason"][0] in said(page).replace("\\", "")
    left = lists(page)["unplanned"]
    assert UNSURVEYED in set(left["section_key"]) and left["reason"].str.len().min() > 10
    assert set(left["section_key"]) | {key for keys in projects["section_keys"] for key in keys} == set(
        measured.sections
    )


def test_projects_are_filtered_by_their_sections_year_and_treatment(measured: Measured) -> None:
    projects = plan_data.project_table(planned(measured))
    page = open_page("priorities", survey=measured.survey)
    choose(page, "Road", "L 7")
    assert set(lists(page)["projects"]["road"]) == {"L 7"}
    assert set(lists(page)["unplanned"]["road"]) <= {"L 7"}
    choose(page, "Road")
    year = int(projects["year"].max())
    choose(page, "Year", year)
    assert set(lists(page)["projects"]["year"]) == {year}
    choose(page, "Year")
    treatment = projects["treatment"][0]
    choose(page, "Treatment", treatment)
    assert set(lists(page)["projects"]["treatment"]) == {treatment}
    choose(page, "Treatment")
    choose(page, "Road class", "main")
    assert set(lists(page)["projects"]["road"]) == {"B 10"}


def test_a_section_without_a_project_says_why_and_can_be_pinned(measured: Measured) -> None:
    plan_id = planned(measured, yearly_budget=0.0)
    section = measured.sections["R2-2"]
    page = open_page("priorities", survey=measured.survey, section=section)
    reason = str(plan_data.section_plan(plan_id).loc["R2-2", "reason"])
    assert "no project in this plan" in said(page) and reason in said(page).replace("\\", "")
    assert "No project in this list" in said(page)
    decide(page, WishKind.PIN, Treatment="Mill and overlay", Year=2028, Why="Bus route")
    assert not page.error
    (wish,) = plan_data.wishes(measured.network)
    assert (wish["treatment"], wish["year"], wish["comment"]) == ("Mill and overlay", 2028, "Bus route")
    assert "1 decision has changed since this plan was made" in said(page)
    assert "Make the plan again" in [button.label for button in page.button]
    assert "Local engineer" in said(page).replace("\\", "") and "not in this plan yet" in said(page)
    assert lists(page)["decisions"]["what"][0] == "Mill and overlay in 2028"
    with reading() as session:
        assert session.scalar(select(AuditEvent.subject).where(AuditEvent.action == "plan.pin")) == "R2-2"
    # The plan that was made again keeps it, and says so.
    planned(measured)
    page = open_page("priorities", survey=measured.survey, section=section)
    assert "This plan keeps the one pin or ban" in said(page) and "changed since" not in said(page)
    assert "Pinned" in said(page) and "in this plan" in said(page)
    next(button for button in page.button if button.label == "Remove").click().run()
    assert plan_data.wishes(measured.network) == []
    assert "was pinned for this plan, and is no more" in said(page).replace("\\", "")
    events = priorities_data.wish_events(section, "R2-2")
    assert [(event["kind"], event["removed"]) for event in events] == [("pin", True), ("pin", False)]
    assert events[0]["by"] == "Local engineer" and events[0]["treatment"] == "Mill and overlay"


def test_a_ban_is_kept_once_the_plan_is_made_again_and_its_end_is_noticed(measured: Measured) -> None:
    projects = plan_data.project_table(planned(measured))
    key = projects["section_keys"][0][0]
    page = open_page("priorities", survey=measured.survey, section=measured.sections[key])
    decide(page, WishKind.FORBID)
    (wish,) = plan_data.wishes(measured.network)
    assert (wish["treatment"], wish["year"]) == (None, None)
    assert f"any treatment in any year forbidden on {key}: not in this plan yet" in said(page).replace(
        "\\", ""
    )
    plan_id = planned(measured)
    assert key not in {key for keys in plan_data.project_table(plan_id)["section_keys"] for key in keys}
    page = open_page("priorities", survey=measured.survey, section=measured.sections[key])
    assert "This plan keeps the one pin or ban" in said(page)
    plan_actions.remove_wish(identity.current_actor(), measured.sections[key], WishKind.FORBID)
    page = open_page("priorities", survey=measured.survey)
    assert "was forbidden on" in said(page) and "is no more" in said(page)


def test_a_comment_is_saved_shown_and_asks_for_no_new_plan(measured: Measured) -> None:
    planned(measured)
    page = open_page("priorities", survey=measured.survey, section=measured.sections["R1-2"])
    decide(page, WishKind.COMMENT, Comment="See the **culvert** $5$")
    assert comments_of(plan_data.wishes(measured.network)) == {"R1-2": "See the **culvert** $5$"}
    assert "See the \\*\\*culvert\\*\\* \\$5\\$" in said(page) and "changed since" not in said(page)


def test_nobody_pins_what_was_not_surveyed(measured: Measured) -> None:
    planned(measured)
    page = open_page("priorities", survey=measured.survey, section=measured.sections[UNSURVEYED])
    offered = page.button_group[0].options
    assert "Pin a project" not in " ".join(offered) and "Forbid" in " ".join(offered)
    assert "no condition index" in said(page)


def test_a_refused_decision_is_told_and_nothing_is_lost(measured: Measured) -> None:
    planned(measured)
    actor = identity.current_actor()
    section = measured.sections["R2-2"]
    plan_actions.set_wish(actor, section, WishKind.FORBID, year=2028)
    page = open_page("priorities", survey=measured.survey, section=section)
    decide(page, WishKind.PIN, Treatment="Mill and overlay", Year=2028)
    assert "Remove what is forbidden first" in said(page).replace("\\", "")
    assert [wish["kind"] for wish in plan_data.wishes(measured.network)] == [WishKind.FORBID]


def test_a_viewer_is_refused_in_words(measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    planned(measured)
    actor = identity.current_actor()
    with transaction() as session:
        user = User(email="clerk@localhost", name="Clerk")
        session.add(user)
        session.flush()
        session.add(UserRole(user_id=user.id, agency_id=actor.agency_id, role=Role.VIEWER))
        viewer = replace(actor, user_id=user.id, role=Role.VIEWER)
    monkeypatch.setattr(identity, "_local_actor", lambda url: viewer)
    page = open_page("priorities", survey=measured.survey, section=measured.sections["R2-2"])
    decide(page, WishKind.COMMENT, Comment="Now")
    assert "may not comment on a section" in said(page).replace("\\", "")
    assert plan_data.wishes(measured.network) == []


def test_what_a_plan_makes_of_wishes(measured: Measured) -> None:
    made = {
        "request": {"first_year": 2027, "years": 3},
        "result": {"treatments": ["Crack seal", "Overlay"]},
    }
    on = {"A": [(2027, "Crack seal"), (2029, "Overlay")]}

    def answer(
        kind: WishKind, treatment: str | None, year: int | None, blind: set[str] | None = None
    ) -> tuple[bool, str]:
        wish = {"section_key": "A", "kind": kind, "treatment": treatment, "year": year, "comment": ""}
        said_of, open_ones = answers_of([wish], on, made, blind or set())
        return not open_ones, said_of["A", kind]

    assert answer(WishKind.PIN, "Overlay", 2029) == (True, "in this plan")
    assert answer(WishKind.PIN, "Overlay", 2028) == (False, "not in this plan yet")
    assert (
        answer(WishKind.PIN, "Overlay", 2040)[0]
        and "2027 to 2029" in answer(WishKind.PIN, "Overlay", 2040)[1]
    )
    assert answer(WishKind.PIN, "Gold", 2028) == (True, "the plan's treatments have none of that name")
    assert answer(WishKind.PIN, "Overlay", 2028, {"A"}) == (True, "not surveyed, so no plan can take it up")
    assert answer(WishKind.FORBID, None, None)[0] is False
    assert answer(WishKind.FORBID, "Overlay", 2028) == (True, "kept by this plan")
    assert answer(WishKind.FORBID, "Overlay", None) == (False, "not in this plan yet: it has Overlay in 2029")
    assert answer(WishKind.FORBID, None, 2028)[0] and not answer(WishKind.FORBID, None, 2029)[0]
    assert answer(WishKind.COMMENT, None, None) == (True, "")


def test_pinned_stands_only_where_the_pin_is() -> None:
    projects = pd.DataFrame(
        {
            "rank": [1, 2, 3],
            "year": [2027, 2028, 2027],
            "treatment": ["Crack seal", "Overlay", "Crack seal"],
            "section_keys": [("A",), ("A",), ("B",)],
        }
    )
    wishes: list[dict[str, Any]] = [
        {"section_key": "A", "kind": WishKind.PIN, "treatment": "Overlay", "year": 2028},
        {"section_key": "B", "kind": WishKind.PIN, "treatment": "Overlay", "year": 2027},
        {"section_key": "B", "kind": WishKind.FORBID, "treatment": None, "year": 2029},
    ]
    planned = rows.planned_on(projects, {"A", "B"})
    assert rows.project_decisions(projects, wishes, planned) == {
        1: "pin is another project",
        2: "pinned",
        3: "pin not in this plan, something else forbidden",
    }


def test_a_class_that_is_one_at_best_says_so(measured: Measured) -> None:
    table = data.section_table(measured.survey, data.version_of(measured.survey))
    table = add_grades(table.assign(condition_index_at_worst=0.0), INDEX)
    text = condition_csv(rows.condition_rows(table, INDEX), INDEX, {}, {}).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert {line["condition_class"].split()[0] for line in lines} <= {"good", "fair", "poor"}
    said_of = [
        rows.condition_reason(row, INDEX) for row in rows.condition_rows(table, INDEX).to_dict("records")
    ]
    at_best = ["at best" in line["condition_class"] for line in lines]
    assert at_best == [" at best; " in reason for reason in said_of] and any(at_best)
    assert set(lists(open_page("priorities", survey=measured.survey))["condition"]["class"]) - {None}


def test_a_plan_of_an_analysis_that_is_no_longer_shown_says_so(measured: Measured) -> None:
    planned(measured)
    with transaction() as session:
        session.get_one(Survey, measured.survey).shown_settings_hash = "6" * 64
        session.execute(
            update(SectionResult)
            .where(SectionResult.survey_id == measured.survey)
            .values(settings_hash="6" * 64)
        )
    page = open_page("priorities", survey=measured.survey)
    assert not page.error and "Out of date" in said(page) and "projects" in lists(page)


def test_the_newest_plan_is_shown_and_an_older_one_can_be_chosen(measured: Measured) -> None:
    older, newer = planned(measured, name="First"), planned(measured, name="Second", yearly_budget=0.0)
    page = open_page("priorities", survey=measured.survey)
    assert page.selectbox[1].value == newer and "projects" not in lists(page)
    page.selectbox[1].set_value(older).run()
    assert str(older) in page.query_params["plan"] and "projects" in lists(page)


def test_the_csv_has_units_and_source_and_no_formulas(measured: Measured) -> None:
    projects = plan_data.project_table(planned(measured, currency="EUR"))
    key = projects["section_keys"][0][0]
    source, comments = {"survey": "@May", "plan": "Council"}, {key: "=HYPERLINK(1)"}
    text = projects_csv(projects.to_dict("records"), "EUR", source, comments)
    found = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    assert len(found) == len(projects)
    assert float(found[0]["cost"]) == pytest.approx(projects["cost"][0]) and found[0]["currency"] == "EUR"
    assert found[0]["comments"] == "'=HYPERLINK(1)" and found[0]["survey"] == "'@May"
    assert found[0]["reason"] == projects["reason"][0] and found[0]["section_keys"].lstrip("'").startswith(
        tuple(measured.sections)
    )
    table = data.section_table(measured.survey, data.version_of(measured.survey))
    ranked = rows.condition_rows(table, INDEX)
    lines = list(csv.DictReader(io.StringIO(condition_csv(ranked, INDEX, {}, {}).decode("utf-8-sig"))))
    assert {line["section_key"] for line in lines} >= {"'=R1-3"}
    urgency = next(head for head in lines[0] if head.startswith("urgency"))
    worth = (100 - float(lines[0]["condition_index"])) * float(lines[0]["vehicles_per_day"])
    assert float(lines[0][urgency]) == pytest.approx(worth)


def test_bad_cases_say_what_to_do(filled: Filled) -> None:
    with transaction() as session:
        session.execute(update(SectionResult).values(crack_density_m_per_m2=None, surveyed_area_m2=None))
    page = open_page("priorities", survey=filled.survey)
    assert not page.error and "in pixels only" in said(page) and "none can be made yet" in said(page)
    assert lists(page)["condition"]["crack_area_pct"][0] == pytest.approx(100 * 110 / 3072)
    assert rows.URGENCY[AREA_SHARE.column] in said(page)
    actor = identity.current_actor()
    fresh = actions.create_survey(actor, actions.SurveyForm("June", network="Town"))
    page = open_page("priorities", survey=fresh)
    assert "Not analysed yet" in said(page) and not page.dataframe
    assert "Open the survey" in [getattr(link, "label", "") for link in page.get("page_link")]
    loose = actions.create_survey(actor, actions.SurveyForm("Nowhere"))
    assert "No road network" in said(open_page("priorities", survey=loose))


def test_an_empty_installation_begins_at_the_beginning(empty_app: None) -> None:
    assert "No survey yet" in said(open_page("priorities"))


def test_a_long_plan_is_shown_a_page_at_a_time(measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = plan_data.project_table(planned(measured))
    monkeypatch.setattr(priorities_table, "PER_PAGE", 2)
    page = open_page("priorities", survey=measured.survey)
    assert list(lists(page)["projects"]["rank"]) == [1, 2] and len(projects) > 2
    next(box for box in page.number_input if "Page" in box.label).set_value(2).run()
    assert list(lists(page)["projects"]["rank"]) == list(range(3, min(4, len(projects)) + 1))


def test_sections_that_left_the_network_do_not_break_the_page(measured: Measured) -> None:
    projects = plan_data.project_table(planned(measured))
    gone = set(projects["section_keys"][0])
    with transaction() as session:
        for section in session.scalars(select(Section).where(Section.section_key.in_(gone))):
            section.section_key = f"{section.section_key}-new"
    streamlit.cache_data.clear()
    page = open_page("priorities", survey=measured.survey, rank=1)
    assert not page.error and "no longer in the network" in said(page)
    fresh = measured.sections[next(iter(gone))]
    page = open_page("priorities", survey=measured.survey, section=fresh)
    assert "was added since" in said(page)
