"""The inputs of a plan: budget, years, treatments, and what is rarely changed."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.messages import plain
from app.components.plan_draft import SLIDER_STEPS, Draft, slider_top
from engine.plan_inputs import LARGEST_BUDGET, LONGEST_PLAN_YEARS
from engine.plan_request import LONGEST_CURRENCY

MOST_CLASSES = 8
EMPTY_IS_NONE = "Leave it empty to ask for none."


def plan_inputs(
    draft: Draft, sets: Sequence[Mapping[str, Any]], classes: Sequence[str], everything: float
) -> bool:
    """Draw the inputs and write what they say into the draft's values; returns whether a plan with them was
    asked for.

    Args:
        draft: of `plan_draft.current_draft`.
        sets: of `app.plan_data.treatment_sets`.
        classes: road classes of the network.
        everything: what treating every section once would cost, see `app.plan_data.everything_cost`.
    """
    values, key = draft["values"], f"plan-{draft['serial']}"
    _budget(values, key, everything)
    cells = st.columns([1, 1, 2.4, 1])
    values["years"] = int(
        cells[0].number_input(
            "Years", 1, LONGEST_PLAN_YEARS, values["years"], key=f"{key}-years", help="Years of the plan."
        )
    )
    values["first_year"] = int(
        cells[1].number_input(
            "First year", 1950, 2200, values["first_year"], key=f"{key}-first", format="%d",
            help="Calendar year of the plan's first year.",
        )
    )  # fmt: skip
    # An agency's own set hides a ready one of its name.
    names = list(dict.fromkeys(one["name"] for one in reversed(sets)))[::-1]
    if values["treatment_set"] not in names:
        _replace_set(draft, names[0])
    values["treatment_set"] = cells[2].selectbox(
        "Treatments", names, names.index(values["treatment_set"]), key=f"{key}-set",
        help="The set of treatments with their costs, edited on the page Treatments.",
    )  # fmt: skip
    values["currency"] = cells[3].text_input(
        "Currency", values["currency"], max_chars=LONGEST_CURRENCY, key=f"{key}-currency",
        help="Of the budget and of the set's unit costs. It names the money, nothing is converted.",
    )  # fmt: skip
    return _more(values, key, classes)


def _replace_set(draft: Draft, name: str) -> None:
    """Go on with another set where the plan's is gone; that alone is no wish for a new plan."""
    st.info(
        f"There is no set {plain(draft['values']['treatment_set'])} of treatments any more. New plans are "
        f"made with {plain(name)}, unless you choose another one."
    )
    draft["values"]["treatment_set"] = name
    if draft["asked"] is not None:
        draft["asked"]["treatment_set"] = name


def _budget(values: dict[str, Any], key: str, everything: float) -> None:
    top = slider_top(max(everything, values["budget"]))
    ids = f"{key}-slider-{top}", f"{key}-budget-{top}"
    # The draft holds the budget; both inputs show it.
    for one in ids:
        st.session_state.setdefault(one, values["budget"])
    cells = st.columns([4.2, 1.5, 1.1], vertical_alignment="bottom")
    off = values["no_limit"]
    step = max(1, top // SLIDER_STEPS)
    cells[0].slider(
        "Budget a year", 0, top, step=step, key=ids[0], disabled=off,
        format=f"%,d {values['currency'].replace('%', '%%')}",
        on_change=_took, args=(values, ids[0], ids[1], top),
        help="The slider ends where every surveyed section could be treated once, in one year, with the "
        "dearest treatment that suits its condition.",
    )  # fmt: skip
    cells[1].number_input(
        f"Budget a year ({values['currency']})", 0, int(LARGEST_BUDGET), step=step, key=ids[1], disabled=off,
        on_change=_took, args=(values, ids[1], ids[0], top), label_visibility="collapsed",
    )  # fmt: skip
    values["no_limit"] = cells[2].checkbox(
        "No limit", off, key=f"{key}-no-limit", help="What would be done if money did not matter."
    )


def _took(values: dict[str, Any], key: str, other: str, top: int) -> None:
    """One input of the budget was moved: so is the other."""
    values["budget"] = int(st.session_state[key])
    if values["budget"] <= top:
        st.session_state[other] = values["budget"]


def _more(values: dict[str, Any], key: str, classes: Sequence[str]) -> bool:
    """What is rarely changed; it counts once it is sent. Returns whether it was just now."""
    with st.expander("More settings", icon=":material/tune:"), st.form(f"{key}-more", border=False):
        cells = st.columns(3)
        share = cells[0].number_input(
            "Compare: part for prevention (%)", 0, 100, _percent(values["preventive_share"]),
            placeholder="not compared", key=f"{key}-share",
            help="Also makes the plan that keeps this part of the money for preventive treatments, to "
            f"compare. {EMPTY_IS_NONE}",
        )  # fmt: skip
        target = cells[1].number_input(
            "Target: good or fair (%)", 0, 100, _percent(values["target_percent"], 1),
            placeholder="no target", key=f"{key}-target",
            help="Also answers: what budget keeps so much of the length good or fair in the last year? "
            f"{EMPTY_IS_NONE}",
        )  # fmt: skip
        traffic = cells[2].slider(
            "Weight of traffic", 0.0, 1.0, float(values["traffic_exponent"]), 0.1, key=f"{key}-traffic",
            help="1: a road with twice the vehicles counts twice. 0: every kilometre counts alike.",
        )  # fmt: skip
        minimum = _minimum(values["minimum_index"], key, classes)
        left, right = st.columns([1.2, 1.8], vertical_alignment="bottom")
        carry = left.checkbox(
            "Money left over may be spent in later years", values["carry_over"], key=f"{key}-carry"
        )
        name = right.text_input(
            "Name of the plan", values["name"], max_chars=200, key=f"{key}-name",
            placeholder="years and budget, if left empty",
        )  # fmt: skip
        sent = st.form_submit_button("Plan with these settings", icon=":material/play_arrow:")
        if sent:
            values.update(
                preventive_share=None if share is None else share / 100,
                target_percent=None if target is None else float(target),
                traffic_exponent=traffic, minimum_index=minimum, carry_over=carry, name=name,
            )  # fmt: skip
    return sent


def _percent(value: float | None, scale: int = 100) -> int | None:
    return None if value is None else round(value * scale)


def _minimum(known: Mapping[str | None, float], key: str, classes: Sequence[str]) -> dict[str | None, float]:
    """Least average condition of all roads and of each class, where one is asked for."""
    st.caption(
        f"Lowest average condition index to keep in every year, as far as the money reaches. {EMPTY_IS_NONE}"
    )
    asked: dict[str | None, float] = {}
    every: list[str | None] = [None, *classes[:MOST_CLASSES]]
    for start in range(0, len(every), 5):
        for cell, name in zip(st.columns(5), every[start : start + 5], strict=False):
            least = cell.number_input(
                "All roads" if name is None else name.capitalize(), 0, 100, _percent(known.get(name), 1),
                placeholder="none", key=f"{key}-least-{name}",
            )  # fmt: skip
            if least is not None:
                asked[name] = float(least)
    return asked


def road_classes(table: pd.DataFrame) -> list[str]:
    """Road classes of `data.section_table`, the longest first."""
    lengths = table.groupby("functional_class")["length_m"].sum()
    return [str(name) for name in lengths.sort_values(ascending=False).index]
