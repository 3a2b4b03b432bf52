"""What to do in an installation without any survey."""

import streamlit as st

from app import actions, data
from app.components.job_progress import watch_jobs
from app.components.messages import empty_state
from app.components.redraw import redraw_page
from app.identity import current_actor


def first_steps() -> None:
    """Offer the sample, the network and the photos; show what already runs."""
    empty_state(
        "No survey yet",
        "Make the sample to look around (a fictional network with two surveys a year apart), or import "
        "your road "
        "network and upload the photos of a survey.",
    )
    sample, network, photos = st.columns(3)
    if sample.button("Make the sample", type="primary", icon=":material/auto_awesome:", width="stretch"):
        actions.request_sample(current_actor())
        st.rerun()
    if network.button("Import a road network", icon=":material/route:", width="stretch"):
        st.switch_page("views/networks.py")
    if photos.button("Upload photos", icon=":material/upload:", width="stretch"):
        st.switch_page("views/new_survey.py")
    watch_jobs(None, place="start", limit=3)
    _until_a_survey()


@st.fragment(run_every="3s")
def _until_a_survey() -> None:
    if not data.surveys().empty:
        redraw_page()
