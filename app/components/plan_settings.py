"""The inputs of a plan: budget, years, treatments, and what is rarely changed."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.messages import plain, show_error
from app.components.plan_ageing import ageing_editor, ageing_lines, edited_rows
from app.components.plan_draft import SLIDER_STEPS, Draft
from app.components.plan_money import money, read_amount
from engine.deterioration import Deterioration
from engine.errors import SettingsError
from engine.plan_inputs import LONGEST_PLAN_YEARS
from engine.plan_request import LONGEST_CURRENCY

MOST_CLASSES = 8
ECHO_S = 5.0
"""How long after one input moved the other the browser may still send the other's value of before."""
EMPTY_IS_NONE = "Leave it empty to ask for none."


def plan_inputs(
    draft: Draft, sets: Sequence[Mapping[str, Any]], table: pd.DataFrame, fitted: Sequence[Deterioration]
) -> bool:
    """Draw the inputs and write what they say into the draft's values; returns whether a plan with them was
    asked for.

    Args:
        draft: of `plan_draft.current_draft`.
        sets: of `app.plan_data.treatment_sets`.
        table: of `data.section_table`; fitted: of `app.plan_data.fitted_curves`.
    """
    values, key = draft["values"], f"plan-{draft['serial']}"
    _budget(draft, key)
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
    known = values["treatment_set"] in names
    chosen = cells[2].selectbox(
        "Treatments", names, names.index(values["treatment_set"]) if known else None, key=f"{key}-set",
        placeholder="Choose a set",
        help="The set of treatments with their costs, edited on the page Treatments.",
    )  # fmt: skip
    values["treatment_set"] = chosen or values["treatment_set"]
    values["currency"] = cells[3].text_input(
        "Currency", values["currency"], max_chars=LONGEST_CURRENCY, key=f"{key}-currency",
        help="Of the budget and of the set's unit costs. It names the money, nothing is converted.",
    )  # fmt: skip
    return _more(values, key, table, fitted)


def set_is_there(draft: Draft, sets: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the draft's set of treatments can be planned with; says what to do where it cannot.

    Args:
        sets: of `app.plan_data.treatment_sets`.
    """
    name = draft["values"]["treatment_set"]
    if any(one["name"] == name for one in sets):
        return True
    st.warning(
        f"This plan was made with the treatments {plain(name)}, which are no set here (any more): they came "
        "from a file, or the set was deleted. No other set's prices are taken for them. Choose a set under "
        "Treatments to plan again, or import the file on the page Treatments."
    )
    return False


def _budget(draft: Draft, key: str) -> None:
    """The slider and the text field, which show one budget; its amount as it was understood beside them."""
    values, top = draft["values"], draft["top"]
    # Names and ends stay while the draft lives: an input that is replaced still sends what it held.
    slider, text = f"{key}-slider", f"{key}-budget"
    st.session_state.setdefault(slider, min(values["budget"], top))
    st.session_state.setdefault(text, f"{values['budget']:,}")
    cells = st.columns([2.9, 1.5, 1.7, 1.6], vertical_alignment="bottom")
    off, currency = values["no_limit"], values["currency"]
    cells[0].slider(
        "Budget a year", 0, top, step=max(1, top // SLIDER_STEPS), key=slider, disabled=off, format="%,d",
        on_change=_slid, args=(draft, slider, text),
        help="The slider ends where every surveyed section could be treated once, in one year, with the "
        "dearest treatment that suits its condition. More can be typed.",
    )  # fmt: skip
    cells[1].text_input(
        f"Budget a year ({currency})", key=text, disabled=off, on_change=_typed, args=(draft, text, slider),
        label_visibility="collapsed", max_chars=40,
    )  # fmt: skip
    cells[2].markdown("no limit" if off else f"= **{plain(money(values['budget'], currency))}** a year")
    values["no_limit"] = cells[3].checkbox(
        "No limit", off, key=f"{key}-no-limit", help="What would be done if money did not matter."
    )
    if draft["misread"] is not None and not values["no_limit"]:
        show_error(draft["misread"])
        st.caption(f"Until then the budget stays {plain(money(values['budget'], currency))} a year.")


def _slid(draft: Draft, slider: str, text: str) -> None:
    """The slider was moved: the field says so."""
    moved = int(st.session_state[slider])
    if _is_echo(draft, slider, moved):
        st.session_state[slider] = min(draft["values"]["budget"], draft["top"])
        return
    draft["misread"], draft["values"]["budget"] = None, moved
    _show(draft, text, f"{moved:,}")


def _typed(draft: Draft, text: str, slider: str) -> None:
    """An amount was typed: the slider goes there, or to its end. What cannot be told changes nothing."""
    typed = st.session_state[text]
    if _is_echo(draft, text, typed):
        st.session_state[text] = f"{draft['values']['budget']:,}"
        return
    try:
        budget = read_amount(typed, draft["values"]["currency"])
    except SettingsError as problem:
        draft["misread"] = problem
        return
    draft["misread"], draft["values"]["budget"] = None, budget
    st.session_state[text] = f"{budget:,}"
    _show(draft, slider, min(budget, draft["top"]))


def _show(draft: Draft, key: str, value: int | str) -> None:
    """Let an input show a value, and remember the one that the browser may still send for it."""
    if st.session_state[key] != value:
        draft["echoes"][key] = (st.session_state[key], time.monotonic())
        st.session_state[key] = value


def _is_echo(draft: Draft, key: str, value: int | str) -> bool:
    """Whether a browser that was faster than the page sends what the input held before the other moved it."""
    before, at = draft["echoes"].get(key, (None, 0.0))
    return bool(value == before and time.monotonic() - at < ECHO_S)


def _more(values: dict[str, Any], key: str, table: pd.DataFrame, fitted: Sequence[Deterioration]) -> bool:
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
        minimum = _minimum(values["minimum_index"], key, road_classes(table))
        lines = ageing_lines(table, fitted, values["curves"])
        edited = ageing_editor(lines, f"{key}-ageing")
        left, right = st.columns([1.8, 1.6], vertical_alignment="bottom")
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
                curves=edited_rows(lines, edited, values["curves"]),
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
