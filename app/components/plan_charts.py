"""A plan drawn: cost by year and treatment, and the condition that it leads to beside the alternatives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

INK, PAPER = "#2b3a48", "#f7f9fb"
# Paul Tol's muted scheme, which colour-blind eyes tell apart; patterns carry on where it ends.
TREATMENT_COLOURS = (
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499",
)  # fmt: skip
PATTERNS = ("", "/", ".", "x", "-")
OWN = "own"
SCENARIO_OF = {"optimal": "budget", "worst-first": "worst-first", "nothing": "nothing"}
"""Strategy of a plan -> which of the scenarios it is itself."""
SCENARIOS = {
    OWN: ("This plan", "#0072b2", "solid", "circle"),
    "budget": ("This budget", "#56b4e9", "solid", "cross"),
    "worst-first": ("Worst first", "#d55e00", "dash", "diamond"),
    "nothing": ("Do nothing", "#6b7683", "dot", "square"),
    "preventive": ("Prevention first", "#009e73", "dashdot", "triangle-up"),
    "target": ("Target", "#cc79a7", "longdash", "x"),
}
"""Scenario -> name, colour, line and mark."""
FAR_ABOVE = 3.0
"""A budget of more than this times the dearest year is not drawn."""


@dataclass(frozen=True)
class Forecast:
    """What is drawn over the years: key of the plan's conditions, title of its axis, number format."""

    key: str
    title: str
    tick: str = ",.0f"
    hundred: bool = False


def forecasts(currency: str) -> dict[str, Forecast]:
    return {
        "Average index": Forecast("average", "Average condition index", ",.1f", True),
        "Good or fair": Forecast("good_or_fair_percent", "Good or fair (% of length)", ",.1f", True),
        "Backlog": Forecast("backlog", f"Backlog ({currency})"),
        "Remaining life": Forecast("remaining_life_years", "Mean remaining life (years)", ",.1f"),
    }


def treatment_looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and pattern of each treatment, by its place in the set."""
    many = len(TREATMENT_COLOURS)
    return {
        name: (TREATMENT_COLOURS[place % many], PATTERNS[place // many % len(PATTERNS)])
        for place, name in enumerate(names)
    }


def as_text(text: str) -> str:
    """User's text in a plot, where angle brackets would be markup and braces a template."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("{", "(").replace("}", ")")


def cost_chart(made: Mapping[str, Any], projects: pd.DataFrame) -> None:
    """Cost of each year, stacked by treatment, and the yearly budget."""
    result, currency = made["result"], as_text(made["request"]["currency"])
    years = [str(line["year"]) for line in result["cost_by_year"]]
    figure = go.Figure()
    sums = projects.groupby(["treatment", "year"])["cost"].sum()
    for name, (colour, pattern) in treatment_looks(result["treatments"]).items():
        if name not in sums.index:
            continue
        cost = sums[name].reindex([int(year) for year in years], fill_value=0.0)
        edge = {"color": "#ffffff", "width": 0.6}
        figure.add_bar(
            x=years, y=cost, name=as_text(name),
            marker={"color": colour, "line": edge, "pattern": {"shape": pattern}},
            hovertemplate=f"%{{x}}: %{{y:,.0f}} {currency}<extra>{as_text(name)}</extra>",
        )  # fmt: skip
    budget = made["request"]["yearly_budget"]
    if said := budget_line(budget, [line["cost"] for line in result["cost_by_year"]]):
        figure.add_hline(
            y=budget, line={"color": INK, "dash": "dot", "width": 1.4},
            annotation={"text": said, "font": {"size": 11, "color": INK}},
            annotation_position="top left",
        )  # fmt: skip
    _layout(figure, f"Cost ({currency})", "%{y:,.0f}", top=None)
    figure.update_layout(barmode="stack", yaxis={"tickformat": "~s" if sums.sum() > 1e7 else ",d"})
    st.plotly_chart(figure, key="plan-cost", config={"displayModeBar": False})


def budget_line(budget: float | None, costs: Sequence[float]) -> str:
    """What stands at the line of the yearly budget; empty where none is drawn.

    Args:
        costs: of each year.
    """
    most = max(costs, default=0.0)
    if not budget or budget > FAR_ABOVE * most:
        return ""
    return "budget a year; above it with money carried over" if most > 1.005 * budget else "budget a year"


def scenario_name(made: Mapping[str, Any], scenario: str) -> str:
    """What a scenario is called beside a plan; `OWN` is the plan itself."""
    if scenario == OWN:
        own = SCENARIO_OF.get(made["request"]["strategy"])
        return SCENARIOS[OWN][0] if own is None else f"{scenario_name(made, own)} (this plan)"
    entry = next((one for one in made["scenarios"] if one["scenario"] == scenario), None)
    # Where nothing is planned, only pins are done.
    if scenario == "nothing" and entry is not None and entry["projects"]:
        return "Only what is pinned"
    return SCENARIOS[scenario][0]


def scenario_lines(made: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Conditions by year of this plan and of what it is compared with: scenario -> moments."""
    own = SCENARIO_OF.get(made["request"]["strategy"])
    lines = {OWN: made["result"]["condition_by_year"], "nothing": made["result"]["without_plan"]}
    lines |= {one["scenario"]: one["condition_by_year"] for one in made["scenarios"]}
    return {name: lines[name] for name in SCENARIOS if name in lines and name != own}


def condition_chart(made: Mapping[str, Any]) -> None:
    """One measure of condition over the years, with the plan, without it and worst first."""
    choices = forecasts(as_text(made["request"]["currency"]))
    chosen = st.segmented_control(
        "Forecast of", list(choices), default="Average index", key="plan-forecast",
        label_visibility="collapsed",
    )  # fmt: skip
    told = choices[chosen or "Average index"]
    lines = scenario_lines(made)
    now = made["result"]["condition_now"][told.key]
    start = f"start of {made['request']['first_year']}"
    figure = go.Figure()
    for scenario, (_, colour, dash, mark) in reversed(SCENARIOS.items()):
        if scenario not in lines:
            continue
        name = scenario_name(made, scenario)
        moments = lines[scenario]
        own = scenario == OWN
        figure.add_scatter(
            x=[start, *(str(moment["year"]) for moment in moments)],
            y=[now, *(moment[told.key] for moment in moments)],
            name=name, mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 3 if own else 1.8},
            marker={"symbol": mark, "size": 8 if own else 6},
            hovertemplate=f"%{{x}}: %{{y:{told.tick}}}<extra>{name}</extra>",
        )  # fmt: skip
    _layout(figure, told.title, told.tick, top=100 if told.hundred else None)
    figure.update_layout(legend={"traceorder": "reversed"})
    st.plotly_chart(figure, key="plan-condition", config={"displayModeBar": False})


def _layout(figure: go.Figure, title: str, tick: str, top: float | None) -> None:
    figure.update_layout(
        height=360, margin={"l": 10, "r": 10, "t": 10, "b": 8}, plot_bgcolor=PAPER, dragmode=False,
        xaxis={"type": "category", "fixedrange": True},
        yaxis={"title": title, "fixedrange": True, "rangemode": "tozero",
               "range": None if top is None else [0, top * 1.04]},
        legend={"orientation": "h", "x": 0, "y": -0.12, "yanchor": "top"}, showlegend=True,
    )  # fmt: skip
