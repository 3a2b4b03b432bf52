"""Queued, running and ended work."""

import streamlit as st

from app import data
from app.components.job_progress import watch_jobs
from app.components.messages import empty_state


def draw() -> None:
    st.title("Jobs")
    if not data.jobs(limit=1):
        empty_state(
            "No job yet",
            "Checks of photos and analyses appear here, with their progress and what went wrong.",
        )
        st.page_link("views/new_survey.py", label="Make a survey", icon=":material/upload:")
        return
    st.caption(
        "Jobs run in the background: this page may be closed. After a power cut they go on by themselves."
    )
    watch_jobs(None, place="jobs", limit=50)


draw()
