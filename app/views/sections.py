"""All sections of a survey by condition: totals, map, table with filters, roads, and the CSV."""

import pandas as pd
import streamlit as st

from app import data, section_data
from app.components.choose import bounds_of, choose_survey
from app.components.choose_measure import choose_measure, measure_source
from app.components.first_steps import first_steps
from app.components.measures import AREA_SHARE, DENSITY, INDEX, WHOLE_PICTURE, Measure
from app.components.messages import empty_state
from app.components.network_map import draw_map
from app.components.network_totals import network_figures, road_table
from app.components.section_table import add_grades, download, section_csv, section_filters, section_list


def open_section(survey_id: int, section_id: int) -> None:
    st.switch_page("views/section.py", query_params={"survey": str(survey_id), "section": str(section_id)})


def section_map(
    table: pd.DataFrame, shown: pd.DataFrame, survey_id: int, network_id: int, version: str, measure: Measure
) -> None:
    """The sections that pass the filters in colour, the others faintly."""
    bounds = bounds_of(shown) or bounds_of(table)
    if bounds is None:
        return
    worst = table[measure.column].max()
    picked = draw_map(
        bounds,
        key=f"sections-map-{survey_id}",
        version=version,
        network_id=network_id,
        survey_id=survey_id,
        measure=measure,
        photo_measure=DENSITY if data.measure_is_density(survey_id, version) else AREA_SHARE,
        largest=0.0 if pd.isna(worst) else float(worst),
        at_best=bool(measure == INDEX and table["at_best"].any()),
        only=None if len(shown) == len(table) else [int(value) for value in shown["id"]],
        height=430,
    )
    if picked and picked[0] == "section":
        open_section(survey_id, picked[1])
    elif picked:
        st.switch_page("views/photo.py", query_params={"photo": str(picked[1])})


def draw() -> None:
    st.title("Sections")
    surveys = data.surveys()
    if surveys.empty:
        first_steps()
        return
    left, right, _ = st.columns([2, 2, 3])
    with left:
        survey_id = choose_survey(surveys)
    version = data.version_of(survey_id)
    chosen = data.survey(survey_id)
    table = data.section_table(survey_id, version)
    if table.empty or chosen is None:
        empty_state("No road network", "This survey runs over no road network, so it has no sections.")
        st.page_link("views/networks.py", label="Road networks", icon=":material/route:")
        return
    with right:
        measure = choose_measure(table, data.measure_is_density(survey_id, version))
    if table["images"].isna().all():
        st.info("No section of this survey has results yet. Open the survey to start the analysis.")
    elif measure == AREA_SHARE:
        st.info(WHOLE_PICTURE)
    table = add_grades(table, measure)
    network_figures(section_data.network_totals(survey_id, version), measure, bool(table["at_best"].any()))
    shown = section_filters(table, survey_id, version, measure)
    section_map(table, shown, survey_id, int(chosen["network_id"]), version, measure)
    st.caption(measure_source(measure))
    sections, roads = st.tabs([f"Sections ({len(shown):,} of {len(table):,})", "Roads"])
    with sections:
        if shown.empty:
            empty_state("No section passes the filters", "Take one of them off.")
            return
        picked = section_list(shown, measure, survey_id=survey_id, version=version, key=f"all-{survey_id}")
        if picked is not None:
            open_section(survey_id, picked)
        download(
            f"Download as CSV ({len(shown):,} sections)",
            f"sections-{survey_id}.csv",
            lambda: section_csv(shown, measure, survey_id, version),
            key="sections-csv",
        )
    with roads:
        road_table(section_data.road_totals(survey_id, version), measure, f"roads-{survey_id}.csv")


draw()
