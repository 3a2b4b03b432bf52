"""The camera that explains what photos show of a straight road: from points to angles and height."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from engine.camera_profiles import ForwardProfile
from engine.lane_polygon import LaneEdges, pooled_edges

Floats = NDArray[np.float64]
FOCAL_SHARES = (0.3, 8.0)
"""Focal lengths that are tried, in widths of the picture."""


@dataclass(frozen=True)
class RoadView:
    """What is known of a camera before its calibration.

    Attributes:
        width_px, height_px: size of its pictures.
        centre: principal point, px.
        lane_width_m: of the lane that it drives in.
        focal_px: None where not given.
    """

    width_px: int
    height_px: int
    centre: tuple[float, float]
    lane_width_m: float
    focal_px: float | None


def road_axes(known: RoadView, point: Floats, tilt: float, focal: float) -> Floats:
    """The road's axes (columns: right, ahead, up) as the camera sees them (rows: right, down, forward).

    Args:
        known: the camera.
        point: vanishing point (x, y) px.
        tilt: of the horizon, radians clockwise in the picture.
        focal: focal length, px.

    Returns:
        float64 (3, 3), a rotation.
    """
    ahead = np.array([(point[0] - known.centre[0]) / focal, (point[1] - known.centre[1]) / focal, 1.0])
    ahead /= np.linalg.norm(ahead)
    horizon = np.array([np.cos(tilt), np.sin(tilt), 0.0])
    down = np.cross(ahead, horizon)
    down /= np.linalg.norm(down)
    return np.column_stack((np.cross(down, ahead), ahead, -down))


def on_road(known: RoadView, axes: Floats, focal: float, points: Floats) -> Floats:
    """(N, 2) right and ahead of the camera, in heights of the camera."""
    rays = np.column_stack(((points - known.centre) / focal, np.ones(len(points)))) @ axes
    with np.errstate(invalid="ignore", divide="ignore"):
        ground: Floats = rays[:, :2] / np.where(rays[:, 2] < 0, -rays[:, 2], np.nan)[:, None]
    return ground


def _lane_in_heights(edges: LaneEdges, known: RoadView, axes: Floats, focal: float) -> tuple[float, float]:
    return pooled_edges(
        on_road(known, axes, focal, edges.points_left)[:, 0],
        on_road(known, axes, focal, edges.points_right)[:, 0],
    )


def focal_from_flow(
    edges: LaneEdges, known: RoadView, point: Floats, tilt: float, metres: float
) -> float | None:
    """Focal length for which a lane of the known width makes the flow as long as the distance driven."""
    # Two places below the vanishing point, at right angles to the horizon.
    drop = np.array([-np.sin(tilt), np.cos(tilt)])
    rows = np.array([0.5, 1.0]) * (known.height_px - point[1])
    places = point + drop * rows[:, None]

    def too_long(log_focal: float) -> float:
        focal = float(np.exp(log_focal))
        axes = road_axes(known, point, tilt, focal)
        left, right = _lane_in_heights(edges, known, axes, focal)
        ahead = on_road(known, axes, focal, places)[:, 1] * known.lane_width_m / (right - left)
        return float(np.log((ahead[0] - ahead[1]) / (1 / rows[0] - 1 / rows[1]) / metres))

    low, high = (np.log(share * known.width_px) for share in FOCAL_SHARES)
    if too_long(low) > 0 or too_long(high) < 0:
        return None
    return float(np.exp(brentq(too_long, low, high, xtol=1e-4)))


def camera_of(edges: LaneEdges, known: RoadView, point: Floats, tilt: float, focal: float) -> ForwardProfile:
    axes = road_axes(known, point, tilt, focal)
    left, right = _lane_in_heights(edges, known, axes, focal)
    height = known.lane_width_m / (right - left)
    forward = axes[2]
    return ForwardProfile(
        width_px=known.width_px,
        height_px=known.height_px,
        focal_px=focal,
        height_m=height,
        pitch_deg=float(np.degrees(np.arcsin(-forward[2]))),
        roll_deg=float(np.degrees(np.arctan2(-axes[0, 2], -axes[1, 2]))),
        yaw_deg=float(np.degrees(np.arctan2(forward[0], forward[1]))),
        centre_px=known.centre,
        lane_left_m=left * height,
        lane_right_m=right * height,
    )
