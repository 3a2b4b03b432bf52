"""What a photo shows of its lane: GSD along it, visible range, area (torch-free)."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.camera_profiles import CameraProfile, DownwardProfile, ForwardProfile
from engine.errors import CalibrationError
from engine.lens import Points
from engine.projection import to_ground, to_image

Numbers = NDArray[np.float64]

FARTHEST_M = 50.0
"""Lane farther than this counts as out of view: a lane that reaches the horizon has no area."""
GSD_SPREAD = 5.0
"""Without a largest GSD given, a pixel at the far end covers at most so many times the finest one."""
LARGEST_AUTOMATIC_PX = 25_000_000
"""A rectified picture whose GSD is not asked for gets no larger than this."""
WHOLE_WIDTH = 0.9
_STEP_M = 0.01


def gsd_along(
    profile: CameraProfile, distances_m: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much road one pixel covers in the middle of the lane.

    Args:
        profile: camera.
        distances_m: float (N,), metres ahead of the camera.

    Returns:
        Across and along the lane, float64 (N,) in mm/px; nan where no picture could show the road.
    """
    along = np.asarray(distances_m, dtype=np.float64).ravel()
    left, right = lane_at(profile, along)
    middle = np.column_stack(((left + right) / 2, along))
    step = 0.0005
    columns = [
        (to_image(profile, middle + shift) - to_image(profile, middle - shift)) / (2000 * step)
        for shift in (np.array([step, 0.0]), np.array([0.0, step]))
    ]
    # Footprint of a pixel: the inverse of how pixels change with the road, in mm.
    (a, c), (b, d) = columns[0].T, columns[1].T
    size = np.abs(a * d - b * c)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.hypot(d, b) / size, np.hypot(a, c) / size


def visible_range_m(profile: CameraProfile) -> tuple[float, float]:
    """From where to where along the lane the photo shows it at the asked GSD.

    The near end is where the picture shows the lane in (nearly) its whole width, the far end where it stops
    to, or where a pixel in mid-lane covers more than the asked GSD, across or along.

    Returns:
        Metres ahead of the camera, near < far.

    Raises:
        CalibrationError: where nothing of the lane is left; names the value.
    """
    near, far, _gsd = visible(profile)
    return near, far


def lane_area_m2(profile: CameraProfile) -> float:
    """Area of the lane in the photo at any GSD, up to `FARTHEST_M` ahead."""
    along, width, share = _lane_in_view(profile)
    return float((width * share).sum() * (along[1] - along[0]))


def too_far_m2(profile: CameraProfile) -> float:
    """Area of the lane in the photo beyond the far end of `visible_range_m`, up to `FARTHEST_M` ahead."""
    along, width, share = _lane_in_view(profile)
    far = along >= visible_range_m(profile)[1]
    return float((width * share)[far].sum() * (along[1] - along[0]))


def lane_edges_m(profile: CameraProfile) -> tuple[float, float]:
    """Left and right edge of the lane in metres; of a lane polygon, their medians over the visible range."""
    if profile.lane_left_m is not None and profile.lane_right_m is not None:
        return profile.lane_left_m, profile.lane_right_m
    near, far = visible_range_m(profile)
    left, right = lane_at(profile, np.linspace(near, far, 101))
    return float(np.nanmedian(left)), float(np.nanmedian(right))


def downward_extent(profile: DownwardProfile) -> tuple[float, float]:
    """Half the width across the lane and half the length along it of a downward picture, in m."""
    across, along = profile.width_px, profile.height_px
    if profile.turn_deg in (90, 270):
        across, along = along, across
    return across * profile.gsd / 2000, along * profile.gsd / 2000


def lane_at(profile: CameraProfile, along_m: Numbers) -> tuple[Numbers, Numbers]:
    """Left and right edge of the lane, in m, at distances ahead; nan beyond the ends of a lane polygon."""
    along = np.asarray(along_m, dtype=np.float64)
    if isinstance(profile, DownwardProfile):
        half, _ = downward_extent(profile)
        left = -half if profile.lane_left_m is None else max(-half, profile.lane_left_m)
        right = half if profile.lane_right_m is None else min(half, profile.lane_right_m)
        return np.full(along.shape, left), np.full(along.shape, right)
    if profile.lane_polygon_px is not None:
        table, left_edges, right_edges = _polygon_edges(profile)
        ends = {"left": np.nan, "right": np.nan}
        return np.interp(along, table, left_edges, **ends), np.interp(along, table, right_edges, **ends)
    return np.full(along.shape, profile.lane_left_m), np.full(along.shape, profile.lane_right_m)


@lru_cache(maxsize=8)
def visible(profile: CameraProfile) -> tuple[float, float, float]:
    """Near and far end in m as of `visible_range_m`, and the GSD of the rectified picture in mm/px."""
    if isinstance(profile, DownwardProfile):
        left, right = lane_at(profile, np.zeros(1))
        if left[0] >= right[0]:
            raise _unseen(profile)
        _, half = downward_extent(profile)
        return -half, half, profile.gsd
    along, width, share = _lane_in_view(profile)
    across_gsd, along_gsd = gsd_along(profile, along)
    coarsest, finest = np.fmax(across_gsd, along_gsd), np.fmin(across_gsd, along_gsd)
    seen = (share > 0) & np.isfinite(coarsest)
    if profile.near_m is not None:
        seen &= along >= profile.near_m
    if not seen.any():
        raise _unseen(profile)
    usable = seen & (share >= WHOLE_WIDTH * share[seen].max())
    start = int(usable.argmax())
    limit = profile.largest_gsd_mm_per_px or GSD_SPREAD * float(finest[start])
    usable &= coarsest <= limit
    if not usable[start]:
        raise CalibrationError(
            f"largest_gsd_mm_per_px is {limit:.3g}, but one pixel covers {coarsest[start]:.3g} mm of road "
            f"where the lane comes into view, {along[start]:.1f} m ahead.",
            f"Give {1.5 * coarsest[start]:.2g} or more, or check height_m and focal_px.",
        )
    ends = np.flatnonzero(~usable[start:])
    stop = start + int(ends[0]) if len(ends) else len(along)
    half_step = (along[1] - along[0]) / 2
    near, far = float(along[start] - half_step), float(along[stop - 1] + half_step)
    area_m2 = float(np.nanmax(width[start:stop])) * (far - near)
    return near, far, _frame_gsd(profile, float(finest[start]), area_m2)


def finest_gsd(profile: CameraProfile) -> float:
    """What a pixel covers where the lane comes into view, in mm, in its finer direction."""
    if isinstance(profile, DownwardProfile):
        return profile.gsd
    near = np.array([visible_range_m(profile)[0]])
    return float(np.fmin(*gsd_along(profile, near))[0])


def inside_picture(
    profile: CameraProfile, x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Whether pixel positions lie in the photo; nan do not."""
    inside: NDArray[np.bool_] = (x >= -0.5) & (x < profile.width_px - 0.5) & (y >= -0.5)
    return inside & (y < profile.height_px - 0.5)


def _frame_gsd(profile: ForwardProfile, finest: float, area_m2: float) -> float:
    asked = profile.gsd_mm_per_px
    if asked is None:
        return max(finest, 1000 * math.sqrt(area_m2 / LARGEST_AUTOMATIC_PX))
    if asked < 0.99 * finest:
        raise CalibrationError(
            f"gsd_mm_per_px is {asked:g}, but the photo's finest pixel covers {finest:.3g} mm of road.",
            f"Give {math.ceil(finest * 10) / 10:g} or more, or leave it out.",
        )
    return asked


def _unseen(profile: CameraProfile) -> CalibrationError:
    if isinstance(profile, ForwardProfile) and profile.near_m is not None:
        return CalibrationError(
            f"near_m is {profile.near_m:g}: the picture shows no lane farther than that.",
            "Give a smaller near_m.",
        )
    lane = f"lane_left_m {profile.lane_left_m} to lane_right_m {profile.lane_right_m}"
    if isinstance(profile, ForwardProfile) and profile.lane_polygon_px is not None:
        lane = "lane_polygon_px"
    return CalibrationError(
        f"The picture shows nothing of the lane ({lane}).",
        "Check the lane, given in metres right of the camera, and the camera's height, pitch and yaw.",
    )


@lru_cache(maxsize=8)
def _lane_in_view(profile: CameraProfile) -> tuple[Numbers, Numbers, Numbers]:
    """Distances ahead in even steps, the lane's width there in m, and the share of it in the picture."""
    if isinstance(profile, DownwardProfile):
        low, high = (sign * downward_extent(profile)[1] for sign in (-1, 1))
    else:
        border = to_ground(profile, _border(profile))[:, 1]
        low = max(float(np.nanmin(border)), -FARTHEST_M)
        high = FARTHEST_M if np.isnan(border).any() else min(FARTHEST_M, float(border.max()))
        if high <= low:
            raise _unseen(profile)
    steps = max(2, math.ceil((high - low) / _STEP_M))
    along = low + (np.arange(steps) + 0.5) * (high - low) / steps
    left, right = lane_at(profile, along)
    parts = (np.arange(41) + 0.5) / 41
    x = left[:, None] + parts * (right - left)[:, None]
    pixels = to_image(profile, np.column_stack((x.ravel(), np.repeat(along, len(parts)))))
    share = inside_picture(profile, pixels[:, 0], pixels[:, 1]).reshape(x.shape).mean(axis=1)
    width = np.where(np.isnan(left), 0.0, right - left)
    for array in (along, width, share):
        array.flags.writeable = False
    return along, width, share


def _border(profile: CameraProfile) -> Points:
    """Points along the picture's four edges, (N, 2) in px."""
    right, bottom = profile.width_px - 0.5, profile.height_px - 0.5
    corners = np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])
    return _densified(corners, 65)


def _densified(corners: Points, parts: int) -> Points:
    steps = (np.arange(parts) / parts)[None, :, None]
    following = np.roll(corners, -1, axis=0)
    points: Points = (corners[:, None] * (1 - steps) + following[:, None] * steps).reshape(-1, 2)
    return points


@lru_cache(maxsize=8)
def _polygon_edges(profile: ForwardProfile) -> tuple[Numbers, Numbers, Numbers]:
    """Edges of a lane polygon in a table over distance; straight in the photo is bent on the road."""
    corners = np.array(profile.lane_polygon_px)
    line = to_ground(profile, _densified(corners, 33))
    if np.isnan(line).any():
        raise CalibrationError(
            "lane_polygon_px reaches above the horizon.", "Move its far corners down, or check pitch_deg."
        )
    low, high = max(float(line[:, 1].min()), -FARTHEST_M), min(float(line[:, 1].max()), FARTHEST_M)
    if high - low < 2 * _STEP_M:
        raise _unseen(profile)
    along = np.linspace(low, high, math.ceil((high - low) / _STEP_M) + 1)
    left, right = np.full(along.shape, np.inf), np.full(along.shape, -np.inf)
    for (x0, y0), (x1, y1) in zip(line, np.roll(line, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crossed = (along >= min(y0, y1)) & (along <= max(y0, y1))
        x = x0 + (along[crossed] - y0) / (y1 - y0) * (x1 - x0)
        left[crossed], right[crossed] = np.minimum(left[crossed], x), np.maximum(right[crossed], x)
    return along, np.where(np.isfinite(left), left, np.nan), np.where(np.isfinite(right), right, np.nan)
