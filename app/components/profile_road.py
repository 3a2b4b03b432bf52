"""What a camera profile makes of the road: lines on the photo, the rectified picture, the GSD by distance."""

import json
from typing import Any
from urllib.parse import urlencode

import numpy as np
import plotly.graph_objects as go
import shapely
import streamlit as st

from app.components.distress_overlay import ground_grid
from app.components.profile_picture import profile_picture
from app.components.text import number
from app.rectified_pictures import PREVIEW_PX, at_most, preview_frame
from engine.geometry import (
    CameraProfile,
    DownwardProfile,
    ForwardProfile,
    GroundFrame,
    gsd_along,
    lane_area_m2,
    lane_edges_m,
    plan_frame,
    surveyed_mask,
    to_ground,
    to_image,
    visible_range_m,
)
from engine.lane_view import GSD_SPREAD, finest_gsd

LANE = "#e69f00"
ASKED = "#d55e00"
FARTHEST_SHOWN_M = 50.0
BESIDE_M = 100.0
Line = dict[str, Any]


def _points(pixels: Any) -> list[list[float]]:
    found = np.asarray(pixels, float)
    kept: list[list[float]] = np.round(found[np.isfinite(found).all(axis=1)], 1).tolist()
    return kept


def _ring_m(profile: CameraProfile) -> np.ndarray[Any, Any]:
    """The surveyed lane as a ring of points on the ground, (N, 2)."""
    near, far = visible_range_m(profile)
    polygon = getattr(profile, "lane_polygon_px", None)
    if polygon is not None:
        corners = np.array(polygon)
        steps = np.linspace(0, 1, 30, endpoint=False)[:, None]
        pairs = zip(corners, np.roll(corners, -1, axis=0), strict=True)
        ground = to_ground(profile, np.concatenate([start + steps * (end - start) for start, end in pairs]))
        ground = ground[np.isfinite(ground).all(axis=1)]
        part = shapely.Polygon(ground).buffer(0).intersection(shapely.box(-BESIDE_M, near, BESIDE_M, far))
        largest = max(shapely.get_parts(part), key=lambda piece: piece.area, default=None)
        return np.empty((0, 2)) if largest is None else np.array(largest.exterior.coords)
    left, right = lane_edges_m(profile)
    along = np.linspace(near, far, 40)
    return np.vstack(
        [
            np.column_stack([np.full_like(along, left), along]),
            np.column_stack([np.full_like(along, right), along[::-1]]),
        ]
    )


def photo_lines(profile: CameraProfile) -> list[Line]:
    """Grid and surveyed lane in pixels of the photo."""
    frame = plan_frame(profile)
    lines: list[Line] = [
        {"points": line["photo"], "opacity": 0.55, "label": f"{line['label']} m" if line["across"] else ""}
        for line in ground_grid(profile, frame)
    ]
    lane = {
        "points": _points(to_image(profile, _ring_m(profile))),
        "colour": LANE,
        "closed": True,
        "width": 2.5,
    }
    return [*lines, {**lane, "fill": "rgb(230 159 0 / 14%)"}]


def ground_lines(profile: CameraProfile, frame: GroundFrame) -> list[Line]:
    """The same in pixels of the rectified picture."""
    scale = 1000 / frame.gsd_mm_per_px
    ring = _ring_m(profile)
    pixels = np.column_stack([(ring[:, 0] - frame.left_m) * scale, (frame.far_m - ring[:, 1]) * scale])
    grid: list[Line] = [
        {"points": line["ground"], "opacity": 0.55, "label": f"{line['label']} m"}
        for line in ground_grid(profile, frame)
    ]
    return [*grid, {"points": _points(pixels), "colour": LANE, "closed": True, "width": 2.5}]


def preview_address(photo_id: int, profile: CameraProfile) -> str:
    """Where the web process draws the photo rectified by a profile that is not saved."""
    asked = {"kind": profile.kind.value, "parameters": json.dumps(profile.as_dict(), separators=(",", ":"))}
    return f"/api/photos/{photo_id}/rectified-preview?{urlencode(asked)}"


def draw_rectified(photo_id: int, profile: CameraProfile) -> None:
    """The live rectified picture with its grid."""
    frame = preview_frame(profile)
    profile_picture(
        preview_address(photo_id, profile),
        (frame.width_px, frame.height_px),
        key="camera-rectified",
        alt="The photo rectified to the road's plane",
        lines=ground_lines(profile, frame),
        tallest="62vh",
    )


def draw_figures(profile: CameraProfile) -> None:
    """Near and far limit, surveyed area, and what of the lane in view is left out."""
    near, far = visible_range_m(profile)
    frame = at_most(plan_frame(profile), PREVIEW_PX)
    surveyed = float(surveyed_mask(profile, frame).sum()) * (frame.gsd_mm_per_px / 1000) ** 2
    left_out = max(0.0, lane_area_m2(profile) - surveyed)
    figures = [("Surveyed ahead", f"{near:.2f} to {far:.2f} m"),
               ("Surveyed area of a photo", number(surveyed, 2, "m²"))]  # fmt: skip
    if isinstance(profile, DownwardProfile):
        figures.append(("GSD", number(profile.gsd, 3, "mm per pixel")))
    else:
        figures.append((f"Lane left out, up to {FARTHEST_SHOWN_M:g} m", number(left_out, 1, "m²")))
    for cell, (label, value) in zip(st.columns(len(figures)), figures, strict=True):
        with cell.container(border=True, gap=None):
            st.caption(label)
            st.markdown(f"**{value}**")


def draw_gsd_chart(profile: CameraProfile) -> None:
    """GSD across and along the lane by distance, with the asked GSD and the surveyed part."""
    near, far = visible_range_m(profile)
    end = (
        far
        if isinstance(profile, DownwardProfile)
        else min(FARTHEST_SHOWN_M, far + max(3.0, 0.5 * (far - near)))
    )
    distances = np.linspace(near, end, 200)
    across, along = gsd_along(profile, distances)
    figure = go.Figure()
    for values, label, colour in (
        (across, "across the lane", "#0072b2"),
        (along, "along the lane", "#009e73"),
    ):
        figure.add_trace(
            go.Scatter(
                x=distances, y=values, name=label, line={"color": colour, "width": 2.5},
                hovertemplate="%{x:.1f} m ahead: %{y:.1f} mm per pixel<extra>" + label + "</extra>",
            )
        )  # fmt: skip
    figure.add_vrect(x0=near, x1=far, fillcolor=LANE, opacity=0.13, line_width=0)
    if isinstance(profile, ForwardProfile):
        asked = profile.largest_gsd_mm_per_px
        limit = GSD_SPREAD * finest_gsd(profile) if asked is None else asked
        text = f"asked: {limit:g} mm" if asked else f"limit: {limit:.1f} mm, {GSD_SPREAD:g} × the finest"
        figure.add_hline(
            y=limit, line={"color": ASKED, "dash": "dash", "width": 2},
            annotation={"text": text, "font": {"color": ASKED}},
        )  # fmt: skip
    figure.update_layout(
        height=340,
        margin={"l": 10, "r": 10, "t": 36, "b": 8},
        xaxis={"title": "Distance ahead (m)", "fixedrange": True},
        yaxis={"title": "GSD (mm per pixel)", "rangemode": "tozero", "fixedrange": True},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        plot_bgcolor="#f7f9fb",
    )
    st.plotly_chart(figure, key="camera-gsd", config={"displayModeBar": False})
    st.caption("Shaded: the part of the road that counts as surveyed.")
