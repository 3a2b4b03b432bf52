"""All surveys with their state; a click opens one."""

import pandas as pd
import streamlit as st

from app import data
from app.components.first_steps import first_steps


def listed(surveys: pd.DataFrame) -> pd.DataFrame:
    totals = [data.survey_totals(int(survey), data.version_of(int(survey))) for survey in surveys["id"]]
    table = surveys.assign(
        photos=[total["photos"] for total in totals],
        share=[total["analysed"] / total["photos"] if total["photos"] else 0.0 for total in totals],
        refused=[total["refused"] for total in totals],
    )
    table["surveyed_on"] = pd.to_datetime(table["surveyed_on"])
    return table


def draw() -> None:
    head, button = st.columns([5, 1], vertical_alignment="bottom")
    head.title("Surveys")
    if button.button("New survey", type="primary", icon=":material/add:", width="stretch"):
        st.switch_page("views/new_survey.py")
    surveys = data.surveys()
    if surveys.empty:
        first_steps()
        return
    table = listed(surveys)
    chosen = st.dataframe(
        table,
        hide_index=True,
        key="surveys",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        column_order=[
            "name",
            "surveyed_on",
            "network",
            "photos",
            "share",
            "refused",
            "gsd_mm_per_px",
            "profile",
            "checkpoint",
        ],
        column_config={
            "name": st.column_config.TextColumn("Survey"),
            "surveyed_on": st.column_config.DateColumn("Date"),
            "network": "Road network",
            "photos": st.column_config.NumberColumn("Photos", format="%,d"),
            "share": st.column_config.ProgressColumn("Analysed", format="percent", min_value=0, max_value=1),
            "refused": st.column_config.NumberColumn("Refused files", format="%,d"),
            "gsd_mm_per_px": st.column_config.NumberColumn("GSD (mm/px)", format="%.2f"),
            "profile": "Camera",
            "checkpoint": "Checkpoint",
        },
    )
    st.caption("Select a line to open the survey. Without a GSD its results stay in pixels.")
    if rows := chosen["selection"]["rows"]:
        st.switch_page("views/survey.py", query_params={"survey": str(int(table["id"].iloc[rows[0]]))})


draw()
