"""Sections as a table: filters, pages with the worst first, and the CSV that names every formula."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pandas as pd
import streamlit as st

from app import section_data
from app.components.measures import (
    AT_BEST,
    GRADES,
    INDEX,
    INDEX_INTERVAL,
    INTERVAL,
    MEASURES,
    Measure,
    severity_words,
)
from app.components.spreadsheet import to_csv
from app.components.text import interval, words
from app.layers import MAX_INTERVALS
from db.rollup import SPREAD_FLAG
from engine.condition import is_at_best
from engine.vocabulary import DistressType, Severity

PER_PAGE = 50
NOT_GIVEN = "not given"


def graded_by(measure: Measure) -> Measure:
    """The measure whose standard gives the classes: the chosen one, or the index where it has none."""
    return measure if measure.good_fair_poor else INDEX


def add_grades(table: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The table with `grade`, good, fair or poor, or empty, and whether that is only so `at_best`."""
    by = graded_by(measure)
    grade = pd.Series([by.grade(value) for value in table[by.column]], table.index, dtype="object")
    worst = zip(table["condition_index"], table["condition_index_at_worst"], strict=True)
    at_best = pd.Series([by == INDEX and is_at_best(*ends) for ends in worst], table.index, dtype=bool)
    return table.assign(grade=grade, at_best=at_best)


def class_words(table: pd.DataFrame) -> list[str | None]:
    """ "good", "good at best", ... of each line of a table with `add_grades`; None without a class."""
    return [
        f"{grade} at best" if at_best else grade
        for grade, at_best in zip(table["grade"], table["at_best"], strict=True)
    ]


def section_filters(table: pd.DataFrame, survey_id: int, version: str, measure: Measure) -> pd.DataFrame:
    """Draw the filters and return the lines that pass all of them; an empty filter lets everything pass."""
    cells = st.columns(6)
    all_sections = table
    for cell, (column, label) in zip(
        cells, (("road", "Road"), ("functional_class", "Road class"), ("surface", "Surface")), strict=False
    ):
        known = all_sections[column].fillna(NOT_GIVEN)
        chosen = cell.multiselect(
            label, sorted(known.unique(), key=str), key=f"filter-{column}-{survey_id}", placeholder="All"
        )
        if chosen:
            table = table[known.reindex(table.index).isin(chosen)]
    by = graded_by(measure)
    grades = cells[3].multiselect(
        "Condition",
        GRADES,
        key=f"filter-grade-{survey_id}",
        format_func=str.capitalize,
        placeholder="All",
        help=f"Good, fair and poor by {by.caption.lower()}: {by.standard}.",
    )
    if grades:
        table = table[table["grade"].isin(grades)]
    found = section_data.distress_sections(survey_id, version)
    kinds = cells[4].multiselect(
        "Distress", _that_occur(found["kind"], DistressType),
        key=f"filter-kind-{survey_id}", format_func=words, placeholder="All",
        help="Sections on which at least one of these types was found.",
    )  # fmt: skip
    severities = cells[5].multiselect(
        "Severity", _that_occur(found["severity"], Severity),
        key=f"filter-severity-{survey_id}", format_func=words, placeholder="All",
        help="Sections with at least one distress of this severity, of the chosen types where any is chosen.",
    )  # fmt: skip
    if kinds:
        found = found[found["kind"].isin(kinds)]
    if severities:
        found = found[found["severity"].isin(severities)]
    return table[table["id"].isin(found["section_id"])] if kinds or severities else table


def _that_occur(found: pd.Series, words_of: type[StrEnum]) -> list[str]:
    """In the order of the vocabulary; a crack without a type tells nothing apart."""
    known = set(found)
    return [word for word in words_of if word in known and word != DistressType.CRACK]


def worst_first(table: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    return table.sort_values(
        measure.column, ascending=measure.large_is_good, na_position="last", kind="stable"
    ).reset_index(drop=True)


def _number(measure: Measure) -> Any:
    return st.column_config.NumberColumn(
        measure.name, format=f"%.{measure.digits}f", help=f"{measure.formula}. {measure.standard}."
    )


def _columns(measure: Measure, largest: float) -> dict[str, Any]:
    by = graded_by(measure)
    return {
        "road": st.column_config.TextColumn("Road", pinned=True),
        "section_key": st.column_config.TextColumn("Section", pinned=True),
        "from_m": st.column_config.NumberColumn("From (m)", format="%,d"),
        "to_m": st.column_config.NumberColumn("To (m)", format="%,d"),
        measure.column: st.column_config.ProgressColumn(
            measure.name,
            format=f"%.{measure.digits}f",
            min_value=0,
            max_value=100 if measure.large_is_good else largest,
            width="medium",
            help=f"{measure.formula}. {measure.standard}.",
        ),
        "interval": st.column_config.TextColumn(
            "Interval",
            help=INDEX_INTERVAL if measure == INDEX else INTERVAL,
        ),
        "graded": st.column_config.TextColumn(
            "Class" if by == measure else f"Class by {by.caption.lower()}",
            help=f"{by.caption}: {by.standard}" + (f". {AT_BEST}" if by == INDEX else ""),
        ),
        **{other.column: _number(other) for other in MEASURES if other != measure},
        "share": st.column_config.NumberColumn(
            "Surveyed (%)", format="%.0f", help="Length of the section that photos show, of its whole length."
        ),
        "spread": st.column_config.TextColumn(
            "Remark",
            help=f"Sample units that differ by more than {SPREAD_FLAG:g} points: think of splitting the "
            "section.",
        ),
        "images": st.column_config.NumberColumn("Photos", format="%d"),
        "functional_class": "Road class",
        "surface": "Surface",
        "aadt": st.column_config.NumberColumn("Vehicles per day", format="%,d"),
    }


def _page_of(count: int, key: str) -> int:
    """Which page of `count` lines is shown, from 0."""
    pages = max(1, -(-count // PER_PAGE))
    if pages == 1:
        return 0
    place, told = st.columns([1, 5], vertical_alignment="bottom")
    page = int(place.number_input(f"Page, of {pages:,}", 1, pages, key=f"page-{key}")) - 1
    last = min(count, (page + 1) * PER_PAGE)
    told.caption(f"Sections {page * PER_PAGE + 1:,} to {last:,} of {count:,}, the worst first")
    return page


def section_list(
    table: pd.DataFrame, measure: Measure, *, survey_id: int, version: str, key: str
) -> int | None:
    """A page of the sections, the worst first; returns the id of the one that was chosen.

    Args:
        table: `data.section_table` with `add_grades`, filtered.
        measure: what is sorted by.
        survey_id: the survey.
        version: of its data.
        key: names the table.
    """
    largest = float(table[measure.column].max()) if table[measure.column].notna().any() else 1.0
    ordered = worst_first(table, measure)
    page = _page_of(len(ordered), key)
    shown = ordered.iloc[page * PER_PAGE : (page + 1) * PER_PAGE].copy()
    if measure == INDEX:
        ids = tuple(int(value) for value in shown["id"])
        shown = shown.join(section_data.index_intervals(survey_id, version, ids), on="id")
    low, high = measure.ends
    has_ends = low in shown
    ends = zip(shown[low], shown[high], strict=True) if has_ends else ()
    shown["interval"] = [interval(*pair, measure.digits) for pair in ends] if has_ends else ""
    shown["graded"] = [told.capitalize() if isinstance(told, str) else None for told in class_words(shown)]
    shown["share"] = shown["surveyed_share"] * 100
    uneven = shown["unit_spread"] > SPREAD_FLAG
    shown["spread"] = [
        f"uneven: {spread:.0f} points" if flag else None
        for flag, spread in zip(uneven, shown["unit_spread"], strict=True)
    ]
    filled = [column for column in _columns(measure, largest) if shown[column].notna().any()]
    chosen = st.dataframe(
        shown,
        hide_index=True,
        key=f"sections-{key}-{page}",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        height=min(560, 38 + 35 * max(1, len(shown))),
        column_order=[name for name in filled if name != "interval" or has_ends] or ["road"],
        column_config=_columns(measure, largest),
    )
    if shown["at_best"].any():
        st.caption(AT_BEST)
    rows = chosen["selection"]["rows"]
    return int(shown["id"].iloc[rows[0]]) if rows else None


def section_csv(table: pd.DataFrame, measure: Measure, survey_id: int, version: str) -> bytes:
    """All of the table's sections; the head of a measure's column names its formula and standard, the last
    columns checkpoint and severity standard.

    Of more than `MAX_INTERVALS` sections the interval of the index is left out.
    """
    if len(table) <= MAX_INTERVALS:
        ids = tuple(int(value) for value in table["id"])
        table = table.join(section_data.index_intervals(survey_id, version, ids), on="id")
    table = worst_first(table, measure)
    by = graded_by(measure)
    plain = ["road", "section_key", "from_m", "to_m", "length_m", "functional_class", "surface", "direction"]
    plain += ["lane", "lanes", "aadt", "images", "surveyed_area_m2"]
    out = table[plain].assign(surveyed_share_percent=table["surveyed_share"] * 100)
    out[f"class [{by.caption}; {by.standard}]"] = class_words(table)
    # Without a severity the index is an upper bound, and so is the class.
    out["condition_index_at_worst"] = table["condition_index_at_worst"]
    for each in MEASURES:
        out[each.csv_name] = table[each.column]
        for end in each.ends:
            if end in table:
                out[end] = table[end]
    out["unit_spread_points"] = table["unit_spread"]
    analysis = section_data.shown_analysis(survey_id, version)
    if analysis:
        out["checkpoint"] = analysis["checkpoint"]
        out["severity_standard"] = severity_words(analysis["settings"])
    return to_csv(out.dropna(axis="columns", how="all"))


def download(label: str, name: str, make: Callable[[], bytes], key: str) -> None:
    """A CSV that is made when it is asked for."""
    st.download_button(
        label, make, file_name=name, mime="text/csv", key=key, icon=":material/download:", on_click="ignore"
    )
