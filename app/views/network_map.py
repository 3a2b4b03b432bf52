"""The network by condition: the figures, the map, and the sections with the worst first."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import data, section_data
from app.components.choose import bounds_of, choose_survey
from app.components.choose_measure import choose_measure, measure_source
from app.components.first_steps import first_steps
from app.components.job_progress import follow_survey, is_active
from app.components.measures import AREA_SHARE, DENSITY, INDEX, WHOLE_PICTURE, Measure
from app.components.messages import empty_state
from app.components.network_map import draw_map
from app.components.network_totals import mean_figure
from app.components.section_table import add_grades, section_list
from app.components.text import number


def figures(
    table: pd.DataFrame, totals: dict[str, int], network: Mapping[str, Any], measure: Measure, at_best: bool
) -> None:
    seen = table[table["images"] > 0]
    cells = st.container(horizontal=True)
    cells.metric(
        "Length with photos",
        number(seen["length_m"].sum() / 1000, 1, "km"),
        border=True,
        height="stretch",
        help="Whole length of the sections on which at least one photo lies.",
    )
    waiting = totals["photos"] - totals["analysed"] - totals["failed"]
    cells.metric(
        "Photos",
        f"{totals['photos']:,}",
        border=True,
        height="stretch",
        help=f"{totals['analysed']:,} analysed, {waiting:,} not yet, {totals['failed']:,} failed",
    )
    mean_figure(cells, network, measure, at_best)
    cells.metric(
        "Sections with data",
        number(100 * len(seen) / len(table) if len(table) else None, 0, "%"),
        border=True,
        height="stretch",
        help=f"{len(seen):,} of {len(table):,} sections of the network",
    )


def open_section(survey_id: int, section_id: int) -> None:
    st.switch_page("views/section.py", query_params={"survey": str(survey_id), "section": str(section_id)})


def say_what_is_shown(survey_id: int, totals: Mapping[str, int], measure: Measure) -> None:
    if not totals["analysed"] and is_active(survey_id):
        st.info("The sections take their colour as the photos are analysed.")
    elif not totals["analysed"]:
        st.info("This survey has no results yet. Open it to check its photos and start the analysis.")
    elif measure == AREA_SHARE:
        st.info(
            "In pixels: no GSD. Without a ground sampling distance lengths cannot be told in metres, "
            f"so the map shows the cracked area. {WHOLE_PICTURE}"
        )


def draw() -> None:
    st.title("Network map")
    surveys = data.surveys()
    if surveys.empty:
        first_steps()
        return
    chooser, by, note = st.columns([2, 2, 4], vertical_alignment="bottom")
    with chooser:
        survey_id = choose_survey(surveys)
    version = data.version_of(survey_id)
    table = data.section_table(survey_id, version)
    chosen = data.survey(survey_id)
    network_id = chosen["network_id"] if chosen else None
    density = data.measure_is_density(survey_id, version)
    with by:
        measure = choose_measure(table, density)
    totals = data.survey_totals(survey_id, version)
    with note:
        say_what_is_shown(survey_id, totals, measure)
    follow_survey(survey_id, version)
    table = add_grades(table, measure)
    at_best = bool(measure == INDEX and table["at_best"].any())
    if len(table):
        figures(table, totals, section_data.network_totals(survey_id, version), measure, at_best)
    bounds = bounds_of(table) or data.photo_bounds(survey_id, version)
    if bounds is None:
        empty_state("Nothing to draw", "The survey has no road network and no photo with a position.")
        return
    worst = table[measure.column].max()
    picked = draw_map(
        bounds,
        key=f"network-{survey_id}",
        version=version,
        network_id=network_id,
        survey_id=survey_id,
        measure=measure,
        photo_measure=DENSITY if density else AREA_SHARE,
        largest=0.0 if pd.isna(worst) else float(worst),
        at_best=at_best,
    )
    st.caption(measure_source(measure))
    if picked and picked[0] == "section":
        open_section(survey_id, picked[1])
    elif picked:
        st.switch_page("views/photo.py", query_params={"photo": str(picked[1])})
    if len(table):
        st.subheader("Sections, worst first")
        worst_section = section_list(
            table, measure, survey_id=survey_id, version=version, key=f"map-{survey_id}"
        )
        if worst_section is not None:
            open_section(survey_id, worst_section)
    if st.button("Open this survey", icon=":material/photo_camera:"):
        st.switch_page("views/survey.py", query_params={"survey": str(survey_id)})


draw()
