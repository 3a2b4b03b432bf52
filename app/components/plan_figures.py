"""What a plan is worth, costs and leaves, in figures that say what they mean."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import data
from app.components.messages import plain
from app.components.plan_money import benefit_words, money, money_in_full, short_money
from app.components.text import MISSING, number

SAME = 0.00005
"""A gap under this is shown as none."""
BENEFIT = (
    "Benefit is the area between the condition curves with and without the plan over its years, each section "
    "weighted by length and traffic; the averages below go by length only, so another plan can show a better "
    "average at less benefit."
)


def gap_words(gap: float, pins: int = 0) -> str:
    """How far a plan may lie below the best possible one, which keeps its pins, in plain words."""
    best = "the best possible" + (f" with {pins:,} {'pin' if pins == 1 else 'pins'}" if pins else "")
    return best if gap < SAME else f"at most {_percent(gap)} below {best}"


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
    pins = sum(project["fixed"] for project in result["projects"])
    within = "with no limit on the money" if request["yearly_budget"] is None else "with this budget"
    st.markdown(
        f"The benefit of this plan is **{benefit_words(result['objective'])}** over doing nothing, "
        f"**{gap_words(result['gap'], pins)}** {within}."
    )
    st.caption(BENEFIT)
    _worth(result, request, request["currency"])
    _condition(made)
    for short in result["shortfalls"]:
        st.warning(plain(short["reason"]))


def _worth(result: Mapping[str, Any], request: Mapping[str, Any], currency: str) -> None:
    cells = st.container(horizontal=True)
    _figure(cells, "Benefit", number(result["objective"], 1), "index-km-years", BENEFIT)
    at_most = "" if result["gap"] < SAME else "≤ "
    _figure(
        cells, "Gap to the best", f"{at_most}{_percent(result['gap'])}",
        f"of {number(result['bound'], 1)} at most",
        f"No plan can have more benefit than {result['bound']:,.1f} with this money and these pins; this one "
        f"has {result['objective']:,.1f}.",
    )  # fmt: skip
    years, budget = request["years"], request["yearly_budget"]
    _figure(
        cells, "Cost", short_money(result["total_cost"], currency),
        "no limit was set" if budget is None else f"of {short_money(budget * years, currency)} in {years} y",
        f"{money_in_full(result['total_cost'], currency)} for {len(result['projects']):,} projects in "
        f"{years} {'year' if years == 1 else 'years'}, mobilisation included, in today's money.",
    )  # fmt: skip
    share = result["preventive_share"]
    _figure(
        cells, "Preventive", MISSING if share is None else number(100 * share, 0, "%"), "of the cost",
        "The part of the cost that goes to treatments marked preventive: those that keep good roads good.",
    )  # fmt: skip
    delay = result["cost_of_delay"]
    _figure(
        cells, "Cost of delay", short_money(delay, currency), "if all waits 3 years",
        f"{money_in_full(delay, currency)}: what reaching the same condition three years later would cost "
        "more, over the projects for which a treatment would then still do it.",
    )  # fmt: skip


def moments_of(made: Mapping[str, Any], surveyed_on: object = None) -> dict[str, Mapping[str, Any]]:
    """The network at the survey, at the plan's start and at its end with and without it, by their heads.

    Args:
        made: of `app.plan_data.plan`; surveyed_on: date of its survey, None where not known.
    """
    result, first = made["result"], made["request"]["first_year"]
    end, without = result["condition_by_year"][-1], result["without_plan"][-1]
    at_survey = f"At the survey ({surveyed_on})" if surveyed_on else "At the survey"
    start = {at_survey: result["condition_now"]}
    if "condition_surveyed" in result:
        start = {at_survey: result["condition_surveyed"], f"Start of {first}": result["condition_now"]}
    return start | {f"End of {end['year']}, this plan": end, f"End of {end['year']}, doing nothing": without}


def _condition(made: Mapping[str, Any]) -> None:
    """The network at the survey, at the start and after the plan, with and without it."""
    currency = made["request"]["currency"]
    survey = data.survey(made["survey_id"]) or {}
    rows = (
        ("Average condition index", "average", 1, "", "By length, 0 to 100; it knows cracks only."),
        ("Good or fair", "good_or_fair_percent", 0, "%", "Length with an index from 55."),
        ("Backlog", "backlog", 0, currency, "Treating at once every section that a treatment suits."),
        ("Remaining life", "remaining_life_years", 1, "years", "Mean time until the index is 40."),
    )
    table = pd.DataFrame(
        {
            # A date is not broken at its hyphens.
            name.replace("-", "\u2011"): [
                plain_number(moment[key], digits, unit) for _, key, digits, unit, _ in rows
            ]
            for name, moment in moments_of(made, survey.get("surveyed_on")).items()
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
