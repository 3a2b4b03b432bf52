"""From a photo to the road's plane and back: GSD, lane in view, rectified pictures (torch-free).

Ground coordinates: x metres to the right of the camera, y metres ahead of it along the lane. Rectified
pictures: column = (x - left_m) / gsd, row = (far_m - y) / gsd, up is ahead. Pixel centres lie at whole
numbers, in photos too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.camera_profiles import CameraProfile, DownwardProfile, ForwardProfile, read_profile
from engine.errors import CalibrationError
from engine.four_points import forward_from_four_points
from engine.lane_view import (
    FARTHEST_M,
    downward_extent,
    finest_gsd,
    gsd_along,
    inside_picture,
    lane_area_m2,
    lane_at,
    lane_edges_m,
    visible,
    visible_range_m,
)
from engine.lens import Points
from engine.projection import to_ground, to_image
from engine.vocabulary import CameraKind

__all__ = [
    "CameraProfile",
    "DownwardProfile",
    "ForwardProfile",
    "GroundFrame",
    "coarsest_gsd",
    "fit_to_picture",
    "forward_from_four_points",
    "frame_polylines_to_ground",
    "frame_polylines_to_image",
    "gsd_along",
    "lane_area_m2",
    "lane_edges_m",
    "lane_edges_px",
    "lane_mask",
    "plan_frame",
    "profile_from_dict",
    "rectify",
    "surveyed_mask",
    "to_ground",
    "to_image",
    "visible_range_m",
]

LARGEST_FRAME_PX = 60_000_000
_TABLE_PX = 25_000_000
_NOWHERE = -1000.0


@dataclass(frozen=True)
class GroundFrame:
    """Which part of the road a rectified picture shows.

    Attributes:
        gsd_mm_per_px: of the rectified picture, the same in both directions.
        left_m, right_m: x at the centre of the first and the last column.
        near_m, far_m: y at the centre of the last and the first row.
        width_px, height_px: size of the rectified picture.
    """

    gsd_mm_per_px: float
    left_m: float
    right_m: float
    near_m: float
    far_m: float
    width_px: int
    height_px: int

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "GroundFrame":
        """The frame of `as_dict`'s values."""
        return cls(**values)


def profile_from_dict(kind: CameraKind | str, parameters: Mapping[str, Any]) -> CameraProfile:
    """The camera profile of stored or typed values, checked: it sees some of its lane.

    Raises:
        CalibrationError: names the value that is missing, unknown or makes no sense, and the remedy.
    """
    profile = read_profile(kind, parameters)
    plan_frame(profile)
    return profile


def fit_to_picture(profile: CameraProfile, width_px: int, height_px: int) -> CameraProfile:
    """The profile for pictures of the same camera in another size of the same shape.

    Raises:
        CalibrationError: where the shape differs by more than 1 %: these are cropped, or of another camera.
    """
    if (width_px, height_px) == (profile.width_px, profile.height_px):
        return profile
    scale = width_px / profile.width_px
    if abs(height_px / profile.height_px / scale - 1) > 0.01:
        raise CalibrationError(
            f"The photo has {width_px} x {height_px} px, the camera profile {profile.width_px} x "
            f"{profile.height_px}.",
            "Use a profile made for photos of this shape; a cropped photo needs its own.",
        )
    values = profile.as_dict() | {"width_px": width_px, "height_px": height_px}
    for name in ("focal_px", "centre_px", "lane_polygon_px"):
        if values.get(name) is not None:
            # Pixel centres lie at whole numbers: the picture's edge is at -0.5.
            shift = 0.0 if name == "focal_px" else 0.5
            values[name] = ((np.asarray(values[name]) + shift) * scale - shift).tolist()
    # A GSD that was asked for is asked of every photo; that of a downward camera is what its pixels cover.
    if isinstance(profile, DownwardProfile) and profile.gsd_mm_per_px is not None:
        values["gsd_mm_per_px"] = profile.gsd_mm_per_px / scale
    return read_profile(profile.kind, values)


def lane_edges_px(profile: CameraProfile, frame: GroundFrame) -> tuple[float, float]:
    """Columns of the lane's edges in a rectified picture, within it or not."""
    left, right = lane_edges_m(profile)
    pitch = frame.gsd_mm_per_px / 1000
    return (left - frame.left_m) / pitch, (right - frame.left_m) / pitch


def coarsest_gsd(profile: CameraProfile, frame: GroundFrame) -> NDArray[np.float64]:
    """How much road one pixel of the photo covers in its coarser direction, in mm/px, by row of a frame."""
    if isinstance(profile, DownwardProfile):
        return np.full(frame.height_px, profile.gsd)
    return np.fmax(*gsd_along(profile, _axes(frame)[0]))


def plan_frame(
    profile: CameraProfile, along_m: tuple[float, float] | None = None, margin_m: float = 0.0
) -> GroundFrame:
    """The rectified picture of the lane in view, or of a part of the road.

    Frames of one profile lie on one grid, so that parts that touch share no row and leave none out.

    Args:
        profile: camera.
        along_m: only from here to there, metres ahead (of `engine.frame_chain`).
        margin_m: so much more to the left and right, to show what lies beside the lane.

    Raises:
        CalibrationError: where nothing of the lane is in view, the asked GSD is finer than the photo, or the
            picture would be too large.
    """
    near, far, gsd = visible(profile)
    pitch = gsd / 1000
    edges = lane_at(profile, np.linspace(near, far, 101))
    if isinstance(profile, DownwardProfile):
        # On the photo's own grid: what is not turned or bent is copied, not resampled.
        half, zero_y = downward_extent(profile)
        zero_x = -half
    else:
        zero_x, zero_y = float(np.nanmin(edges[0])), far
    first = round((float(np.nanmin(edges[0])) - margin_m - zero_x) / pitch)
    last = max(first + 1, round((float(np.nanmax(edges[1])) + margin_m - zero_x) / pitch))
    low, high = (near, far) if along_m is None else (max(near, along_m[0]), min(far, along_m[1]))
    if low >= high:
        raise CalibrationError(
            f"The photo shows the lane from {near:.1f} to {far:.1f} m ahead, nothing of {along_m}.",
            "Ask for a part within the visible range.",
        )
    top = round((zero_y - high) / pitch)
    bottom = max(top + 1, round((zero_y - low) / pitch))
    width, height = last - first, bottom - top
    if isinstance(profile, ForwardProfile) and width * height > LARGEST_FRAME_PX:
        raise CalibrationError(
            f"At gsd_mm_per_px {gsd:g} the rectified picture would have {width} x {height} px.",
            "Give a coarser GSD, or check height and lane edges.",
        )
    return GroundFrame(
        gsd_mm_per_px=gsd,
        left_m=zero_x + (first + 0.5) * pitch,
        right_m=zero_x + (last - 0.5) * pitch,
        near_m=zero_y - (bottom - 0.5) * pitch,
        far_m=zero_y - (top + 0.5) * pitch,
        width_px=width,
        height_px=height,
    )


def rectify(
    array: NDArray[Any],
    profile: CameraProfile,
    frame: GroundFrame,
    *,
    order: Literal["linear", "area"] = "area",
) -> NDArray[Any]:
    """A photo, or what was predicted on it, as seen from straight above.

    Args:
        array: uint8 or float32, (H, W) or (H, W, 3), of the profile's size.
        profile: camera.
        frame: which part of the road.
        order: linear takes the photo at each pixel's centre; area its mean over the pixel, which loses no
            narrow crack where the rectified picture is coarser than the photo.

    Returns:
        Same type, (frame.height_px, frame.width_px[, 3]); 0 where the photo shows nothing.

    Raises:
        CalibrationError: where the photo has another size than the profile.
    """
    _check_size(profile, (int(array.shape[0]), int(array.shape[1])))
    window = _plain_window(profile, frame)
    if window is not None:
        return np.ascontiguousarray(np.rot90(array, profile.turn_deg // 90)[window])  # type: ignore[union-attr]
    parts = _parts_per_pixel(profile, frame) if order == "area" else 1
    map_x, map_y = _tables(profile, frame, parts)
    picture = cv2.remap(
        np.ascontiguousarray(array),
        map_x,
        map_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    if parts > 1:
        picture = cv2.resize(picture, (frame.width_px, frame.height_px), interpolation=cv2.INTER_AREA)
    return picture


def surveyed_mask(
    profile: CameraProfile, frame: GroundFrame, image_size: tuple[int, int] | None = None
) -> NDArray[np.bool_]:
    """Where a rectified picture shows the lane, from within the photo and at the asked GSD.

    Args:
        profile: camera.
        frame: of the rectified picture.
        image_size: height and width of the photo, to check.

    Returns:
        bool (frame.height_px, frame.width_px).
    """
    if image_size is not None:
        _check_size(profile, image_size)
    near, far, _gsd = visible(profile)
    rows, columns = _axes(frame)
    left, right = lane_at(profile, rows)
    inside = (
        (columns >= left[:, None]) & (columns < right[:, None]) & ((rows >= near) & (rows < far))[:, None]
    )
    if _plain_window(profile, frame) is not None:
        return inside
    map_x, map_y = _tables(profile, frame, 1)
    return inside & inside_picture(profile, map_x, map_y)


def lane_mask(profile: CameraProfile) -> NDArray[np.bool_]:
    """Where the photo shows the lane, at any GSD, up to `FARTHEST_M` ahead.

    Returns:
        bool (height_px, width_px).
    """
    if isinstance(profile, ForwardProfile) and profile.lane_polygon_px is not None:
        mask = np.zeros((profile.height_px, profile.width_px), dtype=np.uint8)
        # OpenCV takes corners in 1/256 px here; a lane may end outside of the picture.
        corners = np.clip(np.array(profile.lane_polygon_px), -30_000, 60_000) * 256
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1, shift=8)
        return mask.astype(bool)
    rows, columns = np.mgrid[0 : profile.height_px, 0 : profile.width_px]
    ground = to_ground(profile, np.column_stack((columns.ravel(), rows.ravel())))
    left, right = lane_at(profile, ground[:, 1])
    inside = (ground[:, 0] >= left) & (ground[:, 0] < right) & (ground[:, 1] < FARTHEST_M)
    return inside.reshape(rows.shape)


def frame_polylines_to_ground(polylines: Sequence[Points], frame: GroundFrame) -> list[Points]:
    """Lines (N, 2) of a rectified picture, x and y in its pixels, in metres on the road."""
    pitch = frame.gsd_mm_per_px / 1000
    corner = np.array([frame.left_m, frame.far_m])
    return [
        corner + np.asarray(line, dtype=np.float64).reshape(-1, 2) * (pitch, -pitch) for line in polylines
    ]


def frame_polylines_to_image(
    polylines: Sequence[Points], profile: CameraProfile, frame: GroundFrame
) -> list[Points]:
    """Lines (N, 2) of a rectified picture, x and y in its pixels, in pixels of the photo."""
    return [to_image(profile, line) for line in frame_polylines_to_ground(polylines, frame)]


def _check_size(profile: CameraProfile, image_size: tuple[int, int]) -> None:
    if image_size != (profile.height_px, profile.width_px):
        raise CalibrationError(
            f"The photo has {image_size[1]} x {image_size[0]} px, the camera profile {profile.width_px} x "
            f"{profile.height_px}.",
            "Use a profile of this camera and picture size.",
        )


def _axes(frame: GroundFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """y of the rows and x of the columns, in m."""
    pitch = frame.gsd_mm_per_px / 1000
    rows = np.arange(frame.height_px, dtype=np.float64)
    return frame.far_m - pitch * rows, frame.left_m + pitch * np.arange(frame.width_px, dtype=np.float64)


def _plain_window(profile: CameraProfile, frame: GroundFrame) -> tuple[slice, slice] | None:
    """Rows and columns of the turned photo that are the frame, where nothing needs resampling."""
    if not isinstance(profile, DownwardProfile) or profile.k1 or profile.k2:
        return None
    pitch = profile.gsd / 1000
    half, ahead = downward_extent(profile)
    left, top = (frame.left_m + half) / pitch - 0.5, (ahead - frame.far_m) / pitch - 0.5
    column, row = round(left), round(top)
    aligned = (
        max(abs(left - column), abs(top - row)) < 1e-3 and abs(frame.gsd_mm_per_px / profile.gsd - 1) < 1e-9
    )
    width, height = round(2 * half / pitch), round(2 * ahead / pitch)
    if (
        not aligned
        or min(column, row) < 0
        or column + frame.width_px > width
        or row + frame.height_px > height
    ):
        return None
    return slice(row, row + frame.height_px), slice(column, column + frame.width_px)


def _parts_per_pixel(profile: CameraProfile, frame: GroundFrame) -> int:
    """How finely a rectified pixel is divided so that no photo pixel is jumped over."""
    parts = math.ceil(frame.gsd_mm_per_px / finest_gsd(profile) - 0.1)
    return max(1, min(parts, math.isqrt(_TABLE_PX // (frame.width_px * frame.height_px) or 1)))


def _tables(
    profile: CameraProfile, frame: GroundFrame, parts: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Photo x and y of every pixel of a frame; a part of the profile's whole frame is cut from its."""
    whole = plan_frame(profile)
    pitch = frame.gsd_mm_per_px / 1000
    offset = (whole.far_m - frame.far_m) / pitch
    row = round(offset)
    same_grid = (
        whole.gsd_mm_per_px == frame.gsd_mm_per_px
        and whole.width_px == frame.width_px
        and abs(whole.left_m - frame.left_m) < 1e-6
        and abs(offset - row) < 1e-3
        and 0 <= row <= whole.height_px - frame.height_px
    )
    if not same_grid or whole.width_px * whole.height_px * parts**2 > _TABLE_PX:
        return _make_tables(profile, frame, parts)
    map_x, map_y = _make_tables(profile, whole, parts)
    rows = slice(row * parts, (row + frame.height_px) * parts)
    return map_x[rows], map_y[rows]


@lru_cache(maxsize=2)
def _make_tables(
    profile: CameraProfile, frame: GroundFrame, parts: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    pitch = frame.gsd_mm_per_px / 1000
    shift = pitch * (1 - 1 / parts) / 2
    y = frame.far_m + shift - pitch / parts * np.arange(frame.height_px * parts)
    x = frame.left_m - shift + pitch / parts * np.arange(frame.width_px * parts)
    tables = np.empty((2, len(y), len(x)), dtype=np.float32)
    block = max(1, 500_000 // len(x))
    for start in range(0, len(y), block):
        rows = y[start : start + block]
        points = np.column_stack((np.tile(x, len(rows)), np.repeat(rows, len(x))))
        pixels = to_image(profile, points).T.reshape(2, len(rows), len(x))
        tables[:, start : start + block] = np.where(np.isfinite(pixels), pixels, _NOWHERE)
    tables.flags.writeable = False
    return tables[0], tables[1]
