"""What to fix first: the projects of a plan by rank, or, before there is one, the sections by condition."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import data, plan_data
from app.components.choose import bounds_of, choose_survey
from app.components.first_steps import first_steps
from app.components.measures import AREA_SHARE, INDEX, Measure
from app.components.messages import empty_state
from app.components.network_map import draw_map
from app.components.priorities_lists import Chosen, condition_page, plan_page
from app.components.priorities_plan import choose_plan, link_to_plan
from app.components.priorities_table import choose_line
from app.components.section_table import add_grades


def not_ready(survey: Mapping[str, Any] | None, table: pd.DataFrame) -> bool:
    """Say what a survey lacks for priorities; False where it lacks nothing."""
    if survey is None or table.empty:
        empty_state(
            "No road network", "This survey runs over no road network, so it has no sections to rank."
        )
        st.page_link("views/networks.py", label="Road networks", icon=":material/route:")
        return True
    if table["images"].notna().any():
        return False
    if survey["checkpoint"] is None:
        empty_state("Not analysed yet", "Priorities need results: open the survey and start its analysis.")
    else:
        empty_state(
            "No photo on a section",
            "No analysed photo of this survey lies on a section of its network. Check the positions of its "
            "photos on its page.",
        )
    st.page_link(
        "views/survey.py", label="Open the survey", icon=":material/photo_camera:",
        query_params={"survey": str(survey["id"])},
    )  # fmt: skip
    return True


def priorities_map(
    table: pd.DataFrame, ids: pd.Series, survey: Mapping[str, Any], version: str, measure: Measure
) -> int | None:
    """The listed sections coloured by condition, the others faintly; returns a section that was clicked."""
    bounds = bounds_of(table)
    if bounds is None:
        return None
    worst = table[measure.column].max()
    picked = draw_map(
        bounds,
        key=f"priorities-map-{survey['id']}",
        version=version,
        network_id=int(survey["network_id"]),
        survey_id=int(survey["id"]),
        measure=measure,
        largest=0.0 if pd.isna(worst) else float(worst),
        only=[int(value) for value in ids],
        height=360,
    )
    if picked and picked[0] == "photo":
        st.switch_page("views/photo.py", query_params={"photo": str(picked[1])})
    return picked[1] if picked else None


def follow(picked: int | None, rank: int | None) -> None:
    """A section clicked on the map is the chosen line, and no table keeps the mark of another."""
    if picked is not None:
        st.session_state["priorities-map-picks"] = st.session_state.get("priorities-map-picks", 0) + 1
        choose_line(picked, rank)


def draw() -> None:
    st.title("Priorities")
    surveys = data.surveys()
    if surveys.empty:
        first_steps()
        return
    left, right, _ = st.columns([2, 3, 2])
    with left:
        survey_id = choose_survey(surveys)
    version = data.version_of(survey_id)
    survey, table = data.survey(survey_id), data.section_table(survey_id, version)
    if not_ready(survey, table) or survey is None:
        return
    measure = INDEX if table[INDEX.column].notna().any() else AREA_SHARE
    table = add_grades(table, INDEX)
    wishes = plan_data.wishes(int(survey["network_id"]))
    plans = plan_data.plans(survey_id)

    def show_map(ids: pd.Series, ranks: Mapping[int, int]) -> None:
        picked = priorities_map(table, ids, survey, version, measure)
        follow(picked, None if picked is None else ranks.get(picked))

    chosen = Chosen(survey, version, table, measure, wishes, show_map)
    if plans:
        with right:
            listed = choose_plan(plans)
        plan_page(chosen, listed)
        return
    if measure == INDEX:
        st.info(
            "This is not a plan: it knows no treatments, no money and no years. It lists the sections in "
            "worst condition first, weighted by traffic. Make a plan to see what to do, when, and for "
            "how much."
        )
        link_to_plan(survey_id, "Make a plan")
    else:
        st.info(
            "This is not a plan, and none can be made yet: the survey has its results in pixels only, so no "
            "section has a condition index. The list goes by the cracked share of the picture, weighted by "
            "traffic. Give the survey a camera profile or a scale (GSD) and analyse it again."
        )
        st.page_link(
            "views/survey.py", label="Open the survey", icon=":material/photo_camera:",
            query_params={"survey": str(survey_id)},
        )  # fmt: skip
    condition_page(chosen)


draw()
