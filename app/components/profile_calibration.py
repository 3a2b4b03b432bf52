"""Self-calibration of a forward camera from a survey: start it, watch it, and see what it found."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import profile_actions, profile_data
from app.components.job_progress import job_card
from app.components.messages import plain, show_error
from app.components.profile_draft import open_version
from app.components.profile_fields import FIELDS
from app.components.redraw import redraw_page
from app.components.text import number
from app.data import ACTIVE
from app.identity import current_actor
from engine.errors import EngineError
from engine.vocabulary import JobState


@st.fragment(run_every="2s")
def _watch(survey_id: int) -> None:
    job = profile_data.last_calibration(survey_id)
    if job is not None:
        job_card(job, place="calibration")
    if job is None or job["state"] not in ACTIVE:
        redraw_page()


def draw_calibration(survey_id: int, survey: str) -> None:
    """Start a calibration from the photos of the survey of that name, or watch the one under way."""
    job = profile_data.last_calibration(survey_id)
    with st.expander(f"Calibrate from {plain(survey)}", expanded=job is not None):
        st.caption(
            "For a camera that looks ahead: lane markings in the survey's photos give its angles, the lane's "
            "width its height. What is found becomes a version that no survey uses before you say so."
        )
        if job is not None and job["state"] in ACTIVE:
            _watch(survey_id)
            return
        _start_form(survey_id, survey)
        if job is None:
            return
        job_card(job, place="calibration")
        if job["state"] == JobState.SUCCEEDED:
            _offer(job)


def _start_form(survey_id: int, survey: str) -> None:
    with st.form(f"calibrate-{survey_id}", border=False):
        name = st.text_input("Name of the camera", f"Camera of {survey}"[:200], max_chars=200)
        width, focal = st.columns(2)
        lane = width.number_input(
            "Lane width (m)", value=profile_actions.LANE_WIDTH_M, step=0.05, format="%.2f",
            help="Between the markings of the surveyed lane; the height found goes with it.",
        )  # fmt: skip
        known = focal.number_input(
            "Focal length (px), if known", value=None, step=10.0, format="%.1f", placeholder="found as well",
        )  # fmt: skip
        if not st.form_submit_button(
            f"Calibrate from {plain(survey)}", icon=":material/center_focus_strong:"
        ):
            return
    try:
        profile_actions.request_calibration(
            current_actor(), survey_id, name, lane_width_m=float(lane), focal_px=known
        )
        st.rerun()
    except EngineError as problem:
        show_error(problem)


def _offer(job: Mapping[str, Any]) -> None:
    made_id = job["parameters"].get("made_id")
    made = next((row for row in profile_data.profiles() if row["id"] == made_id), None)
    if made is not None and st.button(
        f"Open what was found: {plain(made['name'])}, version {made['version']}", icon=":material/visibility:"
    ):
        open_version(made)
        st.rerun()


def draw_uncertainty(calibration: Mapping[str, Any]) -> None:
    """Values of a calibration with their uncertainty, the photos it used and its notes."""
    sigmas, found = calibration["uncertainty"], calibration["profile"]
    rows = []
    for name, sigma in sigmas.items():
        field = FIELDS.get(name)
        if field is None or not isinstance(found.get(name), int | float):
            continue
        rows.append(
            (field.label, number(found[name], field.digits, field.unit), f"± {number(sigma, field.digits)}")
        )
    st.markdown("**Found by self-calibration**")
    table = pd.DataFrame(rows, columns=["Value", "Found", "Uncertainty (one sigma)"])
    st.table(table.set_index("Value"), border="horizontal")
    st.caption(
        f"From {calibration['frames_used']} photos; the uncertainty is that between random draws of them."
    )
    for note in calibration["notes"]:
        st.caption(f"• {plain(note)}")
