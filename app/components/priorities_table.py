"""The lists of the page of priorities by pages, and their CSV; the chosen line stays in the address."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.choose import query_id
from app.components.measures import AREA_SHARE, AT_BEST, INDEX, Measure
from app.components.priorities_rows import URGENCY, condition_reason, project_rows
from app.components.section_table import PER_PAGE, class_words
from app.components.spreadsheet import to_csv

MAX_HEIGHT = 470
REASON = st.column_config.TextColumn(
    "Reason", width="large", help="All of it stands below, for a chosen line."
)


def chosen_line() -> tuple[int | None, int | None]:
    """Id of the section and rank of the project that the address names."""
    return query_id("section"), query_id("rank")


def choose_line(section_id: int | None, rank: int | None = None) -> None:
    """Put a section, and a project of it, into the address."""
    for name, value in (("section", section_id), ("rank", rank)):
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = str(value)


def page_of(count: int, key: str) -> slice:
    """Which of `count` lines are shown; draws the choice of the page where one does not hold them."""
    pages = max(1, -(-count // PER_PAGE))
    if pages == 1:
        return slice(0, count)
    place, told = st.columns([1, 5], vertical_alignment="bottom")
    page = int(place.number_input(f"Page, of {pages:,}", 1, pages, key=f"page-{key}-{pages}")) - 1
    last = min(count, (page + 1) * PER_PAGE)
    told.caption(f"{page * PER_PAGE + 1:,} to {last:,} of {count:,}")
    return slice(page * PER_PAGE, last)


def line_table(
    shown: pd.DataFrame,
    lines: Sequence[tuple[int | None, int | None]],
    config: Mapping[str, Any],
    *,
    key: str,
) -> None:
    """Draw lines of which one can be chosen; the one of the address is marked.

    Args:
        shown: one page of lines.
        lines: section id and rank of each, for the address.
        config: the columns in their order; those without any value are left out.
        key: names the table.
    """
    now = chosen_line()
    # The same widget for the same lines only: a filter must not leave the mark on another line.
    stamp = zlib.crc32(repr((lines, st.session_state.get("priorities-map-picks", 0))).encode())
    name = f"{key}-{stamp}"

    def pick() -> None:
        rows = st.session_state[name]["selection"]["rows"]
        choose_line(*(lines[rows[0]] if rows else (None, None)))

    marked = lines.index(now) if now in lines else None
    st.dataframe(
        shown,
        hide_index=True,
        key=name,
        on_select=pick,
        selection_mode="single-row",
        selection_default=None if marked is None else {"selection": {"rows": [marked]}},
        placeholder="–",
        height=min(MAX_HEIGHT, 38 + 35 * max(1, len(shown))),
        column_order=[column for column in config if shown[column].replace("", None).notna().any()],
        column_config=dict(config),
    )


def project_list(
    projects: pd.DataFrame,
    first_ids: Mapping[int, int],
    decided: Mapping[int, str],
    currency: str,
    *,
    key: str,
) -> None:
    """The projects by rank.

    Args:
        projects: of `plan_data.project_table`, filtered.
        first_ids: id of a project's first section that is still in the network, by rank.
        decided: of `priorities_rows.project_decisions`.
        currency: of all money.
    """
    shown = project_rows(projects.iloc[page_of(len(projects), key)], decided)
    number = st.column_config.NumberColumn
    config = {
        "rank": number("#", width=50, pinned=True),
        "year": number("Year", format="%d", width=60),
        "treatment": st.column_config.TextColumn("Treatment"),
        "road": "Road",
        "place": st.column_config.TextColumn("Sections", width="medium"),
        "cost": number(f"Cost ({currency})", format="%,.0f"),
        "decided": st.column_config.TextColumn("Decisions", help="What people decided on its sections."),
        "short": REASON,
        "benefit_cost": number(
            f"Benefit per 1,000 {currency}", format="%.3g",
            help="Index points x km x years over doing nothing, weighted by traffic, for the money spent.",
        ),
        "index": st.column_config.TextColumn(
            "Index", help="Condition index of its sections just before and just after the treatment."
        ),
        "stays_percent": number(
            "Stays in the plan (%)", format="%.0f",
            help="How often the project stays in the plan when the surveyed condition is drawn from its "
            "interval.",
        ),
        "length_m": number("Length (m)", format="%,.0f"),
    }  # fmt: skip
    lines = [(first_ids.get(int(rank)), int(rank)) for rank in shown["rank"]]
    line_table(shown, lines, config, key=key)


def unplanned_list(sections: pd.DataFrame, decided: Mapping[str, str], *, key: str) -> None:
    """Sections without a project, of `priorities_rows.unplanned_rows`, filtered."""
    shown = sections.iloc[page_of(len(sections), key)].copy()
    shown["decided"] = shown["section_key"].map(lambda each: decided.get(each, ""))
    config = {
        "road": "Road",
        "section_key": "Section",
        "condition_index": st.column_config.NumberColumn("Condition index", format="%.0f"),
        "decided": st.column_config.TextColumn("Decisions"),
        "reason": st.column_config.TextColumn("Why it has no project", width="large"),
        "functional_class": "Road class",
        "aadt": st.column_config.NumberColumn("Vehicles per day", format="%,d"),
        "length_m": st.column_config.NumberColumn("Length (m)", format="%,.0f"),
    }
    line_table(shown, [(int(each), None) for each in shown["id"]], config, key=key)


def condition_list(ranked: pd.DataFrame, measure: Measure, decided: Mapping[str, str], *, key: str) -> None:
    """Sections by condition, of `priorities_rows.condition_rows`, filtered."""
    shown = ranked.iloc[page_of(len(ranked), key)].copy()
    shown["decided"] = shown["section_key"].map(lambda each: decided.get(each, ""))
    shown["class"] = class_words(shown)
    shown["reason"] = [condition_reason(row, measure) for row in shown.to_dict("records")]
    number = st.column_config.NumberColumn
    config = {
        "rank": number("#", width=50, pinned=True),
        "road": "Road",
        "section_key": "Section",
        measure.column: number(measure.name, format=f"%.{measure.digits}f", help=measure.formula),
        "class": st.column_config.TextColumn("Class", help=f"{INDEX.standard}. {AT_BEST}"),
        "traffic": number("Vehicles per day", format="%,.0f"),
        "reason": REASON,
        "decided": st.column_config.TextColumn("Decisions"),
        "functional_class": "Road class",
        "length_m": number("Length (m)", format="%,.0f"),
    }
    line_table(shown, [(int(each), None) for each in shown["id"]], config, key=key)


PLACE = ["road", "section_key", "from_m", "to_m", "length_m", "functional_class", "surface", "aadt"]


def _with_source(table: pd.DataFrame, source: Mapping[str, str]) -> bytes:
    """The CSV, with what it was made from in its last columns."""
    return to_csv(table.assign(**source))


def unplanned_csv(sections: pd.DataFrame, comments: Mapping[str, str], source: Mapping[str, str]) -> bytes:
    """All of the sections without a project."""
    out = sections[[*PLACE, "condition_index", "reason"]].copy()
    out["comment"] = out["section_key"].map(lambda key: comments.get(key, ""))
    return _with_source(out, source)


def condition_csv(
    ranked: pd.DataFrame, measure: Measure, comments: Mapping[str, str], source: Mapping[str, str]
) -> bytes:
    """All of the sections by condition; the urgency's head is its formula."""
    other = [
        each.column for each in (INDEX, AREA_SHARE) if each != measure and ranked[each.column].notna().any()
    ]
    out = ranked[["rank", *PLACE, measure.column, *other]].copy()
    if "grade" in ranked:
        out["condition_class"] = class_words(ranked)
    out["vehicles_per_day"], out["vehicles_estimated"] = ranked["traffic"], ranked["estimated"]
    out[f"urgency [{URGENCY[measure.column]}]"] = ranked["urgency"]
    out["comment"] = out["section_key"].map(lambda key: comments.get(key, ""))
    return _with_source(out.drop(columns="aadt"), source)
