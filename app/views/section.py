"""One section of a survey: its measure along the chainage, and its photos."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import data
from app.components.charts import chainage_chart
from app.components.choose import query_id
from app.components.figures import measure_figure
from app.components.gallery import photo_strip
from app.components.messages import empty_state, plain
from app.components.network_map import (
    AREA_SHARE,
    DENSITY,
    ONE_PHOTO,
    SECTION_INTERVAL,
    Measure,
    draw_map,
)
from app.components.text import MISSING, chainage, number


def missing() -> None:
    st.title("Section")
    empty_state("There is no such section", "Choose one on the network map.")
    st.page_link("views/network_map.py", label="Network map", icon=":material/map:")


def figures(section: dict[Any, Any], table: pd.DataFrame, photos: int, measure: Measure) -> None:
    """The section in four numbers, with its place among the others of the survey."""
    cells = st.columns(4)
    cells[0].metric("Length", number(section["length_m"], 0, "m"), border=True, height="stretch")
    cells[1].metric("Photos", f"{photos:,}", border=True, height="stretch")
    alone = section["images"] == 1
    more, remark = (ONE_PHOTO, " · one photo") if alone else (SECTION_INTERVAL, "")
    measure_figure(cells[2], measure.caption, measure, section, more, remark)
    rank = table[measure.column].rank(ascending=False, method="min")[section["id"]]
    ranked = int(table[measure.column].notna().sum())
    cells[3].metric(
        "Place, worst first",
        MISSING if pd.isna(rank) else f"{int(rank)} of {ranked}",
        border=True,
        height="stretch",
    )


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
    section: dict[Any, Any] = table.loc[section_id].to_dict()
    measure = DENSITY if data.measure_is_density(survey_id, version) else AREA_SHARE
    photos = data.section_photos(survey_id, section_id, version)

    st.title(f"{plain(section['road'])} · {plain(section['section_key'])}")
    st.caption(f"{plain(survey['name'])} · {chainage(section['from_m'])} to {chainage(section['to_m'])}")
    st.page_link(
        "views/network_map.py",
        label="Network map",
        icon=":material/arrow_back:",
        query_params={"survey": str(survey_id)},
    )
    figures(section, table, len(photos), measure)
    worst = table[measure.column].max()
    largest = 0.0 if pd.isna(worst) else float(worst)
    chart, chart_map = st.columns([3, 2])
    with chart:
        st.subheader(f"{measure.caption} along the road")
        clicked = chainage_chart(
            photos,
            measure,
            largest,
            (section["from_m"], section["to_m"]),
            key=f"chart-{survey_id}-{section_id}",
        )
    with chart_map:
        picked = place_map(section, survey, version, measure, largest)
    if picked and picked[0] == "section" and picked[1] != section_id:
        st.query_params["section"] = str(picked[1])
        st.rerun()
    photo_id = clicked or (picked[1] if picked and picked[0] == "photo" else None)
    if photo_id is not None:
        st.switch_page("views/photo.py", query_params={"photo": str(photo_id)})

    st.subheader("Photos along the road")
    if photos.empty:
        st.write("No photo of this survey lies on this section.")
    else:
        opened = photo_strip(photos, measure, key=f"strip-{survey_id}-{section_id}")
        if opened is not None:
            st.switch_page("views/photo.py", query_params={"photo": str(opened)})


draw()
