"""Reports: files to hand out of a survey and its plan, made by jobs and kept until they are deleted."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import data, export_actions, plan_data
from app.components.choose import choose_survey, query_id
from app.components.first_steps import first_steps
from app.components.messages import empty_state, plain, show_error
from app.components.report_files import DONE, exported_files, list_files, results_at
from app.components.report_formats import KINDS, format_cards
from app.components.report_jobs import export_jobs, making, watch_exports
from app.components.text import number
from app.identity import current_actor
from engine.errors import EngineError

WITHOUT = "Without a plan"


def plan_words(plan: dict[str, Any]) -> str:
    """A plan in one line."""
    money = f", {number(plan['total_cost'], 0, plan['currency'] or '')}" if plan["total_cost"] else ""
    old = " (made from another analysis)" if plan["stale"] else ""
    return f"{plan['name']} · {plan['created_at']:%Y-%m-%d} · {plan['years']} years{money}{old}"


def choose_plan(plans: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The plan that goes into the files: that of the address, else the newest of the shown analysis."""
    if not plans:
        return None
    asked = query_id("plan")
    fresh = next((place for place, plan in enumerate(plans) if not plan["stale"]), None)
    start = next((place for place, plan in enumerate(plans) if plan["id"] == asked), fresh)
    without = len(plans)
    chosen = st.selectbox(
        "Plan",
        range(len(plans) + 1),
        index=without if start is None else start,
        format_func=lambda place: WITHOUT if place == without else plan_words(plans[place]),
    )
    return None if chosen == without else plans[chosen]


def say_plan(plan: dict[str, Any] | None, plans: Sequence[dict[str, Any]]) -> None:
    """What the choice of one of the plans, or of none, means for the files."""
    if plan is None:
        fresh = any(not each["stale"] for each in plans)
        st.info(
            f"{'' if fresh else 'There is no plan of the shown analysis yet. '}Files made now hold the "
            "condition, and neither treatments nor costs."
        )
        if fresh:
            return
        st.page_link("views/plan.py", label="Make a plan", icon=":material/event_note:")
    elif plan["stale"]:
        st.warning(
            "This plan was made from another analysis than the one that the survey shows now. Make a new "
            "plan, or the projects will not fit the condition in the same file."
        )


def files_made(survey_id: int, plans: Sequence[dict[str, Any]]) -> None:
    """What was made before; also of a survey whose results are gone."""
    st.subheader("Files made")
    files = exported_files(survey_id)
    if files:
        newest = next((plan for plan in plans if not plan["stale"]), None)
        list_files(files, results_at(survey_id), newest)
    else:
        st.write("No file of this survey yet. What is made with “Make” appears here.")


def make_more(survey_id: int, plan: dict[str, Any] | None, busy: set[str], version: str) -> None:
    """A card for each kind of file, and the job where one was asked for."""
    st.subheader("Make a file")
    survey = data.survey(survey_id)
    network = bool(survey and survey["network_id"])
    asked = format_cards(busy, network=network, metres=data.measure_is_density(survey_id, version))
    if asked is None:
        return
    name, paper = asked
    try:
        export_actions.request_export(
            current_actor(), survey_id, name, plan_id=None if plan is None else plan["id"], paper=paper
        )
    except EngineError as problem:
        show_error(problem)
        return
    st.toast(f"{KINDS[name].title}: its progress is at the top of the page.")
    st.rerun()


def draw() -> None:
    st.title("Reports")
    surveys = data.surveys()
    if surveys.empty:
        first_steps()
        return
    if done := st.session_state.pop(DONE, ""):
        st.success(plain(done))
    left, right = st.columns([2, 3])
    with left:
        survey_id = choose_survey(surveys)
    version = data.version_of(survey_id)
    plans = plan_data.plans(survey_id)
    if not data.survey_totals(survey_id, version)["analysed"]:
        empty_state("No results yet", "Files are made of results. Open the survey and start its analysis.")
        st.page_link(
            "views/survey.py", label="Open the survey", icon=":material/photo_camera:",
            query_params={"survey": str(survey_id)},
        )  # fmt: skip
        files_made(survey_id, plans)
        return
    with right:
        plan = choose_plan(plans)
    say_plan(plan, plans)
    jobs = export_jobs(survey_id)
    watch_exports(survey_id, jobs)
    files_made(survey_id, plans)
    make_more(survey_id, plan, making(jobs), version)


draw()
