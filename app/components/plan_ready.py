"""What a survey lacks before a plan can be made from it."""

import pandas as pd
import streamlit as st

from app import data
from app.components.messages import empty_state


def ready_to_plan(survey_id: int, table: pd.DataFrame) -> bool:
    """Whether sections have a condition index; says what is missing, and the way to it."""
    if table["condition_index"].notna().any():
        return True
    survey = data.survey(survey_id) or {}
    if survey.get("network_id") is None:
        empty_state("This survey runs over no network", "Choose a survey of a road network to plan from.")
    elif not table["images"].gt(0).any():
        empty_state(
            "This survey has no results yet",
            "Analyse its photos first: a plan needs the sections' condition.",
        )
    else:
        empty_state(
            "No section has a condition index",
            "The results are in pixels. Give the survey a camera or a ground sampling distance on its page, "
            "and analyse it again.",
        )
    st.page_link(
        "views/survey.py", label="Open the survey", icon=":material/photo_camera:",
        query_params={"survey": str(survey_id)},
    )  # fmt: skip
    return False
