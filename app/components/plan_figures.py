"""What a plan is worth, costs and leaves, in figures that say what they mean."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.components.messages import plain
from app.components.plan_money import money
from app.components.text import MISSING, number

SAME = 0.00005
"""A gap under this is shown as none."""


def gap_words(gap: float) -> str:
    """How far a plan may lie below the best possible one, in plain words."""
    if gap < SAME:
        return "the best possible"
    return f"at most {_percent(gap)} below the best possible"


def _percent(gap: float) -> str:
    percent = 100 * gap
    if gap < SAME:
        return "0 %"
    return f"{percent:.2f} %" if percent < 1 else f"{percent:.1f} %"


def budget_words(request: Mapping[str, Any]) -> str:
    budget = request["yearly_budget"]
    if budget is None:
        return "no limit on the money"
    return f"{money(budget, request['currency'])} a year"


def plan_figures(made: Mapping[str, Any]) -> None:
    """Draw the headline figures of a plan, of `app.plan_data.plan`."""
    result, request = made["result"], made["request"]
    st.markdown(
        f"This plan gains **{number(result['objective'], 0)} index-km-years** over doing nothing, "
        f"**{gap_words(result['gap'])}** for this money."
    )
    _worth(result, request, request["currency"])
    _condition(result, request["currency"])
    for short in result["shortfalls"]:
        st.warning(plain(short["reason"]))


def _worth(result: Mapping[str, Any], request: Mapping[str, Any], currency: str) -> None:
    cells = st.container(horizontal=True)
    _figure(
        cells, "Gain", number(result["objective"], 0), "index-km-years",
        "The area between the condition curves with and without the plan, over its years and ten more, in "
        "index points x km x years; roads with more traffic than the mean count for more.",
    )  # fmt: skip
    at_most = "" if result["gap"] < SAME else "≤ "
    _figure(
        cells, "Gap to the best", f"{at_most}{_percent(result['gap'])}",
        f"of {number(result['bound'], 0)} at most",
        f"No plan can gain more than {result['bound']:,.1f} with this money; this one gains "
        f"{result['objective']:,.1f}.",
    )  # fmt: skip
    years, budget = request["years"], request["yearly_budget"]
    _figure(
        cells, f"Cost ({plain(currency)})", money(result["total_cost"], ""),
        "no limit was set" if budget is None else f"of {money(budget * years, '')} in {years} y",
        f"{len(result['projects']):,} projects in {years} {'year' if years == 1 else 'years'}, mobilisation "
        "included, in today's money.",
    )  # fmt: skip
    share = result["preventive_share"]
    _figure(
        cells, "Preventive", MISSING if share is None else number(100 * share, 0, "%"), "of the cost",
        "The part of the cost that goes to treatments marked preventive: those that keep good roads good.",
    )  # fmt: skip
    delay = result["cost_of_delay"]
    _figure(
        cells, f"Cost of delay ({plain(currency)})", money(delay, ""), "if all waits 3 years",
        "What reaching the same condition three years later would cost more, over the projects for which a "
        "treatment would then still do it.",
    )  # fmt: skip


def _condition(result: Mapping[str, Any], currency: str) -> None:
    """The network now and after the plan, with and without it."""
    now, end, without = result["condition_now"], result["condition_by_year"][-1], result["without_plan"][-1]
    moments = {
        "Now": now,
        f"End of {end['year']}, this plan": end,
        f"End of {end['year']}, doing nothing": without,
    }
    rows = (
        ("Average condition index", "average", 1, "", "By length, 0 to 100; it knows cracks only."),
        ("Good or fair", "good_or_fair_percent", 0, "%", "Length with an index from 55."),
        ("Backlog", "backlog", 0, currency, "Treating at once every section that a treatment suits."),
        ("Remaining life", "remaining_life_years", 1, "years", "Mean time until the index is 40."),
    )
    table = pd.DataFrame(
        {
            name: [plain_number(moment[key], digits, unit) for _, key, digits, unit, _ in rows]
            for name, moment in moments.items()
        }
        | {"What it is": [row[4] for row in rows]},
        index=[row[0] for row in rows],
    )
    st.table(table)


def plain_number(value: float | None, digits: int, unit: str) -> str:
    """A number for a table that reads Markdown; large amounts short."""
    if value is not None and abs(value) >= 1e7:
        return plain(money(value, unit))
    return plain(number(value, digits, unit))


def _figure(place: DeltaGenerator, label: str, value: str, under: str, more: str) -> None:
    place.metric(
        label, value, delta=under, delta_color="off", delta_arrow="off", border=True, height="stretch",
        help=plain(more),
    )  # fmt: skip


def assumptions(made: Mapping[str, Any]) -> None:
    """What the plan rests on: deterioration, notes, and how it was solved."""
    result = made["result"]
    assumed = [curve for curve in result["curves"] if curve["source"] == "assumed"]
    with st.expander("What this plan rests on", icon=":material/info:"):
        if assumed:
            st.markdown(
                ":orange-badge[assumed] How fast the roads lose condition is assumed"
                f"{'' if len(assumed) == len(result['curves']) else ' for some roads'}: there are not enough "
                "comparable surveys to fit it."
            )
        for curve in result["curves"]:
            who = ", ".join(filter(None, (curve["functional_class"], curve["surface"]))) or "all roads"
            st.markdown(f"- {plain(who)}: {plain(curve['described'])}")
        for note in result["notes"]:
            st.markdown(f"- {plain(note)}")
        if "stability" in result:
            told = result["stability"]
            st.caption(f"Stays in the plan: {told['draws']} draws; {plain(told['method'])}.")
        st.caption(f"Solved in {result['seconds']:.1f} s: {plain(result['method'])}.")
