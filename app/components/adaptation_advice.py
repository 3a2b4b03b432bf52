"""Whether it is worth adapting a checkpoint to a survey: the drift report in plain words."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import adapt_data
from app.components.messages import plain
from app.components.text import words


@st.cache_data(max_entries=50, show_spinner="Looking at some of the survey's photos …")
def _look(survey_id: int, photos: int, last_photo: int, working_scale: float) -> dict[str, Any]:
    """Once for each state of a survey: reading two dozen large photos takes seconds."""
    return adapt_data.look_at_survey(survey_id, working_scale)


def show_advice(survey_id: int, base: Mapping[str, Any]) -> None:
    """Say whether adapting is advised, and why.

    Args:
        survey_id: a survey with photos.
        base: the registry's line of the checkpoint to start from.
    """
    photos, last, scale, scale_is_known = adapt_data.look_key(survey_id, base)
    drift, refused = adapt_data.advice(base, _look(survey_id, photos, last, scale))
    if refused:
        st.error(
            "**These photos would be refused:** an adaptation would end at once, with nothing made.\n"
            + "".join(f"\n- {plain(reason)}" for reason in refused)
        )
    elif drift["advised"]:
        st.warning("**Adaptation is advised because** " + _listed(drift["reasons"]))
    else:
        st.success(
            f"**Not needed:** the photos look like those that {plain(base['name'])} knows. It may still gain "
            "a little; the gate refuses what is no better."
        )
    seen = f"{min(photos, adapt_data.LOOKED_AT)} of {photos:,} photos, seen at {scale:.2g} × their size."
    if not scale_is_known:
        seen += " The survey is not analysed yet: the advice is surer once it is."
    st.caption(seen)
    if drift["measures"]:
        with st.expander("What was compared"):
            drift_table(drift)


def _listed(reasons: list[str]) -> str:
    """One reason as the end of the sentence, several as a list."""
    if len(reasons) == 1:
        return plain(reasons[0][:1].lower() + reasons[0][1:])
    return "\n" + "".join(f"\n- {plain(reason)}" for reason in reasons)


def drift_table(drift: Mapping[str, Any]) -> None:
    """What the checkpoint knew and what these photos are, measure by measure."""
    measures = drift["measures"]
    st.dataframe(
        pd.DataFrame(
            {
                "measure": [words(name) for name in measures],
                "known": [found.get("known") for found in measures.values()],
                "now": [found.get("now") for found in measures.values()],
                "drifted": ["yes" if found.get("drifted") else "no" for found in measures.values()],
            }
        ).astype({"known": "float64", "now": "float64"}),
        hide_index=True,
        placeholder="–",
        column_config={
            "measure": "Measure",
            "known": st.column_config.NumberColumn("The checkpoint knew", format="%.3g"),
            "now": st.column_config.NumberColumn("These photos", format="%.3g"),
            "drifted": "Differs",
        },
    )
