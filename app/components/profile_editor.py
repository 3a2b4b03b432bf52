"""The inputs of a camera profile, and the profile that they make."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.components.profile_draft import turn_to
from app.components.profile_fields import (
    Draft,
    Slots,
    ask_downward,
    ask_forward,
    kept_values,
    show_beside,
)
from app.components.profile_four_points import ask_four_points, move_points, point_state
from engine.errors import CalibrationError, EngineError
from engine.geometry import CameraProfile, fit_to_picture, profile_from_dict
from engine.vocabulary import CameraKind

LOOKS = {CameraKind.FORWARD.value: "ahead along the road", CameraKind.DOWNWARD.value: "straight down"}
BY_VALUES, BY_POINTS = "Height and angles", "Four points on the road"

# Where a lane may lie, in shares of the photo.
POLYGON_AT = ((0.1, 0.98), (0.9, 0.98), (0.62, 0.55), (0.38, 0.55))


def edit_profile(draft: Draft, photo: Mapping[str, Any]) -> CameraProfile | None:
    """Draw the inputs; returns the profile, or None after saying beside the input what is wrong.

    Args:
        draft: of `current_draft`.
        photo: the photo it is tried on, with id, width_px and height_px.
    """
    kinds = list(LOOKS)
    kind = st.radio("The camera looks", kinds, index=kinds.index(draft["kind"]), horizontal=True,
                    format_func=LOOKS.__getitem__, key=f"camera-{draft['serial']}-kind")  # fmt: skip
    turn_to(draft, kind)
    slots: Slots = {}
    try:
        if kind == CameraKind.FORWARD and _by_points(draft):
            profile: CameraProfile = ask_four_points(draft, slots, photo)
            draft["typed"] = profile.as_dict()
            return profile
        size = size_of(draft, photo)
        values = (
            ask_downward(draft, slots) if kind == CameraKind.DOWNWARD else ask_forward(draft, slots, size[0])
        )
        if kind == CameraKind.FORWARD:
            _ask_polygon(draft, size)
        parameters = {"width_px": size[0], "height_px": size[1], **kept_values(draft, kind), **values}
        draft["typed"] = parameters
        return profile_from_dict(kind, parameters)
    except EngineError as problem:
        show_beside(problem, slots)
        return None


def _by_points(draft: Draft) -> bool:
    """Whether the angles are found from four points; the values found stay when one turns back."""
    how = st.radio("How its position is known", [BY_VALUES, BY_POINTS], horizontal=True,
                   key=f"camera-{draft['serial']}-how")  # fmt: skip
    by_points = bool(how == BY_POINTS)
    if draft.get("by_points") and not by_points:
        draft["values"] = draft.get("typed", draft["values"])
    draft["by_points"] = by_points
    return by_points


def _ask_polygon(draft: Draft, size_px: tuple[int, int]) -> None:
    """Whether the lane is a polygon in the photo, for a lane that its edges do not fit."""
    values = draft["values"]
    has = values.get("lane_polygon_px") is not None
    wanted = st.checkbox(
        "Lane as a polygon in the photo", has, key=f"camera-{draft['serial']}-polygon",
        help="Drag its corners in the photo: it takes the place of the lane's edges.",
    )  # fmt: skip
    if wanted and not has:
        start = [[x * size_px[0], y * size_px[1]] for x, y in POLYGON_AT]
        values["lane_polygon_px"] = draft.get("polygon_px") or start
    elif has and not wanted:
        draft["polygon_px"] = values.pop("lane_polygon_px")


def handles(
    draft: Draft, photo: Mapping[str, Any]
) -> tuple[list[tuple[float, float]] | None, Callable[[list[list[float]]], None]]:
    """What can be dragged in the photo, and what takes over where it was dragged to."""
    if draft["kind"] == CameraKind.FORWARD and draft.get("by_points"):
        points = [(x, y) for x, y, *_ in point_state(draft, photo)]
        return points, lambda found: move_points(draft, found)
    polygon = draft["values"].get("lane_polygon_px")
    if draft["kind"] != CameraKind.FORWARD or polygon is None:
        return None, lambda found: None
    # The photo may be of another size than those the profile was made on.
    scale = photo["width_px"] / size_of(draft, photo)[0]

    def take(found: list[list[float]]) -> None:
        draft["values"]["lane_polygon_px"] = [[x / scale, y / scale] for x, y in found]

    return [(x * scale, y * scale) for x, y in polygon], take


def size_of(draft: Draft, photo: Mapping[str, Any]) -> tuple[int, int]:
    """Size of the pictures that the profile is for: a saved one keeps its own."""
    values = draft["values"]
    return int(values.get("width_px") or photo["width_px"]), int(
        values.get("height_px") or photo["height_px"]
    )


def on_photo(profile: CameraProfile, photo: Mapping[str, Any], draft: Draft) -> CameraProfile | None:
    """The profile for the chosen photo's size, or None after saying that it is for other photos."""
    try:
        return fit_to_picture(profile, photo["width_px"], photo["height_px"])
    except CalibrationError as problem:
        st.error(f"{problem.what} {problem.remedy}")
        if st.button("Make it a profile for photos of this shape"):
            draft["values"] = {
                **{
                    key: value
                    for key, value in draft["typed"].items()
                    if key not in ("centre_px", "lane_polygon_px")
                },
                "width_px": photo["width_px"],
                "height_px": photo["height_px"],
            }
            st.rerun()
        return None
