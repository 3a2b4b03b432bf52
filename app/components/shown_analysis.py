"""Which of a survey's analyses the pages show."""

import streamlit as st

from app import actions, adapt_data
from app.components.messages import show_error
from app.identity import current_actor
from engine.errors import EngineError


def choose_shown_analysis(survey_id: int) -> None:
    """Let a person switch between the analyses of a survey, where it has more than one."""
    found = adapt_data.analyses(survey_id)
    if len(found) < 2:
        return
    labels = [f"{run['checkpoint']} · {run['photos']:,} photos · {run['at']:%Y-%m-%d %H:%M}" for run in found]
    shown = next((number for number, run in enumerate(found) if run["shown"]), None)
    chosen = st.selectbox(
        "Shown analysis", range(len(found)), index=shown, format_func=labels.__getitem__,
        help="The map and all pages show these results; those of the other analyses stay.",
    )  # fmt: skip
    if chosen is None or chosen == shown:
        return
    run = found[chosen]
    try:
        actions.show_analysis(current_actor(), survey_id, run["checkpoint_id"], run["settings_hash"])
    except EngineError as problem:
        show_error(problem)
        return
    st.rerun()
