"""One survey: its jobs, the preflight of its photos, and the start of the analysis."""

import streamlit as st

from app import actions, checkpoint_data, data
from app.components.choose import query_id
from app.components.job_progress import watch_jobs
from app.components.messages import empty_state, plain, show_error
from app.components.network_map import draw_map
from app.components.preflight import preflight_counts, preflight_table
from app.components.shown_analysis import choose_shown_analysis
from app.identity import current_actor
from engine.errors import EngineError


def choose_checkpoint(survey_id: int) -> tuple[int, str]:
    """Id and name of the checkpoint to analyse with: that in force, unless another one is chosen."""
    usable = [row for row in checkpoint_data.registry() if row["accepted"] is not False]
    names = {int(row["id"]): str(row["name"]) for row in usable}
    in_force = next(iter(names))
    if len(names) == 1:
        return in_force, names[in_force]
    chosen = st.selectbox(
        "Checkpoint",
        list(names),
        format_func=lambda checkpoint: names[checkpoint] + (" (in force)" if checkpoint == in_force else ""),
        key=f"checkpoint-{survey_id}",
        help="Results of other checkpoints stay; the pages show those of the last analysis.",
    )
    return chosen, names[chosen]


def start_analysis(survey_id: int, totals: dict[str, int], shown: str | None, active: bool) -> None:
    checkpoint_id, checkpoint = choose_checkpoint(survey_id)
    done = checkpoint_data.analysed_with(survey_id, checkpoint_id)
    waiting = totals["photos"] - done
    text = "Start the analysis" if not done else f"Analyse the other {waiting:,} photos"
    if not waiting:
        # An analysis that finds nothing to do shows what was found before.
        text = "All photos are analysed" if checkpoint == shown else "Show the results of this checkpoint"
    elif not done and totals["analysed"]:
        text = "Analyse again with this checkpoint"
    finished = not waiting and checkpoint == shown
    start, add, see = st.columns([1.4, 1, 1])
    if start.button(
        text, type="primary", icon=":material/play_arrow:", disabled=active or finished, width="stretch"
    ):
        try:
            actions.request_analysis(current_actor(), survey_id, checkpoint)
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
    gsd = (
        "no GSD: results in pixels"
        if survey["gsd_mm_per_px"] is None
        else f"GSD {survey['gsd_mm_per_px']:g} mm/px"
    )
    network = "no road network" if survey["network"] is None else plain(survey["network"])
    day = "no date" if survey["surveyed_on"] is None else f"{survey['surveyed_on']:%Y-%m-%d}"
    st.caption(f"{day} · {network} · {gsd}")
    st.page_link("views/surveys.py", label="All surveys", icon=":material/arrow_back:")
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
    start_analysis(survey_id, totals, survey["checkpoint"], active)
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
