"""What a survey lacks before a plan can be made from it, and what has changed since one was."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import data, plan_data, priorities_data
from app.components.messages import empty_state
from app.components.priorities_rows import withdrawn
from engine.plan_request import treatments_to_values
from engine.vocabulary import WishKind


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


def changed_since(made: Mapping[str, Any], stale: bool, sets: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the plan does not know, in words.

    Args:
        made: of `app.plan_data.plan`; stale: the survey shows another analysis now.
        sets: of `app.plan_data.treatment_sets`.
    """
    said = []
    if stale:
        said.append("the survey shows another analysis now")
    name = made["request"]["treatment_set"]
    now = next((one["treatments"] for one in reversed(sets) if one["name"] == name), None)
    if now is not None and treatments_to_values(now) != made["request"]["treatments"]:
        said.append("it was made with other treatments than the set of that name has now")
    network_id = made["network_id"]
    if network_id is None:
        return said
    wishes, read_at = plan_data.wishes(network_id), plan_data.read_at(made)
    newer = sum(wish["kind"] != WishKind.COMMENT and wish["at"] > read_at for wish in wishes)
    if newer:
        said.append(f"{newer:,} {'pin or ban is' if newer == 1 else 'pins and bans are'} newer than it")
    bans_then = priorities_data.bans_at(network_id, read_at)
    gone = len(withdrawn(wishes, plan_data.project_table(made["id"]), bans_then))
    if gone:
        what = "pin or ban that it keeps was" if gone == 1 else "pins and bans that it keeps were"
        said.append(f"{gone:,} {what} removed or changed")
    return said
