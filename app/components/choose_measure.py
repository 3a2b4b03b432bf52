"""By which measure sections are coloured and ranked."""

import pandas as pd
import streamlit as st

from app.components.measures import AREA_SHARE, DENSITY, INDEX, MEASURES, Measure


def choose_measure(table: pd.DataFrame, density: bool) -> Measure:
    """A selector that reads and writes `?measure=`; offers what the survey has.

    Args:
        table: `data.section_table`.
        density: whether all its sections have a density in m/m²; else they are compared in pixels alike.
    """
    known = [measure for measure in MEASURES if table[measure.column].notna().any()]
    if not density:
        known = [measure for measure in known if measure != DENSITY]
    if not known:
        return DENSITY if density else AREA_SHARE
    asked = st.query_params.get("measure")
    start = next((place for place, measure in enumerate(known) if measure.column == asked), 0)
    chosen = st.selectbox("Measure", known, index=start, format_func=lambda measure: measure.name)
    if chosen.column != asked and (asked or chosen != known[0]):
        st.query_params["measure"] = chosen.column
    return chosen


def measure_source(measure: Measure) -> str:
    """Formula and standard in one line, under a map or table."""
    classes = " No standard gives classes for it: five even ones are drawn."
    if measure.good_fair_poor:
        classes = (
            " Good takes in D6433's satisfactory, poor all below fair; by the index before it is rounded."
            if measure == INDEX
            else ""
        )
    return f"{measure.caption}: {measure.formula}. Standard: {measure.standard}.{classes}"
