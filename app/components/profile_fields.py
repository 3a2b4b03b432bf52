"""The values of a camera profile as inputs; what is wrong with one is said under it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.components.messages import plain
from engine.errors import EngineError
from engine.vocabulary import CameraKind

Draft = dict[str, Any]
Slots = dict[str, DeltaGenerator]


@dataclass(frozen=True)
class Field:
    """How a value is asked for."""

    label: str
    unit: str = ""
    step: float = 0.1
    format: str = "%.2f"
    help: str | None = None

    @property
    def caption(self) -> str:
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def digits(self) -> int:
        return int(self.format[2])


FIELDS = {
    "gsd_mm_per_px": Field("GSD", "mm per pixel", 0.1, "%.3f", "Millimetres of road that one pixel covers."),
    "height_m": Field("Height above the road", "m", 0.05, "%.3f"),
    "pitch_deg": Field("Pitch", "°", 0.25, "%.2f", "Below the horizon: down is positive."),
    "roll_deg": Field("Roll", "°", 0.25, "%.2f", "Clockwise as seen from behind the camera is positive."),
    "yaw_deg": Field("Yaw", "°", 0.25, "%.2f", "To the right of the lane's direction is positive."),
    "focal_px": Field("Focal length", "px", 10.0, "%.1f"),
    "focal_mm": Field("Focal length", "mm", 0.1, "%.2f", "The lens's own, not the 35 mm equivalent."),
    "sensor_width_mm": Field("Sensor width", "mm", 0.1, "%.2f", "Along the picture's width."),
    "field_of_view_deg": Field("Field of view", "°", 1.0, "%.2f", "From the photo's left to its right edge."),
    "k1": Field("Lens k1", "", 0.01, "%.4f", "Radial distortion as of OpenCV; 0 if unknown."),
    "k2": Field("Lens k2", "", 0.01, "%.4f"),
    "lane_left_m": Field("Lane's left edge", "m", 0.05, "%.2f", "Right of the camera: left is negative."),
    "lane_right_m": Field("Lane's right edge", "m", 0.05, "%.2f", "Right of the camera."),
    "near_m": Field("Nearest road used", "m", 0.25, "%.2f", "Leaves out a bonnet. Empty: all in view."),
    "largest_gsd_mm_per_px": Field(
        "Coarsest GSD asked for", "mm per pixel", 0.5, "%.2f",
        "Road farther away, where a pixel covers more, counts as not surveyed. Empty: five times the finest.",
    ),
}  # fmt: skip
NEW = {
    CameraKind.DOWNWARD: {"gsd_mm_per_px": 1.0},
    CameraKind.FORWARD: {
        "height_m": 2.0,
        "pitch_deg": 15.0,
        "roll_deg": 0.0,
        "yaw_deg": 0.0,
        "lane_left_m": -1.8,
        "lane_right_m": 1.8,
    },
}
NEW_FIELD_OF_VIEW_DEG = 60.0
# What the editor does not ask for, and keeps as it was.
KEPT = ("centre_px", "lane_polygon_px", "gsd_mm_per_px")
BY_GSD, BY_LENS = "GSD", "Height and lens"
FOCAL_BY_VIEW, FOCAL_IN_PX, FOCAL_IN_MM = "Field of view", "Focal length in px", "Focal length in mm"


def in_words(text: str) -> str:
    """Text of an error with the fields' labels in place of their names."""
    for name in sorted(FIELDS, key=len, reverse=True):
        text = re.sub(rf"\b{name}\b", FIELDS[name].label, text)
    return plain(text)


def show_beside(problem: EngineError, slots: Slots) -> None:
    """What is wrong, under the field that the error names first; above all where it names none."""
    places = {name: match.start() for name in slots if (match := re.search(rf"\b{name}\b", problem.what))}
    named = min(places, key=lambda name: places[name]) if places else None
    text = f"{in_words(problem.what)} {in_words(problem.remedy)}"
    (slots[named] if named else st).error(text)


def ask(draft: Draft, slots: Slots, name: str, place: DeltaGenerator | None = None) -> float | None:
    """One number; empty is None."""
    field = FIELDS[name]
    at = st.container() if place is None else place
    given = draft["values"].get(name)
    value = at.number_input(
        field.caption, value=None if given is None else float(given), step=field.step, format=field.format,
        help=field.help, key=f"camera-{draft['serial']}-{name}", placeholder="empty",
    )  # fmt: skip
    slots[name] = at.empty()
    return value


def ask_downward(draft: Draft, slots: Slots) -> dict[str, Any]:
    """Values of a camera that looks straight down."""
    by_lens = draft["values"].get("gsd_mm_per_px") is None
    known = st.radio("What is known", [BY_GSD, BY_LENS], index=int(by_lens), horizontal=True,
                     key=f"camera-{draft['serial']}-known")  # fmt: skip
    if known == BY_GSD:
        values = {"gsd_mm_per_px": ask(draft, slots, "gsd_mm_per_px")}
    else:
        cells = st.columns(3)
        names = ("height_m", "focal_mm", "sensor_width_mm")
        values = {name: ask(draft, slots, name, cell) for name, cell in zip(names, cells, strict=True)}
    turns = (0, 90, 180, 270)
    values["turn_deg"] = st.selectbox(
        "Driving direction in the photo", turns, index=turns.index(draft["values"].get("turn_deg", 0)),
        format_func={0: "up", 90: "right", 180: "down", 270: "left"}.__getitem__,
        key=f"camera-{draft['serial']}-turn_deg",
    )  # fmt: skip
    values |= ask_lane(draft, slots, "Leave both empty where the whole photo is the lane.")
    values |= ask_lens(draft, slots)
    if (values["k1"] or values["k2"]) and known == BY_GSD:
        values["focal_px"] = ask(draft, slots, "focal_px")
    return values


def ask_forward(draft: Draft, slots: Slots, width_px: int) -> dict[str, Any]:
    """Values of a camera that looks ahead, measured one by one."""
    height, pitch = st.columns(2)
    values = {"height_m": ask(draft, slots, "height_m", height)}
    values["pitch_deg"] = ask(draft, slots, "pitch_deg", pitch)
    roll, yaw = st.columns(2)
    values["roll_deg"] = ask(draft, slots, "roll_deg", roll) or 0.0
    values["yaw_deg"] = ask(draft, slots, "yaw_deg", yaw) or 0.0
    values["focal_px"] = ask_focal(draft, slots, width_px)
    values |= ask_lane(draft, slots)
    values |= ask_limits(draft, slots)
    return values | ask_lens(draft, slots)


def ask_focal(draft: Draft, slots: Slots, width_px: int) -> float | None:
    """Focal length in pixels, however it is known."""
    given = draft["values"].get("focal_px")
    ways = [FOCAL_BY_VIEW, FOCAL_IN_PX, FOCAL_IN_MM]
    way = st.radio("The lens is known by its", ways, index=int(given is not None), horizontal=True,
                   key=f"camera-{draft['serial']}-focal-way")  # fmt: skip
    if way == FOCAL_IN_PX:
        return ask(draft, slots, "focal_px")
    if way == FOCAL_BY_VIEW:
        start = NEW_FIELD_OF_VIEW_DEG if given is None else 2 * math.degrees(math.atan(width_px / 2 / given))
        view = ask({**draft, "values": {"field_of_view_deg": start}}, slots, "field_of_view_deg")
        slots["focal_px"] = slots["field_of_view_deg"]
        if view is None or not 1 <= view <= 170:
            slots["field_of_view_deg"].error("Give a field of view from 1 to 170 degrees.")
            return None
        return width_px / 2 / math.tan(math.radians(view / 2))
    focal, sensor = st.columns(2)
    length = ask(draft, slots, "focal_mm", focal)
    width = ask(draft, slots, "sensor_width_mm", sensor)
    slots["focal_px"] = slots["focal_mm"]
    if not length or not width or width < 0:
        return None
    return length / width * width_px


def ask_lane(draft: Draft, slots: Slots, more: str = "") -> dict[str, float | None]:
    """The lane's edges."""
    left, right = st.columns(2)
    names = ("lane_left_m", "lane_right_m")
    found = {name: ask(draft, slots, name, cell) for name, cell in zip(names, (left, right), strict=True)}
    if more:
        st.caption(more)
    return found


def ask_limits(draft: Draft, slots: Slots) -> dict[str, float | None]:
    """From where to where the road counts."""
    near, gsd = st.columns(2)
    return {
        "near_m": ask(draft, slots, "near_m", near),
        "largest_gsd_mm_per_px": ask(draft, slots, "largest_gsd_mm_per_px", gsd),
    }


def ask_lens(draft: Draft, slots: Slots) -> dict[str, float]:
    """Radial distortion."""
    first, second = st.columns(2)
    return {"k1": ask(draft, slots, "k1", first) or 0.0, "k2": ask(draft, slots, "k2", second) or 0.0}


def kept_values(draft: Draft, kind: str) -> Mapping[str, Any]:
    """Values of a loaded forward profile that no input shows."""
    if kind != CameraKind.FORWARD:
        return {}
    return {name: draft["values"][name] for name in KEPT if draft["values"].get(name) is not None}
