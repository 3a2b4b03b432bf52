"""A forward camera's profile from four points of the road (torch-free)."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from engine.camera_profiles import LIMITS, ForwardProfile
from engine.errors import CalibrationError
from engine.lane_view import visible
from engine.lens import Points, camera_rotation, distort, undistort

LARGEST_MISFIT = 0.01
"""Share of the picture's width by which a point may miss: more, and points and distances do not belong."""


def forward_from_four_points(
    points_px: Points,
    points_m: Points,
    width_px: int,
    height_px: int,
    *,
    focal_px: float | None = None,
    k1: float = 0.0,
    k2: float = 0.0,
    lane_left_m: float | None = None,
    lane_right_m: float | None = None,
    **values: Any,
) -> ForwardProfile:
    """The camera that sees four points of the road where they were clicked.

    The homography of the four points gives a first focal length and pose (square pixels, centre known), then
    least squares in pixels the profile, whose homography has one value less than eight.

    Args:
        points_px: float (4, 2), in the photo.
        points_m: float (4, 2), the same points in the same order on the road: x to the right, y along
            the lane, from any origin.
        width_px, height_px: of the photo.
        focal_px: where known; else it is found too, which asks for points far apart in both directions.
        k1, k2: lens distortion.
        lane_left_m, lane_right_m: lane edges in the x of `points_m`; None: of the outermost points.
        values: others of `ForwardProfile`: near_m, largest_gsd_mm_per_px, gsd_mm_per_px, centre_px.

    Raises:
        CalibrationError: crossing or collinear points, or no camera of sensible height and focal length.

    Source: Zhang (2000), A flexible new technique for camera calibration, section 3.1 (constraints on f).
    """
    pixels, metres = _corners(points_px, points_m)
    # Every value but the camera's is checked before anything is computed with it.
    plain = ForwardProfile(
        width_px,
        height_px,
        width_px if focal_px is None else focal_px,
        height_m=1.5,
        pitch_deg=30.0,
        k1=k1,
        k2=k2,
        lane_left_m=-1.0,
        lane_right_m=1.0,
        **values,
    )
    origin = metres.mean(axis=0)
    metres = metres - origin  # float32 in OpenCV: small numbers
    start = _from_homography(pixels, metres, plain, focal_px)
    focal, height, pitch, roll, yaw, x, _y = _refined(start, pixels, metres, plain, focal_px)
    left = float(metres[:, 0].min()) if lane_left_m is None else lane_left_m - float(origin[0])
    right = float(metres[:, 0].max()) if lane_right_m is None else lane_right_m - float(origin[0])
    angles: dict[str, Any] = {"pitch_deg": pitch, "roll_deg": roll, "yaw_deg": yaw}
    lane: dict[str, Any] = {"lane_left_m": left - x, "lane_right_m": right - x}
    profile = replace(plain, focal_px=focal, height_m=height, **angles, **lane)
    visible(profile)
    return profile


def _corners(points_px: Points, points_m: Points) -> tuple[Points, Points]:
    pixels, metres = _checked(points_px, "points_px"), _checked(points_m, "points_m")
    if _orientation(pixels, "points_px") == _orientation(metres, "points_m"):
        # y goes down in pictures, so that the same way round the points reads as the opposite.
        raise CalibrationError(
            "points_px and points_m go round in opposite directions.",
            "Give the same point at the same place in both lists; x is to the right, y ahead.",
        )
    return pixels, metres


def _checked(points: Points, name: str) -> Points:
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (4, 2) or not np.isfinite(array).all():
        raise CalibrationError(
            f"{name} are not four points of two numbers.", "Give [[x, y], …], four of them."
        )
    return array


def _orientation(points: Points, name: str) -> int:
    """+1 or -1: which way round the four corners go."""
    sides = np.roll(points, -1, axis=0) - points
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    size = float(np.ptp(points, axis=0).max()) ** 2
    if size == 0 or np.abs(turns).min() < 1e-3 * size:
        raise CalibrationError(
            f"{name}: three of the four points lie on one line.",
            "Take the corners of an area, such as a lane's.",
        )
    if abs(np.sign(turns).sum()) < 4:
        raise CalibrationError(
            f"{name} cross or bend inwards.", "Give the corners in order around an area, such as a lane's."
        )
    return int(np.sign(turns[0]))


def _from_homography(pixels: Points, metres: Points, plain: ForwardProfile, focal_px: float | None) -> Points:
    """First guess: focal_px, height_m, pitch, roll, yaw in degrees, and the camera's place in `points_m`."""
    ideal = pixels - plain.centre
    if focal_px:
        ideal = undistort(ideal / focal_px, plain.k1, plain.k2) * focal_px
    if not np.isfinite(ideal).all():
        raise CalibrationError(
            f"k1 {plain.k1:g} and k2 {plain.k2:g} bend points_px out of view.", "Check the values."
        )
    # Where the focal length is not known the lens' bending is left to least squares.
    homography = np.asarray(
        cv2.getPerspectiveTransform(metres.astype(np.float32), ideal.astype(np.float32)), dtype=np.float64
    )
    focal = focal_px or _focal(homography, float(plain.width_px))
    columns = (homography / np.array([[focal], [focal], [1.0]])).T
    # All points lie before the camera: positive depth.
    depth = np.column_stack((metres, np.ones(4))) @ columns[:, 2]
    columns = columns * np.sign(depth.mean()) * 2 / (np.linalg.norm(columns[0]) + np.linalg.norm(columns[1]))
    # The road's z axis points up: x right, y ahead, all in camera axes.
    u, _, v = np.linalg.svd(np.stack((columns[0], columns[1], np.cross(columns[0], columns[1])), axis=1))
    rotation = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    right, ahead, height = -rotation.T @ columns[2]
    forward, down, across = rotation[2], rotation[1], rotation[0]
    pitch = np.degrees(np.arcsin(np.clip(-forward[2], -1, 1)))
    yaw = np.degrees(np.arctan2(forward[0], forward[1]))
    roll = np.degrees(np.arctan2(-across[2], -down[2]))
    return np.array([focal, height, pitch, roll, yaw, right, ahead])


def _focal(homography: Points, otherwise: float) -> float:
    """Focal length for which the road's axes come out at right angles and of one length (Zhang 2000)."""
    (a, b), (c, d), (e, f) = homography[:, :2]
    slopes = np.array([a * b + c * d, a**2 + c**2 - b**2 - d**2])
    values = np.array([-e * f, f**2 - e**2])
    inverse_square = float(slopes @ values / (slopes @ slopes)) if slopes @ slopes else 0.0
    low, high, _ = LIMITS["focal_px"]
    return float(np.clip(inverse_square**-0.5, low, high)) if inverse_square > 0 else otherwise


def _refined(
    start: Points, pixels: Points, metres: Points, plain: ForwardProfile, focal_px: float | None
) -> list[float]:
    """The first guess after least squares in pixels; CalibrationError where a point is missed by far."""
    from scipy.optimize import least_squares  # of no use to a page that only shows photos

    fixed = 1 if focal_px else 0
    names = ("focal_px", "height_m", "pitch_deg", "roll_deg", "yaw_deg")
    low = np.array([LIMITS[name][0] for name in names] + [-1e4, -1e4])[fixed:]
    high = np.array([LIMITS[name][1] for name in names] + [1e4, 1e4])[fixed:]

    def seen(values: Points) -> Points:
        focal, height, pitch, roll, yaw, right, ahead = np.concatenate((start[:fixed], values))
        points = np.column_stack((metres - (right, ahead), np.full(4, -height)))
        rays = points @ camera_rotation(pitch, roll, yaw).T
        # Behind the camera, or beyond the lens: far off, so that the search turns back.
        ideal = rays[:, :2] / np.maximum(rays[:, 2:], 1e-3)
        bent = distort(ideal, plain.k1, plain.k2)
        pixels_seen: Points = (np.where(np.isfinite(bent), bent, ideal) * focal + plain.centre).ravel()
        return pixels_seen

    if not np.all((start[fixed:] > low) & (start[fixed:] < high)):
        raise CalibrationError(
            f"The four points give a camera {start[1]:.2f} m high with a focal length of {start[0]:.0f} px, "
            f"pitch {start[2]:.0f}, roll {start[3]:.0f} and yaw {start[4]:.0f} degrees.",
            "Check points_m: metres, x to the right, y ahead; and that both lists are in the same order.",
        )
    result = least_squares(
        lambda values: seen(values) - pixels.ravel(), start[fixed:], bounds=(low, high), x_scale="jac"
    )
    misfit_px = float(np.hypot(*(result.fun.reshape(4, 2).T)).max())
    if misfit_px > LARGEST_MISFIT * plain.width_px:
        raise CalibrationError(
            f"No camera sees the points of points_m where points_px has them: one misses by "
            f"{misfit_px:.0f} px.",
            "Check the distances, and that x goes to the right and y ahead.",
        )
    return [float(value) for value in np.concatenate((start[:fixed], result.x))]
