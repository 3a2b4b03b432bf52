"""A forward camera from four points on the road whose real distances are known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from app.components.profile_fields import Draft, Slots, ask, ask_lane, ask_lens, ask_limits
from app.components.text import number
from engine.four_points import forward_from_four_points
from engine.geometry import ForwardProfile

# Left and right lane line, near and far: a lane of 3.6 m, and two dashes of a 12 m cycle.
START_M = ((-1.8, 0.0), (1.8, 0.0), (1.8, 12.0), (-1.8, 12.0))
# Where such points may lie, in shares of the photo.
START_AT = ((0.2, 0.92), (0.8, 0.92), (0.6, 0.62), (0.4, 0.62))
COLUMNS = ("x (px)", "y (px)", "right (m)", "ahead (m)")


def _key(draft: Draft, point: int, column: int) -> str:
    return f"camera-{draft['serial']}-point-{point}-{column}"


def point_state(draft: Draft, photo: Mapping[str, Any]) -> list[list[float]]:
    """The four points as x, y in the photo, metres right and ahead; of the inputs where these are drawn."""
    if "points" not in draft:
        draft["points"] = [
            [round(x * photo["width_px"]), round(y * photo["height_px"]), *metres]
            for (x, y), metres in zip(START_AT, START_M, strict=True)
        ]
    for point, row in enumerate(draft["points"]):
        for column in range(len(row)):
            typed = st.session_state.get(_key(draft, point, column))
            if typed is not None:
                row[column] = float(typed)
    points: list[list[float]] = draft["points"]
    return points


def move_points(draft: Draft, points_px: list[list[float]]) -> None:
    """Take over where the points were dragged to."""
    for point, pixels in enumerate(points_px):
        for column, value in enumerate(pixels):
            draft["points"][point][column] = float(value)
            st.session_state[_key(draft, point, column)] = float(value)


def ask_four_points(draft: Draft, slots: Slots, photo: Mapping[str, Any]) -> ForwardProfile:
    """The inputs, and the profile that the points make.

    Raises:
        CalibrationError: the points fit no camera, or a value makes no sense.
    """
    points = point_state(draft, photo)
    st.caption(
        "Drag points 1 to 4 in the photo, in order around an area, to marks on the road and give where these "
        "are: metres to the right and ahead, from any one place. Lane lines and the ends of their dashes "
        "serve well."
    )
    for cell, name in zip(st.columns([0.4, 1, 1, 1, 1]), ("", *COLUMNS), strict=True):
        cell.caption(name)
    for point, row in enumerate(points):
        cells = st.columns([0.4, 1, 1, 1, 1], vertical_alignment="center")
        cells[0].markdown(f"**{point + 1}**")
        for column, value in enumerate(row):
            key = _key(draft, point, column)
            st.session_state.setdefault(key, float(value))
            cells[column + 1].number_input(
                f"Point {point + 1} {COLUMNS[column]}", step=1.0 if column < 2 else 0.1,
                format="%.1f" if column < 2 else "%.2f", key=key, label_visibility="collapsed",
            )  # fmt: skip
    slots["points_m"] = slots["points_px"] = st.empty()
    # Edges count from the points' own origin here, so these inputs are others than those of the angles.
    own: Draft = {"serial": f"{draft['serial']}-points", "values": {}}
    values: dict[str, Any] = ask_lane(own, slots, "Empty: the outermost points are the lane's edges.")
    values["focal_px"] = ask(own, slots, "focal_px")
    values |= {**ask_limits(own, slots), **ask_lens(own, slots)}
    table = np.array(points)
    profile = forward_from_four_points(
        table[:, :2], table[:, 2:], photo["width_px"], photo["height_px"], **values
    )
    found = (
        ("Height", profile.height_m, 2, "m"), ("Pitch", profile.pitch_deg, 2, "°"),
        ("Roll", profile.roll_deg, 2, "°"), ("Yaw", profile.yaw_deg, 2, "°"),
        ("Focal length", profile.focal_px, 0, "px"),
    )  # fmt: skip
    st.caption(
        "Found: " + " · ".join(f"{name} {number(value, digits, unit)}" for name, value, digits, unit in found)
    )
    return profile
