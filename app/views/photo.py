"""One photo: what was found on it, how much, where, and by which checkpoint."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import data
from app.components.choose import query_id
from app.components.messages import empty_state, plain
from app.components.network_map import AREA_SHARE, DENSITY, INTERVAL, NO_INTERVAL, WHOLE_PICTURE, draw_map
from app.components.photo_viewer import photo_viewer
from app.components.text import chainage, number, words


def measurements(photo: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of measure, pixels, on the road; the last column is absent without a GSD."""
    gsd = photo["gsd_mm_per_px"]
    width = photo["mean_width_px"], photo["max_width_px"]
    on_road = [number(value * gsd, 1, "mm") if gsd and value is not None else "–" for value in width]
    rows = [
        ("Cracks", f"{photo['cracks']}", f"{photo['cracks']}"),
        ("Crack length", number(photo["crack_length_px"], 0, "px"), number(photo["crack_length_m"], 2, "m")),
        ("Mean width", number(width[0], 1, "px"), on_road[0]),
        ("Greatest width", number(width[1], 1, "px"), on_road[1]),
        ("Cracked area", AREA_SHARE.shown(photo), ""),
        ("Main direction", number(photo["orientation_deg"], 0, "° to the horizontal"), ""),
        ("Surveyed area", "", number(photo["surveyed_area_m2"], 2, "m²")),
        ("Crack density", "", DENSITY.shown(photo)),
    ]
    table = pd.DataFrame(rows, columns=["Measure", "In the image", "On the road"])
    if not gsd:
        table = table[table["In the image"] != ""].drop(columns="On the road")
    return table


def result(photo: Mapping[str, Any]) -> None:
    st.subheader("Measurements")
    if photo["result_id"] is None:
        st.info("This photo has not been analysed yet. Start the analysis on its survey's page.")
        return
    if photo["error"]:
        st.error(f"This photo could not be analysed: {plain(photo['error'])}")
        return
    st.table(measurements(photo).set_index("Measure"), border="horizontal")
    if photo["gsd_mm_per_px"]:
        st.caption(f"1 pixel is {number(photo['gsd_mm_per_px'], 2, 'mm')} on the road.")
    else:
        st.caption(
            "In pixels: no ground sampling distance (GSD) is known for this survey, so nothing is given "
            f"in m or mm. Cracked area: {WHOLE_PICTURE[0].lower()}{WHOLE_PICTURE[1:]}"
        )
    st.caption(INTERVAL if photo["crack_area_pct_low"] is not None else NO_INTERVAL)
    st.subheader("How it was found")
    scale = photo["settings"].get("working_scale")
    rows = [
        ("Checkpoint", plain(photo["checkpoint"])),
        ("Threshold", number(photo["threshold"], 2)),
        ("Working scale", number(scale, 2, "×")),
    ]
    st.table(pd.DataFrame(rows, columns=["Setting", "Value"]).set_index("Setting"), border="horizontal")


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


def draw() -> None:
    photo_id = query_id("photo")
    photo = data.photo(photo_id) if photo_id else None
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
    left, right = st.columns([1.9, 1], gap="medium")
    with left:
        photo_viewer(
            photo["id"], photo["width_px"], photo["height_px"], photo["mask_hash"], photo["probability_hash"]
        )
        place(photo)
    with right:
        result(photo)


draw()
