"""A section's name and numbers: condition, cracking, and how much of it was looked at."""

from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import section_data
from app.components.figures import measure_figure
from app.components.measures import (
    HPMS,
    INDEX,
    INDEX_INTERVAL,
    NOT_TYPED,
    ONE_PHOTO,
    SECTION_INTERVAL,
    UNIFIED,
    Measure,
    pothole_words,
)
from app.components.messages import plain
from app.components.text import MISSING, chainage, interval, number
from db.rollup import SPREAD_FLAG
from engine.condition import FORMULAS, rating_of, sample_units_needed

Row = Mapping[Any, Any]
UNITS_NEEDED = (
    "Sample units needed for the section's mean index to be within 5 points: "
    f"{'. '.join(FORMULAS['sample_units'])}. s is that of the surveyed units, 10 where there are not two."
)


def _metric(place: DeltaGenerator, label: str, value: str, under: str, more: str) -> None:
    place.metric(
        label, value, delta=under or None, delta_color="off", delta_arrow="off", border=True,
        height="stretch", help=more,
    )  # fmt: skip


def section_figures(
    section: Row,
    table: pd.DataFrame,
    photos: int,
    measure: Measure,
    rolled: Row,
    units: int,
    settings: Mapping[str, Any],
) -> None:
    """Draw the figures; those of the ground plane only where the section was measured on it.

    Args:
        section: a line of `data.section_table` with the ends of the index.
        table: all of them, for the section's place among the others.
        photos: number of the section's photos.
        measure: of the survey's photos.
        rolled: `section_data.rolled_up`.
        units: sample units that the whole section has.
        settings: of the shown analysis, as saved with its results.
    """
    if rolled["condition"]:
        _condition_figures(section, rolled, settings)
    cells = st.columns(4)
    alone = section["images"] == 1
    more, remark = (ONE_PHOTO, " · one photo") if alone else (SECTION_INTERVAL, "")
    measure_figure(cells[0], measure.caption, measure, section, more, remark)
    share = section["surveyed_share"]
    known = not pd.isna(share)
    _metric(
        cells[1],
        "Surveyed length",
        number(share * 100, 0, "%") if known else MISSING,
        f"{number(section['surveyed_area_m2'], 1, 'm²')}{units_words(rolled['units'], units)}",
        f"Length along the road that photos show, and the lane's area in them. Nothing is known of the rest. "
        f"{UNITS_NEEDED}"
        if known
        else "Which share of the section the photos show is not known without a camera profile.",
    )
    _metric(cells[2], "Length", number(section["length_m"], 0, "m"), f"{photos:,} photos", "Drawn length.")
    ranked = INDEX if rolled["condition"] else measure
    rank = table[ranked.column].rank(ascending=ranked.large_is_good, method="min")[section["id"]]
    place = MISSING if pd.isna(rank) else f"{int(rank)} of {int(table[ranked.column].notna().sum())}"
    _metric(
        cells[3], "Place, worst first", place, "", f"By {ranked.caption.lower()}, of the survey's sections."
    )


def units_words(surveyed: Sequence[Mapping[str, Any]], units: int) -> str:
    """How many sample units were surveyed and how many D6433 wants; nothing where none is known.

    Args:
        surveyed: sample units as of `section_data.rolled_up`.
        units: those of the whole section.
    """
    if not surveyed:
        return ""
    indices = [unit["condition_index"] for unit in surveyed if unit["condition_index"] is not None]
    if len(indices) < 2:
        needed = sample_units_needed(units)
    else:
        needed = sample_units_needed(units, spread=stdev(indices))
    return f" on {len(surveyed)} of {units} sample units, {needed} needed"


def _condition_figures(section: Row, rolled: Row, settings: Mapping[str, Any]) -> None:
    condition = rolled["condition"]
    cells = st.columns(4)
    ends = interval(section["condition_index_low"], section["condition_index_high"], 0)
    _metric(cells[0], INDEX.caption, number(condition["value"], 0), ends,
            f"{INDEX.formula}. {INDEX.standard}. {INDEX_INTERVAL}")  # fmt: skip
    sources = " ".join(f"{'. '.join(FORMULAS[measure])}." for measure in ("rating", "paser"))
    under = f"PASER {condition['paser']}: {condition['action']}"
    if condition["value_low"] < condition["value"]:
        # What should be done is not known where the index is but an upper bound.
        worst = rating_of(condition["value_low"])
        under = f"at best; {worst} at worst: {condition['not_measurable_share']:.0%} without severity"
    _metric(cells[1], "Rating", str(condition["rating"]).capitalize(), under, sources)
    percent = section[HPMS.column]
    grade = HPMS.grade(percent) or MISSING
    _metric(cells[2], HPMS.caption, number(percent, 0, "%"), f"{grade} · no interval",
            f"{HPMS.formula}. {HPMS.standard}.")  # fmt: skip
    _metric(cells[3], UNIFIED.caption, number(section[UNIFIED.column], 1, "%"), "no interval",
            f"{UNIFIED.formula}. {UNIFIED.standard}.")  # fmt: skip
    st.caption(f"{NOT_TYPED} {pothole_words(settings)}")


def unevenness(section: Row) -> None:
    """Say where the sample units differ too much for one section."""
    spread = float(section["unit_spread"])
    if spread > SPREAD_FLAG:
        st.warning(
            f"Uneven section: its sample units' indices differ by {spread:.0f} points, more than "
            f"{SPREAD_FLAG:g}. One number does not describe it; think of splitting it."
        )


def section_words(section: Row) -> str:
    """Class, surface and traffic, as far as the network has them."""
    parts = [
        section["functional_class"],
        section["surface"],
        None if pd.isna(section["aadt"]) else f"{section['aadt']:,.0f} vehicles per day",
    ]
    return " · ".join(plain(str(part)) for part in parts if not pd.isna(part))


def section_head(survey: Mapping[str, Any], section: Row, table: pd.DataFrame) -> None:
    """Name, place, and the ways to the other sections."""
    st.title(f"{plain(section['road'])} · {plain(section['section_key'])}")
    place = f"{chainage(section['from_m'])} to {chainage(section['to_m'])}"
    parts = [plain(survey["name"]), place, section_words(section)]
    st.caption(" · ".join(part for part in parts if part))
    before, after = section_data.section_neighbours(table, section["id"])
    where = {"survey": str(survey["id"])}
    with st.container(horizontal=True):
        st.page_link("views/sections.py", label="Sections", icon=":material/table_rows:", query_params=where)
        st.page_link("views/network_map.py", label="Network map", icon=":material/map:", query_params=where)
        for label, icon, other in (
            ("Previous on this road", ":material/arrow_back:", before),
            ("Next on this road", ":material/arrow_forward:", after),
        ):
            if other is not None:
                there = {**where, "section": str(other)}
                st.page_link("views/section.py", label=label, icon=icon, query_params=there)
