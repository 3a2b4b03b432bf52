"""What the page Plan would ask for; it stays in the session until another survey or plan is opened."""

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.plan_actions import READY_SET, PlanRequest, next_year
from engine.plan_request import ALL_CLASSES

SERIAL = "plan-serial"
SLIDER_STEPS = 100
NO_COSTS_TOP = 1_000_000
Draft = dict[str, Any]
KEPT = (
    "years", "first_year", "treatment_set", "currency", "carry_over", "preventive_share", "target_percent",
    "traffic_exponent",
)  # fmt: skip


def kept_draft(survey_id: int) -> Draft | None:
    draft: Draft | None = st.session_state.get(f"plan-draft-{survey_id}")
    return draft


def current_draft(survey_id: int, made: Mapping[str, Any] | None, everything: float) -> Draft:
    """The survey's draft; begun anew where another plan is shown than the one it was begun from.

    Args:
        made: the plan that is shown, of `app.plan_data.plan`; None while there is none.
        everything: of `app.plan_data.everything_cost`, for the first budget and the slider's end.
    """
    draft = kept_draft(survey_id)
    source = made["version"] if made else None
    if draft is None or (draft["source"] != source and made is not None):
        draft = _new_draft(source, made["request"] if made else None, everything)
        st.session_state[f"plan-draft-{survey_id}"] = draft
    return draft


def _new_draft(source: str | None, request: Mapping[str, Any] | None, everything: float) -> Draft:
    """serial (names the inputs), source (version of the plan), top (end of the slider), values, asked (what
    was asked for last), follow (the job that makes it), problem (why it could not be asked for), misread (why
    the budget that was typed was not taken), echoes (input -> value that it held before the other one of the
    budget moved it, and when)."""
    serial = st.session_state.get(SERIAL, 0) + 1
    st.session_state[SERIAL] = serial
    top = slider_top(everything)
    values: dict[str, Any] = {
        "budget": top // 10, "no_limit": False, "years": 5, "first_year": next_year(),
        "treatment_set": READY_SET, "currency": "USD", "carry_over": True, "preventive_share": None,
        "target_percent": None, "traffic_exponent": 1.0, "minimum_index": {}, "curves": [], "name": "",
    }  # fmt: skip
    if request is not None:
        budget = request["yearly_budget"]
        values |= {name: request[name] for name in KEPT}
        values["curves"] = [dict(row) for row in request.get("curves", ())]
        values["no_limit"] = budget is None
        values["budget"] = values["budget"] if budget is None else round(budget)
        values["minimum_index"] = {
            None if name == ALL_CLASSES else name: least for name, least in request["minimum_index"].items()
        }
    draft: Draft = {
        "serial": serial, "source": source, "top": slider_top(max(everything, values["budget"])),
        "values": values, "follow": None, "problem": None, "misread": None, "echoes": {},
    }  # fmt: skip
    draft["asked"] = asked_for(values) if request is not None else None
    return draft


def asked_for(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that make a plan what it is; the name alone makes no other."""
    return {
        **{name: values[name] for name in KEPT},
        "minimum_index": dict(values["minimum_index"]),
        "curves": tuple(dict(row) for row in values["curves"]),
        "yearly_budget": None if values["no_limit"] else float(values["budget"]),
    }


def request_of(survey_id: int, values: Mapping[str, Any]) -> PlanRequest:
    return PlanRequest(survey_id=survey_id, name=values["name"], **asked_for(values))


def slider_top(most: float) -> int:
    """A round number of money from `most` on, of which a hundredth is a round step."""
    if most < SLIDER_STEPS:
        return NO_COSTS_TOP
    power: int = 10 ** math.floor(math.log10(most))
    return next(round(step * power) for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= most)
