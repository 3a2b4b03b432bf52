"""One photo: what was found on it, how much, where, and by which checkpoint."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import data, photo_data
from app.components.choose import query_id
from app.components.messages import empty_state, plain, show_error
from app.components.network_map import draw_map
from app.components.photo_measurements import draw_measurements, draw_quantities
from app.components.photo_viewer import photo_viewer
from app.components.text import chainage, number, words
from app.photo_data import GroundView
from engine.errors import EngineError


def place(photo: Mapping[str, Any]) -> None:
    st.subheader("Where and when")
    taken = photo["captured_at"]
    rows = [
        ("Time (UTC)", f"{taken:%Y-%m-%d %H:%M:%S}" if taken else "–"),
        (
            "Position",
            f"{photo['latitude']:.6f}, {photo['longitude']:.6f}" if photo["latitude"] is not None else "–",
        ),
        ("Position from", {"exif": "the photo", "track": "the track", "none": "–"}[photo["position_source"]]),
        ("Heading", number(photo["heading_deg"], 0, "°")),
        ("Beside the section's line", number(photo["offset_m"], 1, "m")),
        ("Remarks", ", ".join(words(flag) for flag in photo["flags"]) or "none"),
        ("File", photo["original_name"]),
        ("Size", f"{photo['width_px']:,} × {photo['height_px']:,} px"),
    ]
    facts, around = st.columns([3, 2])
    facts.dataframe(pd.DataFrame(rows, columns=["Fact", "Value"]), hide_index=True)
    if photo["latitude"] is None:
        return
    with around:
        half = 0.0025
        latitude, longitude = photo["latitude"], photo["longitude"]
        draw_map(
            (longitude - half, latitude - half, longitude + half, latitude + half),
            key=f"photo-{photo['id']}",
            network_id=photo["network_id"],
            marker=(latitude, longitude, photo["original_name"]),
            height=318,
        )


def road_view(photo: Mapping[str, Any]) -> GroundView | None:
    try:
        return photo_data.ground_view(photo)
    except EngineError as problem:
        show_error(problem)
        return None


def draw() -> None:
    photo_id = query_id("photo")
    photo = photo_data.photo(photo_id) if photo_id else None
    if photo is None:
        st.title("Photo")
        empty_state("There is no such photo", "Choose one on the network map or in a section.")
        st.page_link("views/network_map.py", label="Network map", icon=":material/map:")
        return
    before, after = data.neighbours(photo["id"], photo["survey_id"])
    survey = {"survey": str(photo["survey_id"])}
    head, back, forth = st.columns([6, 1.2, 1.2], vertical_alignment="bottom")
    with head:
        on_section = photo["section_id"] is not None
        where = (
            f"{plain(photo['road'])} · {chainage(photo['chainage_m'])}"
            if on_section
            else "Photo off the network"
        )
        st.title(where)
        st.caption(plain(photo["survey"]))
        if on_section:
            st.page_link(
                "views/section.py",
                label=f"Section {plain(photo['section_key'])}",
                icon=":material/arrow_back:",
                query_params={**survey, "section": str(photo["section_id"])},
            )
        else:
            st.page_link("views/survey.py", label="Survey", icon=":material/arrow_back:", query_params=survey)
    for column, label, other in ((back, "Previous", before), (forth, "Next", after)):
        if column.button(
            label,
            disabled=other is None,
            width="stretch",
            shortcut="Left" if label == "Previous" else "Right",
        ):
            st.query_params["photo"] = str(other)
            st.rerun()
    distresses = photo_data.distresses(photo["result_id"])
    left, right = st.columns([1.9, 1], gap="medium")
    with left:
        photo_viewer(photo, distresses, road_view(photo))
        draw_quantities(photo, photo_data.quantities(photo["result_id"]))
        place(photo)
    with right:
        draw_measurements(photo, distresses)


draw()
