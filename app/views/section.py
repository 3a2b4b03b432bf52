"""One section of a survey: its condition, its strip map, what was found, its trend, and its photos."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import data, section_data
from app.components.choose import query_id
from app.components.distress_table import draw_distress_table
from app.components.gallery import photo_strip
from app.components.index_steps import draw_index_steps
from app.components.measures import AREA_SHARE, DENSITY, INDEX, WHOLE_PICTURE, Measure
from app.components.messages import empty_state
from app.components.network_map import draw_map
from app.components.section_figures import section_figures, section_head, unevenness
from app.components.section_trend import draw_trend, trend_chart
from app.components.strip_map import strip_legend, strip_map


def missing() -> None:
    st.title("Section")
    empty_state("There is no such section", "Choose one in the list of sections.")
    st.page_link("views/sections.py", label="Sections", icon=":material/table_rows:")


def place_map(
    section: dict[Any, Any], survey: Mapping[str, Any], version: str, measure: Measure, largest: float
) -> tuple[str, int] | None:
    """The section among its neighbours; what was clicked."""
    margin = 0.0005
    return draw_map(
        (
            section["west"] - margin,
            section["south"] - margin,
            section["east"] + margin,
            section["north"] + margin,
        ),
        key=f"section-{survey['id']}-{section['id']}-{version}",
        network_id=int(survey["network_id"]),
        survey_id=int(survey["id"]),
        measure=measure,
        largest=largest,
        selected=int(section["id"]),
        legend=False,
        photos_from_zoom=0,
        height=300,
    )


def follow(picked: tuple[str, int] | None, section_id: int) -> None:
    """Go where a click leads: to another section, or to a photo."""
    if picked and picked[0] == "photo":
        st.switch_page("views/photo.py", query_params={"photo": str(picked[1])})
    if picked and picked[1] != section_id:
        st.query_params["section"] = str(picked[1])
        st.rerun()


def found(section: dict[Any, Any], rolled: Mapping[str, Any]) -> None:
    """The distresses, and how the index was made of them."""
    st.subheader("Distresses found")
    if not rolled["condition"]:
        st.write(
            "Types, severities and the condition index need the ground plane: give the survey a camera "
            "profile, and analyse it again."
        )
        return
    draw_distress_table(rolled["quantities"], float(section["surveyed_area_m2"]))
    with st.expander("How the condition index came about, step by step", icon=":material/calculate:"):
        draw_index_steps(rolled["condition"])


def condition_of(
    survey: Mapping[str, Any],
    section: dict[Any, Any],
    table: pd.DataFrame,
    photos: pd.DataFrame,
    version: str,
) -> None:
    """All that was measured on the section."""
    survey_id, section_id = int(survey["id"]), int(section["id"])
    measure = DENSITY if data.measure_is_density(survey_id, version) else AREA_SHARE
    rolled = section_data.rolled_up(survey_id, section_id, version)
    distresses = section_data.photo_distresses(survey_id, section_id, version)
    ends_m = (float(section["from_m"]), float(section["to_m"]))
    units = section_data.unit_count(int(survey["network_id"]), ends_m)
    settings = section_data.shown_analysis(survey_id, version).get("settings", {})
    section_figures(section, table, len(photos), measure, rolled, units, settings)
    unevenness(section)
    if measure == AREA_SHARE:
        st.info(f"In pixels: no GSD, so nothing is given in metres. {WHOLE_PICTURE}")
    largest = float(table[measure.column].max())
    st.subheader(f"{measure.caption} along the road")
    key = f"{survey_id}-{section_id}"
    clicked = strip_map(photos, distresses, rolled["units"], measure, largest, ends_m, key=f"strip-map-{key}")
    st.caption(strip_legend(measure, bool(rolled["units"]), not distresses.empty))
    found(section, rolled)
    left, right = st.columns([3, 2])
    ranked = INDEX if rolled["condition"] else measure
    trend = section_data.trend(survey_id, section_id)
    with left:
        st.subheader("Trend over the surveys")
        trend_chart(trend, ranked, key=f"trend-{key}")
    with right:
        st.subheader("Place")
        picked = place_map(section, survey, version, measure, largest)
    draw_trend(trend, ranked, survey_id, survey["checkpoint"])
    follow(("photo", clicked) if clicked else picked, section_id)


def draw() -> None:
    survey, section_id = data.survey(query_id("survey")), query_id("section")
    if survey is None or section_id is None:
        missing()
        return
    survey_id = int(survey["id"])
    version = data.version_of(survey_id)
    table = data.section_table(survey_id, version).set_index("id", drop=False)
    if section_id not in table.index:
        missing()
        return
    ends = section_data.index_intervals(survey_id, version, (section_id,))
    section: dict[Any, Any] = table.loc[[section_id]].join(ends).iloc[0].to_dict()
    photos = data.section_photos(survey_id, section_id, version)
    section_head(survey, section, table)
    if section["images"] > 0:
        condition_of(survey, section, table, photos, version)
    else:
        st.info("No photo of this section has been analysed in this survey.")
        follow(place_map(section, survey, version, DENSITY, 0.0), section_id)
    st.subheader("Photos along the road")
    if photos.empty:
        st.write("No photo of this survey lies on this section.")
        return
    measure = DENSITY if data.measure_is_density(survey_id, version) else AREA_SHARE
    opened = photo_strip(photos, measure, key=f"strip-{survey_id}-{section_id}")
    if opened is not None:
        st.switch_page("views/photo.py", query_params={"photo": str(opened)})


draw()
