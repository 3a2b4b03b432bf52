"""What was measured on one photo: sums by type and severity, totals, and by which formula."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.measures import pothole_words
from app.components.messages import plain
from app.components.network_map import AREA_SHARE, DENSITY, INTERVAL, NO_INTERVAL, WHOLE_PICTURE
from app.components.text import number, words
from engine.condition import FORMULAS
from engine.severity import D6433, SeverityStandard, standard_from
from engine.vocabulary import CameraKind, DistressType, LaneZone, Severity

TYPE_ORDER = list(DistressType)
SEVERITY_ORDER = list(Severity)
FORMULA_LABELS = {
    "crack_density_m_per_m2": "Crack density",
    "crack_area_ratio": "Cracked area",
    "hpms_cracking_percent": "HPMS cracking",
    "unified_crack_index": "Unified Crack Index",
    "severity": "Severity",
}
ZONE_ORDER = [*LaneZone, None]
FINE_PX = 5
"""Cracks of 2 to 2.5 px read up to so wide, see docs/guide/measurement.md."""


def measurements(photo: Mapping[str, Any], cracks: int) -> pd.DataFrame:
    """Rows of measure, pixels, on the road; the last column is absent without a GSD."""
    gsd = photo["gsd_mm_per_px"]
    width = photo["mean_width_px"], photo["max_width_px"]
    on_road = [number(value * gsd, 1, "mm") if gsd and value is not None else "–" for value in width]
    direction = "° (90: along the lane)" if photo["ground"] else "° to the horizontal"
    tiles = photo["tiles"]
    area = photo["surveyed_area_m2"]
    rows = [
        ("Cracks", f"{cracks}", f"{cracks}"),
        ("Crack length", number(photo["crack_length_px"], 0, "px"), number(photo["crack_length_m"], 2, "m")),
        ("Mean width", number(width[0], 1, "px"), on_road[0]),
        ("Greatest width", number(width[1], 1, "px"), on_road[1]),
        ("Cracked area", AREA_SHARE.shown(photo), ""),
        ("Main direction", number(photo["orientation_deg"], 0, direction), ""),
        ("Surveyed area", "", number(area, 2, "m²")),
        ("Crack density", "", DENSITY.shown(photo)),
    ]
    if photo["left_out_m2"]:
        rows.append(("Lane in view, too far to survey", "", number(photo["left_out_m2"], 2, "m²")))
    if photo["cracked_area_m2"] is not None and area:
        rows.append(("HPMS cracking", "", f"{100 * photo['cracked_area_m2'] / area:.0f} %"))
    if tiles:
        rows.append(
            ("Unified Crack Index", "", f"{100 * photo['cracked_tiles'] / tiles:.0f} % of {tiles} tiles")
        )
    table = pd.DataFrame(rows, columns=["Measure", "In the image", "On the road"])
    if photo["ground"]:
        # Pixels of the rectified picture say nothing that metres do not.
        told = [on_road or in_image for _, in_image, on_road in rows]
        return table.drop(columns="In the image").assign(**{"On the road": told})
    if not gsd:
        table = table[table["In the image"] != ""].drop(columns="On the road")
    return table


def quantity_table(quantities: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One line a type, severity and zone: Type, Severity, Zone, Count, Length, Area, Mean width, as text."""
    ordered = sorted(
        quantities,
        key=lambda row: (
            TYPE_ORDER.index(row["kind"]),
            SEVERITY_ORDER.index(row["severity"]),
            ZONE_ORDER.index(row["zone"]),
        ),
    )
    return pd.DataFrame(
        {
            "Type": [words(row["kind"]) for row in ordered],
            "Severity": [words(row["severity"]) for row in ordered],
            "Zone": ["–" if row["zone"] is None else words(row["zone"]) for row in ordered],
            "Count": [f"{row['count']}" for row in ordered],
            "Length": [number(row["length_m"], 2, "m") for row in ordered],
            "Area": [number(row["area_m2"], 2, "m²") for row in ordered],
            "Mean width": [number(row["mean_width_mm"], 1, "mm") for row in ordered],
        }
    )


def width_words(gsd_mm_per_px: float, standard: SeverityStandard) -> str:
    """What widths of a few pixels are worth, and the severities that come of them."""
    widest_mm = FINE_PX * gsd_mm_per_px
    told = f"Widths of up to {widest_mm:.0f} mm ({FINE_PX} px) are upper bounds: fine cracks are drawn wide."
    if standard.low_below_mm <= widest_mm:
        told += f" So a crack just over {standard.low_below_mm:g} mm, graded medium, may be low."
    return told


def draw_quantities(photo: Mapping[str, Any], quantities: Sequence[Mapping[str, Any]]) -> None:
    """The distresses by type, severity and zone, and where the severities come from."""
    if not photo["gsd_mm_per_px"] or photo["surveyed_area_m2"] is None:
        return
    st.subheader("Distresses by type, severity and zone")
    if not quantities:
        st.write("No distress was found in the surveyed area.")
        return
    standard = standard_from(photo["settings"].get("severity_standard", D6433.name))
    blind = [row for row in quantities if row["severity"] == Severity.NOT_MEASURABLE]
    if blind and photo["gsd_mm_per_px"] > standard.largest_gsd_mm_per_px:
        pixel = number(photo["gsd_mm_per_px"], 1, "mm")
        st.warning(
            f"**Severity is not measurable at this GSD.** One pixel is {pixel} on the road; the widths that "
            f"{plain(standard.name)} grades by need {standard.largest_gsd_mm_per_px:g} mm or less. Types, "
            "lengths and areas stand.",
            icon=":material/straighten:",
        )
    elif blind:
        st.caption(
            "Not measurable: where the photo itself shows the road coarser than "
            f"{standard.largest_gsd_mm_per_px:g} mm per pixel, where a crack has no clear width, and of "
            "potholes, whose depth no photo shows."
        )
    st.dataframe(quantity_table(quantities), hide_index=True)
    st.caption(
        f"Severity by {plain(standard.name)}: mean width under {standard.low_below_mm:g} mm low, over "
        f"{standard.high_above_mm:g} mm high, between them medium; alligator cracking by its pattern. "
        "Longitudinal: within 20° of the lane; transverse: within 20° of across it; zones after AASHTO R 85. "
        f"{width_words(photo['gsd_mm_per_px'], standard)} {pothole_words(photo['settings'])}"
    )


def draw_measurements(photo: Mapping[str, Any], distresses: Sequence[Mapping[str, Any]]) -> None:
    """The photo's totals and how they were found, or why there are none."""
    st.subheader("Measurements")
    if photo["result_id"] is None:
        st.info("This photo has not been analysed yet. Start the analysis on its survey's page.")
        return
    if photo["error"]:
        st.error(f"This photo could not be analysed: {plain(photo['error'])}")
        return
    cracks = sum(row["kind"] != DistressType.POTHOLE for row in distresses)
    st.table(measurements(photo, cracks).set_index("Measure"), border="horizontal")
    if photo["gsd_mm_per_px"]:
        ahead = photo["camera_kind"] == CameraKind.FORWARD
        pixel = "1 pixel of the rectified picture" if ahead else "1 pixel"
        more = " Farther from the camera the photo itself is coarser." if ahead else ""
        st.caption(f"{pixel} is {number(photo['gsd_mm_per_px'], 2, 'mm')} on the road.{more}")
    else:
        st.caption(
            "In pixels: no ground sampling distance (GSD) is known for this survey, so nothing is given "
            f"in m or mm. Cracked area: {WHOLE_PICTURE[0].lower()}{WHOLE_PICTURE[1:]}"
        )
    st.caption(INTERVAL if photo["crack_area_pct_low"] is not None else NO_INTERVAL)
    draw_formulas(photo)
    st.subheader("How it was found")
    scale = photo["settings"].get("working_scale")
    rows = [
        ("Checkpoint", plain(photo["checkpoint"])),
        ("Threshold", number(photo["threshold"], 2)),
        ("Working scale", number(scale, 2, "×")),
    ]
    if photo["camera"] is not None:
        rows.append(("Camera", f"{plain(photo['camera'])}, version {photo['camera_version']}"))
    st.table(pd.DataFrame(rows, columns=["Setting", "Value"]).set_index("Setting"), border="horizontal")


def draw_formulas(photo: Mapping[str, Any]) -> None:
    """Formula and standard of each measure, on request."""
    if photo["surveyed_area_m2"] is None:
        return
    rows = [(label, *FORMULAS[measure]) for measure, label in FORMULA_LABELS.items()]
    table = pd.DataFrame(rows, columns=["Measure", "Formula", "Standard"])
    with st.expander("Formulas and standards"):
        st.table(table.set_index("Measure"), border="horizontal")
