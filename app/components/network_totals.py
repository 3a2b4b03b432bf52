"""The network and its roads in numbers, weighted by surveyed area."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.components.figures import measure_figure
from app.components.measures import AREA_SHARE, AT_BEST, DENSITY, HPMS, INDEX, MEASURES, Measure
from app.components.spreadsheet import to_csv
from app.components.text import MISSING, interval, number
from db.rollup import SPREAD_FLAG

WEIGHTED = "Mean of the surveyed sections, weighted by surveyed area."


def mean_figure(
    place: DeltaGenerator, totals: Mapping[str, Any], measure: Measure, at_best: bool = False
) -> None:
    """The measure of the whole network with its interval, or its class where it has no interval.

    Args:
        place: where it is drawn.
        totals: of the network.
        measure: which one.
        at_best: whether some sections' index is an upper bound, for want of severities.
    """
    label = f"Mean {measure.caption if measure == HPMS else measure.caption.lower()}"
    if measure in (DENSITY, AREA_SHARE):
        measure_figure(place, label, measure, totals, WEIGHTED)
        return
    grade = measure.grade(totals[measure.column])
    bound = " at best" if at_best and measure == INDEX else ""
    under = f"{grade}{bound} · no interval" if grade else "no interval"
    more = f"{WEIGHTED} {measure.formula}. {measure.standard}.{f' {AT_BEST}' if bound else ''}"
    _figure(place, label, number(totals[measure.column], measure.digits, measure.unit), under, more)


def network_figures(totals: Mapping[str, Any], measure: Measure, at_best: bool = False) -> None:
    """The measure of the whole network, how much of it was surveyed, and how uneven its sections are."""
    cells = st.columns(4)
    mean_figure(cells[0], totals, measure, at_best)
    share = totals["surveyed_share"]
    _figure(
        cells[1],
        "Sections surveyed",
        f"{totals['surveyed_sections']:,.0f} of {totals['sections']:,.0f}",
        f"{number(totals['length_m'] / 1000, 1, 'km')} in all",
        "Sections of the network on which at least one analysed photo lies.",
    )
    _figure(
        cells[2],
        "Surveyed length",
        MISSING if pd.isna(share) else number(100 * share, 1, "%"),
        number(totals["surveyed_area_m2"], 0, "m²"),
        "Length that photos show of the length of all sections, and the area of the lane in them.",
    )
    _figure(
        cells[3],
        "Uneven sections",
        f"{totals['spread_sections']:,.0f}",
        f"of {totals['surveyed_sections']:,.0f} surveyed",
        f"Their sample units differ by more than {SPREAD_FLAG:g} points of condition index: one number does "
        "not describe them.",
    )


def _figure(place: DeltaGenerator, label: str, value: str, under: str, more: str) -> None:
    place.metric(
        label, value, delta=under or None, delta_color="off", delta_arrow="off", border=True,
        height="stretch", help=more,
    )  # fmt: skip


def road_table(roads: pd.DataFrame, measure: Measure, file_name: str) -> None:
    """One line a road, the worst first, with its download."""
    known = [each for each in MEASURES if roads[each.column].notna().any()]
    shown = roads.sort_values(measure.column, ascending=measure.large_is_good, na_position="last")
    shown = shown.assign(length_km=shown["length_m"] / 1000, share=shown["surveyed_share"] * 100)
    low, high = measure.ends
    has_ends = low in shown
    if has_ends:
        ends = zip(shown[low], shown[high], strict=True)
        shown["interval"] = [interval(*pair, measure.digits) for pair in ends]
    others = [each.column for each in known if each != measure]
    columns = ["road", measure.column, *(["interval"] if has_ends else []), *others]
    columns += ["length_km", "surveyed_sections", "sections", "images", "share", "surveyed_area_m2"]
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="–",
        height=min(560, 38 + 35 * max(1, len(shown))),
        column_order=[*columns, "spread_sections"],
        column_config={
            "road": st.column_config.TextColumn("Road", pinned=True),
            **{
                each.column: st.column_config.NumberColumn(
                    each.name, format=f"%.{each.digits}f", help=f"{WEIGHTED} {each.formula}. {each.standard}."
                )
                for each in MEASURES
            },
            "interval": "Interval",
            "length_km": st.column_config.NumberColumn("Length (km)", format="%,.1f"),
            "sections": st.column_config.NumberColumn("Sections", format="%,d"),
            "surveyed_sections": st.column_config.NumberColumn("of them surveyed", format="%,d"),
            "images": st.column_config.NumberColumn("Photos", format="%,d"),
            "share": st.column_config.NumberColumn("Surveyed (% of length)", format="%.1f"),
            "surveyed_area_m2": st.column_config.NumberColumn("Surveyed area (m²)", format="%,.0f"),
            "spread_sections": st.column_config.NumberColumn("Uneven sections", format="%,d"),
        },
    )
    st.caption(WEIGHTED)
    st.download_button(
        f"Download as CSV ({len(roads):,} roads)",
        lambda: road_csv(shown),
        file_name=file_name,
        mime="text/csv",
        key="roads-csv",
        icon=":material/download:",
        on_click="ignore",
    )


def road_csv(roads: pd.DataFrame) -> bytes:
    """The roads; the head of a measure's column names its formula and standard."""
    plain = ["road", "length_km", "sections", "surveyed_sections", "images", "surveyed_area_m2"]
    out = roads[plain].assign(surveyed_share_percent=roads["share"], uneven_sections=roads["spread_sections"])
    for each in MEASURES:
        out[each.csv_name] = roads[each.column]
        for end in each.ends:
            if end in roads:
                out[end] = roads[end]
    return to_csv(out.dropna(axis="columns", how="all"))
