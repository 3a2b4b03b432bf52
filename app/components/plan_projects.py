"""A plan's projects as a table, the whole reason of the chosen one, and the sections without any."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.components.messages import plain
from app.components.plan_money import benefit_words, money, ratio_words
from app.components.section_table import download
from app.components.text import chainage, number
from engine.project_table import projects_csv

STAYS = (
    "How often the project stays in the plan when each section's condition is drawn from its 90 % interval."
)


def plan_csv(made: Mapping[str, Any], projects: pd.DataFrame) -> bytes:
    """Projects of `plan_data.project_table` as in the exported files."""
    source = {
        "survey": str(made["result"].get("survey", "")),
        "plan": str(made["name"]),
        "plan_made_at": f"{made['created_at']:%Y-%m-%dT%H:%M:%SZ}",
    }
    return projects_csv(projects.to_dict("records"), str(made["request"]["currency"]), source)


def project_list(made: Mapping[str, Any], projects: pd.DataFrame) -> int | None:
    """Draw the table with its filters; returns the rank of the chosen project."""
    currency, key = made["request"]["currency"], f"plan-projects-{made['id']}"
    cells = st.columns([1, 1.4, 1.4, 1], vertical_alignment="bottom")
    shown = projects
    for cell, (column, label) in zip(
        cells, (("year", "Year"), ("treatment", "Treatment"), ("road", "Road")), strict=False
    ):
        chosen = cell.multiselect(
            label, sorted(projects[column].unique()), key=f"{key}-{column}", placeholder="All"
        )
        if chosen:
            shown = shown[shown[column].isin(chosen)]
    with cells[3]:
        download(
            "Projects as CSV", f"plan-{made['id']}-projects.csv",
            lambda: plan_csv(made, shown), f"{key}-csv",
        )  # fmt: skip
    if shown.empty:
        st.write("No project passes the filters.")
        return None
    places = shown.assign(
        place=[f"{chainage(a)} to {chainage(b)}" for a, b in zip(shown["from_m"], shown["to_m"], strict=True)]
    )
    answer = st.dataframe(
        places, hide_index=True, key=f"{key}-{len(shown)}", on_select="rerun", selection_mode="single-row",
        placeholder="–", height=min(420, 38 + 35 * len(shown)),
        column_order=[name for name in _columns(currency) if places[name].notna().any()],
        column_config=_columns(currency),
    )  # fmt: skip
    rows = answer["selection"]["rows"]
    return int(shown["rank"].iloc[rows[0]]) if rows and rows[0] < len(shown) else None


def _columns(currency: str) -> dict[str, Any]:
    number_of, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "rank": number_of(
            "No.", width=45, help="In the order of the plan: by year, the most benefit for the money first."
        ),
        "year": number_of("Year", format="%d", width=55),
        "treatment": text("Treatment", width=130),
        "road": text("Road", width=120),
        "place": text("From – to", width=150),
        "cost": number_of(f"Cost ({currency})", format="%,.0f", width=95, help="Mobilisation included."),
        "index_before": number_of(
            "Index before", format="%.0f", width=90, help="Condition index when treated."
        ),
        "index_after": number_of("Index after", format="%.0f", width=80, help="Condition index just after."),
        "benefit_cost": number_of(
            f"Benefit per 1,000 {currency}", format="%.3g", width=150,
            help=f"Index points x km x years for each 1,000 {plain(currency)}.",
        ),
        "equivalent_annual_cost": number_of(
            f"Cost a year ({currency})", format="%,.0f", width=120,
            help="Equivalent annual cost: the cost spread over the treatment's life, with 3 % interest.",
        ),
        "stays_percent": number_of("Stays in the plan (%)", format="%.0f", width=140, help=STAYS),
    }  # fmt: skip


def project_reason(project: Mapping[Any, Any], currency: str, survey_id: int) -> None:
    """Everything about one project, a line of `plan_data.project_table`."""
    with st.container(border=True):
        st.markdown(
            f"**No. {project['rank']} · {project['year']} · {plain(project['treatment'])}** · "
            f"{plain(project['road'])}, {chainage(project['from_m'])} to {chainage(project['to_m'])}"
            f"{' :blue-badge[pinned]' if project['fixed'] else ''}"
            f"{' :green-badge[preventive]' if project['preventive'] else ''}"
        )
        st.markdown(plain(project["reason"]))
        facts = {
            "Cost": money(project["cost"], currency),
            "of it mobilisation": money(project["mobilisation"], currency),
            "Equivalent annual cost": money(project["equivalent_annual_cost"], currency),
            "Benefit": benefit_words(project["benefit"]),
            f"Benefit per 1,000 {currency}": ratio_words(project["benefit_cost"]),
            "3 years later": _delay(project["cost_of_delay"], currency),
            "Stays in the plan": number(project["stays_percent"], 0, "% of draws"),
            "in the same year": number(project["same_year_percent"], 0, "% of draws"),
        }
        cells = st.columns(4)
        for place, (name, value) in enumerate(facts.items()):
            cells[place % 4].markdown(f":gray[{plain(name)}]  \n{plain(value)}")
        keys = project["section_keys"]
        listed = ", ".join(keys[:12]) + (f" and {len(keys) - 12} more" if len(keys) > 12 else "")
        st.caption(f"Sections: {plain(listed)}")
        st.page_link(
            "views/priorities.py", label="Pin or forbid it on Priorities", icon=":material/flag:",
            query_params={"survey": str(survey_id)},
        )  # fmt: skip


def _delay(cost: float | None, currency: str) -> str:
    if cost is None or pd.isna(cost):
        return "no treatment would do it"
    return f"{money(abs(cost), currency)} {'more' if cost >= 0 else 'less'}"


def without_project(sections: pd.DataFrame) -> None:
    """The sections that the plan leaves alone, each with its reason; of `plan_data.section_plan`."""
    left = sections[sections["year"].isna()]
    if left.empty:
        return
    with st.expander(
        f"{len(left):,} {'section' if len(left) == 1 else 'sections'} without a project",
        icon=":material/do_not_disturb_on:",
    ):
        st.dataframe(
            left[["reason"]].reset_index(), hide_index=True, height=min(420, 38 + 35 * len(left)),
            column_config={
                "section_key": st.column_config.TextColumn("Section"),
                "reason": st.column_config.TextColumn("Why not", width="large"),
            },
        )  # fmt: skip
