"""Adapt: fit a checkpoint to a survey without a label, and see whether it got better."""

from typing import Any

import pandas as pd
import streamlit as st

from app import adapt_data, checkpoint_actions, checkpoint_data, data
from app.components.adaptation_advice import show_advice
from app.components.adaptation_progress import watch_adaptation
from app.components.adaptation_result import show_result
from app.components.choose import choose_survey
from app.components.first_steps import first_steps
from app.components.messages import empty_state, plain, show_error
from app.components.text import words
from app.identity import current_actor
from engine.errors import EngineError
from engine.model_names import MODEL_NAMES
from engine.vocabulary import JobState

MINUTES = 15.0


def choose_base(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The checkpoint to start from; at first the one in force. What a gate refused is no start."""
    bases = [row for row in rows if row["accepted"] is not False]
    names = [f"{row['name']} (in force)" if row["in_force"] else row["name"] for row in bases]
    chosen = st.selectbox("Start from", range(len(bases)), format_func=names.__getitem__)
    return bases[chosen]


def start_form(survey: dict[str, Any], base: dict[str, Any], taken: list[str]) -> None:
    survey_id = int(survey["id"])
    with st.form(f"adapt-{survey_id}"):
        name, minutes = st.columns([3, 1])
        wanted = name.text_input(
            "Name of the new checkpoint",
            adapt_data.free_name(f"{survey['name']} adapted", taken),
            max_chars=100,
        )
        lasting = minutes.number_input(
            "Minutes", *checkpoint_actions.MINUTES_RANGE, MINUTES, step=5.0, format="%g",
            help="The work that two CPU cores do in that time, whatever this machine has.",
        )  # fmt: skip
        with st.expander("More"):
            model = st.selectbox(
                "Network", [None, *MODEL_NAMES],
                format_func=lambda name: name or f"that of {base['name']} ({base['model']})",
                help="Another network than that of the checkpoint starts from nothing.",
            )  # fmt: skip
            seed = st.number_input(
                "Seed", 0, checkpoint_actions.SEEDS - 1, 0,
                help="The same seed on the same machine gives the same checkpoint.",
            )  # fmt: skip
        asked = st.form_submit_button("Start the adaptation", type="primary", icon=":material/play_arrow:")
    if not asked:
        return
    try:
        checkpoint_actions.request_adaptation(
            current_actor(), survey_id, wanted, base["name"], model, float(lasting), int(seed)
        )
        st.rerun()
    except EngineError as problem:
        show_error(problem)


def verdict_of(run: dict[str, Any]) -> str:
    if run["state"] != JobState.SUCCEEDED:
        return words(run["state"])
    if run["made"] is None:
        return "Deleted"
    return "Accepted" if run["made"]["accepted"] else "Refused by the gate"


def choose_run(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One of the survey's adaptations; at first the newest."""
    if len(runs) == 1:
        return runs[0]
    table = pd.DataFrame(
        {
            "name": [run["made"]["name"] if run["made"] else run["parameters"]["name"] for run in runs],
            "base": [run["parameters"]["base"] for run in runs],
            "verdict": [verdict_of(run) for run in runs],
            "minutes": [run["parameters"]["minutes"] for run in runs],
            "at": [run["finished_at"] or run["created_at"] for run in runs],
        }
    )
    chosen = st.dataframe(
        table, hide_index=True, key=f"runs-{runs[0]['survey_id']}", on_select="rerun",
        selection_mode="single-row", placeholder="–",
        column_config={
            "name": "Adaptation", "base": "Started from", "verdict": "Verdict",
            "minutes": st.column_config.NumberColumn("Minutes asked for", format="%g"),
            "at": st.column_config.DatetimeColumn("Ended (UTC)", format="YYYY-MM-DD HH:mm"),
        },
    )  # fmt: skip
    st.caption("Select a line to see what came of it; at first the newest.")
    lines = chosen["selection"]["rows"]
    return runs[lines[0] if lines and lines[0] < len(runs) else 0]


def draw() -> None:
    st.title("Adapt")
    st.caption(
        "Fits a checkpoint to a survey's own camera and pavement. It needs no labels: it draws cracks on "
        "your photos, learns to find them, and a gate checks the result on photos it kept back."
    )
    surveys = data.surveys()
    if surveys.empty:
        first_steps()
        return
    surveys = surveys[surveys["has_photos"]]
    if surveys.empty:
        empty_state("No survey has photos yet", "Upload the photos of a survey first.")
        st.page_link("views/surveys.py", label="Surveys", icon=":material/photo_camera:")
        return
    rows = checkpoint_data.registry()
    with st.columns(2)[0]:
        survey_id = choose_survey(surveys)
    runs = adapt_data.adaptations(survey_id)
    if any(run["state"] in data.ACTIVE for run in runs):
        watch_adaptation(survey_id)
        return
    if runs:
        st.subheader("Adaptations of this survey")
        in_force = next(row["id"] for row in rows if row["in_force"])
        show_result(choose_run(runs), in_force)
        st.subheader("Adapt again")
    with st.columns(2)[0]:
        base = choose_base(rows)
    try:
        show_advice(survey_id, base)
    except EngineError as problem:
        st.warning(f"No advice: {plain(str(problem))}")
    survey = data.survey(survey_id)
    if survey is not None:
        start_form(dict(survey), base, [row["name"] for row in rows])


draw()
