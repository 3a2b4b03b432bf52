"""One survey: its jobs, the preflight of its photos, and the start of the analysis."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import actions, data, survey_data
from app.components.analysis_choice import (
    camera_words,
    choose_camera,
    choose_checkpoint,
    choose_standard,
    link_to_camera,
)
from app.components.choose import query_id
from app.components.job_progress import watch_jobs
from app.components.messages import empty_state, plain, show_error
from app.components.network_map import draw_map
from app.components.preflight import preflight_counts, preflight_table
from app.components.shown_analysis import choose_shown_analysis
from app.identity import current_actor
from engine.errors import EngineError
from engine.severity import SeverityStandard


def start_text(
    totals: dict[str, int], done: dict[str, Any], survey: Mapping[str, Any], standard: SeverityStandard
) -> str:
    """What the start button would do."""
    waiting = totals["photos"] - done["photos"]
    if not waiting:
        # An analysis that finds nothing to do shows what was found before.
        return "All photos are analysed" if done["shown"] else "Show these results"
    if done["photos"]:
        return f"Analyse the other {waiting:,} photos"
    if not totals["analysed"]:
        return "Start the analysis"
    if "camera" in done["differs"]:
        return f"Analyse again with {camera_words(survey)}"
    if "severity_standard" in done["differs"]:
        return f"Analyse again by {plain(standard.name)}"
    if "measurement_version" in done["differs"]:
        return "Analyse again: cracks are measured anew"
    return "Analyse again with this checkpoint"


def start_analysis(survey: Mapping[str, Any], totals: dict[str, int], active: bool) -> None:
    """Ask how to analyse, and start it."""
    survey_id = int(survey["id"])
    camera, severity, network = st.columns(3)
    with camera:
        choose_camera(survey_id)
    with severity:
        standard = choose_standard(survey_id, survey["gsd_mm_per_px"])
    with network:
        checkpoint_id, checkpoint = choose_checkpoint(survey_id)
    if standard is None:
        return
    done = survey_data.analysed_alike(survey_id, checkpoint_id, standard)
    finished = done["shown"] and done["photos"] == totals["photos"]
    start, add, see = st.columns([1.4, 1, 1])
    if start.button(
        start_text(totals, done, survey, standard),
        type="primary",
        icon=":material/play_arrow:",
        disabled=active or finished,
        width="stretch",
    ):
        try:
            actions.request_analysis(current_actor(), survey_id, checkpoint, standard.as_dict())
            st.rerun()
        except EngineError as problem:
            show_error(problem)
    where = {"survey": str(survey_id)}
    if add.button("Add photos", icon=":material/upload:", disabled=active, width="stretch"):
        st.switch_page("views/new_survey.py", query_params=where)
    if see.button("See the map", icon=":material/map:", disabled=not totals["analysed"], width="stretch"):
        st.switch_page("views/network_map.py", query_params=where)


def draw() -> None:
    survey = data.survey(query_id("survey"))
    if survey is None:
        st.title("Survey")
        empty_state("There is no such survey", "Choose one in the list of surveys.")
        st.page_link("views/surveys.py", label="Surveys", icon=":material/photo_camera:")
        return
    survey_id = int(survey["id"])
    st.title(plain(survey["name"]))
    network = "no road network" if survey["network"] is None else plain(survey["network"])
    day = "no date" if survey["surveyed_on"] is None else f"{survey['surveyed_on']:%Y-%m-%d}"
    st.caption(f"{day} · {network} · {camera_words(survey)}")
    back, cameras, _ = st.columns([1, 1, 4])
    back.page_link("views/surveys.py", label="All surveys", icon=":material/arrow_back:")
    link_to_camera(survey_id, cameras)
    active = watch_jobs(survey_id, place="survey", limit=3)
    version = data.version_of(survey_id)
    totals = data.survey_totals(survey_id, version)
    if not totals["photos"] and not totals["refused"]:
        if not active:
            empty_state("No photos yet", "Upload the survey's photos, or import a folder on the server.")
            if st.button("Add photos", type="primary", icon=":material/upload:"):
                st.switch_page("views/new_survey.py", query_params={"survey": str(survey_id)})
        return
    st.subheader("Check of the photos")
    files = data.preflight(survey_id, version)
    preflight_counts(files)
    start_analysis(survey, totals, active)
    choose_shown_analysis(survey_id)
    bounds = data.photo_bounds(survey_id, version)
    if bounds:
        picked = draw_map(
            bounds,
            key=f"preflight-{survey_id}-{totals['photos']}",
            network_id=survey["network_id"],
            survey_id=survey_id,
            statuses=True,
            height=400,
        )
        if picked and picked[0] == "photo":
            st.switch_page("views/photo.py", query_params={"photo": str(picked[1])})
    preflight_table(files, survey_id)


draw()
