"""Plan: what to fix when, for a budget; a change of the budget makes the plan anew."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import data, plan_data
from app.components.choose import choose_survey, query_id
from app.components.first_steps import first_steps
from app.components.messages import plain
from app.components.plan_charts import condition_chart, cost_chart
from app.components.plan_draft import Draft, current_draft, kept_draft
from app.components.plan_figures import assumptions, budget_words, plan_figures
from app.components.plan_list import list_plans
from app.components.plan_places import places_and_projects
from app.components.plan_ready import changed_since, ready_to_plan
from app.components.plan_scenarios import compare_scenarios
from app.components.plan_settings import plan_inputs, set_is_there
from app.components.plan_solving import arrived, ask, has_changed, show_progress
from app.plan_actions import READY_SET
from app.plan_pruning import KEPT_UNNAMED, own_name
from engine.errors import SettingsError
from engine.plan_request import treatments_from_values
from engine.treatment_sets import TREATMENT_SETS


def choose_plan(survey_id: int) -> dict[str, Any] | None:
    """The plan that the address asks for, else the survey's newest; it stays in the address."""
    kept = kept_draft(survey_id)
    made_id = arrived(survey_id, kept) if kept else None
    if kept is not None and made_id is not None:
        kept["source"] = plan_data.plan_version(made_id)  # its settings are those of the draft
    plan_id = made_id or query_id("plan")
    made = None
    if plan_id is not None:
        try:
            made = plan_data.plan(plan_id)
        except SettingsError:
            st.info("The plan of the address is no longer there.")
    if made is None or made["survey_id"] != survey_id:
        newest = plan_data.newest_plan_id(survey_id)
        made = plan_data.plan(newest) if newest is not None else None
    if made is None:
        st.query_params.pop("plan", None)
    else:
        st.query_params["plan"] = str(made["id"])
    return made


def settings(survey_id: int, draft: Draft, table: pd.DataFrame, has_plan: bool) -> None:
    """The inputs; a change asks for the plan anew."""
    sets = plan_data.treatment_sets()
    sent = plan_inputs(draft, sets, table, plan_data.fitted_curves(survey_id))
    there = set_is_there(draft, sets)
    if there and (sent or has_changed(draft)):
        ask(survey_id, draft)
    first = draft["asked"] is None
    label = "Plan again" if has_plan or not first else "Make the plan"
    row = st.container(horizontal=True, vertical_alignment="center")
    if row.button(
        label, type="primary" if first else "secondary", icon=":material/play_arrow:",
        help="With these settings, and the pins and bans of now.", disabled=not there,
    ):  # fmt: skip
        ask(survey_id, draft)
        st.rerun()
    row.caption(
        "Every change above makes a new plan at once. The earlier ones are at the end of the page: all with "
        f"a name, and your last {KEPT_UNNAMED} without one."
        if not first else "Set the budget, then make the first plan. After that every change makes a new one."
    )  # fmt: skip


def show_plan(made: Mapping[str, Any]) -> None:
    """All that a plan says."""
    st.markdown(f"### {plain(made['name'])}")
    request = made["request"]
    last = request["first_year"] + request["years"] - 1
    told = [f"treatments: {request['treatment_set']}", f"made {made['created_at']:%Y-%m-%d %H:%M} UTC"]
    if made["name"] != own_name(request):
        # A plan that nobody named is called by its years and money already.
        told = [f"{request['first_year']} to {last}", budget_words(request), *told]
    st.caption(plain(" · ".join(told)))
    plan_figures(made)
    projects = plan_data.project_table(made["id"])
    costs, conditions = st.columns(2)
    with costs:
        st.markdown("### What it costs")
        cost_chart(made, projects)
    with conditions:
        st.markdown("### What it leads to")
        condition_chart(made)
    places_and_projects(made, projects)
    st.markdown("### Compared with other plans")
    compare_scenarios(made)
    assumptions(made)


def draw() -> None:
    head = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom")
    head.title("Plan", width="content")
    surveys = data.surveys()
    if surveys.empty:
        first_steps()
        return
    survey_id = choose_survey(surveys)
    table = data.section_table(survey_id, data.version_of(survey_id))
    if not ready_to_plan(survey_id, table):
        return
    made = choose_plan(survey_id)
    address = {"survey": str(survey_id)} | ({"plan": str(made["id"])} if made else {})
    links = head.container(horizontal=True, width="content")
    links.page_link("views/reports.py", label="Reports", icon=":material/description:", query_params=address)
    links.page_link("views/priorities.py", label="Priorities", icon=":material/flag:", query_params=address)
    known = treatments_from_values(made["request"]["treatments"]) if made else TREATMENT_SETS[READY_SET]
    draft = current_draft(survey_id, made, plan_data.everything_cost(survey_id, known))
    settings(survey_id, draft, table, made is not None)
    working = show_progress(survey_id, draft)
    if made is None:
        return
    plans = plan_data.plans(survey_id)
    if working:
        st.caption("Until the new plan is there, the page shows the one before.")
    stale = any(row["id"] == made["id"] and row["stale"] for row in plans)
    if said := changed_since(made, stale, plan_data.treatment_sets()):
        st.warning(f"This plan is behind: {'; '.join(said)}. Plan again to take it up.")
    show_plan(made)
    st.markdown("### Plans of this survey")
    list_plans(plans, made["id"])


draw()
