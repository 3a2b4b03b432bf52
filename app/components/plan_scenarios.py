"""A plan beside its alternatives: a table with the same figures of each, and a chart."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st
from plotly.subplots import make_subplots

from app.components.messages import plain
from app.components.plan_charts import OWN, PAPER, SCENARIO_OF, SCENARIOS, scenario_name
from app.components.plan_money import money, short_money
from app.components.text import MISSING, number

SAME_MONEY = 0.02
"""Spending that differs by less of itself counts as the same."""
SAID = {
    "nothing": "no project at all",
    "worst-first": "the same budget, each year for the worst sections until it is spent",
    "budget": "the most benefit with this budget",
    "preventive": "the same budget, a part of it only for preventive treatments",
    "target": "the least money that reaches the target",
}


def scenario_rows(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The plan's own line first, then the alternatives: a scenario's values with `label` and `said`."""
    request = made["request"]
    own = SCENARIO_OF.get(request["strategy"])
    rows = []
    for one in made["scenarios"]:
        name = one["scenario"]
        is_own = name == own
        label = scenario_name(made, OWN if is_own else name)
        said = SAID.get(name, "")
        if name == "nothing" and one["projects"]:
            said = "no project but those that people pinned"
        if name == "preventive" and request["preventive_share"] is not None:
            label += f" ({100 * request['preventive_share']:.0f} %)"
        if name == "target" and request["target_percent"] is not None:
            label += f" ({request['target_percent']:g} % good or fair)"
        rows.append({**one, "label": label, "said": said, "own": is_own})
    return sorted(rows, key=lambda row: not row["own"])


def compare_scenarios(made: Mapping[str, Any]) -> None:
    """Draw the comparison."""
    rows = scenario_rows(made)
    if len(rows) < 2:
        st.caption("This plan was made without others to compare it with.")
        return
    currency = made["request"]["currency"]
    last = made["result"]["condition_by_year"][-1]["year"]
    _answer(rows, made, currency)
    table = pd.DataFrame(
        {
            "Plan": [row["label"] for row in rows],
            "Budget a year": [
                MISSING if row["scenario"] == "nothing"
                else "no limit" if row["yearly_budget"] is None
                else _money(row["yearly_budget"], currency)
                for row in rows
            ],
            "Total cost": [_money(row["total_cost"], currency) for row in rows],
            "Benefit (index-km-years)": [number(row["objective"], 1) for row in rows],
            f"Average index {last}": [number(row["average"], 1) for row in rows],
            f"Good or fair {last}": [number(row["good_or_fair_percent"], 0, "%") for row in rows],
            f"Backlog {last}": [_money(row["backlog"], currency) for row in rows],
            f"Remaining life {last}": [number(row["remaining_life_years"], 1, "years") for row in rows],
            "Preventive": [
                MISSING if row["preventive_share"] is None else number(100 * row["preventive_share"], 0, "%")
                for row in rows
            ],
            "Cost of delay": [_money(row["cost_of_delay"], currency) for row in rows],
        }
    ).set_index("Plan")  # fmt: skip
    # Side by side: a column for each plan.
    st.table(table.T)
    _chart(rows, currency, last)
    st.caption("; ".join(f"{row['label']}: {row['said']}" for row in rows if row["said"]) + ".")


def _money(value: float | None, currency: str) -> str:
    return plain(money(value, currency))


def _answer(rows: list[dict[str, Any]], made: Mapping[str, Any], currency: str) -> None:
    """What worst first loses, and what the target costs, in a sentence each."""
    named = {row["scenario"]: row for row in rows}
    if {"budget", "worst-first"} <= named.keys() and named["worst-first"]["objective"] > 0:
        st.markdown(against_worst_first(named["budget"], named["worst-first"]))
    target = made["request"]["target_percent"]
    if target is not None and "target" in named:
        need = plain(money(named["target"]["yearly_budget"], currency))
        st.markdown(f"**{need} a year** keep {target:g} % of the length good or fair in the last year.")
    elif target is not None:
        st.warning(
            f"No budget was found that keeps {target:g} % of the length good or fair in the last year; the "
            "reason is under What this plan rests on."
        )


def against_worst_first(best: Mapping[str, Any], worst: Mapping[str, Any]) -> str:
    """How much more benefit the best plan has than worst first; both are scenarios of one plan."""
    more = 100 * (best["objective"] / worst["objective"] - 1)
    spent = max(best["total_cost"], worst["total_cost"])
    alike = abs(best["total_cost"] - worst["total_cost"]) <= SAME_MONEY * spent
    said = (
        f"{'For the same money' if alike else 'With the same budget'} the best plan has "
        f"**{more:.0f} % more benefit** than worst first."
    )
    if best["average"] < worst["average"]:
        said += " Worst first ends at a better average, which goes by length only and by the last year only."
    return said


def _chart(rows: list[dict[str, Any]], currency: str, last: int) -> None:
    """Benefit, cost and backlog, a bar for each plan."""
    parts = (
        ("Benefit (index-km-years)", "objective"),
        (f"Total cost ({currency})", "total_cost"),
        (f"Backlog {last} ({currency})", "backlog"),
    )
    figure = make_subplots(1, len(parts), shared_yaxes=True, horizontal_spacing=0.04,
                           subplot_titles=[title.replace("<", "&lt;") for title, _ in parts])  # fmt: skip
    labels = [row["label"] for row in rows]
    colours = [SCENARIOS[OWN if row["own"] else row["scenario"]][1] for row in rows]
    for place, (_, name) in enumerate(parts, 1):
        figure.add_bar(
            x=[row[name] for row in rows], y=labels, orientation="h", marker={"color": colours},
            text=[
                number(row[name], 1) if name == "objective" else short_money(row[name], "") for row in rows
            ],
            textposition="outside", cliponaxis=False,
            hovertemplate="%{y}: %{x:,.0f}<extra></extra>", row=1, col=place,
        )  # fmt: skip
        # Room for the number beside the longest bar.
        longest = max(row[name] for row in rows)
        figure.update_xaxes(range=[0, 1.8 * longest or 1], row=1, col=place)
    figure.update_xaxes(fixedrange=True, showticklabels=False, showgrid=False)
    figure.update_yaxes(fixedrange=True, autorange="reversed")
    figure.update_annotations(font={"size": 13})
    figure.update_layout(
        height=90 + 38 * len(rows), margin={"l": 10, "r": 10, "t": 30, "b": 8}, plot_bgcolor=PAPER,
        dragmode=False, showlegend=False, uniformtext={"mode": "show", "minsize": 11},
    )  # fmt: skip
    st.plotly_chart(figure, key="plan-scenarios", config={"displayModeBar": False})
