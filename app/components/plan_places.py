"""Where a plan does what: the map and the table choose one project, whose reason is shown beside them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import plan_data
from app.components.plan_map import plan_map
from app.components.plan_projects import project_list, project_reason, without_project


def places_and_projects(made: Mapping[str, Any], projects: pd.DataFrame) -> None:
    """Draw both.

    Args:
        made: of `app.plan_data.plan`; projects: its `project_table`.
    """
    chosen = st.session_state.setdefault(
        f"plan-chosen-{made['version']}", {"rank": None, "by": "", "row": None}
    )
    st.markdown("### Where and when")
    picked = plan_map(made, projects, plan_data.section_lines(made), chosen["rank"])
    under_map = st.container()
    st.markdown("### Projects")
    if projects.empty:
        st.write("Nothing is done: no section has a treatment that suits it and that the money reaches.")
        without_project(plan_data.section_plan(made["id"]))
        return
    row = project_list(made, projects)
    under_table = st.container()
    before = dict(chosen)
    # Whichever was clicked last counts; the table repeats its line at every rerun.
    if picked is not None:
        chosen |= {"rank": picked, "by": "map"}
    elif row != chosen["row"]:
        chosen |= {"rank": row, "by": "table"}
    chosen["row"] = row
    if chosen["rank"] != before["rank"]:
        st.rerun()  # the map marks it
    if chosen["rank"] is None:
        under_table.caption("Select a line, or click a project on the map, to read why.")
    else:
        project = projects[projects["rank"] == chosen["rank"]].iloc[0].to_dict()
        with under_map if chosen["by"] == "map" else under_table:
            project_reason(project, made["request"]["currency"], made["survey_id"])
    without_project(plan_data.section_plan(made["id"]))
